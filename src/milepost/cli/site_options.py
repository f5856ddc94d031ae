"""What the commands about a whole site share: on a data folder, or by way of the server that uses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from milepost.backups import BackupError
from milepost.backups.contents import JOBS
from milepost.cli.common import Problem, option, print_line
from milepost.cli.options import AddressType
from milepost.jobs import events
from milepost.operations.run import Notebook

running_server_option: Final = option(
    "--server",
    type=AddressType(),
    envvar="MILEPOST_SERVER",
    default=None,
    metavar="URL",
    help="The server that uses the data folder, context path included; it does the work as a job.",
)


class Telling(Notebook):
    """A channel that prints what the work says."""

    def tell(self, event: events.AttemptEvent) -> None:
        """Print what people want to know of it."""
        match event:
            case events.StageStarted(name=name):
                print_line(name.replace("_", " "))
            case events.MessageAdded(text=text, level=level):
                print_line(f"  {'' if level == 'info' else level.upper() + ': '}{text}")

    record = tell


def require_site(data: Path) -> None:
    """Nothing, if it is the data folder of a server.

    Raises:
        Problem: it is not.
    """
    if not (data / JOBS).is_file():
        raise Problem(f"{data} is not the data folder of a server; name the one that is with --data")


@contextmanager
def explained() -> Iterator[None]:
    """Turn what can go wrong with a site into one line and an exit code."""
    try:
        yield
    except BackupError as error:
        raise Problem(str(error)) from error
    except OSError as error:
        raise Problem(f"the disk cannot be used: {error}") from error
