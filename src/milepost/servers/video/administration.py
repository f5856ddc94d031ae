"""The administration of a Video Server: its services and everybody's uploads."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Field, Form
from milepost.servers.jobs_of_type import PAGING
from milepost.servers.video import describing
from milepost.servers.video.library import Library, may_see
from milepost.servers.video.parameters import CREATE, service_fields
from milepost.servers.video.records import Upload
from milepost.servers.video.services import ServiceResources, created
from milepost.servers.video.uploads import Uploads

ADMIN: Final = "/video/admin"
SERVICES: Final = f"{ADMIN}/services"
UPLOADS: Final = f"{ADMIN}/uploads"

_TYPE: Final = "VideoServer"


class Administration:
    """The resources for those who administer videos."""

    def __init__(
        self,
        library: Library,
        services: ServiceResources,
        uploads: Uploads,
        authentication: Callable[[Call], dict[str, Any]],
        sign_in: Callable[[Call], Awaitable[Answer]],
        sign_in_parameters: tuple[str, ...],
    ):
        """Over the same services and uploads as the other resources.

        Args:
            library: of the site.
            services: the resources of services.
            uploads: the resources of uploads.
            authentication: gives what clients must know to sign in, for a call.
            sign_in: answers a name and a password with a token.
            sign_in_parameters: what that reads.
        """
        self._library = library
        self._services = services
        self._uploads = uploads
        self._authentication = authentication
        self._sign_in = sign_in
        self._sign_in_parameters = sign_in_parameters

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._library.resources.at
        return [
            *at(ADMIN, self.root, document="Site"),
            *at(f"{ADMIN}/info", self.info, document="Info"),
            *at(
                f"{ADMIN}/generateToken",
                self.generate_token,
                parameters=(*self._sign_in_parameters, "user"),
                document="Generate Token",
            ),
            *at(SERVICES, self.services, parameters=PAGING, document="Services"),
            *at(f"{SERVICES}/types", self.types, document="Types"),
            *at(f"{SERVICES}/exists", self.exists, parameters=("serviceName", "type"), document="Exists"),
            *at(
                f"{SERVICES}/create",
                self.create,
                methods=("POST",),
                acts=True,
                parameters=CREATE,
                document="Create Service",
            ),
            *at(
                f"{SERVICES}/{{service}}.VideoServer/delete",
                self.delete,
                methods=("POST",),
                acts=True,
                parameters=("skipDeletePortalItem",),
                document="Delete Service",
            ),
            *at(f"{SERVICES}/{{service}}.VideoServer", self.service, document="Video service"),
            *at(UPLOADS, self.uploads, document="Uploads"),
            *at(
                f"{UPLOADS}/item/{{upload}}/delete",
                self.delete_upload,
                methods=("POST",),
                acts=True,
                document="Delete Upload",
            ),
            *at(f"{UPLOADS}/item/{{upload}}", self.upload, document="Upload item"),
        ]

    async def root(self, call: Call) -> Answer:
        """Version, and what can be administered."""
        said = {"currentVersion": describing.VERSION, "fullVersion": f"{describing.VERSION}.0"}
        links = {"Services": f"{call.path}/services", "Uploads": f"{call.path}/uploads"}
        return Answer(
            {**said, "resources": ["services", "uploads"]}, title="Video Server administration", links=links
        )

    async def info(self, call: Call) -> Answer:
        """Version, and how to sign in."""
        about = {
            "currentVersion": describing.VERSION,
            "fullVersion": f"{describing.VERSION}.0",
            **self._authentication(call),
        }
        return Answer(about, title="Info", crumbs=_above(call))

    async def generate_token(self, call: Call) -> Answer:
        """A token for a name and a password."""
        # The example of the document sends it by this name.
        call.parameters.accept("user", "username")
        answer = await self._sign_in(call)
        if "token" not in answer.data:
            return answer
        said = {"token": answer.data["token"], "expires": answer.data["expires"], "loginAsPSA": False}
        return Answer(said, title=answer.title, crumbs=_above(call))

    async def services(self, call: Call) -> Answer:
        """The services that one may see, newest first; everybody's for administrators."""
        said = await self._services.listed(call, admin=True)
        links = {
            each["serviceName"]: f"{call.path}/{each['serviceName']}.VideoServer" for each in said["services"]
        }
        links["Types"] = f"{call.path}/types"
        name = (Field("serviceName", "Name", required=True),)
        forms = [Form(f"{call.path}/exists", "Is there a service?", name, method="get")]
        if call.person.may_use(self._library.resources.access[f"{SERVICES}/create"]):
            forms.append(Form(f"{call.path}/create", "Create service", service_fields()))
        return Answer(said, title="Services", crumbs=_above(call), links=links, forms=forms)

    async def types(self, call: Call) -> Answer:
        """The types of services that there are: videos."""
        kind = {"Name": _TYPE, "DisplayName": "Video Service", "Extensions": []}
        return Answer({"types": [kind]}, title="Types", crumbs=_above_services(call))

    async def exists(self, call: Call) -> Answer:
        """Whether there is a service of a name that one may see."""
        name = call.parameters.get("serviceName").strip()
        kind = call.parameters.get("type", _TYPE).strip()
        found = await asyncio.to_thread(self._library.videos.service, name)
        there = found is not None and kind.lower() == _TYPE.lower() and may_see(call.person, found)
        return Answer({"exists": there}, title="Exists", crumbs=_above_services(call))

    async def create(self, call: Call) -> Answer:
        """Make a video service, in which there are no layers yet."""
        service = await self._services.make(call)
        links = {service.name: f"{call.home}{SERVICES}/{service.name}.VideoServer"}
        return Answer(
            created(service, call.base), title="Create service", crumbs=_above_services(call), links=links
        )

    async def service(self, call: Call) -> Answer:
        """A service as its administration has it."""
        service = await self._library.service(call)
        layers = await asyncio.to_thread(self._library.videos.layers, service.item)
        return Answer(
            {
                **describing.administered(service),
                "layers": [describing.listed_layer(each, admin=True) for each in layers],
            },
            title=service.name,
            crumbs=_above_services(call),
            forms=[Form(f"{call.path}/delete", "Delete service")],
        )

    async def delete(self, call: Call) -> Answer:
        """Delete a service with all its layers. Its item in the portal is nothing of its own, and goes too."""
        call.parameters.flag("skipDeletePortalItem", False)
        await self._services.remove(call, await self._library.service(call))
        return Answer({"success": True}, title="Delete service", crumbs=_above_services(call))

    async def uploads(self, call: Call) -> Answer:
        """Everybody's uploads, newest first."""
        found = await asyncio.to_thread(self._library.arrivals.inbox.present)
        links = {
            f"{each.name} ({each.id[:9]}, {each.owner})": f"{call.path}/item/{describing.upload_id(each.id)}"
            for each in found
        }
        return Answer(
            {"uploads": await self._uploads.listed(found)},
            title="Uploads",
            crumbs=_above(call),
            links=links,
        )

    async def upload(self, call: Call) -> Answer:
        """What is known of an upload of anybody."""
        found = await self._upload(call)
        [said] = await self._uploads.listed([found])
        return Answer(
            said,
            title=found.name,
            crumbs=_above_uploads(call),
            forms=[Form(f"{call.path}/delete", "Delete")],
        )

    async def delete_upload(self, call: Call) -> Answer:
        """Remove an upload of anybody. Layers that were made of it stay."""
        await self._uploads.remove(await self._upload(call))
        return Answer(
            {"status": "success", "success": True}, title="Delete upload", crumbs=_above_uploads(call)
        )

    async def _upload(self, call: Call) -> Upload:
        return await asyncio.to_thread(self._library.arrivals.inbox.find, call.part("upload"))


def _above(call: Call) -> list[tuple[str, str]]:
    return [("Video Server administration", call.home + ADMIN)]


def _above_services(call: Call) -> list[tuple[str, str]]:
    return [*_above(call), ("Services", call.home + SERVICES)]


def _above_uploads(call: Call) -> list[tuple[str, str]]:
    return [*_above(call), ("Uploads", call.home + UPLOADS)]
