"""Starting the job that makes a layer of uploaded files."""

import asyncio
import uuid
from typing import Any, Final

import msgspec

from milepost.http import Call, ServiceError, wrong
from milepost.jobs import Job
from milepost.operations import Operation
from milepost.servers.video import describing
from milepost.servers.video.facts import OPERATIONS
from milepost.servers.video.ingest import problems
from milepost.servers.video.library import SERVICE, Library
from milepost.servers.video.parameters import WantedLayer
from milepost.servers.video.records import LAST_ID, Service, Source

TYPE: Final = "Publish Streaming Service"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A layer that is to be, as its job knows it."""

    service: str
    item: str
    """Of the service."""
    key: str
    """Of the layer, which names its folder."""
    number: int | None
    """The id that the layer should have; None for the next one."""
    name: str
    description: str
    copyright: str
    owner: str
    resolutions: tuple[str, ...]
    sources: tuple[Source, ...]
    """In the order of the files."""
    storage: str
    """The place where it is to lie."""


async def start_publishing(library: Library, call: Call, service: Service, wanted: WantedLayer) -> Job:
    """A job that adds a layer to a service.

    Raises:
        ServiceError: 400, a file is not there, is being deleted, or is none that can be used, or the id is
            taken; 500, what publishing needs is not installed.
    """
    operation = await find_operation(library, "publish_layer")
    # Whoever deletes one of them waits for the job, or has been there before it.
    with library.arrivals.inbox.claims.use(wanted.files):
        sources = await asyncio.to_thread(_sources, library, call.person.username, wanted)
        number = wanted.number
        if number is None:
            await require_next_id(library, service, "Parameter 'layerId': ")
        elif not await asyncio.to_thread(library.videos.is_free, service.item, number):
            raise wrong("layerId", f"{number} is taken; choose another, or none")
        plan = Plan(
            service=service.name,
            item=service.item,
            key=uuid.uuid4().hex,
            number=number,
            name=wanted.name,
            description=wanted.description,
            copyright=wanted.copyright,
            owner=call.person.username,
            resolutions=wanted.resolutions,
            sources=sources,
            storage=library.place,
        )
        inputs = {
            "serviceItemId": service.item,
            "requestedResolutions": ",".join(wanted.resolutions),
            "fileIds": ",".join(describing.upload_id(each) for each in wanted.files),
            "serviceUrl": call.base + SERVICE.format(service=service.name),
        }
        submission = await library.manager.submit(
            operation,
            {
                "files": [{"itemID": each} for each in wanted.files],
                "plan": msgspec.json.encode(plan).decode(),
            },
            owner=call.person.username,
            size=call.size,
            request=call.request_id,
            attributes={"type": TYPE, "inputs": inputs},
        )
        for each in wanted.files:
            await asyncio.to_thread(library.arrivals.inbox.use, each)
    return submission.job


async def find_operation(library: Library, name: str) -> Operation[..., Any]:
    """The operation that makes layers.

    Raises:
        ServiceError: 500, it is not there, or what it needs is not installed.
    """
    operation = library.manager.catalog.get(OPERATIONS, name)
    if operation is None:
        raise ServiceError(500, "This server publishes no videos: it runs without its own operations")
    if missing := await asyncio.to_thread(problems):
        raise ServiceError(500, f"This server publishes no videos: {'; '.join(missing)}", missing)
    return operation


async def require_next_id(library: Library, service: Service, begin: str = "") -> None:
    """Nothing, if the next layer of a service can have the id after the last one.

    Raises:
        ServiceError: 400; its message starts with ``begin``.
    """
    if await asyncio.to_thread(library.videos.last_id, service.item) >= LAST_ID:
        raise ServiceError(
            400, f"{begin}{LAST_ID} was the last one of {service.name}; name one that is free with addLayer"
        )


def _sources(library: Library, owner: str, wanted: WantedLayer) -> tuple[Source, ...]:
    """The files that a layer is to be made of: one video, and files that tell of its telemetry.

    Raises:
        ServiceError: 400; whether others have such files is not told.
    """
    problems = []
    found = []
    for each in wanted.files:
        spelled = describing.upload_id(each)
        upload = library.videos.uploads.get(each)
        if upload is None or upload.owner != owner:
            problems.append(f"there is no upload {spelled}")
        elif not upload.committed:
            problems.append(f"upload {spelled} is not complete; send the rest of it and commit it")
        elif (file := library.manager.upload(each)) is None:
            problems.append(f"upload {spelled} was removed")
        else:
            found.append(Source(each, upload.name, file.size, upload.content_type))
    films = sum(each.content_type.startswith("video/") for each in found)
    if not problems and films != 1:
        problems.append(
            f"{films} of the files are videos; a layer is made of one, with files of its telemetry beside it"
        )
    if problems:
        raise ServiceError(400, f"Parameter 'fileIds': {'; '.join(problems)}", problems)
    return tuple(found)
