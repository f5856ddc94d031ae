"""When in a video a set of telemetry belongs."""

from typing import Final

_JUMP: Final = 10.0
"""Seconds by which the clock of a stream jumps when it was reset."""
_GAP: Final = 600.0
"""Seconds that a recorder may have been silent."""
_LATE: Final = 2.0
"""Seconds that a set without a time stamp may be away from the picture beside it."""


class Clock:
    """Times of sets since the first picture.

    Time stamps of the stream are followed; where there are none, or where they jump as a recorder was
    restarted, the sets' own time leads on from the set before.
    """

    def __init__(self) -> None:
        self._offset = 0.0
        self._last: tuple[float, int] | None = None

    def time(self, told: float | None, shown: float, stamp: int | None) -> float:
        """The time of a set.

        Args:
            told: the time stamp of the set in the stream; None when it has none.
            shown: the time of the picture before it.
            stamp: the set's own time in microseconds.
        """
        led = None
        if self._last is not None and stamp is not None:
            step = (stamp - self._last[1]) / 1e6
            led = self._last[0] + step if 0 <= step < _GAP else None
        if told is None:
            time = led if led is not None and abs(led - shown) < _LATE else shown
        else:
            if led is not None and abs(told + self._offset - led) > _JUMP:
                self._offset = led - told
            time = told + self._offset
        if stamp is not None:
            self._last = (time, stamp)
        return time
