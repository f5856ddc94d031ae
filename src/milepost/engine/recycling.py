"""When instances that had no work are replaced by fresh ones."""

import time
from typing import Final

from milepost.operations import Service

_DAY: Final = 24 * 3600.0


def is_due(service: Service, age: float, now: float) -> bool:
    """Whether an instance is to be replaced.

    Args:
        service: its service.
        age: seconds since it stands ready.
        now: seconds since the epoch.
    """
    interval = service.recycle_interval
    if not interval:
        return False
    return age > (since_start(service.recycle_start, interval, now) if service.recycle_start else interval)


def since_start(start: str, interval: float, now: float) -> float:
    """Seconds since the last time that instances were to be replaced.

    Args:
        start: time of day, ``HH:MM`` on the clock of this machine.
        interval: seconds. Within a day the moments are counted from ``start``, each day anew; an interval
            of more than a day is counted on from one day to the other.
        now: seconds since the epoch.
    """
    hours, minutes = start.split(":")
    since = now + time.localtime(now).tm_gmtoff - int(hours) * 3600 - int(minutes) * 60
    return (since % _DAY if interval <= _DAY else since) % interval
