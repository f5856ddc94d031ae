"""What the demonstration publishes: a flight that was computed, and whose telemetry tells what the picture shows."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from milepost.cli import demo_ground
from milepost.client import BadAnswerError, ServerError, Session
from milepost.servers.video.ingest import problems

if TYPE_CHECKING:
    from milepost.servers.video.flight import Ground

TITLE: Final = (
    "Video: the flight of a camera becomes a layer that can be played, with a map of what the camera sees"
)
_SHOWS: Final = (
    "Nobody filmed this: a computed camera flew over {ground}, and the telemetry in the file describes that"
    " very camera; its mission is named Synthetic. The page of the layer plays it, with a map beside it:"
)

_SERVICE: Final = "Demo"
_SECONDS: Final = 8
_PICTURE: Final = (640, 360, 15)
"""Width and height in pixels, and frames a second."""
_BEGINS: Final = 170.0
"""Degrees: from the south the names on a map can be read."""


def missing() -> list[str]:
    """What is not installed that videos need, a sentence each."""
    return problems()


def ground_of(sheet: bytes | None) -> tuple["Ground", str]:
    """What is flown over, and what to tell people about the video.

    Args:
        sheet: a map sheet as a PDF; None when none was made.
    """
    if sheet is None:
        return demo_ground.terrain_ground(), _SHOWS.format(ground=demo_ground.TERRAIN)
    return demo_ground.sheet_ground(sheet), _SHOWS.format(ground=demo_ground.SHEET)


def publish(session: Session, root: str, ground: "Ground") -> str:
    """Make the flight, send it, and start the job that publishes it; the URL of the job.

    Args:
        session: with the server.
        root: URL of the Video Server.
        ground: what is flown over.

    Raises:
        BadAnswerError: there is no job.
    """
    from milepost.servers.video.flight import make_clip

    width, height, rate = _PICTURE
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, "flight.ts")
        make_clip(clip, seconds=_SECONDS, width=width, height=height, fps=rate, ground=ground, begins=_BEGINS)
        with clip.open("rb") as file:
            sent = session.post(f"{root}/uploads/upload", {}, {"file": (clip.name, file)})
    service = f"{root}/services/{_SERVICE}"
    try:
        session.post(f"{root}/services/create", {"serviceName": _SERVICE})
    except ServerError:  # an earlier demonstration made it; or else there is no such service now
        session.get(f"{service}/VideoServer")
    wanted = {"type": "ondemand", "name": "Synthetic flight", "fileIds": sent["fileId"]}
    answer = session.post(f"{service}/addLayer", {"createParameters": msgspec.json.encode(wanted).decode()})
    job_id = answer.get("jobId") if isinstance(answer, dict) else None
    if not isinstance(job_id, str):
        raise BadAnswerError(f"{service} did not start a job")
    return f"{root}/jobs/job/{job_id}"


def layer_of(session: Session, root: str, job_url: str) -> str:
    """The URL of the layer that a job made."""
    made = session.get(job_url)["results"]
    return f"{root}/services/{made['serviceName']}/VideoServer/{made['layerId']}"


def wrong_layer(session: Session, url: str) -> str:
    """What is wrong with the layer at a URL; empty when nothing is."""
    about: Any = session.get(url)
    if not about["playbackInfo"]["klv"] or not about["fullExtent"]:
        return "the layer does not know what the camera saw"
    area = session.get(f"{url}/coverage")["area"]
    return "" if area["rings"] else "the layer covers nothing"
