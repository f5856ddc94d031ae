"""A flight as a video file."""

import dataclasses
import math
import tempfile
from collections.abc import Collection
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from milepost.servers.video.flight.camera import BEGINS, FIELD_OF_VIEW, Flight, Moment
from milepost.servers.video.flight.ground import Ground, draw_ground
from milepost.servers.video.flight.sets import Corners, break_checksum, encode_set
from milepost.servers.video.flight.transport import insert_klv

Carriage = Literal["synchronous", "private", "unregistered", "hybrid", "none"]
"""How the telemetry is carried: as in ``transport``, as FFmpeg's own muxer does (stream type 0x06 with
time stamps), or not at all."""

START: Final = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
_RATE: Final = 48_000
_CLOCK: Final = Fraction(1, 90_000)


def make_clip(
    path: Path,
    *,
    seconds: float = 4,
    width: int = 320,
    height: int = 180,
    fps: int = 25,
    klv: Carriage = "synchronous",
    klv_rate: float = 5,
    corners: Corners = "full",
    leap_seconds: int | None = 29,
    omit: Collection[int] = (),
    broken: Collection[int] = (),
    audio: bool = True,
    ground: Ground | None = None,
    start: datetime = START,
    begins: float = BEGINS,
) -> Flight:
    """Fly over ground and film it: an MPEG transport stream with H.264, AAC and KLV.

    Args:
        path: the file to write.
        seconds: how long the video is.
        width: pixels of the picture, even.
        height: pixels of the picture, even.
        fps: frames a second.
        klv: how the telemetry is carried.
        klv_rate: sets of telemetry a second.
        corners: how the corners of the picture are told.
        leap_seconds: by how much the time in the telemetry is ahead of UTC, told by tag 136; None leaves
            it out, and the telemetry has UTC.
        omit: tags that the sets leave out.
        broken: numbers of the sets, from 0, whose checksum is wrong.
        audio: whether there is the sound of an engine.
        ground: what is filmed; ground drawn by ``draw_ground`` when None.
        start: UTC at the beginning.
        begins: where on its circle the camera is at the beginning, in degrees from north, clockwise.

    Returns:
        The truth: the flight, with a moment for every set.
    """
    vertical = math.degrees(2 * math.atan(math.tan(math.radians(FIELD_OF_VIEW / 2)) * height / width))
    flight = Flight(ground or draw_ground(), start, FIELD_OF_VIEW, vertical, begins)
    count = 0 if klv == "none" else math.ceil(seconds * klv_rate - 1e-9)
    flight = dataclasses.replace(flight, moments=tuple(flight.at(each / klv_rate) for each in range(count)))
    sets = [
        (moment.time, encode_set(flight, moment, corners, leap_seconds, omit)) for moment in flight.moments
    ]
    for number in broken:
        sets[number] = (sets[number][0], break_checksum(sets[number][1]))
    if klv == "hybrid" or klv == "none":
        _film(path, flight, seconds, (width, height), fps, audio, sets)
    else:
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder, "plain.ts")
            _film(plain, flight, seconds, (width, height), fps, audio, [])
            insert_klv(plain, path, sets, klv)
    return flight


def _film(
    path: Path,
    flight: Flight,
    seconds: float,
    size: tuple[int, int],
    fps: int,
    audio: bool,
    sets: list[tuple[float, bytes]],
) -> None:
    options = {"preset": "veryfast", "crf": "22", "g": str(2 * fps), "bf": "0"}
    with av.open(str(path), "w", format="mpegts") as out:
        video: Any = out.add_stream("libx264", rate=fps, options=options)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        sound: Any = out.add_stream("aac", rate=_RATE, layout="mono") if audio else None
        data: Any = out.add_data_stream("klv") if sets else None
        waiting = list(reversed(sets))
        sung = 0
        for number in range(round(seconds * fps)):
            now = number / fps
            while waiting and waiting[-1][0] <= now + 1e-9:
                time, klv = waiting.pop()
                packet = av.Packet(klv)
                packet.stream, packet.time_base = data, _CLOCK
                packet.pts = packet.dts = round(time * 90_000)
                out.mux(packet)
            frame = av.VideoFrame.from_ndarray(_picture(flight, flight.at(now), size))
            frame.pts, frame.time_base = number, Fraction(1, fps)
            out.mux(video.encode(frame))
            while sound and sung < (number + 1) / fps * _RATE:
                out.mux(sound.encode(_engine(sung)))
                sung += 1024
        out.mux(video.encode(None))
        if sound:
            out.mux(sound.encode(None))


def _picture(flight: Flight, moment: Moment, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The ground in perspective: a flat plane maps to the picture by a homography of its four corners."""
    width, height = size
    rows, values = [], []
    there = [(0, 0), (width, 0), (width, height), (0, height)]
    for (x, y), (u, v) in zip(there, moment.pixels, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    homography = np.linalg.solve(np.array(rows, float), np.array(values)).tolist()
    image = flight.ground.image
    return np.asarray(
        image.transform(size, Image.Transform.PERSPECTIVE, homography, Image.Resampling.BILINEAR)
    )


def _engine(sample: int) -> av.AudioFrame:
    """1024 samples of a hum, from a sample on."""
    time = (np.arange(1024) + sample) / _RATE
    hum = 0.04 * np.sin(2 * np.pi * 92 * time) + 0.02 * np.sin(2 * np.pi * 184 * time)
    frame = av.AudioFrame.from_ndarray(hum.astype(np.float32)[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = _RATE, sample, Fraction(1, _RATE)
    return frame
