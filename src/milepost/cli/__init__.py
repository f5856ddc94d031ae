"""The command line: ``milepost``. One module for each group of commands."""

import sys

import click

from milepost.cli.backup import backup
from milepost.cli.demo import demo
from milepost.cli.health import health
from milepost.cli.jobs import cancel, pause, resume, submit, watch
from milepost.cli.restore import restore
from milepost.cli.serve import serve
from milepost.cli.server import jobs, token
from milepost.cli.user import user


@click.group(
    context_settings={
        "auto_envvar_prefix": "MILEPOST",
        "help_option_names": ["-h", "--help"],
        "show_default": True,
    }
)
@click.version_option(package_name="milepost", message="milepost %(version)s")
def main() -> None:
    """Long GIS operations as jobs people can trust.

    Begin with "milepost demo". Each option can be given as an environment variable too; the help of
    its command names it.
    """
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal does not have must not end the command.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


for command in (
    serve,
    demo,
    user,
    token,
    submit,
    jobs,
    watch,
    cancel,
    pause,
    resume,
    backup,
    restore,
    health,
):
    main.add_command(command)
