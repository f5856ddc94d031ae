"""The rungs of a ladder: which resolutions are made of a source, and how large each picture is. Pure."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import msgspec

from milepost.servers.video.facts import RESOLUTIONS

NATIVE: Final = "native"
"""The resolution of the source, where it is none of the others."""

GOP_SECONDS: Final = 2
"""About how far one key frame is from the next."""

SEGMENT_GOPS: Final = 2
"""Groups of pictures in one segment."""

SLOWEST: Final = Fraction(1)
FASTEST: Final = Fraction(60)
"""Frames a second that a rung has at least and at most."""

_KILOBITS: Final = 3000
"""A second of 1280x720 at 30 frames a second may take so many at most."""

_RATES: Final = tuple(
    Fraction(*each)
    for each in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (50, 1), (60000, 1001), (60, 1))
)


class Rung(msgspec.Struct, frozen=True):
    """One of the renditions of a video."""

    name: str
    width: int
    height: int
    """Pixels, both even."""
    kilobits: int
    """What a second of it may take at most."""


class Ladder(msgspec.Struct, frozen=True):
    """The rungs, ascending, and what became of the others."""

    rungs: tuple[Rung, ...]
    left_out: tuple[str, ...]
    """A sentence for each resolution that was asked for and is not made."""


def ladder(width: int, height: int, rate: Fraction, asked: Sequence[str]) -> Ladder:
    """What is made of a source of ``width`` x ``height`` pixels when some resolutions are asked for.

    Nothing is made larger than it is. When that leaves nothing, the resolution of the source is made.

    Raises:
        ValueError: there is no such resolution, or none is asked for.
    """
    known = (*RESOLUTIONS, NATIVE)
    wanted = [each.strip().lower() for each in asked]
    unknown = [each for each in wanted if each not in known]
    if unknown or not wanted:
        said = f"there is no resolution {unknown[0][:40]!r}" if unknown else "no resolution is asked for"
        raise ValueError(f"{said}; ask for some of {', '.join(known)}")
    size = f"{width} x {height} pixels"
    rungs: list[Rung] = []
    left_out = []
    # Native comes last: it may be one of the others, and goes by its name.
    for name in (each for each in known if each in wanted):
        scale = _scale(width, height, name)
        if scale > 1:
            left_out.append(f"Resolution {name} is above that of the source, {size}, and is left out")
            continue
        rung = _rung(own_quality(width, height) if name == NATIVE else name, width, height, scale, rate)
        same = next(
            (each.name for each in rungs if each.width == rung.width and each.height == rung.height), None
        )
        if same:
            left_out.append(f"Resolution {name} is the same as {same} for this source, and is left out")
        else:
            rungs.append(rung)
    if not rungs:
        rungs.append(_rung(own_quality(width, height), width, height, Fraction(1), rate))
        left_out.append("Nothing that was asked for is left: the resolution of the source is made instead")
    return Ladder(tuple(rungs), tuple(left_out))


def quality_of(width: int, height: int) -> str:
    """The name of the highest resolution that a picture fills; the lowest one if it fills none."""
    filled = qualities_within(width, height)
    return filled[-1] if filled else next(iter(RESOLUTIONS))


def qualities_within(width: int, height: int) -> tuple[str, ...]:
    """The names of the resolutions that a picture fills, ascending: it need not be made larger for them."""
    return tuple(name for name in RESOLUTIONS if _scale(width, height, name) <= 1)


def aspect_ratio(width: int, height: int) -> str:
    """The shape of a picture in small numbers, such as ``16:9``; sizes are rounded, so it need not be exact."""
    for limit in (10, 40, 100):
        ratio = Fraction(width, height).limit_denominator(limit)
        if abs(ratio * height - width) <= 2:
            break
    return f"{ratio.numerator}:{ratio.denominator}"


def frame_rate(told: Fraction) -> Fraction:
    """The frame rate of the rungs for one that a file tells, which may be measured and so a little off."""
    near = min(_RATES, key=lambda each: abs(each - told))
    rate = near if abs(near - told) / near < Fraction(4, 10000) else told.limit_denominator(1001)
    while rate > FASTEST:
        rate /= 2
    return max(rate, SLOWEST)


def gop_of(rate: Fraction) -> int:
    """Frames from one key frame to the next."""
    return max(1, round(GOP_SECONDS * rate))


def own_quality(width: int, height: int) -> str:
    """The name of the resolution that a picture has as it is, by which players know it; ``native`` if it has none."""
    return next((name for name in RESOLUTIONS if _scale(width, height, name) == 1), NATIVE)


def _scale(width: int, height: int, name: str) -> Fraction:
    """By what a picture is to be multiplied for a resolution; the shape stays, also of upright pictures."""
    if name == NATIVE:
        return Fraction(1)
    lines = RESOLUTIONS[name][1]
    long, short = max(width, height), min(width, height)
    return min(Fraction(lines, short), Fraction(math.ceil(Fraction(lines * 16, 9)), long))


def _rung(name: str, width: int, height: int, scale: Fraction, rate: Fraction) -> Rung:
    across, down = (_even(each, scale) for each in (width, height))
    # Larger pictures take less for each pixel, and more frames less for each frame.
    pixels = across * down / (1280 * 720)
    kilobits = round(_KILOBITS * pixels**0.75 * max(0.5, float(rate / 30)) ** 0.6)
    return Rung(name, across, down, max(200, kilobits))


def _even(length: int, scale: Fraction) -> int:
    """The even number that is nearest to a scaled length, and not above the length."""
    return max(2, min(round(length * scale / 2), length // 2) * 2)
