"""Cutting: what comes out is the part that was asked for, frame by frame, with its telemetry."""

import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from milepost.servers.video.exports.cutting import Cutter, Made
from milepost.servers.video.exports.frames import take_frames
from milepost.servers.video.exports.plans import Cut
from milepost.servers.video.flight import Flight, make_clip
from milepost.servers.video.ingest import Limits, find_ffmpeg
from milepost.servers.video.ingest.probing import Source, probe
from milepost.servers.video.telemetry.ingest import find, read
from tests.servers.video.ingest.filming import film as film_of
from tests.servers.video.ingest.filming import film_in_high_range

SECONDS, RATE = 6, 25


class Film:
    def __init__(self, path: Path, flight: Flight | None = None):
        self.path, self.flight = path, flight
        self.klv = find(path)
        self.shares: list[float] = []

    @property
    def source(self) -> Source:
        return probe(self.path, check=lambda: None, limits=Limits())

    def cut(
        self, folder: Path, start: float, end: float, quality: str = "native", kind: str = "mp4"
    ) -> tuple[Path, Made]:
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

    def frame(self, folder: Path, time: float) -> av.VideoFrame:
        """The picture that is shown at a time, as an export has it."""
        [name] = take_frames(
            self.source,
            [time],
            folder,
            ffmpeg=find_ffmpeg(),
            check=lambda: None,
            progress=lambda _: None,
            limits=Limits(),
        )
        [frame] = pictures(folder / name)
        return frame


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


def test_zeros_after_the_last_picture_are_no_part_of_a_clip(film: Film, tmp_path: Path) -> None:
    padded = tmp_path / "padded.ts"
    padded.write_bytes(film.path.read_bytes() + bytes(200_000))
    path, made = Film(padded, film.flight).cut(tmp_path, 4.48, 6.0, kind="ts")
    assert (made.pictures, made.expected) == (38, 38)
    assert len(pictures(path)) == 38
    found = read(path, workspace=tmp_path)
    assert found is not None
    assert found.count == 7


def test_what_begins_and_ends_with_groups_of_pictures_is_not_encoded_again(
    film: Film, tmp_path: Path
) -> None:
    with av.open(str(film.path)) as container:
        keys = [
            each.pts * each.time_base for each in container.demux(video=0) if each.is_keyframe and each.pts
        ]
    assert len(keys) >= 2
    begin, end = (float(each - keys[0]) for each in keys[:2])
    path, made = film.cut(tmp_path, begin, end)
    assert not made.encoded
    assert len(pictures(path)) == round((end - begin) * RATE)
    assert film.cut(tmp_path, begin, end - 0.04)[1].encoded
    assert film.cut(tmp_path, begin + 0.04, end)[1].encoded


