"""Cutting: what comes out is the part that was asked for, frame by frame, with its telemetry."""

from pathlib import Path

import av
import pytest

from milepost.servers.video.exports.cutting import Cutter
from milepost.servers.video.exports.plans import Cut
from milepost.servers.video.flight import Flight, make_clip
from milepost.servers.video.ingest import Limits, find_ffmpeg
from milepost.servers.video.ingest.probing import Source, probe
from milepost.servers.video.telemetry.ingest import find, read

SECONDS, RATE = 6, 25


class Film:
    def __init__(self, path: Path, flight: Flight):
        self.path, self.flight = path, flight
        self.klv = find(path)
        self.shares: list[float] = []

    @property
    def source(self) -> Source:
        return probe(self.path, check=lambda: None, limits=Limits())

    def cut(
        self, folder: Path, start: float, end: float, quality: str = "native", kind: str = "mp4"
    ) -> tuple[Path, bool]:
        target = folder / f"part.{kind}"
        cutter = Cutter(
            self.source,
            self.klv,
            ffmpeg=find_ffmpeg(),
            check=lambda: None,
            progress=self.shares.append,
            limits=Limits(),
        )
        wanted = Cut(start=start, end=end, quality=quality, format=kind)
        return target, cutter.cut(wanted, target)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    path = tmp_path_factory.mktemp("film") / "flight.ts"
    return Film(path, make_clip(path, seconds=SECONDS, width=96, height=54))


@pytest.fixture(scope="module")
def film_without_time_stamps(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """Its telemetry lies between the pictures, and nothing says to which it belongs."""
    path = tmp_path_factory.mktemp("film") / "flight.ts"
    return Film(path, make_clip(path, seconds=SECONDS, width=96, height=54, klv="private"))


def pictures(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def likeness(one: av.VideoFrame, other: av.VideoFrame) -> float:
    """The mean difference of two pictures, of 255."""
    size = {"width": 96, "height": 54, "format": "gray"}
    a, b = (each.reformat(**size).to_ndarray().astype(float) for each in (one, other))
    return float(abs(a - b).mean())


@pytest.mark.parametrize(
    ("start", "end", "kind"),
    [(2.0, 4.0, "mp4"), (1.2, 2.52, "mp4"), (0.0, 1.0, "mov"), (4.48, 6.0, "ts"), (0, 6, "ts")],
)
def test_a_part_is_exact_to_the_frame(
    film: Film, tmp_path: Path, start: float, end: float, kind: str
) -> None:
    path, _ = film.cut(tmp_path, start, end, kind=kind)
    whole, part = pictures(film.path), pictures(path)
    first = round(start * RATE)
    assert len(part) == round((end - start) * RATE)
    for ours, theirs in ((0, first), (len(part) - 1, first + len(part) - 1)):
        around = range(max(0, theirs - 4), min(len(whole), theirs + 5))
        # Encoded again it is not quite the same picture, but nearer to it than to any beside it.
        assert min(around, key=lambda each: likeness(part[ours], whole[each])) == theirs
        assert likeness(part[ours], whole[theirs]) < 5
    with av.open(str(path)) as container:
        assert [each.type for each in container.streams][:2] == ["video", "audio"]
        assert container.duration / av.time_base == pytest.approx(end - start, abs=0.1)


def test_what_begins_and_ends_with_groups_of_pictures_is_not_encoded_again(
    film: Film, tmp_path: Path
) -> None:
    with av.open(str(film.path)) as container:
        keys = [
            each.pts * each.time_base for each in container.demux(video=0) if each.is_keyframe and each.pts
        ]
    assert len(keys) >= 2
    begin, end = (float(each - keys[0]) for each in keys[:2])
    path, encoded = film.cut(tmp_path, begin, end)
    assert not encoded
    assert len(pictures(path)) == round((end - begin) * RATE)
    assert film.cut(tmp_path, begin, end - 0.04)[1]
    assert film.cut(tmp_path, begin + 0.04, end)[1]


@pytest.mark.parametrize(("start", "end"), [(0.0, 6.0), (1.2, 3.2)])
@pytest.mark.parametrize(("name", "near"), [("film", 0.03), ("film_without_time_stamps", 0.13)])
def test_a_transport_stream_keeps_its_telemetry(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, near: float, start: float, end: float
) -> None:
    film = request.getfixturevalue(name)
    path, _ = film.cut(tmp_path, start, end, kind="ts")
    found = read(path, workspace=tmp_path)
    assert found is not None
    assert not found.warnings
    samples = list(found.samples())
    wanted = [each for each in film.flight.moments if start - 0.001 <= each.time < end - 0.001]
    assert len(samples) == len(wanted)
    for sample in samples:
        # Which moment it is of is known by where the camera was.
        moment = min(film.flight.moments, key=lambda each: abs(each.sensor[1] - sample.values[13]))
        assert sample.values[13] == pytest.approx(moment.sensor[1], abs=1e-5)
        assert sample.time == pytest.approx(moment.time - start, abs=near)


def test_a_lower_quality_is_smaller(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path / "large.ts"
    film = Film(path, make_clip(path, seconds=1, width=1024, height=576))
    made, encoded = film.cut(tmp_path, 0, 1, quality="sd")
    assert encoded
    (frame, *_) = pictures(made)
    assert (frame.width, frame.height) == (854, 480)
    assert film.shares == sorted(film.shares)
