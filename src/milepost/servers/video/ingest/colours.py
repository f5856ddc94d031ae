"""Colours that all players show alike: of the standard range (SDR), and with the matrix told by which they are coded.

The rungs are H.264 of eight bits, which players show as SDR: pictures of a high dynamic range (HDR) would look pale in
them. And where no matrix is told, players go by the size of each rung, so that the same picture would change its colours
from rung to rung.
"""

from typing import Final

from milepost.servers.video.ingest.ffmpeg import has_filters
from milepost.servers.video.ingest.probing import Video

HIGH: Final = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
"""FFmpeg's names of the transfer functions of HDR, and those by which people know them."""

_MAPPING: Final = ("zscale", "tonemap")
"""The filters that map tones; not every FFmpeg has them."""

_REFERENCE: Final = 203
"""Candela a square metre of white paper in HDR (ITU-R BT.2408), which is the white of SDR."""


_HD: Final = (1280, 720)
"""Pixels from which on players take untold colours for those of BT.709, and not of BT.601."""

_RGB, _UNTOLD = 0, 2
"""In H.273."""

TO_JPEG: Final = "out_color_matrix=bt601:out_range=pc"
"""What FFmpeg's ``scale`` is told of JPEG, which always has these (JFIF)."""


def to_standard(video: Video, ffmpeg: str) -> list[str]:
    """The filters by which a picture gets the standard range and tells its matrix; none when it has and does."""
    if not video.high_range:
        return _to_told(video)
    if not has_filters(ffmpeg, *_MAPPING):
        return [
            "scale=in_color_matrix=bt2020:out_color_matrix=bt709,format=yuv420p",
            "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709",
        ]
    return [
        # Files leave out their primaries and matrix, though these are all but always those of BT.2020.
        f"zscale=tin={video.high_range}:pin=bt2020:min=bt2020nc:t=linear:npl={_REFERENCE}",
        "format=gbrpf32le",
        "zscale=p=bt709",
        "tonemap=mobius:desat=0",
        "zscale=t=bt709:m=bt709:r=limited",
        "format=yuv420p",
    ]


def _to_told(video: Video) -> list[str]:
    if video.matrix == _RGB:
        return ["scale=out_color_matrix=bt709:out_range=tv", "format=yuv420p", "setparams=colorspace=bt709"]
    if video.matrix == _UNTOLD:
        large = video.width >= _HD[0] or video.height >= _HD[1]
        return [f"setparams=colorspace={'bt709' if large else 'smpte170m'}"]
    return []


def told_of_range(video: Video, ffmpeg: str) -> str:
    """What is to be known of a source of a high range, in words."""
    text = f"The source has a high dynamic range ({HIGH[video.high_range]}); the layer has the standard one (BT.709)"
    if has_filters(ffmpeg, *_MAPPING):
        return f"{text}, to which its tones are mapped"
    return f"{text} and looks pale: this FFmpeg cannot map tones; install one with {' and '.join(_MAPPING)}"
