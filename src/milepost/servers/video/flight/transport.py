"""KLV in an MPEG transport stream, in the ways that ST 1402 and other muxers carry it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from stanag4609.klv.checksum import mpeg2_crc32

Carriage = Literal["synchronous", "private", "unregistered"]
"""Synchronous metadata (stream type 0x15, access unit cells and time stamps), or private data (0x06, without
time stamps) with or without the registration descriptor KLVA."""

PID: Final = 0x1F0
_AHEAD: Final = 0.15
"""Seconds that a set with a time stamp arrives before its time, as decoders need to gather it."""
_PACKET: Final = 188
_SYNC: Final = 0x47
_VIDEO_TYPES: Final = (0x02, 0x1B, 0x24)

_METADATA: Final = bytes.fromhex("26 09 0100 FF 4B4C5641 00 0F")
"""metadata_descriptor: KLVA, service 0."""
_BUFFERS: Final = bytes.fromhex("27 09 C00064 C00064 C00000")
"""metadata_std_descriptor: leak rates and size of the decoder's buffers."""
_REGISTRATION: Final = bytes.fromhex("05 04 4B4C5641")

_DESCRIPTORS: Final = {
    "synchronous": (0x15, _METADATA + _BUFFERS),
    "private": (0x06, _REGISTRATION),
    "unregistered": (0x06, b""),
}


def insert_klv(source: Path, target: Path, sets: Sequence[tuple[float, bytes]], carriage: Carriage) -> None:
    """Copy a transport stream with one program and put KLV into it, each set no later than the picture it belongs to.

    Args:
        source: a transport stream without KLV, whose program map takes one packet.
        target: the file to write.
        sets: seconds since the first picture, ascending, and KLV.
        carriage: how the KLV is carried.

    Raises:
        ValueError: the source has no video, or is no such transport stream.
    """
    first = next((time for _, time in _walk(source) if time is not None), None)
    if first is None:
        raise ValueError(f"{source.name} has no video in a transport stream; give a stream with a picture")
    waiting = list(reversed(sets))
    counter = sequence = 0
    ahead = _AHEAD if carriage == "synchronous" else 0.0
    with target.open("wb") as file:
        for packet, time in _walk(source):
            while time is not None and waiting and first + round((waiting[-1][0] - ahead) * 90_000) <= time:
                seconds, klv = waiting.pop()
                stamp = first + round(seconds * 90_000)
                for each in _packets(_pes(klv, stamp, sequence, carriage), counter):
                    file.write(each)
                    counter = (counter + 1) % 16
                sequence = (sequence + 1) % 256
            file.write(_with_klv(packet, carriage))


def _walk(source: Path) -> Iterator[tuple[bytes, int | None]]:
    """Every packet, with the decoding time (90 kHz) of the picture that begins in it."""
    program_map = video = None
    with source.open("rb") as file:
        while packet := file.read(_PACKET):
            if len(packet) != _PACKET or packet[0] != _SYNC:
                raise ValueError(f"{source.name} is no transport stream of packets of 188 bytes")
            begins, pid = bool(packet[1] & 0x40), int.from_bytes(packet[1:3], "big") & 0x1FFF
            time = None
            if pid == 0:
                section = _section(packet)
                program_map = int.from_bytes(section[10:12], "big") & 0x1FFF
            elif pid == program_map:
                video = next((at for at, kind in _streams(_section(packet)) if kind in _VIDEO_TYPES), None)
            elif pid == video and begins:
                time = _time(packet[_payload(packet) :])
            yield packet, time


def _payload(packet: bytes) -> int:
    return 5 + packet[4] if packet[3] & 0x20 else 4


def _section(packet: bytes) -> bytes:
    start = _payload(packet)
    start += 1 + packet[start]
    return packet[start : start + 3 + (int.from_bytes(packet[start + 1 : start + 3], "big") & 0xFFF)]


def _streams(program_map: bytes) -> Iterator[tuple[int, int]]:
    """PID and type of every stream of a program."""
    at = 12 + (int.from_bytes(program_map[10:12], "big") & 0xFFF)
    while at < len(program_map) - 4:
        yield int.from_bytes(program_map[at + 1 : at + 3], "big") & 0x1FFF, program_map[at]
        at += 5 + (int.from_bytes(program_map[at + 3 : at + 5], "big") & 0xFFF)


def _time(pes: bytes) -> int | None:
    """The decoding time where there is one, else that of presentation."""
    flags = pes[7] >> 6
    if not flags & 2:
        return None
    b = pes[14:19] if flags == 3 else pes[9:14]
    return (b[0] >> 1 & 7) << 30 | b[1] << 22 | (b[2] >> 1) << 15 | b[3] << 7 | b[4] >> 1


def _with_klv(packet: bytes, carriage: Carriage) -> bytes:
    """The packet; when it holds the program map, that names the KLV."""
    start = _payload(packet)
    if not packet[1] & 0x40 or packet[3] & 0x10 == 0 or packet[start : start + 2] != b"\x00\x02":
        return packet
    section = _section(packet)
    kind, descriptors = _DESCRIPTORS[carriage]
    stream = (
        bytes([kind]) + (0xE000 | PID).to_bytes(2, "big") + (0xF000 | len(descriptors)).to_bytes(2, "big")
    )
    body = section[3:-4] + stream + descriptors
    whole = section[:1] + (0xB000 | len(body) + 4).to_bytes(2, "big") + body
    whole += mpeg2_crc32(whole).to_bytes(4, "big")
    room = _PACKET - start - 1
    if len(whole) > room:
        raise ValueError(
            "the program map has no room for KLV in its packet; write the stream with fewer streams"
        )
    return packet[: start + 1] + whole.ljust(room, b"\xff")


def _pes(klv: bytes, stamp: int, sequence: int, carriage: Carriage) -> bytes:
    if carriage != "synchronous":
        return b"\x00\x00\x01\xbd" + (len(klv) + 3).to_bytes(2, "big") + b"\x84\x00\x00" + klv
    cell = bytes([0, sequence, 0xDF]) + len(klv).to_bytes(2, "big") + klv
    time = bytes(
        [
            0x21 | stamp >> 29 & 0x0E,
            stamp >> 22 & 0xFF,
            stamp >> 14 & 0xFE | 1,
            stamp >> 7 & 0xFF,
            stamp << 1 & 0xFE | 1,
        ]
    )
    return b"\x00\x00\x01\xfc" + (len(cell) + 8).to_bytes(2, "big") + b"\x84\x80\x05" + time + cell


def _packets(pes: bytes, counter: int) -> Iterator[bytes]:
    """The bytes in packets of the KLV's PID; what the last one has left over is stuffing."""
    for at in range(0, len(pes), _PACKET - 4):
        part = pes[at : at + _PACKET - 4]
        short = _PACKET - 4 - len(part)
        head = (PID | (0x4000 if at == 0 else 0)).to_bytes(2, "big")
        control = (0x30 if short else 0x10) | counter
        stuffing = b""
        if short:
            stuffing = bytes([short - 1]) + (b"\x00" + b"\xff" * (short - 2) if short > 1 else b"")
        yield bytes([_SYNC]) + head + bytes([control]) + stuffing + part
        counter = (counter + 1) % 16
