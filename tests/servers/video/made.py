"""A layer that looks as if it had been published, for tests of what comes afterwards: no video was encoded."""

import json
import tempfile
import uuid
from io import BytesIO
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from PIL import Image

from milepost.app import Server
from milepost.servers.video.facts import COVERAGE, MASTER, POSTER, PREVIEW, TELEMETRY, Facts
from milepost.servers.video.library import storage_at
from milepost.servers.video.records import Layer, Service, Source, Upload
from milepost.servers.video.telemetry.features import as_geojson
from milepost.servers.video.telemetry.track import Track, encode

START = 1_348_087_416_000
SEGMENT = bytes(range(256)) * 8

FACTS = Facts(
    container="mpegts",
    video_codec="avc1.64001f",
    audio_codec="mp4a.40.2",
    width=1280,
    height=720,
    frame_rate="29.97",
    frame_count=120,
    gop=60,
    aspect_ratio="16:9",
    duration=4.0,
    source_quality="hd",
    qualities=("sd", "hd"),
    encoder="CPU",
    telemetry=True,
    previews=True,
    start=START,
    end=START + 4000,
    extent=(1.0, 42.0, 2.0, 43.0),
)

CORNERS = (1.0, 43.0, 2.0, 43.0, 2.0, 42.0, 1.0, 42.0)
BOX = [[1.0, 42.0], [1.0, 43.0], [2.0, 43.0], [2.0, 42.0], [1.0, 42.0]]


def contents() -> dict[str, bytes]:
    """The files of a layer."""
    frame = {
        "frameCenter": {"x": 1.5, "y": 42.5},
        "frameOutline": {"rings": [BOX]},
        "sensor": {"x": 1, "y": 42},
    }
    coverage = {
        "area": {"rings": [BOX], "spatialReference": {"wkid": 4326}},
        "sensorPoints": {"hasZ": True, "hasM": True, "points": [[1, 42, 900, 0]]},
        "telemetry": {"start": frame, "framCenter": frame["frameCenter"]},
    }
    track = Track(
        source="made",
        time_system="UTC",
        start=START,
        end=START + 4000,
        extent=FACTS.extent,
        sets=5,
        every=1,
        hold=1.0,
        # From one second to the next it sees a tenth of a degree further east.
        samples=[
            [
                1000 * n,
                1,
                42,
                900,
                1.5,
                42.5,
                0,
                *(x + n / 10 if at % 2 == 0 else x for at, x in enumerate(CORNERS)),
            ]
            for n in range(5)
        ],
    )
    texts = {
        MASTER: '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",URI="audio/index.m3u8"\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=1\nhd/index.m3u8\n",
        "hd/index.m3u8": '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:4,\n0.m4s\n#EXT-X-ENDLIST\n',
        TELEMETRY: "#EXTM3U\n",
        PREVIEW: json.dumps({"preview": "preview.jpg"}),
        COVERAGE: json.dumps(coverage),
        "telemetry.json": encode(track).decode(),
        "telemetry.geojson": json.dumps(as_geojson(track)),
        "telemetry.csv": "time\n",
    }
    return {name: text.encode() for name, text in texts.items()} | {
        POSTER: b"\xff\xd8\xff poster",
        "hd/0.m4s": SEGMENT,
        "hd/init.mp4": b"init",
        "preview/preview.jpg": b"\xff\xd8\xff preview",
        "original/source.ts": b"G" + bytes(187),
    }


def make_service(server: Server, name: str, owner: str, **more: Any) -> Service:
    service = Service(name=name, item=uuid.uuid4().hex, owner=owner, created=START, **more)
    server.videos.add(service)
    return service


def make_layer(server: Server, service: Service, *, place: str | None = None, **more: Any) -> Layer:
    """A layer of a service, with files that are short and say little."""
    key = uuid.uuid4().hex
    number = server.videos.reserve(service.item, key, None)
    data = server.settings.data
    layer = Layer(
        id=number,
        key=key,
        storage=server.settings.video_storage if place is None else place,
        name=f"Flight {number}",
        created=START,
        owner=service.owner,
        facts=FACTS,
        sources=(Source("i" + "0" * 32, "Flüge 1.ts", 188, "video/mp2t"),),
    )
    with tempfile.TemporaryDirectory(dir=data) as folder:
        made = Path(folder) / "made"
        for name, content in contents().items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        storage_at(layer.storage, data).put(made, key, lambda size: None)
    layer = replace(layer, **more)
    server.videos.finish(service.item, layer)
    return layer


def make_upload(server: Server, owner: str, *, name: str = "flight.ts", committed: bool = True) -> Upload:
    """An upload whose content is no video, although it says so."""
    upload_id, path = server.manager.start_upload(name)
    upload = Upload(id=upload_id, owner=owner, name=name, file=path.name, date=START)
    if committed:
        path.write_bytes(b"G" + bytes(187))
        server.manager.finish_upload(upload_id, path, owner=owner, service_type="VideoServer")
        upload = replace(upload, committed=True, content_type="video/mp2t")
    server.videos.uploads.put(upload)
    return upload


def png(width: int, height: int) -> bytes:
    """A picture of one colour."""
    content = BytesIO()
    Image.new("L", (width, height)).save(content, "PNG")
    return content.getvalue()
