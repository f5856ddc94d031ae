"""The command that puts a site back from a backup."""

from datetime import UTC, datetime
from pathlib import Path

import click

from milepost.backups import restore as put_back
from milepost.cli.common import option, print_line
from milepost.cli.site_options import explained
from milepost.cli.user import data_option


@click.command()
@click.argument("backup", type=click.Path(path_type=Path))
@data_option
@option("--replace", is_flag=True, help="Move what is in the data folder aside; no server may use it.")
def restore(backup: Path, data: Path, replace: bool) -> None:
    """Make a data folder from BACKUP, as it was when the backup was made.

    The backup is checked first. The folder must be empty or not there yet, unless --replace is given.
    Whatever goes wrong, nothing is half restored. When a server is started on the folder, jobs that were
    at work go on as after a crash.
    """
    with explained():
        done = put_back(backup, data, replace=replace)
    about, site = done.about, done.site
    made = datetime.fromtimestamp(about.made / 1000, UTC)
    print_line(f"Restored {data} as it was on {made:%Y-%m-%d %H:%M:%S} UTC (Milepost {about.version}):")
    print_line(f"  {site.jobs} jobs and {site.files} result files; {site.databases} databases are sound")
    if site.unfinished:
        print_line(f"  {site.unfinished} jobs had not ended: the server takes them up when it starts")
    if not about.keys:
        print_line(
            "  without the keys: new ones are made when the server starts, and everybody signs in again"
        )
    if done.moved is not None:
        print_line(f"  what was there before lies in {done.moved}, its backups too")
