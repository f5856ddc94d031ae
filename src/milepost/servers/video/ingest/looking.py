"""The steps of an ingest that look at what was sent, and say what will not be in the layer as it is in the source."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from milepost.operations import Run
from milepost.servers.video.ingest import codes
from milepost.servers.video.ingest.colours import told_of_range
from milepost.servers.video.ingest.containers import HEAD, container_of, is_text, video_in
from milepost.servers.video.ingest.limits import Limits
from milepost.servers.video.ingest.planning import Plan, jumps_of, plan
from milepost.servers.video.ingest.probing import Source, probe
from milepost.servers.video.ingest.steps import Steps

_LONGER: Final = 1.0
"""Seconds by which sound may be longer than the pictures without a word: recorders do not end both at once."""


def find_video(run: Run, sources: Sequence[Path], limits: Limits) -> Source:
    """The video among the files, and what is in it.

    Raises:
        ValueError: there is not one that can be made into a layer; the text says why and what helps.
    """
    videos = [each for each in sources if _is_video(each)]
    if len(videos) > 1:
        names = ", ".join(each.name for each in videos)
        raise ValueError(
            f"there are {len(videos)} videos ({names}), and a layer has one; add a layer for each"
        )
    for each in sources:
        if each not in videos and (not videos or not is_text(each)):
            video_in(each)  # says what it is instead
    if not videos:
        raise ValueError("there is no video; send one")
    return probe(videos[0], check=run.check, limits=limits)


def _is_video(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return container_of(file.read(HEAD)) is not None


def has_sound(steps: Steps, source: Source) -> bool:
    """Whether the layer gets sound."""
    audio = source.audio
    if source.programs > 1:
        steps.warn(
            f"The source has {source.programs} programs; the layer has the one with the largest picture, and picture, sound "
            "and telemetry of the others are left out",
            codes.AUDIO_LEFT_OUT,
        )
    if audio and not audio.decoded:
        steps.warn(f"The {audio.codec} sound cannot be decoded and is left out", codes.AUDIO_LEFT_OUT)
    if audio and audio.decoded and audio.tracks > 1:
        steps.warn(
            f"The source has {audio.tracks} tracks of sound; the layer has the first one, and the others are left out",
            codes.AUDIO_LEFT_OUT,
        )
    if audio and audio.decoded and (longer := audio.ends - max(source.duration, source.lasts)) > _LONGER:
        steps.warn(
            f"The sound goes on for {longer:,.1f} s after the last picture, and is left out there",
            codes.AUDIO_LEFT_OUT,
        )
    return audio is not None and audio.decoded


def has_klv(source: Source, beside: Sequence[Path], check: Callable[[], None]) -> bool:
    """Whether there is telemetry in the video.

    Raises:
        ValueError: there is none, and no file beside it can be read as telemetry: this must not show only after hours.
    """
    from milepost.servers.video.telemetry.demuxing import find

    if find(Path(source.path), check) is not None:
        return True
    if beside:
        _check_beside(beside, check)
    return False


def _check_beside(files: Sequence[Path], check: Callable[[], None]) -> None:
    """Look at the beginnings of files with telemetry; one that can be read is enough.

    Raises:
        ValueError: there is none.
    """
    from milepost.servers.video.telemetry.sides import SideFileError, rows

    refused: list[SideFileError] = []
    for each in files:
        try:
            next(rows(each, each.name, check), None)
        except SideFileError as error:
            refused.append(error)
    if len(refused) == len(files):
        raise refused[0]


def plan_rungs(steps: Steps, source: Source, resolutions: Sequence[str], ffmpeg: str) -> Plan:
    """What is to be made, with warnings of what is made otherwise than the source is, or was asked for."""
    made = plan(source, resolutions)
    for each in made.left_out:
        steps.warn(each, codes.RESOLUTION_LEFT_OUT)
    if made.changed_rate:
        steps.warn(made.changed_rate, codes.FRAME_RATE_CHANGED)
    if source.jumped:
        steps.warn(jumps_of(source), codes.CLOCK_JUMPS)
    if source.video.high_range:
        steps.warn(told_of_range(source.video, ffmpeg), codes.RANGE_REDUCED)
    return made
