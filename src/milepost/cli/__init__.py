"""The command line: ``milepost``. One module for each group of commands."""

import importlib
import sys
from typing import Final

import click

COMMANDS: Final = {
    "serve": "serve",
    "demo": "demo",
    "user": "user",
    "token": "server",
    "submit": "jobs",
    "jobs": "server",
    "watch": "jobs",
    "cancel": "jobs",
    "pause": "jobs",
    "resume": "jobs",
    "backup": "backup",
    "restore": "restore",
    "health": "health",
}
"""The commands and their modules, each of which is loaded when its command is used."""


class Commands(click.Group):
    """The commands. A server need not load what only its clients need, nor the other way round."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Their names."""
        return sorted(COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(importlib.import_module(f"{__name__}.{COMMANDS[cmd_name]}"), cmd_name)
        return found


@click.group(
    cls=Commands,
    context_settings={
        "auto_envvar_prefix": "MILEPOST",
        "help_option_names": ["-h", "--help"],
        "show_default": True,
    },
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
