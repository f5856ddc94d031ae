"""The JSON of video services and their layers: pure functions of them and of where the server is."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from milepost.servers.video.facts import MASTER
from milepost.servers.video.records import Layer, Service, Upload
from milepost.servers.video.wire import PROGRESS

VERSION: Final = 12.1
"""Release of the Video Server that these answers follow."""

_TYPE: Final = "Video Layer"
_ON_DEMAND: Final = "ondemand"
_WGS84: Final = {"wkid": 4326, "latestWkid": 4326}
_STANDARD: Final = "MISB ST 0601"


def service(about: Service, layers: Sequence[Layer], url: str) -> dict[str, Any]:
    """The service resource; ``owner`` and ``access`` are additions.

    Args:
        about: the service.
        layers: those that can be played.
        url: of the service.
    """
    extents = [each.facts.extent for each in layers if each.facts.extent]
    union = _union(extents) if extents else None
    return {
        "currentVersion": VERSION,
        "name": about.name,
        "serviceName": about.name,
        "serviceItemId": about.item,
        "description": about.description,
        "owner": about.owner,
        "access": about.access,
        "created": about.created,
        "supportsAppend": False,
        "supportsUpdate": True,
        "fullExtent": _extent(union),
        "initialExtent": _extent(union),
        "layers": [
            {
                "id": each.id,
                "name": each.name,
                "poster": poster(each, f"{url}/{each.id}"),
                "serviceType": _ON_DEMAND,
                "type": _TYPE,
            }
            for each in layers
        ],
    }


def layer(about: Service, each: Layer, url: str, *, supports: Iterable[str] = ()) -> dict[str, Any]:
    """The layer resource.

    Args:
        about: its service.
        each: the layer.
        url: of the layer.
        supports: further operations that answer, such as ``ExportClip``.
    """
    facts = each.facts
    time: dict[str, Any] = {"duration": facts.duration, "timezone": "UTC"}
    if facts.start is not None and facts.end is not None:
        time |= {"start": facts.start, "end": facts.end}
        if facts.time_system != "UTC":
            time["timeSystem"] = facts.time_system
    available = frozenset(supports)
    clips = each.export_clip and "ExportClip" in available
    framesets = exports_frames(each) and "ExportFrameset" in available
    return {
        "currentVersion": VERSION,
        "id": each.id,
        "name": each.name,
        "type": _TYPE,
        "serviceType": _ON_DEMAND,
        "serviceName": about.name,
        "serviceItemId": about.item,
        "description": each.description,
        "copyright": each.copyright,
        "copyrightText": each.copyright,
        "created": each.created,
        "connectionUrl": {"hls": f"{url}/content/{MASTER}"},
        "poster": poster(each, url),
        "sourceQuality": facts.source_quality,
        "qualities": list(facts.qualities),
        "codecs": {
            "video": facts.video_codec,
            "audio": facts.audio_codec,
            "text": "wvtt" if facts.telemetry else "",
        },
        "frameCount": facts.frame_count,
        "playbackInfo": {
            "aspectRatio": facts.aspect_ratio,
            "containerFormat": facts.container,
            "framerate": facts.frame_rate,
            "gop": facts.gop,
            "width": facts.width,
            "height": facts.height,
            "klv": {"0601": _STANDARD} if facts.telemetry else {},
        },
        "time": time,
        "fullExtent": _extent(facts.extent),
        "initialExtent": _extent(facts.extent),
        "cameraInfo": None,
        "elevationSource": None,
        "livestreamInfo": None,
        "supportsAppend": False,
        "supportsExportClip": clips,
        "supportsExportFrameset": framesets,
        "supportsMensuration": False,
        "supportsPreviews": facts.previews,
        "supportsUpdate": True,
    }


def exports_frames(each: Layer) -> bool:
    """Whether frames of a layer may be exported, which come with the corners that telemetry tells."""
    return each.export_frameset and each.facts.telemetry


def poster(each: Layer, url: str) -> str:
    """Where the picture of a layer is; some lie elsewhere."""
    return each.poster if "://" in each.poster else f"{url}/content/{each.poster}"


def catalog(
    found: Sequence[tuple[Service, Sequence[Layer], int]], *, start: int, limit: int, total: int, admin: bool
) -> dict[str, Any]:
    """The list of services.

    Args:
        found: services with their layers and the last id that was reserved.
        start: the number of the first one, from 1.
        limit: how many there are at most.
        total: how many there are of all.
        admin: whether it is that of the administration, which writes types in capital letters.
    """
    following = start + len(found)
    return {
        "total": total,
        "num": limit,
        "start": start,
        "nextStart": following if following <= total else -1,
        "services": [_listed(*each, admin=admin) for each in found],
    }


def _listed(about: Service, layers: Sequence[Layer], last: int, *, admin: bool) -> dict[str, Any]:
    return {
        "serviceName": about.name,
        "serviceType": "Video Service",
        "description": about.description,
        "frameworkProperties": {
            "dataStoreId": "default",
            "portalItemId": about.item,
            "created": about.created,
            "lastReservedId": last,
            "supportsAppend": False,
            "supportsUpdate": True,
            "supportsMultiUserAddLayer": False,
            "supportedQueryFormats": "JSON",
            "layers": [listed_layer(each, admin=admin) for each in layers],
        },
    }


def listed_layer(each: Layer, *, admin: bool = False) -> dict[str, Any]:
    """A layer as lists of services have it."""
    return {
        "id": each.id,
        "name": each.name,
        "serviceType": _ON_DEMAND.upper() if admin else _ON_DEMAND,
        "created": each.created,
        "description": each.description,
        "copyrightText": each.copyright,
        "sourceFile": each.sources[0].name if each.sources else "",
        "sourceFilesInfo": [
            {
                "id": upload_id(source.id),
                "name": source.name,
                "size": source.size,
                "contentType": source.content_type,
            }
            for source in each.sources
        ],
        "supportsExportClip": each.export_clip,
        "supportsExportFrameset": exports_frames(each),
    }


def administered(about: Service) -> dict[str, Any]:
    """A service as its administration has it."""
    return {
        "serviceName": about.name,
        "type": "VideoServer",
        "description": about.description,
        "extensions": [],
        "portalProperties": {"portalItems": [{"itemID": about.item, "type": "VideoServer"}]},
    }


def item(about: Service, layers: Sequence[Layer], url: str) -> dict[str, Any]:
    """The portal item of a service, with what clients show and zoom to.

    Args:
        about: the service.
        layers: those that can be played.
        url: of the service.
    """
    extents = [each.facts.extent for each in layers if each.facts.extent]
    west, south, east, north = _union(extents) if extents else (0.0, 0.0, 0.0, 0.0)
    return {
        "id": about.item,
        "owner": about.owner,
        "created": about.created,
        "modified": max([about.created, *(each.created for each in layers)]),
        "name": about.name,
        "title": about.name,
        "type": "Video Service",
        "typeKeywords": ["Data", "Service", "Video Service"],
        "description": about.description or None,
        "snippet": None,
        "tags": [],
        "thumbnail": None,
        "extent": [[west, south], [east, north]] if extents else [],
        "spatialReference": "GCS_WGS_1984" if extents else None,
        "accessInformation": None,
        "licenseInfo": None,
        "culture": "en",
        "properties": None,
        "url": url,
        "access": about.access,
        "numComments": 0,
        "numRatings": 0,
        "avgRating": 0,
        "numViews": 0,
        "size": -1,
        "ownerFolder": None,
        "groupDesignations": None,
        "scoreCompleteness": 0,
    }


def upload(about: Upload) -> dict[str, Any]:
    """An upload as the answer to it tells."""
    return {
        "fileId": upload_id(about.id),
        "fileName": about.name,
        "date": about.date,
        "committed": about.committed,
    }


def upload_listed(about: Upload, progress: tuple[int, int | None] | None = None) -> dict[str, Any]:
    """An upload as lists have it.

    Args:
        about: the upload.
        progress: bytes that have come, and of how many; None when it is complete.
    """
    said = {
        **upload(about),
        "owner": about.owner,
        "description": about.description,
        "contentType": about.content_type or "application/octet-stream",
    }
    if progress is not None:
        said[PROGRESS] = {"received": progress[0], "total": progress[1]}
    return said


def upload_in_words(about: Upload, size: str) -> str:
    """An upload for people who choose one; ``size`` in words."""
    sent = datetime.fromtimestamp(about.date // 1000, UTC)
    return f"{upload_id(about.id)} is {about.name}, {size}, of {sent:%Y-%m-%d %H:%M} UTC"


def upload_id(plain: str) -> str:
    """The id of an upload as this dialect spells it."""
    return f"i{UUID(plain[1:])}"


def _extent(bounds: tuple[float, float, float, float] | None) -> dict[str, Any] | None:
    if bounds is None:
        return None
    west, south, east, north = bounds
    return {"xmin": west, "ymin": south, "xmax": east, "ymax": north, "spatialReference": dict(_WGS84)}


def _union(extents: Sequence[tuple[float, float, float, float]]) -> tuple[float, float, float, float]:
    wests, souths, easts, norths = zip(*extents, strict=True)
    return min(wests), min(souths), max(easts), max(norths)
