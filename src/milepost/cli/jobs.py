"""Commands about jobs of a server, wherever it is: submit, jobs, watch, cancel, token."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click
import msgspec

from milepost import client
from milepost.cli.common import CANCELLED, FAILED, INTERRUPTED, Problem, json_option, print_json, print_line
from milepost.cli.options import (
    EXIT_CODES,
    EXIT_HELP,
    AddressType,
    Connection,
    connection_options,
    display_for,
    pace_of,
    patience_option,
)
from milepost.client import Address, BadAnswerError, Session

_SUBMIT_HELP: Final = """\b
Example:
  T=http://127.0.0.1:6080/arcgis/rest/services/Analysis/Proximity/GPServer
  milepost submit $T/buffer features=@roads.json distance="100 Meters" --watch

""" + EXIT_HELP.replace("the job succeeded", "the job was submitted; with --watch: it succeeded")

_CANCEL_HELP: Final = """\b
Exit codes:
  0  the job is cancelled; with --no-wait: the server has accepted
  1  the job ended in another way before
  2  the command was not understood
  4  the server cannot be reached, answered wrongly, or refused"""

_PAUSE_HELP: Final = """\b
Exit codes:
  0  the server has accepted
  1  the job has ended before
  2  the command was not understood
  4  the server cannot be reached, answered wrongly, or refused"""

address_argument: Final = click.argument("address", metavar="URL", type=AddressType())


@click.command(epilog=EXIT_HELP)
@address_argument
@patience_option
@json_option
@connection_options
def watch(address: Address, patience: float, as_json: bool, connection: Connection) -> None:
    """Follow the job at URL to its end.

    URL is a job of any kind: geoprocessing, Enterprise administration, geoprocessing administration,
    mission, topographic production, video, or OGC API - Processes; on this server or another. Progress
    is shown live in a terminal, and line by line elsewhere. The job does not notice being watched:
    Ctrl-C ends the watching, not the job.
    """
    with connection.open(address) as session:
        _follow(session, address, patience=patience, as_json=as_json)


def _follow(
    session: Session, address: Address, *, patience: float, as_json: bool, submitted: bool = False
) -> None:
    """Show a job to its end, and leave the program with the exit code of its ending."""
    display = display_for(address, client.title_of(address), as_json=as_json, submitted=submitted)
    try:
        view = client.follow(session, address, display, pace_of(patience))
    except KeyboardInterrupt:
        click.echo(
            f"No longer watching; the job goes on.\n  milepost watch {address}\n  milepost cancel {address}",
            err=True,
        )
        sys.exit(INTERRUPTED)
    sys.exit(EXIT_CODES[view.state])


@click.command(epilog=_SUBMIT_HELP)
@address_argument
@click.argument("values", metavar="[NAME=VALUE]...", nargs=-1)
@click.option(
    "--file",
    "files",
    metavar="NAME=PATH",
    multiple=True,
    help="Upload a file first and give it as this parameter; may be repeated.",
)
@click.option(
    "--key", default="", show_default=False, help="Submit only once what is submitted with the same key."
)
@click.option("--watch", "then_watch", is_flag=True, help="Follow the job to its end.")
@patience_option
@json_option
@connection_options
def submit(
    address: Address,
    values: Sequence[str],
    files: Sequence[str],
    key: str,
    then_watch: bool,
    patience: float,
    as_json: bool,
    connection: Connection,
) -> None:
    """Submit a job to a geoprocessing task, and print its address.

    A value @PATH is the content of that file; @@ at the beginning stands for one @.
    """
    form = {name: _content(name, value) for name, value in map(_pair, values)}
    task = address.url.removesuffix("/submitJob").removesuffix("/execute")
    with connection.open(address) as session:
        for name, path in map(_pair, files):
            form[name] = _upload(session, f"{task.rpartition('/')[0]}/uploads/upload", name, Path(path))
        answer = session.post(f"{task}/submitJob{address.query}", form, key=key)
        job_id = answer.get("jobId") if isinstance(answer, dict) else None
        if not isinstance(job_id, str) or not job_id:
            raise BadAnswerError(f"{task} did not start a job; is it the address of a geoprocessing task?")
        job = Address(f"{task}/jobs/{quote(job_id)}{address.query}")
        if not then_watch:
            if as_json:
                print_json({"jobId": job_id, "jobStatus": answer.get("jobStatus"), "url": str(job)})
            else:
                print_line(str(job))
            return
        _follow(session, job, patience=patience, as_json=as_json, submitted=True)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise click.UsageError(f"{text!r} is not of the form NAME=VALUE")
    if name in ("f", "token"):
        raise click.UsageError(f"{name!r} is no parameter of a task; use --json or --token instead")
    return name.strip(), value


def _content(name: str, value: str) -> str:
    if value.startswith("@@") or not value.startswith("@"):
        return value.removeprefix("@") if value.startswith("@@") else value
    try:
        return Path(value[1:]).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise click.UsageError(f"the file for {name!r} cannot be read: {error}") from error


def _upload(session: Session, url: str, name: str, path: Path) -> str:
    """Upload a file; returns the value of the parameter that refers to it."""
    with ExitStack() as stack:
        try:
            content = stack.enter_context(path.open("rb"))
        except OSError as error:
            raise click.UsageError(f"the file for {name!r} cannot be read: {error}") from error
        answer = session.post(url, files={"file": (path.name, content)})
    item = answer.get("item") if isinstance(answer, dict) else None
    item_id = item.get("itemID") if isinstance(item, dict) else None
    if not isinstance(item_id, str):
        raise BadAnswerError(f"{url} did not take the file; does this server accept uploads?")
    return msgspec.json.encode({"itemID": item_id}).decode()


@click.command(epilog=_CANCEL_HELP)
@address_argument
@click.option("--no-wait", is_flag=True, help="Do not wait until the job has stopped.")
@patience_option
@json_option
@connection_options
def cancel(address: Address, no_wait: bool, patience: float, as_json: bool, connection: Connection) -> None:
    """Cancel the job at URL, and wait until it has stopped.

    URL is a job of any kind that can be cancelled; see "milepost watch --help".
    """
    with connection.open(address) as session:
        view = client.cancel(session, address)
        if view.finished or no_wait:
            _accepted(view, address, "cancel", as_json=as_json)
            return
        try:
            _follow(session, address, patience=patience, as_json=as_json)
        except SystemExit as ending:
            sys.exit({CANCELLED: 0, 0: FAILED}.get(ending.code, ending.code))  # type: ignore[arg-type]


@click.command(epilog=_PAUSE_HELP)
@address_argument
@json_option
@connection_options
def pause(address: Address, as_json: bool, connection: Connection) -> None:
    """Have the job at URL hold still until it is resumed.

    URL is a topographic production job; other kinds cannot be paused. The job goes on where it was.
    """
    with connection.open(address) as session:
        _accepted(client.pause(session, address), address, "pause", as_json=as_json)


@click.command(epilog=_PAUSE_HELP)
@address_argument
@json_option
@connection_options
def resume(address: Address, as_json: bool, connection: Connection) -> None:
    """Let the paused job at URL go on.

    URL is a topographic production job; other kinds cannot be paused.
    """
    with connection.open(address) as session:
        _accepted(client.resume(session, address), address, "resume", as_json=as_json)


def _accepted(view: client.JobView, address: Address, act: str, *, as_json: bool) -> None:
    """Say that the server does what it was asked for; or that the job, as it was before, had ended."""
    if view.finished:
        done = "cancelled" if act == "cancel" else f"{act}d"
        raise Problem(f"the job can no longer be {done}; it is {view.state.replace('_', ' ')} already")
    if as_json:
        print_json({"jobId": view.id, "url": str(address), "accepted": True})
    else:
        print_line(f"The server {act}s {view.id}.")
