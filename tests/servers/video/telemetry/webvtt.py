"""Reads subtitles as a player does."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

TIMES = re.compile(r"(\d\d+):(\d\d):(\d\d\.\d{3}) --> (\d\d+):(\d\d):(\d\d\.\d{3})")


class Cue(NamedTuple):
    start: float
    end: float
    text: str

    def values(self) -> dict[int, Any]:
        """Values by tag, as the VideoLayer of ArcGIS finds them."""
        said = json.loads(self.text)
        assert said["source"] == "EsriVideoServer"
        (told,) = [each for each in said["data"] if each["tagId"] == 10000]
        return {each["tagId"]: each["value"] for each in told["value"]}


def cues_of(file: Path) -> list[Cue]:
    head, *blocks = file.read_text("ascii").split("\n\n")
    assert head.split("\n") == ["WEBVTT", "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000"]
    cues = []
    for block in blocks:
        if block:
            times, text = block.split("\n")
            found = TIMES.fullmatch(times)
            assert found is not None
            a, b, c, d, e, f = (float(each) for each in found.groups())
            cues.append(Cue(a * 3600 + b * 60 + c, d * 3600 + e * 60 + f, text))
    return cues
