"""Commands about the people of a data folder: user add, list, passwd, remove."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from milepost.cli.options import (
    Problem,
    json_option,
    option,
    password_stdin_option,
    print_json,
    print_line,
    read_password,
)
from milepost.security import People, Role, SecurityError

PEOPLE_FILE: Final = "people.sqlite"

data_option: Final = option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="MILEPOST_DATA",
    default=Path("milepost-data"),
    help="The data folder of the server.",
)


@contextmanager
def _people(data: Path, *, create: bool = False) -> Iterator[People]:
    """The people of the server whose data folder this is."""
    file = data / PEOPLE_FILE
    if not create and not file.exists():
        raise Problem(f"{data} is not the data folder of a server; give --data, or add somebody first")
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with People(file) as people:
            yield people
    except OSError as error:
        raise Problem(f"{data} cannot be used as a data folder: {error}") from error
    except SecurityError as error:
        raise Problem(str(error)) from error


@click.group()
def user() -> None:
    """Say who may sign in to the server of a data folder.

    The server may be running; changes count at once.
    """


@user.command()
@click.argument("name")
@option("--role", type=click.Choice([role.value for role in Role]), default=Role.USER.value)
@option("--full-name", default="", show_default=False, help="For display.")
@data_option
@password_stdin_option
def add(name: str, role: str, full_name: str, data: Path, password_stdin: bool) -> None:
    """Let somebody in."""
    password = read_password(name, from_stdin=password_stdin, confirm=True)
    with _people(data, create=True) as people:
        person = people.add(name, password, role, full_name)
    print_line(f"Added {person.username} as {person.role}.")


@user.command("list")
@data_option
@json_option
def list_people(data: Path, as_json: bool) -> None:
    """List everybody, with their roles."""
    with _people(data) as people:
        everybody = people.list()
    if as_json:
        print_json(
            [
                {
                    "username": person.username,
                    "fullName": person.full_name,
                    "role": person.role,
                    "created": person.created_at,
                }
                for person in everybody
            ]
        )
        return
    width = max((len(person.username) for person in everybody), default=0)
    for person in everybody:
        full_name = "" if person.full_name == person.username else f"  {person.full_name}"
        print_line(f"{person.username:<{width}}  {person.role:<13}{full_name}".rstrip())


@user.command()
@click.argument("name")
@data_option
@password_stdin_option
def passwd(name: str, data: Path, password_stdin: bool) -> None:
    """Give somebody a new password; tokens issued before are void."""
    with _people(data) as people:
        if people.get(name) is None:
            raise Problem(f"there is nobody named {name!r}; list the people to see who is")
        people.set_password(name, read_password(name, from_stdin=password_stdin, confirm=True))
    print_line(f"{name} has a new password.")


@user.command()
@click.argument("name")
@data_option
def remove(name: str, data: Path) -> None:
    """Let somebody in no longer; tokens issued before are void."""
    with _people(data) as people:
        people.remove(name)
    print_line(f"Removed {name}.")
