"""What the operations that administer a site know of it."""

import os
from pathlib import Path
from typing import Final

VARIABLE: Final = "MILEPOST_DATA"
"""Names the data folder in the environment of every instance, and to the commands that work on one."""


def data_folder() -> Path:
    """The data folder of the server that runs this operation.

    Raises:
        RuntimeError: no server runs it.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise RuntimeError(
            f"no server runs this operation; set {VARIABLE} to the data folder it shall work on"
        )
    return Path(folder)
