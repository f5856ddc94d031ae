"""When instances are replaced that had no work."""

import time

import pytest

from milepost.engine.recycling import is_due, since_start
from milepost.operations import Service

HOUR = 3600.0


def at(day: int, hour: float) -> float:
    """Seconds since the epoch of an hour on the clock of this machine."""
    return time.mktime((2026, 1, day, 0, 0, 0, 0, 0, 0)) + hour * HOUR


@pytest.mark.parametrize(
    ("interval", "now", "since"),
    [
        (24, at(5, 3.5), 0),
        (24, at(5, 4), 0.5),
        (24, at(5, 3), 23.5),
        (7, at(5, 10.5), 0),
        (7, at(5, 3.25), 2.75),  # 03:30, 10:30, 17:30, 00:30
    ],
)
def test_the_moments_are_counted_from_the_time_of_day(interval: float, now: float, since: float) -> None:
    assert since_start("03:30", interval * HOUR, now) == pytest.approx(since * HOUR)


def test_an_instance_is_replaced_once_after_each_moment() -> None:
    service = Service(name="Any.GPServer", recycle_interval=24 * HOUR, recycle_start="03:30")
    assert is_due(service, age=HOUR, now=at(5, 4))  # it was there before half past three
    assert not is_due(service, age=0.25 * HOUR, now=at(5, 4))
    assert not is_due(service, age=23 * HOUR, now=at(5, 3))


def test_without_a_time_of_day_its_own_age_counts_and_without_an_interval_nothing() -> None:
    service = Service(name="Any.GPServer", recycle_interval=HOUR)
    assert is_due(service, age=HOUR + 1, now=at(5, 4))
    assert not is_due(service, age=HOUR - 1, now=at(5, 4))
    assert not is_due(Service(name="Any.GPServer", recycle_interval=0), age=1e9, now=at(5, 4))