@pytest.fixture(scope="module")
def reordered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of pictures that are decoded in another order than they are shown, in groups of one second."""
    path = tmp_path_factory.mktemp("reordered") / "video.mp4"
    encode = (
        "-c:v libx264 -preset ultrafast -bf 3 -b_strategy 0 -g 25 -keyint_min 25 -sc_threshold 0 -c:a aac"
    )
    inputs = "-f lavfi -i testsrc=s=96x54:r=25:d=2 -f lavfi -i sine=d=2"
    run_ffmpeg(*inputs.split(), *encode.split(), "-pix_fmt", "yuv420p", str(path))
    return path


def run_ffmpeg(*arguments: str) -> None:
    subprocess.run([find_ffmpeg(), "-v", "error", "-nostdin", *arguments], check=True)


@pytest.mark.parametrize(
    ("source", "streams", "start", "end", "kind"),
    [
        ("mp4", "v a", 0.0, 1.0, "mp4"),
        ("mp4", "v", 1.0, 2.0, "mov"),
        ("mov", "v a", 0.0, 2.0, "ts"),
        ("ts", "v a", 0.0, 1.0, "ts"),
        ("ts", "v", 1.0, 2.0, "mp4"),
    ],
)
def test_copies_lose_no_picture_that_is_decoded_in_another_order(
    reordered: Path, tmp_path: Path, source: str, streams: str, start: float, end: float, kind: str
) -> None:
    path = tmp_path / f"video.{source}"
    chosen = [part for each in streams.split() for part in ("-map", f"0:{each}")]
    run_ffmpeg("-i", str(reordered), *chosen, "-c", "copy", str(path))
    part, made = Film(path).cut(tmp_path, start, end, kind=kind)
    assert not made.encoded
    first, count = round(start * RATE), round((end - start) * RATE)
    copied, whole = pictures(part), pictures(path)[first : first + count]
    assert len(copied) == count
    # The very same pictures, as nothing was encoded.
    assert all(likeness(one, other) == 0 for one, other in zip(copied, whole, strict=True))
    with av.open(str(part)) as container:
        assert len(container.streams) == len(streams.split())
        for each in container.streams:
            times = [float(one.pts * one.time_base) for one in container.demux(each) if one.pts is not None]
            assert max(times) - min(times) == pytest.approx(end - start, abs=0.06)
            container.seek(0)


@pytest.mark.parametrize("source", ["mp4", "ts"])
def test_a_part_between_two_pictures_has_as_many_as_it_lasts(
    reordered: Path, tmp_path: Path, source: str
) -> None:
    path = tmp_path / f"video.{source}"
    run_ffmpeg("-i", str(reordered), "-c", "copy", str(path))
    part, made = Film(path).cut(tmp_path, 0.5, 1.5)
    assert (made.pictures, made.expected, len(pictures(part))) == (25, 25, 25)


def test_pictures_that_begin_later_than_the_sound_are_cut_where_they_are_shown(
    reordered: Path, tmp_path: Path
) -> None:
    path = tmp_path / "late.ts"
    sound = f"-i {reordered} -itsoffset 1.5 -i {reordered} -map 1:v -map 0:a -c copy"
    run_ffmpeg(*sound.split(), str(path))
    part, _ = Film(path).cut(tmp_path, 0.48, 1.48)
    copied, whole = pictures(part), pictures(path)
    assert len(copied) == RATE
    assert min(range(8, 17), key=lambda each: likeness(copied[0], whole[each])) == 12
    frame = Film(path).frame(tmp_path, 0.48)
    assert min(range(8, 17), key=lambda each: likeness(frame, whole[each])) == 12


def test_exports_of_a_high_dynamic_range_have_the_standard_one(tmp_path: Path) -> None:
    bright = Film(film_in_high_range(tmp_path / "bright.mp4", "smpte2084"))
    part, made = bright.cut(tmp_path, 0.0, 0.4)
    assert made.encoded
    cut = pictures(part)
    assert {(each.format.name, each.color_trc) for each in cut} == {("yuv420p", 1)}
    frame = bright.frame(tmp_path, 0.2)
    size = {"width": 96, "height": 54}
    a, b = (np.asarray(each.to_image(**size)).astype(float) for each in (frame, cut[5]))
    assert abs(a - b).mean() < 4


@pytest.mark.parametrize(("start", "end"), [(0.0, 6.0), (1.2, 3.2)])
@pytest.mark.parametrize(("name", "near"), [("film", 0.03), ("film_without_time_stamps", 0.13)])
def test_a_transport_stream_keeps_its_telemetry(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, near: float, start: float, end: float
) -> None:
    film = request.getfixturevalue(name)
    assert film.flight is not None
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
    part, made = film.cut(tmp_path, 0, 1, quality="sd")
    assert made.encoded
    (frame, *_) = pictures(part)
    assert (frame.width, frame.height) == (854, 480)
    assert film.shares == sorted(film.shares)


def test_a_part_of_a_high_dynamic_range_that_is_encoded_has_the_standard_one(tmp_path: Path) -> None:
    tags = ("-color_primaries", "bt2020", "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc")
    ten_bits = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le")
    source = film_of(tmp_path / "bright.mp4", *ten_bits, *tags, seconds=0.8, sound=False)
    path, made = Film(source).cut(tmp_path, 0.2, 0.6)
    first, *others = pictures(path)
    assert (made.encoded, len(others)) == (True, 9)
    # 1 is BT.709 in all of the tables of H.273.
    assert (first.color_primaries, first.color_trc, first.colorspace) == (1, 1, 1)
