"""Commands about the people of a data folder: who they are, what they may do, and the key of their tokens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from milepost.cli.common import (
    Problem,
    json_option,
    option,
    password_stdin_option,
    print_json,
    print_line,
    read_password,
)
from milepost.security import People, Person, Privilege, Role, SecurityError, Tokens, read_privileges

PEOPLE_FILE: Final = "people.sqlite"
KEY_FILE: Final = "token.key"

_PRIVILEGES: Final = "\b\nThe privileges:\n" + "\n".join(f"  {each:<38} {each.printed}" for each in Privilege)

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
    """List everybody, with their roles and what they were granted beyond them."""
    with _people(data) as people:
        everybody = people.list()
    if as_json:
        print_json(
            [
                {
                    "username": person.username,
                    "fullName": person.full_name,
                    "role": person.role,
                    "granted": sorted(person.granted),
                    "created": person.created_at,
                }
                for person in everybody
            ]
        )
        return
    width = max((len(person.username) for person in everybody), default=0)
    for person in everybody:
        full_name = "" if person.full_name == person.username else f"  {person.full_name}"
        granted = f"  + {', '.join(sorted(person.granted))}" if person.granted else ""
        print_line(f"{person.username:<{width}}  {person.role:<13}{full_name}{granted}".rstrip())


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice([role.value for role in Role]))
@data_option
def set_role(name: str, role: str, data: Path) -> None:
    """Give somebody another role; what was granted beyond the role stays."""
    with _people(data) as people:
        person = people.set_role(name, role)
    print_line(f"{person.username} is {person.role} now.")


@user.command(epilog=_PRIVILEGES)
@click.argument("name")
@click.argument("privileges", nargs=-1, required=True, metavar="PRIVILEGE...")
@data_option
def grant(name: str, privileges: Sequence[str], data: Path) -> None:
    """Let somebody do more than their role does."""
    with _people(data) as people:
        wanted = read_privileges(privileges)
        person = people.set_granted(name, _known(people, name).granted | wanted)
    _print_granted(person)


@user.command(epilog=_PRIVILEGES)
@click.argument("name")
@click.argument("privileges", nargs=-1, required=True, metavar="PRIVILEGE...")
@data_option
def revoke(name: str, privileges: Sequence[str], data: Path) -> None:
    """Take back what somebody was granted; what comes with the role stays."""
    with _people(data) as people:
        unwanted = read_privileges(privileges)
        granted = _known(people, name).granted
        if missing := unwanted - granted:
            raise Problem(f"{name} was not granted {', '.join(sorted(missing))}; nothing was changed")
        person = people.set_granted(name, granted - unwanted)
    _print_granted(person)


def _known(people: People, name: str) -> Person:
    person = people.get(name)
    if person is None:
        raise Problem(f"there is nobody named {name!r}; list the people to see who is")
    return person


def _print_granted(person: Person) -> None:
    granted = ", ".join(sorted(person.granted)) or "nothing"
    print_line(f"{person.username} is {person.role}, and was granted {granted} beyond that.")


@user.command("rotate-key")
@data_option
def rotate_key(data: Path) -> None:
    """Replace the key that tokens are signed with: everybody signs in again.

    Do this when somebody may have read the key, such as from a backup.
    """
    with _people(data) as people:
        Tokens(data / KEY_FILE, people).rotate()
    print_line("The signing key was replaced; all tokens are void.")


@user.command()
@click.argument("name")
@data_option
@password_stdin_option
def passwd(name: str, data: Path, password_stdin: bool) -> None:
    """Give somebody a new password; tokens issued before are void."""
    with _people(data) as people:
        _known(people, name)
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
