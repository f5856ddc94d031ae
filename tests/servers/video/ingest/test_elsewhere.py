"""Files that name other files and addresses: nothing is opened but the file itself, as the kernel and a listener tell."""

import contextlib
import ctypes
import os
import socket
import struct
import subprocess

import av
import msgspec
import pytest

from milepost.servers.video.exports.seeking import open_source
from milepost.servers.video.ingest import Limits, find_ffmpeg
from milepost.servers.video.ingest.ffmpeg import CPU
from milepost.servers.video.ingest.ladder import Rung
from milepost.servers.video.ingest.probing import DEMUXERS, probe
from milepost.servers.video.ingest.reading import UnreadableError, read
from milepost.servers.video.ingest.transcoding import command
from milepost.servers.video.telemetry.ingest import find
from tests.servers.video.ingest.filming import H264, film, ingest
from tests.servers.video.ingest.test_sources import refused

IN_ACCESS, IN_OPEN = 0x1, 0x20

TEXTS = [
    "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{place}\n#EXT-X-ENDLIST\n",
    "ffconcat version 1.0\nfile '{place}'\n",
    "concat:{place}|{place}\n",
    "subfile,,start,0,end,0,,:{place}\n",
    "{place}\n",
    "data:video/mp2t;base64,R0AREABC8CUAAcEAAP8B/wAB/IAUSBIBBkZGbXBlZwlTZXJ2aWNlMDF3fEPK\n{place}\n",
    '<?xml version="1.0"?><MPD type="static"><BaseURL>{place}</BaseURL></MPD>\n',
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=control:{place}\nm=video 0 RTP/AVP 33\n",
]


class Outside:
    """A file and an address outside the folder of a job, and whether anybody went there."""

    def __init__(self, folder):
        folder.mkdir()
        self.file = folder / "secret.ts"
        film(self.file, seconds=0.2, sound=False)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}/secret.ts"
        self._kernel = ctypes.CDLL(None, use_errno=True)
        self._notes = self._kernel.inotify_init1(os.O_NONBLOCK)
        watched = os.fsencode(self.file)
        assert self._kernel.inotify_add_watch(self._notes, watched, IN_ACCESS | IN_OPEN) >= 0

    @property
    def places(self):
        """How it can be named."""
        return [str(self.file), f"file://{self.file}", f"file:{self.file}", self.address]

    def visits(self):
        """How many times somebody opened, read or called since the last question."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            count = len(os.read(self._notes, 65536)) // struct.calcsize("iIII")
        while True:
            try:
                self._listener.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def close(self):
        self._listener.close()
        os.close(self._notes)


@pytest.fixture
def outside(tmp_path):
    if not hasattr(ctypes.CDLL(None), "inotify_init1"):
        pytest.skip("only Linux tells who opens a file")
    made = Outside(tmp_path / "outside")
    # Whoever goes there is noticed.
    made.file.read_bytes()
    assert made.visits() > 0
    socket.create_connection(("127.0.0.1", int(made.address.split(":")[2].split("/")[0]))).close()
    assert made.visits() == 1
    yield made
    assert made.visits() == 0
    made.close()


@pytest.mark.parametrize("text", TEXTS, ids=lambda each: each[:8].strip())
def test_a_text_that_names_other_files_makes_nobody_open_them(tmp_path, clip, outside, text):
    sent = tmp_path / "sent.ts"
    genuine = probe(clip, check=lambda: None, limits=Limits())
    for place in outside.places:
        sent.write_text(text.format(place=place))
        assert refused(tmp_path, sent)[0] == 9154
        # Nor does any reader by itself, if what looks at the beginning of a file were deceived.
        for container, demuxer in DEMUXERS.items():
            with pytest.raises((UnreadableError, av.error.FFmpegError)):
                read(str(sent), demuxer, side=8192, pixels=1 << 25, streams=64)
            with pytest.raises(av.error.FFmpegError):
                open_source(msgspec.structs.replace(genuine, path=str(sent), container=container))
        with pytest.raises(av.error.FFmpegError):
            find(sent)
    deceived = msgspec.structs.replace(genuine, path=str(sent))
    line = command(
        deceived,
        [Rung("native", 320, 180, 500)],
        ffmpeg=find_ffmpeg(),
        encoder=CPU,
        audio=False,
        limits=Limits(),
    )
    assert subprocess.run(line, cwd=tmp_path, capture_output=True).returncode != 0


def test_a_film_whose_pictures_are_in_another_file_makes_nobody_open_it(tmp_path, outside):
    whole = film(tmp_path / "whole.mov", *H264, seconds=0.4, sound=False).read_bytes()
    sent = tmp_path / "sent.mov"
    sent.write_bytes(with_media_at(whole, b"alis", alias_of(outside.file)))
    # A reader that follows such a reference goes there.
    with av.open(str(sent), options={"enable_drefs": "1", "use_absolute_path": "1"}):
        assert outside.visits() > 0
    assert refused(tmp_path, sent)[0] == 9154
    sent.write_bytes(with_media_at(whole, b"url ", outside.address.encode() + b"\0"))
    # What such a file has itself is taken: the tables of where pictures are fit it too.
    assert ingest(sent, tmp_path / "layer").frame_count == 10


def alias_of(path):
    """What a Macintosh noted of a file, by which it found it again; its path is in it, with colons."""
    told = str(path).replace("/", ":").encode()
    told += bytes(len(told) % 2)
    tail = struct.pack(">HH", 2, len(told)) + told + struct.pack(">HH", 0xFFFF, 0)
    return bytes(10) + bytes(28) + bytes(12) + bytes(64) + bytes(16) + bytes(4) + bytes(16) + tail


def with_media_at(movie, kind, place):
    """A movie whose only track says that its media are in another file."""
    at = movie.index(b"dref", movie.index(b"vmhd")) + 12
    own = struct.unpack_from(">I", movie, at)[0]
    entry = struct.pack(">I", len(place) + 12) + kind + bytes(4) + place
    grown = bytearray(movie[:at] + entry + movie[at + own :])
    for each in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        size = (
            grown.index(each, grown.index(b"vmhd")) - 4
            if each in (b"dinf", b"dref")
            else grown.index(each) - 4
        )
        length = struct.unpack_from(">I", grown, size)[0]
        struct.pack_into(">I", grown, size, length + len(entry) - own)
    return bytes(grown)
