"""How long to measure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Rounds, times and sizes; the quick ones show that everything runs and little more."""

    rounds: int = 24
    """How often things that are compared take turns."""
    seconds: float = 0.5
    """How long each turn lasts."""
    jobs: int = 150
    """Jobs whose latency is taken."""
    stored: int = 1_000_000
    """Jobs in the store that is called full."""
    missions: int = 200
    """Missions that are asked for at one instant."""
    video: float = 30.0
    """Seconds of the video that is published."""


QUICK = Options(rounds=3, seconds=0.2, jobs=15, stored=5_000, missions=10, video=2.0)
