"""What a file is, by its content."""

import pytest

from milepost.servers.video.ingest.containers import container_of, is_text, video_in

PACKET = b"\x47" + bytes(187)


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (PACKET * 21, "mpegts"),
        (b"\0\0\0\0" + (PACKET + bytes(4)) * 21, "mpegts"),
        ((PACKET + bytes(16)) * 20, "mpegts"),
        (b"\0\0\0\x20ftypisom", "mp4"),
        (b"\0\0\0\x14ftypqt  ", "mov"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "mov"),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"\0\0\x01\xba\x44\0", "mpegps"),
        (b"G" * 4096, "mpegts"),
        (PACKET, None),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"#EXTM3U\nfile:///etc/passwd\n", None),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", None),
        (b"\x1aE\xdf\xa3", None),
        (b"", None),
    ],
)
def test_the_kind_of_a_file_is_told_by_its_first_bytes(head, container):
    assert container_of(head) == container


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"#EXTM3U\n#EXTINF:4,\nfile:///etc/passwd\n", "is a playlist"),
        (b"\xef\xbb\xbf#EXTM3U\n", "is a playlist"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "is a playlist"),
        (b'<?xml version="1.0"?>\n<MPD><BaseURL>file:///etc/passwd</BaseURL></MPD>', "is a playlist"),
        (b"concat:/etc/passwd|/etc/hosts\n", "is text"),
        ("Höhe;Breite\n1;2\n".encode("latin-1"), "is text"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not read"),
        (b"RIFF\xff\xff\0\0AVI LIST", "should have 65,543 bytes and has 16"),
        (b"\0\0\0\x10ftypisom\0\0\0\0\x7f\0\0\0mdat", "should have 2,130,706,448 bytes and has 24"),
        (b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x01mdat\0\0\x10\0\0\0\0\0", "cut off"),
    ],
)
def test_who_sends_something_else_reads_what_it_is(tmp_path, content, reason):
    file = tmp_path / "video.ts"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        video_in(file)


def test_links_and_devices_are_not_followed(tmp_path):
    link = tmp_path / "link.ts"
    link.symlink_to("/etc/passwd")
    for each in (link, tmp_path, tmp_path / "missing.ts"):
        with pytest.raises(ValueError, match="no ordinary file"):
            video_in(each)


def test_tables_of_telemetry_are_text_and_playlists_are_not(tmp_path):
    for content, expected in (
        (b"time,latitude\n1,2\n", True),
        (b"#EXTM3U\n", False),
        (b"\0\1\2", False),
        (b"", False),
    ):
        file = tmp_path / "flight.csv"
        file.write_bytes(content)
        assert is_text(file) is expected
