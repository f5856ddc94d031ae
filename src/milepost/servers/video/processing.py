"""Processing a layer: its original files become another layer, with other resolutions or in another service."""

import asyncio
import uuid
from typing import Final

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Field, Form, Parameters, Reader, not_found
from milepost.servers.video.exports.resources import accepted
from milepost.servers.video.facts import RESOLUTIONS
from milepost.servers.video.library import LAYER, SERVICE, Library, may_see, require_owner
from milepost.servers.video.parameters import NATIVE
from milepost.servers.video.publishing import Plan, find_operation, require_next_id
from milepost.servers.video.records import Service

PROCESS: Final = (
    "requestedResolutions",
    "resolutions",
    "requestedService",
    "service",
    "name",
    "elevationSourceItemId",
)
"""The document describes parameters under longer names than those that its example sends; both are read."""

TYPE: Final = "Process Video"


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    service: str
    """The name of the service that gets the layer; empty for that of the first one."""
    name: str
    """Empty for that of the first one."""
    resolutions: tuple[str, ...]


class Processing:
    """Makes layers of layers."""

    def __init__(self, library: Library):
        """In the services of a library."""
        self._library = library

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._library.resources.at
        return at(
            f"{LAYER}/process",
            self.process,
            methods=("POST",),
            acts=True,
            parameters=PROCESS,
            document="Process",
        )

    async def process(self, call: Call) -> Answer | Response:
        """Make another layer of the file that a layer was made of: the answer is the id of the job."""
        service, layer = await self._library.layer(call)
        wanted = _read(call.parameters)
        target = await self._target(call, wanted.service) if wanted.service else service
        require_owner(call.person, target)
        operation = await find_operation(self._library, "process_layer")
        await require_next_id(self._library, target, "The new layer needs an id, and ")
        plan = Plan(
            service=target.name,
            item=target.item,
            key=uuid.uuid4().hex,
            number=None,
            name=wanted.name or layer.name,
            description=layer.description,
            copyright=layer.copyright,
            owner=call.person.username,
            resolutions=wanted.resolutions,
            sources=layer.sources,
            storage=self._library.place,
        )
        inputs = {
            "serviceItemId": target.item,
            "requestedResolutions": ",".join(wanted.resolutions),
            "serviceUrl": call.base + SERVICE.format(service=target.name),
        }
        submission = await self._library.manager.submit(
            operation,
            {"key": layer.key, "plan": msgspec.json.encode(plan).decode(), "storage": layer.storage},
            owner=call.person.username,
            size=call.size,
            request=call.request_id,
            attributes={"type": TYPE, "inputs": inputs},
        )
        return accepted(call, submission.job)

    async def _target(self, call: Call, name: str) -> Service:
        """The service that gets the new layer."""
        found = await asyncio.to_thread(self._library.videos.service, name)
        if found is None or not may_see(call.person, found):
            raise not_found(f"Video service {name[:60]}")
        return found


def process_form(path: str) -> Form:
    """The form on the page of a layer, which is at ``path``."""
    fields = (
        Field(
            "requestedResolutions",
            "Resolutions",
            value=NATIVE,
            help=f"Some of {', '.join((NATIVE, *RESOLUTIONS))}; nothing is made larger than it is",
        ),
        Field("requestedService", "Service", help="Of the new layer; that of this one if empty"),
        Field("name", "Name", help="That of this layer if empty"),
    )
    return Form(f"{path}/process", "Process", fields)


def _read(given: Parameters) -> _Wanted:
    """What the new layer is to be.

    Raises:
        ServiceError: 400; the message names every parameter that does not fit.
    """
    reader = Reader(given)
    text = reader.text("requestedResolutions") or reader.text("resolutions")
    words = (each.strip(' "').lower() for each in text.strip("[] ").split(","))
    resolutions = tuple(dict.fromkeys(each for each in words if each))
    known = (NATIVE, *RESOLUTIONS)
    for each in resolutions:
        if each not in known:
            reader.wrong("requestedResolutions", f"{each[:40]!r} is none of {', '.join(known)}")
    wanted = _Wanted(
        service=reader.text("requestedService") or reader.text("service"),
        name=reader.text("name"),
        resolutions=resolutions or (NATIVE,),
    )
    reader.end()
    return wanted
