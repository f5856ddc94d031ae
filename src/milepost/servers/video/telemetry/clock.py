"""When in a video a set of telemetry belongs."""

from typing import Final

_LATE: Final = 2.0
"""Seconds that a set without a time stamp may be away from the picture beside it."""


class Clock:
    """Times of sets since the first picture.

    Time stamps of the stream are followed; where there are none, the sets' own time leads on from the set
    before, as long as it stays near the picture beside it.
    """

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None

    def time(self, told: float | None, shown: float, stamp: int | None) -> float:
        """The time of a set.

        Args:
            told: the time stamp of the set in the stream; None when it has none.
            shown: the time of the picture before it.
            stamp: the set's own time in microseconds.
        """
        time = shown if told is None else told
        if told is None and self._last is not None and stamp is not None:
            led = self._last[0] + (stamp - self._last[1]) / 1e6
            if led >= self._last[0] and abs(led - shown) < _LATE:
                time = led
        if stamp is not None:
            self._last = (time, stamp)
        return time
