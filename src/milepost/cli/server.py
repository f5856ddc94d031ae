"""Commands about a server as a whole: its jobs, and tokens to use it with."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.text import Text

from milepost.cli.common import json_option, option, print_json, print_line
from milepost.cli.options import Connection, connection_options, server_option
from milepost.client import Address, BadAnswerError, one_line

_HEADS: Final = ("status", "operation", "service", "owner", "submitted", "progress", "url")
_STYLES: Final = {
    "executing": "cyan",
    "succeeded": "green",
    "failed": "red",
    "timed out": "red",
    "cancelling": "yellow",
    "cancelled": "yellow",
}
_LAST_TIME: Final = 253_402_300_799_999  # the end of the year 9999

_EXAMPLE: Final = """\b
Example:
  export MILEPOST_TOKEN=$(milepost token --user admin)"""


@click.command()
@server_option
@option("--status", multiple=True, help="Only jobs with this status, such as executing; may be repeated.")
@option("--owner", help="Only jobs of this user.")
@option("--service", help="Only jobs of this service, such as Analysis/Proximity.GPServer.")
@option("--operation", help="Only jobs of this operation.")
@option("--start", type=click.IntRange(min=1), default=1, help="Number of the first job to list.")
@option("--num", type=click.IntRange(min=1), default=25, help="How many jobs to list.")
@json_option
@connection_options
def jobs(
    server: Address,
    status: Sequence[str],
    owner: str | None,
    service: str | None,
    operation: str | None,
    start: int,
    num: int,
    as_json: bool,
    connection: Connection,
) -> None:
    """List the jobs of a server, newest first.

    This asks for a list that Milepost servers have; it is not part of the documented resources.
    """
    wanted = {"status": status, "owner": owner, "service": service, "operation": operation}
    filters = {name: value for name, value in wanted.items() if value}
    url = f"{server.url}/rest/jobs"
    with connection.open(server) as session:
        answer = session.get(url, {**filters, "start": str(start), "num": str(num)})
    if not isinstance(answer, dict) or not isinstance(answer.get("jobs"), list):
        raise BadAnswerError(f"{url} did not answer with a list of jobs; is it a Milepost server?")
    if as_json:
        print_json(answer)
        return
    rows = [_row(each) for each in answer["jobs"] if isinstance(each, dict)]
    _print_jobs(rows)
    if not rows:
        click.echo("No jobs.", err=True)
    elif answer.get("more") is True:
        click.echo(f"More follow: --start {start + len(rows)}", err=True)


def _row(job: dict[str, Any]) -> tuple[str, ...]:
    def text(name: str) -> str:
        return one_line([str(job.get(name) or "")])

    submitted, progress = job.get("submitted"), job.get("progress")
    when = text("submitted")
    if isinstance(submitted, int) and 0 < submitted < _LAST_TIME:
        when = datetime.fromtimestamp(submitted / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    share = f"{progress:.0%}" if isinstance(progress, float | int) and 0 <= progress <= 1 else ""
    status = text("jobStatus").replace("_", " ")
    return (
        status,
        text("operation"),
        text("service"),
        text("owner"),
        when,
        share,
        text("url") or text("jobId"),
    )


def _print_jobs(rows: Sequence[tuple[str, ...]]) -> None:
    """Columns, each job's address below it, in a terminal; tab-separated lines elsewhere."""
    console = Console(highlight=False)
    if not console.is_terminal:
        for row in (_HEADS, *rows):
            print_line("\t".join(row))
        return
    widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)][:-1]
    for row in (_HEADS, *rows) if rows else ():
        style = _STYLES.get(row[0], "") if row is not _HEADS else "dim"
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        console.print(Text.assemble((cells[0], style), "  ", ("  ".join(cells[1:]), style * (row is _HEADS))))
        if row is not _HEADS:
            console.print(Text(f"  {row[-1]}", "dim"), soft_wrap=True)


@click.command(epilog=_EXAMPLE)
@server_option
@option(
    "--expiration",
    type=click.IntRange(min=1),
    default=60,
    metavar="MINUTES",
    help="How long it is to be good.",
)
@json_option
@connection_options
def token(server: Address, expiration: int, as_json: bool, connection: Connection) -> None:
    """Sign in with --user and a password, and print the token."""
    if not connection.user:
        raise click.UsageError("whose token? give --user")
    signing_in = msgspec.structs.replace(connection, token="")
    with signing_in.open(server) as session:
        got = session.sign_in(expiration)
    if as_json:
        print_json(got)
    else:
        print_line(got.token)
