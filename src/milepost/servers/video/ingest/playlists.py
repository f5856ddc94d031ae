"""The playlists of a video: text made of what was measured of its segments."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

from milepost.servers.video.facts import TELEMETRY
from milepost.servers.video.ingest.fragments import INIT, Rendition

INDEX: Final = "index.m3u8"
"""The playlist of a rendition, in its folder."""

Load = Sequence[tuple[float, int]]
"""Of each segment of a rendition its duration in seconds and its size in bytes."""


def media(rendition: Rendition) -> str:
    """The playlist of a rung or of the audio, beside its segments."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{_target([each.duration for each in rendition.segments])}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{INIT}"',
    ]
    for each in rendition.segments:
        lines += [f"#EXTINF:{each.duration:.6f},", each.name]
    return _text([*lines, "#EXT-X-ENDLIST"])


def master(
    rungs: Iterable[Rendition], audio: Rendition | None, language: str, telemetry: Load | None, rate: Fraction
) -> str:
    """The playlist that names all others.

    Args:
        rungs: the renditions of the video, ascending.
        audio: the rendition of the sound, if there is any.
        language: of the sound, as the source names it; may be empty.
        telemetry: the load of the subtitles that carry the telemetry, if there is any.
        rate: frames a second.
    """
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    beside: list[Load] = []
    more = ""
    if audio:
        spoken = f',LANGUAGE="{language}"' if language.isalpha() and language != "und" else ""
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Sound"{spoken},DEFAULT=YES,AUTOSELECT=YES,'
            f'CHANNELS="2",URI="{audio.name}/{INDEX}"'
        )
        beside.append(load_of(audio))
        more += ',AUDIO="audio"'
    if telemetry:
        # Not for reading: players must not choose it by themselves.
        lines.append(
            '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="telemetry",NAME="Telemetry",LANGUAGE="zxx",DEFAULT=NO,'
            f'AUTOSELECT=NO,FORCED=NO,URI="{TELEMETRY}"'
        )
        beside.append(telemetry)
        more += ',SUBTITLES="telemetry"'
    for rung in rungs:
        loads = [load_of(rung), *beside]
        codecs = ",".join(filter(None, (rung.codec, audio.codec if audio else "")))
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={sum(map(peak, loads))},AVERAGE-BANDWIDTH={sum(map(average, loads))},"
            f'CODECS="{codecs}",RESOLUTION={rung.width}x{rung.height},FRAME-RATE={float(rate):.3f}{more},'
            "CLOSED-CAPTIONS=NONE"
        )
        lines.append(f"{rung.name}/{INDEX}")
    return _text(lines)


def load_of(rendition: Rendition) -> Load:
    """What a player has to fetch of a rendition."""
    return [(each.duration, each.size) for each in rendition.segments]


def load_in(playlist: Path) -> Load:
    """What a player has to fetch of a rendition whose playlist was written by others."""
    lines = playlist.read_text().splitlines()
    told = [line for line in lines if line.startswith("#EXTINF:")]
    names = [line for line in lines if line and not line.startswith("#")]
    return [
        (float(duration.removeprefix("#EXTINF:").partition(",")[0]), (playlist.parent / name).stat().st_size)
        for duration, name in zip(told, names, strict=True)
    ]


def average(load: Load) -> int:
    """Bits a second over the whole."""
    seconds = sum(duration for duration, _ in load)
    return math.ceil(8 * sum(size for _, size in load) / seconds) if seconds else 0


def peak(load: Load) -> int:
    """Bits a second of the heaviest run of segments that lasts from a half to one and a half target durations.

    That is how RFC 8216 defines it; a short last segment does not count by itself.
    """
    target = _target([duration for duration, _ in load])
    highest = average(load)
    for first in range(len(load)):
        seconds, size = 0.0, 0
        for duration, more in load[first:]:
            seconds, size = seconds + duration, size + more
            if seconds > 1.5 * target:
                break
            if seconds >= 0.5 * target:
                highest = max(highest, math.ceil(8 * size / seconds))
    return highest


def _target(durations: Iterable[float]) -> int:
    return max(1, *(math.floor(each + 0.5) for each in durations))


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
