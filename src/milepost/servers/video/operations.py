"""The work of a Video Server: a file becomes a layer that can be played, whole or not at all."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from milepost.operations import Run, Service, operation, site
from milepost.servers.video.facts import BESIDE, OPERATIONS, ORIGINAL, TABLE, Facts
from milepost.servers.video.ingest import codes
from milepost.servers.video.ingest.keeping import link_or_copy
from milepost.servers.video.ingest.steps import STEPS, telling
from milepost.servers.video.library import remove_files, storage_at
from milepost.servers.video.publishing import Plan
from milepost.servers.video.records import Layer
from milepost.servers.video.videos import Videos
from milepost.types import DataFile

VIDEO: Final = Service(
    name=OPERATIONS,
    description="Videos: files become layers that can be played, with their telemetry.",
    min_instances=0,
    max_instances=2,
    max_usage_time=24 * 3600.0,
    rollback_time=600.0,
)

STARTING: Final = "Starting Ingest"
SAVING: Final = "Saving To Storage"
COMPLETE: Final = "Ingest Complete"


@dataclass
class Published:
    """The layer that came out."""

    layer_id: int
    layer_name: str
    service_name: str


@operation(service=VIDEO, retries=2)
def publish_layer(run: Run, files: list[DataFile], plan: str) -> Published:
    """Publish uploaded files as a layer of a video service.

    Args:
        run: of the job.
        files: the video, and files with its telemetry.
        plan: what the layer is to be, as JSON.
    """
    return _publish(run, lambda _: [_kept(run, n, each.path) for n, each in enumerate(files)], plan)


@operation(service=VIDEO, retries=2)
def process_layer(run: Run, key: str, plan: str, storage: str = "") -> Published:
    """Make a layer of the files that another layer was made of.

    Args:
        run: of the job.
        key: of the other layer.
        plan: what the new layer is to be, as JSON.
        storage: where the other layer lies; empty for the folder of the site.
    """
    return _publish(run, lambda wanted: _originals(run, key, storage, wanted), plan)


def _kept(run: Run, number: int, path: Path) -> Path:
    """A file in the folder of the job: what was uploaded may be deleted while the job is under way."""
    target = run.workspace / "sources" / str(number) / path.name
    if not target.exists():
        link_or_copy(path, target, run.check)
    return target


def _originals(run: Run, key: str, place: str, wanted: Plan) -> list[Path]:
    """The files that a layer was made of, on this machine: the video, and those with its telemetry."""
    storage = storage_at(place, site.data_folder())
    found = storage.paths(key)
    videos = [each for each in found if each.rpartition("/")[0] == ORIGINAL]
    if not videos:
        raise ValueError("the layer that was to be processed was deleted, or its original file is gone")
    beside = [each for each in found if each.startswith(f"{BESIDE}/")]
    # Layers that were made before such files were kept have what was read from them.
    if not beside and len(wanted.sources) > 1 and TABLE in found:
        beside = [TABLE]
    for each in (videos[0], *beside):
        storage.fetch(key, each, run.workspace / each, _ticking(run))
    return [run.workspace / each for each in (videos[0], *beside)]


def _publish(run: Run, sources: Callable[[Plan], list[Path]], plan: str) -> Published:
    from milepost.servers.video.ingest import make_files

    data = site.data_folder()
    wanted = msgspec.json.decode(plan, type=Plan)
    with Videos(data) as videos:
        if not run.has_done("reserved"):
            run.on_rollback(discard_layer, str(data), wanted.key, wanted.storage)
        run.plan_stages(STARTING, *STEPS, SAVING, COMPLETE)
        with _told(run, STARTING, codes.STARTING):
            number = run.step("reserved", videos.reserve, wanted.item, wanted.key, wanted.number)
            run.attribute("newLayerId", number)
            if not run.has_done("started"):
                run.message(STARTING, code=codes.STARTING)
                run.step("started", _done)
            # Kept as a whole: what was saved is no longer where it was made.
            found = [] if run.has_done("files") else sources(wanted)
        folder = run.workspace / "layer"
        facts = run.step("files", make_files, run, found, wanted.resolutions, folder)
        if not run.has_done("saved"):
            run.attribute("savingToStorage", True)
            with _told(run, SAVING, codes.SAVING):
                run.message(SAVING, code=codes.SAVING)
                run.step(
                    "saved", storage_at(wanted.storage, data).put, folder, wanted.key, _saving(run, folder)
                )
        with _told(run, COMPLETE, codes.COMPLETE):
            # Last of all: from here on it is listed and can be played. It is said when it is true.
            videos.finish(wanted.item, _layer(wanted, number, facts))
            run.message(COMPLETE, code=codes.COMPLETE)
    return Published(number, wanted.name, wanted.service)


def discard_layer(data: str, key: str, storage: str) -> None:
    """Let a layer, its reserved id and its files be gone; there need not be any.

    Raises:
        StorageError: the files cannot be removed now; the server tries again.
    """
    with Videos(Path(data)) as videos:
        videos.release(key, storage)
        remove_files(videos, Path(data), key, storage)


@contextmanager
def _told(run: Run, name: str, code: int) -> Iterator[None]:
    """A stage before or after those of the files, which tells by its name why it fails."""
    with run.stage(name), telling(run, name, code):
        yield


def _saving(run: Run, folder: Path) -> Callable[[int], None]:
    """Is told of the bytes of a folder that are saved, and tells how far that is."""
    from milepost.servers.video.ingest import DONE

    whole = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
    saved = 0

    def tick(size: int) -> None:
        nonlocal saved
        saved = min(saved + size, whole)
        text = f"{SAVING}: {saved / 1e6:,.1f} of {whole / 1e6:,.1f} MB"
        run.check()
        run.progress(DONE + (1 - DONE) * 0.99 * saved / max(whole, 1), text)

    return tick


def _ticking(run: Run) -> Callable[[int], None]:
    def tick(_: int) -> None:
        run.check()

    return tick


def _done() -> None:
    """A step whose work was done before it."""


def _layer(wanted: Plan, number: int, facts: Facts) -> Layer:
    return Layer(
        id=number,
        key=wanted.key,
        storage=wanted.storage,
        name=wanted.name,
        created=time.time_ns() // 1_000_000,
        owner=wanted.owner,
        facts=facts,
        sources=wanted.sources,
        description=wanted.description,
        copyright=wanted.copyright,
    )
