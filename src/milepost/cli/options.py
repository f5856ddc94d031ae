"""What commands that talk to a server share: options, sign-in, errors and exit codes."""

import functools
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import click
import msgspec
from rich.console import Console

from milepost.cli.common import (
    CANCELLED,
    FAILED,
    NO_ANSWER,
    NoAnswer,
    option,
    password_stdin_option,
    print_line,
    read_password,
)
from milepost.client import (
    Address,
    ClientError,
    Display,
    JsonDisplay,
    LiveDisplay,
    Pace,
    PlainDisplay,
    Session,
    State,
)

P = ParamSpec("P")
T = TypeVar("T")

EXIT_CODES: Final[dict[State, int]] = {
    "succeeded": 0,
    "failed": FAILED,
    "timed_out": FAILED,
    "cancelled": CANCELLED,
    "deleted": NO_ANSWER,
}

EXIT_HELP: Final = """\b
Exit codes:
  0  the job succeeded
  1  the job failed or timed out
  2  the command was not understood
  3  the job was cancelled
  4  how the job ended cannot be told: the server cannot be reached,
     answered wrongly, refused the sign-in, or the job was deleted
130  Ctrl-C ended the watching; the job goes on"""

DEFAULT_SERVER: Final = "http://127.0.0.1:6080/arcgis"


class AddressType(click.ParamType[Address]):
    """An http or https address."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """The address, taken apart."""
        if isinstance(value, Address):
            return value
        try:
            return Address(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Connection(msgspec.Struct, frozen=True):
    """How to reach a server, and as whom."""

    token: str
    user: str
    password_stdin: bool
    cacert: Path | None
    insecure: bool

    def open(self, address: Address) -> Session:
        """A session with the server that ``address`` belongs to."""
        password = read_password(self.user, from_stdin=self.password_stdin) if self._signs_in(address) else ""
        return Session(
            address, token=self.token, user=self.user, password=password, verify=self._verification()
        )

    def _signs_in(self, address: Address) -> bool:
        return bool(self.user and not self.token and not address.token)

    def _verification(self) -> ssl.SSLContext | bool:
        if self.insecure:
            return False
        if self.cacert is None:
            return True
        try:
            return ssl.create_default_context(cafile=str(self.cacert))
        except (OSError, ssl.SSLError) as error:
            raise click.UsageError(f"{self.cacert} holds no certificate that can be read: {error}") from error


server_option: Final = option(
    "--server",
    type=AddressType(),
    envvar="MILEPOST_SERVER",
    default=DEFAULT_SERVER,
    metavar="URL",
    help="The server, context path included.",
)
patience_option: Final = option(
    "--patience",
    type=click.FloatRange(min=0),
    envvar="MILEPOST_PATIENCE",
    default=60.0,
    metavar="SECONDS",
    help="How long to go on while the server does not answer or tells no status.",
)


def connection_options(command: Callable[..., T]) -> Callable[..., T]:
    """Give a command the options of a connection; it gets them as ``connection``."""

    @option(
        "--token", envvar="MILEPOST_TOKEN", default="", show_default=False, help="A token to sign in with."
    )
    @option(
        "--user",
        envvar="MILEPOST_USER",
        default="",
        show_default=False,
        help="Sign in with this name and a password.",
    )
    @password_stdin_option
    @option(
        "--cacert",
        envvar="MILEPOST_CACERT",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Trust the certificates in this PEM file.",
    )
    @option("--insecure", envvar="MILEPOST_INSECURE", is_flag=True, help="Accept any certificate.")
    @functools.wraps(command)
    def connected(
        *args: Any,
        token: str,
        user: str,
        password_stdin: bool,
        cacert: Path | None,
        insecure: bool,
        **kwargs: Any,
    ) -> T:
        connection = Connection(token, user, password_stdin, cacert, insecure)
        with reported_errors():
            return command(*args, connection=connection, **kwargs)

    return connected


@contextmanager
def reported_errors() -> Iterator[None]:
    """Turn what the client raises into one line and an exit code."""
    try:
        yield
    except ClientError as error:
        raise NoAnswer(str(error)) from error


def display_for(address: Address, title: str, *, as_json: bool, submitted: bool = False) -> Display:
    """How a job is best shown where this command runs."""
    if as_json:
        return JsonDisplay(print_line, str(address))
    console = Console(highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveDisplay(console, title, submitted=submitted)
    return PlainDisplay(print_line, title, submitted=submitted)


def pace_of(patience: float) -> Pace:
    """How often to ask about a job that somebody looks at."""
    return Pace(patience=patience)
