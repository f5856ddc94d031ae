"""What all commands share: how options are told, what is printed, how passwords are asked for, and exit codes."""

import functools
import os
import sys
from typing import Any, Final

import click
import msgspec

FAILED: Final = 1
CANCELLED: Final = 3
NO_ANSWER: Final = 4
INTERRUPTED: Final = 130

option: Final = functools.partial(click.option, show_envvar=True)
"""An option whose help names its environment variable."""

password_stdin_option: Final = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the input, not from MILEPOST_PASSWORD."
)
json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def read_password(user: str, *, from_stdin: bool, confirm: bool = False) -> str:
    """A password from the input, MILEPOST_PASSWORD or a prompt, in this order.

    Raises:
        click.UsageError: there is none of them.
    """
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise click.UsageError("--password-stdin was given, but the input holds no password")
        return password
    password = os.environ.get("MILEPOST_PASSWORD", "")
    if password:
        return password
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"the password of {user} is needed: set MILEPOST_PASSWORD, or pipe it in with --password-stdin"
        )
    return str(click.prompt(f"Password of {user}", hide_input=True, confirmation_prompt=confirm, err=True))


class Problem(click.ClickException):
    """An error that ends a command with one line."""

    exit_code = FAILED


class NoAnswer(Problem):
    """Nothing, or nothing useful, came from the server."""

    exit_code = NO_ANSWER


def print_line(text: str) -> None:
    """A line on the output, at once."""
    click.echo(text)
    sys.stdout.flush()


def print_json(body: Any) -> None:
    """One JSON value on a line."""
    print_line(msgspec.json.encode(body).decode())
