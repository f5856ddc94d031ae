"""The URLs of video services: the list of them, making one, the service itself, adding a layer, and its end."""

import asyncio
import time
import uuid
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Form, ServiceError, wrong
from milepost.servers.jobs_of_type import PAGING
from milepost.servers.video import describing, wire
from milepost.servers.video.arrivals import size_in_words
from milepost.servers.video.library import (
    LAYER,
    ROOT,
    SERVICE,
    SERVICES,
    Library,
    above_service,
    above_services,
    may_change,
    require_owner,
    whose,
)
from milepost.servers.video.parameters import (
    ADD,
    CREATE,
    layer_fields,
    read_layer,
    read_service,
    service_fields,
)
from milepost.servers.video.publishing import start_publishing
from milepost.servers.video.records import RecordError, Service
from milepost.servers.video.stopping import stop_jobs

log = structlog.get_logger("milepost.video")

PAGE_LIMIT: Final = 100
_LAST: Final = 10_000_000
_LISTED: Final = 20
"""Uploads that the form for a layer names."""

CREATE_SERVICE: Final = "/sharing/rest/content/users/{username}/createService"


class ServiceResources:
    """Video services, for those who may see them."""

    def __init__(self, library: Library):
        """Those of a library."""
        self._library = library

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._library.resources.at
        return [
            *at(SERVICES, self.catalog, parameters=PAGING, document="Services"),
            *at(
                f"{SERVICES}/create",
                self.create,
                methods=("POST",),
                acts=True,
                parameters=CREATE,
                document="Create Service",
            ),
            *at(
                CREATE_SERVICE,
                self.create_item,
                methods=("POST",),
                acts=True,
                parameters=CREATE,
                document="Create Service (portal content)",
            ),
            *(
                route
                for path in (f"{SERVICES}/{{service}}/addLayer", f"{SERVICE}/addLayer")
                for route in at(
                    path, self.add_layer, methods=("POST",), acts=True, parameters=ADD, document="Add Layer"
                )
            ),
            *at(f"{SERVICE}/delete", self.delete, methods=("POST",), acts=True),
            *at(SERVICE, self.service, document="Video Service"),
        ]

    async def catalog(self, call: Call) -> Answer:
        """The services that one may see, newest first; everybody's for administrators."""
        said = await self.listed(call, admin=False)
        links = {
            each["serviceName"]: f"{call.path}/{each['serviceName']}/VideoServer" for each in said["services"]
        }
        if said["nextStart"] > 0:
            links["Older"] = f"{call.path}?{urlencode({'start': said['nextStart'], 'num': said['num']})}"
        forms = []
        if call.person.may_use(self._library.resources.access[f"{SERVICES}/create"]):
            forms.append(Form(f"{call.path}/create", "Create service", service_fields()))
        return Answer(said, title="Video services", crumbs=above_services(call), links=links, forms=forms)

    async def listed(self, call: Call, *, admin: bool) -> dict[str, Any]:
        """The list of services for a call.

        Raises:
            ServiceError: 400, ``start`` or ``num`` is no number or too large.
        """
        given = call.parameters
        start = given.number("start", 1, least=1, most=_LAST)
        # More than one answer lists is no error: it tells where the next one begins.
        limit = min(given.number("num", PAGE_LIMIT, least=1, most=_LAST), PAGE_LIMIT)
        videos = self._library.videos

        def read() -> dict[str, Any]:
            services, total = videos.page(whose(call.person), start=start, limit=limit)
            found = [(each, videos.layers(each.item), videos.last_id(each.item)) for each in services]
            return describing.catalog(found, start=start, limit=limit, total=total, admin=admin)

        return await asyncio.to_thread(read)

    async def create(self, call: Call) -> Answer | Response:
        """Make a video service, in which there are no layers yet."""
        service = await self.make(call)
        if call.parameters.get("f", "html") == "html":
            return RedirectResponse(call.base + SERVICE.format(service=service.name), 303)
        return Answer(created(service, call.base), title="Create service")

    async def create_item(self, call: Call) -> Answer:
        """Make a video service as the content of the portal that it is."""
        if call.part("username").lower() not in (call.person.username.lower(), "self"):
            raise ServiceError(400, "A service is made by its owner: name yourself in the path")
        service = await self.make(call)
        said = {
            **created(service, call.base),
            "serviceItemId": service.item,
            "type": "Video Service",
            "isView": False,
        }
        return Answer(said, title="Create service")

    async def make(self, call: Call) -> Service:
        """A new service of the person who calls.

        Raises:
            ServiceError: 400, the parameters do not fit or the name is taken.
        """
        wanted = read_service(call.parameters)
        service = Service(
            name=wanted.name,
            item=uuid.uuid4().hex,
            owner=call.person.username,
            created=time.time_ns() // 1_000_000,
            description=wanted.description,
            access=wanted.access,
        )
        try:
            await asyncio.to_thread(self._library.videos.add, service)
        except RecordError as error:
            raise wrong("serviceName", str(error)) from None
        log.info("video service made", service=service.name, by=call.person.username)
        return service

    async def service(self, call: Call) -> Answer:
        """A service and its layers."""
        service = await self._library.service(call)
        layers = await asyncio.to_thread(self._library.videos.layers, service.item)
        url = SERVICE.format(service=service.name)
        links = {
            f"{each.id}: {each.name}": f"{call.home}{LAYER.format(service=service.name, layer=each.id)}"
            for each in layers
        }
        links["Portal item"] = f"{call.home}/sharing/rest/content/items/{service.item}"
        forms = []
        if may_change(call.person, service):
            mine = await asyncio.to_thread(self._uploads_of, call.person.username)
            forms.append(Form(f"{call.path}/addLayer", "Add layer", layer_fields(mine)))
            forms.append(Form(f"{call.path}/delete", "Delete service"))
            links["Upload a file"] = f"{call.home}{ROOT}/uploads"
        return Answer(
            describing.service(service, layers, f"{call.base}{url}"),
            title=service.name,
            crumbs=above_service(call),
            links=links,
            forms=forms,
        )

    def _uploads_of(self, owner: str) -> list[str]:
        """The newest uploads of somebody of which a layer can be made, in words."""
        told = []
        for each in self._library.videos.uploads.of(owner):
            file = self._library.manager.upload(each.id) if each.committed else None
            if file is not None:
                told.append(describing.upload_in_words(each, size_in_words(file.size)))
            if len(told) == _LISTED:
                break
        return told

    async def add_layer(self, call: Call) -> Answer | Response:
        """Publish uploaded files as a layer: the answer is the id of the job that does it."""
        service = await self._library.service(call)
        require_owner(call.person, service)
        job = await start_publishing(self._library, call, service, read_layer(call.parameters))
        job_id = wire.job_id(job)
        if call.parameters.get("f", "html") == "html":
            return RedirectResponse(f"{call.base}{ROOT}/jobs/job/{job_id}", 303)
        return Answer({"success": True, "jobId": job_id})

    async def delete(self, call: Call) -> Answer:
        """Delete a service with all its layers."""
        service = await self._library.service(call)
        await self.remove(call, service)
        return Answer({"success": True}, title="Delete service", crumbs=above_service(call))

    async def remove(self, call: Call, service: Service) -> None:
        """Let a service be gone with the jobs that work for it, which its owner asks for.

        Raises:
            ServiceError: 403.
        """
        require_owner(call.person, service)
        await asyncio.to_thread(self._library.videos.remove_service, service.item)
        await stop_jobs(self._library.manager, service.item, call.person.username)
        log.info("video service deleted", service=service.name, by=call.person.username)
        await self._library.sweep()


def created(service: Service, base: str) -> dict[str, object]:
    """What is answered to who made a service, in the words of all who document it."""
    return {
        "status": "success",
        "success": True,
        "itemId": service.item,
        "name": service.name,
        "serviceurl": base + SERVICE.format(service=service.name),
    }
