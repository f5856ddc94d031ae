"""Processing a layer: its original file becomes another layer, with other resolutions or in another service."""

import asyncio
import uuid
from typing import Final

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Field, Form, not_found, wrong
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
        given = call.parameters
        target = await self._target(call, service)
        require_owner(call.person, target)
        resolutions = _resolutions(given.get("requestedResolutions") or given.get("resolutions"))
        operation = await find_operation(self._library, "process_layer")
        await require_next_id(self._library, target, "The new layer needs an id, and ")
        plan = Plan(
            service=target.name,
            item=target.item,
            key=uuid.uuid4().hex,
            number=None,
            name=given.get("name").strip()[:250] or layer.name,
            description=layer.description,
            copyright=layer.copyright,
            owner=call.person.username,
            resolutions=resolutions,
            sources=layer.sources,
            storage=self._library.place,
        )
        inputs = {
            "serviceItemId": target.item,
            "requestedResolutions": ",".join(resolutions),
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

    async def _target(self, call: Call, service: Service) -> Service:
        """The service that gets the new layer: the one that is named, else that of the layer."""
        name = (call.parameters.get("requestedService") or call.parameters.get("service")).strip()
        if not name:
            return service
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


def _resolutions(text: str) -> tuple[str, ...]:
    wanted = tuple(
        dict.fromkeys(each.strip(' "').lower() for each in text.strip("[] ").split(",") if each.strip(' "'))
    )
    known = (NATIVE, *RESOLUTIONS)
    if unknown := [each for each in wanted if each not in known]:
        raise wrong("requestedResolutions", f"{unknown[0][:40]!r} is none of {', '.join(known)}")
    return wanted or (NATIVE,)
