"""Operations that do nothing, or nothing but wait: what is measured is the server around them."""

import time

from milepost import Run, operation
from milepost.operations import Service

NOOP = Service(name="Bench/Noop.GPServer", min_instances=2, max_instances=2)
SHEETS = Service(name="Bench/Sheets.TopographicProductionServer", min_instances=0)
BLOCKED = Service(name="Bench/Blocked.GPServer", min_instances=0, max_instances=1, max_usage_time=0)


@operation(service=NOOP)
def noop(_: Run) -> str:
    """When the operation's first line ran, in nanoseconds since the epoch; text, since it is large."""
    return str(time.time_ns())


@operation(service=NOOP)
def talk(run: Run, messages: int = 3) -> str:
    """Say something, so that a poll has something to tell."""
    for number in range(messages):
        run.message(f"Line {number + 1}: one hundred and twenty features were read, checked and projected.")
    return "done"


@operation(service=SHEETS)
def work(_: Run, number: int = 0) -> int:
    """What the jobs that fill a store have done."""
    return number


@operation(service=BLOCKED)
def block(run: Run, seconds: float = 0.2) -> None:
    """Hold the only instance of the service, so that what is submitted after it waits."""
    while not run.cancelled:
        time.sleep(seconds)
