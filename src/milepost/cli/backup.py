"""The command that backs a site up."""

import shutil
import uuid
from pathlib import Path

import click

from milepost import client
from milepost.backups import backups_folder, make, new_name, remove_older, unused
from milepost.backups.folder import path_of
from milepost.cli.common import option, print_line
from milepost.cli.options import EXIT_CODES, Connection, connection_options, display_for, pace_of
from milepost.cli.site_options import Telling, explained, require_site, running_server_option
from milepost.cli.user import data_option
from milepost.client import Address, BadAnswerError
from milepost.operations import Run
from milepost.store import FileStore

_HELP = """\b
Examples:
  milepost backup --server http://127.0.0.1:6080/arcgis --user admin
  milepost backup --data milepost-data --to /mnt/backups --keep 7"""


@click.command(epilog=_HELP)
@running_server_option
@data_option
@option(
    "--to",
    "target",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="MILEPOST_BACKUPS",
    metavar="FOLDER",
    help="Where to put the backup; in the folder backups of the data folder if not given.",
)
@option("--without-keys", is_flag=True, help="Leave out the keys: everybody signs in again after a restore.")
@option(
    "--keep",
    type=click.IntRange(0, 10_000),
    default=0,
    help="How many of the newest backups stay; older ones are removed. 0 for all.",
)
@connection_options
def backup(
    server: Address | None,
    data: Path,
    target: Path | None,
    without_keys: bool,
    keep: int,
    connection: Connection,
) -> None:
    """Back up a whole site: jobs and their files, people, keys, features, configuration.

    With --server, the server does so while it goes on working, and puts the backup where
    MILEPOST_BACKUPS in its environment says, or into the folder backups of its data folder. Without, the
    server must be stopped.

    What is in the backup is restored into a temporary folder and looked at before the backup gets its name.
    Whoever has it has all secrets of the site: keep it safe.
    """
    if server is not None:
        _ask(server, connection, keys=not without_keys, keep=keep)
        return
    require_site(data)
    with explained():
        folder = (target or backups_folder(data)).absolute()
        name = new_name()
        # What a killed command leaves there is removed when a server starts.
        workspace = FileStore(data).workspace(uuid.uuid4().hex)
        with unused(data):
            try:
                workspace.mkdir(parents=True)
                report = make(Run(Telling(), workspace=workspace), data, folder, name, keys=not without_keys)
            finally:
                shutil.rmtree(workspace, ignore_errors=True)
    for old in remove_older(folder, keep) if keep else ():
        print_line(f"Removed the older backup {old}")
    print_line(f"Backed up {report.jobs} jobs and {report.files} result files to {path_of(folder, name)}")


def _ask(server: Address, connection: Connection, *, keys: bool, keep: int) -> None:
    """Have the server do it, and see it through."""
    url = f"{server.url}/admin/system/backups/create"
    with connection.open(server) as session:
        answer = session.post(url, {"keys": "true" if keys else "false", "keep": str(keep)})
        job = answer.get("jobsUrl") if isinstance(answer, dict) else None
        if not isinstance(job, str):
            raise BadAnswerError(f"{url} did not start a job; is it a Milepost server?")
        address = Address(job)
        view = client.follow(session, address, display_for(address, "backup", as_json=False), pace_of(60.0))
    raise SystemExit(EXIT_CODES[view.state])
