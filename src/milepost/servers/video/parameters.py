"""The parameters of services and layers: what does not fit is refused before there is a job."""

import re
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from milepost.http import LONGEST_TEXT, Field, Parameters, Reader, ServiceError
from milepost.servers.video.facts import RESOLUTIONS
from milepost.servers.video.records import LAST_ID

NATIVE: Final = "native"
"""The resolution of the source, whatever that is."""

CREATE: Final = ("createParameters", "service", "serviceName", "description", "access", "outputType")
ADD: Final = (
    "createParameters",
    "type",
    "name",
    "description",
    "copyrightText",
    "fileIds",
    "requestedResolutions",
    "layerId",
)

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,119}")
_UPLOAD: Final = re.compile(
    r"i?([0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})", re.IGNORECASE
)
_MOST_FILES: Final = 20


class WantedService(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants a service to be."""

    name: str
    description: str = ""
    access: Literal["private", "org"] = "private"


class WantedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants a layer to be."""

    name: str
    files: tuple[str, ...]
    """Ids of uploads, each ``i`` and 32 digits."""
    resolutions: tuple[str, ...]
    number: int | None = None
    description: str = ""
    copyright: str = ""


class LayerChange(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to be different about a layer; None stays as it is."""

    name: str | None = None
    description: str | None = None
    copyright: str | None = None
    export_clip: bool | None = None
    export_frameset: bool | None = None


def read_service(given: Parameters) -> WantedService:
    """What a service is to be.

    Raises:
        ServiceError: 400; the message names every parameter that does not fit.
    """
    # One document means a name by it, another one all that is to be said of the service.
    whole = ("service",) if given.get("service").lstrip().startswith("{") else ()
    reader = Reader(given, "createParameters", *whole)
    kind = reader.text("outputType")
    if kind and kind.lower() not in ("videoservice", "video service"):
        reader.wrong("outputType", f"{kind[:40]!r} is not made here; use videoService")
    name = reader.text("serviceName") or reader.text("service") or reader.text("name")
    if not name:
        reader.missing("serviceName", "what the service is to be called")
    elif not _NAME.fullmatch(name):
        reader.wrong("serviceName", f"{name[:60]!r} must be letters, digits, _ and -, at most 120")
    access = reader.text("access").lower() or "private"
    if access not in ("private", "org"):
        reader.wrong("access", f"{access[:40]!r} is neither private nor org")
    wanted = WantedService(
        name=name,
        description=reader.text("description", LONGEST_TEXT)
        or reader.text("serviceDescription", LONGEST_TEXT),
        access="org" if access == "org" else "private",
    )
    reader.end()
    return wanted


def read_layer(given: Parameters) -> WantedLayer:
    """What a layer is to be.

    Raises:
        ServiceError: 400; the message names every parameter that does not fit.
    """
    reader = Reader(given, "createParameters", "dataSource", "source")
    kind = reader.text("type").lower() or "ondemand"
    if kind == "livestream":
        reader.wrong("type", "this server publishes files, type ondemand; it takes no live streams")
    elif kind != "ondemand":
        reader.wrong("type", f"{kind[:40]!r} is no type of a layer; use ondemand")
    name = reader.required("name", "what the layer is to be called")
    files = []
    for each in reader.words("fileIds") or reader.words("fileId"):
        plain = read_upload_id(each)
        if plain is None:
            reader.wrong("fileIds", f"{each[:60]!r} is no id of an upload")
        else:
            files.append(plain)
    if len(files) != len(set(files)):
        reader.wrong("fileIds", "a file is named twice")
    elif len(files) > _MOST_FILES:
        reader.wrong("fileIds", f"there are {len(files)}; a layer is made of {_MOST_FILES} at most")
    elif not files and not reader.problems_with("fileIds"):
        reader.missing("fileIds", "send the video with uploads/upload and name it here")
    resolutions = tuple(dict.fromkeys(each.lower() for each in reader.words("requestedResolutions")))
    known = (NATIVE, *RESOLUTIONS)
    for each in resolutions:
        if each not in known:
            reader.wrong("requestedResolutions", f"{each[:40]!r} is none of {', '.join(known)}")
    wanted = WantedLayer(
        name=name,
        files=tuple(files),
        resolutions=resolutions or (NATIVE,),
        number=reader.number("layerId", LAST_ID),
        description=reader.text("description", LONGEST_TEXT),
        copyright=reader.text("copyrightText", LONGEST_TEXT),
    )
    reader.end()
    return wanted


CHANGE: Final = (
    "updateParameters",
    "name",
    "description",
    "copyrightText",
    "supportsExportClip",
    "supportsFrameset",
    "supportsExportFrameset",
)


def read_change(given: Parameters) -> LayerChange:
    """What is to be different about a layer.

    Raises:
        ServiceError: 400; the message names every parameter that does not fit.
    """
    reader = Reader(given, "updateParameters")
    frameset = reader.flag("supportsFrameset")
    if reader.emptied("name"):
        reader.wrong("name", "it is empty, and a layer has a name; leave it out to keep the one it has")
    wanted = LayerChange(
        name=reader.text("name") or None,
        description=_replaced(reader, "description"),
        copyright=_replaced(reader, "copyrightText"),
        export_clip=reader.flag("supportsExportClip"),
        export_frameset=reader.flag("supportsExportFrameset") if frameset is None else frameset,
    )
    reader.end()
    if wanted == LayerChange():
        raise ServiceError(400, f"Nothing is to be changed; name some of {', '.join(CHANGE[1:])}")
    return wanted


def _replaced(reader: Reader, name: str) -> str | None:
    """The text that replaces another one, which an empty one clears; None when it is to stay."""
    return reader.text(name, LONGEST_TEXT) or ("" if reader.emptied(name) else None)


def read_upload_id(text: str) -> str | None:
    """The id of an upload in any spelling, as ``i`` and 32 digits; None when it is none."""
    found = _UPLOAD.fullmatch(text.strip())
    return "i" + found[1].replace("-", "").lower() if found else None


def service_fields() -> tuple[Field, ...]:
    """The form that people create a service with."""
    return (
        Field("serviceName", "Name", required=True, help="Letters, digits, _ and -"),
        Field("description", "Description", kind="long"),
        Field("access", "Who sees it", value="private", choices=("private", "org"), required=True),
    )


def layer_fields(uploads: Iterable[str]) -> tuple[Field, ...]:
    """The form that people add a layer with; ``uploads`` are theirs in words."""
    mine = "; ".join(uploads)
    return (
        Field("name", "Name", required=True),
        Field(
            "fileIds",
            "Files",
            required=True,
            help=f"Ids of uploads, separated by commas: one video, and its telemetry if that is apart. {mine}",
        ),
        Field(
            "requestedResolutions",
            "Resolutions",
            value=NATIVE,
            help=f"Some of {', '.join((NATIVE, *RESOLUTIONS))}; nothing is made larger than it is",
        ),
        Field("description", "Description", kind="long"),
        Field("copyrightText", "Copyright"),
    )


def change_fields(name: str, description: str, copyright_text: str) -> tuple[Field, ...]:
    """The form that people change a layer with."""
    return (
        Field("name", "Name", value=name, required=True),
        Field("description", "Description", value=description, kind="long"),
        Field("copyrightText", "Copyright", value=copyright_text),
        Field("supportsExportClip", "Clips may be exported", choices=("true", "false")),
        Field("supportsExportFrameset", "Frames may be exported", choices=("true", "false")),
    )
