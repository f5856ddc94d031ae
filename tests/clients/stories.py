"""What the scripts of this folder share. They run with the clients' own Python, not with the project's.

A script reads what it is given as JSON from standard input, goes through its stories, and tells what
the client saw in each as JSON on standard output.
"""

import contextlib
import json
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

GIVEN: dict[str, Any] = json.load(sys.stdin)

Story = Callable[[], Any]

PAUSE = 0.05
"""Seconds between two looks at something that takes its time."""


def tell(*stories: Story) -> None:
    """Go through the stories; one that fails keeps no other from being told."""
    told = {}
    for story in stories:
        sys.stderr.write(f"-- {story.__name__}\n")
        # Clients print what belongs to nobody.
        with contextlib.redirect_stdout(sys.stderr):
            try:
                told[story.__name__] = {"saw": story()}
            except Exception:  # noqa: BLE001 - clients raise what they like
                told[story.__name__] = {"trouble": traceback.format_exc(chain=False)}
    json.dump(told, sys.stdout, default=dict)  # the clients' mappings, whatever they are


def refusal(of: Story) -> str:
    """How the client says that something was refused."""
    try:
        answer = of()
    except Exception as error:  # noqa: BLE001 - as above
        return f"{type(error).__name__}: {error}"
    raise AssertionError(f"it was not refused, but answered {answer!r}")


def until(reached: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    """The first answer that is true."""
    deadline = time.monotonic() + seconds
    while not (answer := reached()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s; the last answer was {answer!r}")
        time.sleep(PAUSE)
    return answer
