"""The work of exports: parts and frames of a layer, whole or not at all."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from milepost.operations import Run, Service, operation, site
from milepost.servers.video.exports.keeping import Exports, new_id
from milepost.servers.video.exports.plans import (
    FRAMES,
    NOTHING_THERE,
    Clip,
    FrameOf,
    Frames,
    Frameset,
    Named,
    NothingThereError,
    Plan,
)
from milepost.servers.video.facts import TABLE
from milepost.servers.video.ingest.steps import explained
from milepost.servers.video.library import storage_at
from milepost.servers.video.telemetry import corners_at, load
from milepost.servers.video.videos import Videos
from milepost.storage import Storage

if TYPE_CHECKING:
    from milepost.servers.video.ingest.probing import Source

EXPORTS: Final = Service(
    name="VideoExports.VideoServer",
    description="Parts and frames of published videos, kept for as long as is asked.",
    min_instances=0,
    max_instances=2,
    max_usage_time=6 * 3600.0,
)

FETCHING: Final = 9301
CUTTING: Final = 9302
ENCODING: Final = 9303
FRAMES_TAKEN: Final = 9304
MADE: Final = 9305
PICTURES_MISSING: Final = 9306
WITHOUT_TELEMETRY: Final = 9309

_GONE: Final = "the layer was deleted, or its original file is gone"
_FETCHED: Final = 0.1
"""Share of the progress that is for bringing the video."""


@operation(service=EXPORTS, retries=2)
def export_clip(run: Run, plan: str) -> Clip:
    """Cut a part out of a published video.

    Args:
        run: of the job.
        plan: what is to be exported, as JSON.
    """
    with _telling(run):
        return _clip(run, msgspec.json.decode(plan, type=Plan))


@contextmanager
def _telling(run: Run) -> Iterator[None]:
    """An export which tells in words why it fails, and by a code when something else should have been asked for.

    Raises:
        RuntimeError: it failed.
    """
    with explained():
        try:
            yield
        except NothingThereError as error:
            text = str(error)
            run.message(text[:1].upper() + text[1:], level="error", code=NOTHING_THERE)
            raise


def _clip(run: Run, wanted: Plan) -> Clip:
    from milepost.servers.video.exports.cutting import Cutter
    from milepost.servers.video.ingest import Limits, find_ffmpeg
    from milepost.servers.video.telemetry.ingest import find

    assert wanted.cut is not None
    path = _fetched(run, wanted)
    folder = _empty(run.workspace / "export")
    target = folder / f"{wanted.name}.{wanted.cut.format}"
    source = _probed(run, path, wanted.cut.end)
    klv = find(path) if wanted.cut.format == "ts" else None
    cutter = Cutter(
        source,
        klv,
        ffmpeg=find_ffmpeg(),
        check=run.check,
        progress=lambda share: run.progress(_FETCHED + share * (0.98 - _FETCHED)),
        limits=Limits(),
    )
    run.message(f"Cutting {wanted.cut.start:g} s to {wanted.cut.end:g} s", code=CUTTING)
    made = cutter.cut(wanted.cut, target)
    if wanted.cut.format == "ts" and klv is None and _has_telemetry(wanted):
        run.message(
            "The clip has no telemetry: that of the layer came in a file of its own beside the video",
            level="warning",
            code=WITHOUT_TELEMETRY,
        )
    if made.encoded:
        run.message("Its pictures were encoded again", code=ENCODING)
    if made.expected is not None and made.pictures < made.expected:
        run.message(
            f"The clip has {made.pictures} of the {made.expected} pictures of this part; the others are damaged, or follow "
            "too closely on another",
            level="warning",
            code=PICTURES_MISSING,
        )
    named = _name(run, wanted)
    _keep(run, wanted, named, folder)
    return Clip(named.created, named.expires, f"{wanted.url}/{named.export}/{target.name}")


def _has_telemetry(wanted: Plan) -> bool:
    return TABLE in _storage(wanted).paths(wanted.key)


@operation(service=EXPORTS, retries=2)
def export_frameset(run: Run, plan: str) -> Frameset:
    """Take frames out of a published video, with the corners of what they show.

    Args:
        run: of the job.
        plan: what is to be exported, as JSON.
    """
    with _telling(run):
        return _frameset(run, msgspec.json.decode(plan, type=Plan))


def _frameset(run: Run, wanted: Plan) -> Frameset:
    from milepost.servers.video.exports.frames import take_frames
    from milepost.servers.video.ingest import Limits, find_ffmpeg

    path = _fetched(run, wanted)
    folder = _empty(run.workspace / "export")
    run.message(f"Taking {len(wanted.times)} frames", code=FRAMES_TAKEN)
    names = take_frames(
        _probed(run, path, max(wanted.times)),
        wanted.times,
        folder,
        ffmpeg=find_ffmpeg(),
        check=run.check,
        progress=lambda share: run.progress(_FETCHED + share * (0.98 - _FETCHED)),
        limits=Limits(),
    )
    track = run.workspace / "telemetry.json"
    _storage(wanted).fetch(wanted.key, track.name, track, lambda _: run.check())
    corners = corners_at(load(track), wanted.times)
    frames = [FrameOf(*each) for each in zip(names, wanted.times, corners, strict=True)]
    named = _name(run, wanted)
    (folder / FRAMES).write_bytes(msgspec.json.encode(Frames(named.created, named.expires, frames)))
    _keep(run, wanted, named, folder)
    url = f"{wanted.url}/{named.export}"
    return Frameset(named.export, named.created, named.expires, wanted.service, len(names), url)


def discard_export(data: str, name: str) -> None:
    """Let an export be gone; there need not be one."""
    Exports(Path(data)).discard(name)


def _probed(run: Run, path: Path, end: float) -> "Source":
    """What is in the file that the layer was made of.

    Raises:
        NothingThereError: its clock jumps before ``end`` seconds, so that nobody can find by its times what comes then.
    """
    from milepost.servers.video.ingest import Limits
    from milepost.servers.video.ingest.probing import probe

    source = probe(path, check=run.check, limits=Limits())
    if source.jumps and end > source.jumps[0][0]:
        raise NothingThereError(
            f"the clock of the original file jumps after {source.jumps[0][0]:g} s, and what comes then cannot be found in "
            "it by its time; ask for what ends before"
        )
    return source


def _fetched(run: Run, wanted: Plan) -> Path:
    """The file that the layer was made of, on this machine."""
    storage = _storage(wanted)
    if wanted.original not in storage.paths(wanted.key):
        raise ValueError(_GONE)
    run.message("Fetching the original file", code=FETCHING)
    target = run.workspace / wanted.original
    storage.fetch(wanted.key, wanted.original, target, lambda _: run.check())
    run.progress(_FETCHED)
    return target


def _storage(wanted: Plan) -> Storage:
    return storage_at(wanted.storage, site.data_folder())


def _empty(folder: Path) -> Path:
    """A folder without what an attempt before this one left in it."""
    folder.mkdir(exist_ok=True)
    for each in folder.iterdir():
        each.unlink()
    return folder


def _name(run: Run, wanted: Plan) -> Named:
    """What the export is called, now that it is made.

    Known before it is kept: after a crash the same export is kept, and not another one beside it.
    """
    return run.step("named", _named, wanted.seconds)


def _named(seconds: int) -> Named:
    created = time.time_ns() // 1_000_000
    expires = created + seconds * 1000
    return Named(new_id(expires), created, expires)


def _keep(run: Run, wanted: Plan, named: Named, folder: Path) -> None:
    """Let the export be fetched until it expires."""
    data = site.data_folder()
    name = f"{wanted.key}.{named.export}"
    run.on_rollback(discard_export, str(data), name)
    Exports(data).keep(folder, name)
    # Only now: whoever deletes the layer from here on removes this export too.
    with Videos(data) as videos:
        if not videos.is_there(wanted.key):
            raise ValueError(_GONE)
    run.message("The export can be fetched", code=MADE)
