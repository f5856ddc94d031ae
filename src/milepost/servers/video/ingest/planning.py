"""What is to be made of a source, and what is known of it before that. Pure."""

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from milepost.servers.video.facts import Facts
from milepost.servers.video.ingest.ladder import Rung, aspect_ratio, frame_rate, gop_of, ladder, quality_of
from milepost.servers.video.ingest.probing import Source


class Plan(msgspec.Struct, frozen=True):
    """What the rungs are to be."""

    rungs: tuple[Rung, ...]
    """Ascending."""
    left_out: tuple[str, ...]
    """A sentence for each resolution that was asked for and is not made."""
    rate: tuple[int, int]
    """Frames a second, as a fraction."""
    gop: int
    """Frames from one key frame to the next."""
    changed_rate: str
    """A sentence when the source has another frame rate, else empty."""

    @property
    def frame_rate(self) -> Fraction:
        """Frames a second."""
        return Fraction(*self.rate)

    @property
    def gop_seconds(self) -> float:
        """From one key frame to the next."""
        return float(self.gop / self.frame_rate)


def plan(source: Source, resolutions: Sequence[str]) -> Plan:
    """The rungs that are made of a source when some resolutions are asked for.

    Raises:
        ValueError: there is no such resolution, or none is asked for.
    """
    told = source.video.rate
    rate = frame_rate(told)
    changed = ""
    if abs(rate - told) / rate > Fraction(1, 100):
        changed = f"The source has {decimal(told)} frames a second; the layer has {decimal(rate)}"
    made = ladder(*source.video.shown, rate, resolutions)
    return Plan(made.rungs, made.left_out, (rate.numerator, rate.denominator), gop_of(rate), changed)


def describe(source: Source) -> Facts:
    """The facts of a layer as far as the source tells them; what will be made is left open."""
    width, height = source.video.shown
    rate = frame_rate(source.video.rate)
    return Facts(
        container=source.container,
        video_codec="",
        width=width,
        height=height,
        frame_rate=decimal(rate),
        frame_count=0,
        gop=gop_of(rate),
        aspect_ratio=aspect_ratio(width, height),
        duration=source.duration,
        source_quality=quality_of(width, height),
        qualities=(),
        encoder="",
    )


def jumps_of(source: Source) -> str:
    """What is to be known of a source whose clock jumps, in words."""
    told = ", ".join(f"by {ahead:+,.1f} s after {after:,.1f} s" for after, ahead in source.jumps)
    more = (
        f", and {source.jumped - len(source.jumps)} times more" if source.jumped > len(source.jumps) else ""
    )
    return (
        f"The clock of the source jumps: {told}{more}. Pictures, sound and telemetry follow each other without a gap "
        "there: where the recorder was off, the time in between is left out"
    )


def decimal(rate: Fraction) -> str:
    """A frame rate as people write it, such as ``29.97``."""
    return f"{float(rate):.3f}".rstrip("0").rstrip(".")
