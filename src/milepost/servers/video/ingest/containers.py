"""What a file is, told by its first bytes and never by its name."""

from pathlib import Path
from typing import Final, Literal

Container = Literal["mpegts", "mp4", "mov", "avi", "mpegps"]
"""The kinds of video files that are read."""

SUFFIXES: Final[dict[Container, str]] = {
    "mpegts": "ts",
    "mp4": "mp4",
    "mov": "mov",
    "avi": "avi",
    "mpegps": "mpg",
}
"""How the names of such files end."""

HEAD: Final = 4096
"""How many bytes of a file tell what it is."""

_PACKETS: Final = ((188, 0), (204, 0), (192, 4))
"""Lengths of the packets of a transport stream, and where in one its sync byte lies."""

_ATOMS: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
"""What a file of QuickTime and its heirs begins with."""

_MOST_ATOMS: Final = 100_000
"""Looked at to tell whether a file is whole."""

_PLAYLISTS: Final = (b"#extm3u", b"ffconcat", b"<mpd", b"[playlist]", b"[reference]", b"rtsptext")
"""How files begin that only name other files."""


def container_of(head: bytes) -> Container | None:
    """The kind of video file that begins with ``head``, ``HEAD`` bytes of it if there are that many; or None."""
    if any(_is_transport(head[sync:], length, len(head) < HEAD) for length, sync in _PACKETS):
        return "mpegts"
    if head[4:8] in _ATOMS:
        return "mp4" if head[4:8] == b"ftyp" and head[8:12] != b"qt  " else "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:4] in (b"\x00\x00\x01\xba", b"\x00\x00\x01\xbb"):
        return "mpegps"
    # What was cut out of the air begins in the middle of a packet.
    if any(_is_transport(head[at:], length) for length, _ in _PACKETS for at in range(1, length)):
        return "mpegts"
    return None


def video_in(path: Path) -> Container:
    """The kind of a video file.

    Raises:
        ValueError: it is no video, none of a kind that is read, or cut off; the text says what it is instead.
    """
    head = _head(path)
    container = container_of(head)
    if container is None:
        raise ValueError(
            f"{path.name} {_instead(head)}; send a video file: MPEG-TS, MP4, MOV, AVI or MPEG program stream"
        )
    told, size = _told_size(path, container, head), path.stat().st_size
    if told > size:
        raise ValueError(
            f"{path.name} is cut off: it should have {told:,} bytes and has {size:,}; send it again"
        )
    return container


def is_text(path: Path) -> bool:
    """Whether a file may be a table of telemetry: text, and no playlist."""
    head = _head(path)
    return bool(head) and _reads_as_text(head) and not _is_playlist(head)


def _head(path: Path) -> bytes:
    # A pipe or a device could be read for ever, and a link may lead anywhere.
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"{path.name} is no ordinary file; send the file itself")
    with path.open("rb") as file:
        return file.read(HEAD)


def _is_transport(head: bytes, length: int, few: bool = False) -> bool:
    """Whether packets of a length begin here; a ``few`` of them do when there are no more."""
    marks = head[::length]
    # One packet proves nothing: a text may begin with a G.
    return len(marks) > (1 if few else 4) and not marks.strip(b"\x47")


def _told_size(path: Path, container: Container, head: bytes) -> int:
    """Bytes that a file has at least, as it tells itself."""
    if container == "avi":
        return int.from_bytes(head[4:8], "little") + 8
    if container not in ("mp4", "mov"):
        return 0
    end, size = 0, path.stat().st_size
    with path.open("rb") as file:
        for _ in range(_MOST_ATOMS):
            file.seek(end)
            atom = file.read(16)
            if len(atom) < 8 or not atom[4:8].isalnum():  # what comes after the last atom matters to nobody
                break
            length = int.from_bytes(atom[:4], "big")
            if length == 1:
                length = int.from_bytes(atom[8:16], "big")
            end = size if length == 0 else end + length
            if length < 8 or end >= size:
                break
    return end


def _instead(head: bytes) -> str:
    if not head:
        return "is empty: it did not arrive whole"
    if _is_playlist(head):
        return "is a playlist, which names other files and holds no video"
    if _reads_as_text(head):
        return "is text, not a video"
    return "is of a kind that is not read, or its beginning is damaged"


def _is_playlist(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith(_PLAYLISTS) or b"<mpd" in text[:512] or b"<smil" in text[:512]


def _reads_as_text(head: bytes) -> bool:
    if b"\0" in head:
        return head[:2] in (b"\xff\xfe", b"\xfe\xff")
    # Whatever the encoding, text has few control characters.
    return sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head) * 100 <= len(head)
