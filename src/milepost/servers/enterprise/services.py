"""The services of the deployment, as its administrators see and change them under ``/admin/services``."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from starlette.responses import Response
from starlette.routing import BaseRoute

from milepost.configuration import Configuration, State, changes
from milepost.http import Answer, Call, Field, Form, Resources, ServiceError, encode, not_found
from milepost.manager import JobManager
from milepost.operations import InputError, Service
from milepost.servers.administering import Flavour, errors_of, require_post
from milepost.servers.enterprise import service_wire
from milepost.servers.enterprise.operations.services import (
    delete_services,
    edit_service,
    start_service,
    stop_service,
)
from milepost.servers.enterprise.service_changes import ServiceChanges

_OWN: Final = "SystemServer"
"""The type of the services that do the work of the admin API itself; they are nobody's to administer."""

_WITH_JOBS: Final = "GPServer"
"""The type of services whose jobs are resources of the admin API."""

_ROOT: Final = "/admin/services"
_SERVICE: Final = f"{_ROOT}/[{{folder}}/]{{service}}.{{type}}"
_SCALING: Final = "serviceScalingSpec"


class Services:
    """The folders and services of one catalog."""

    def __init__(self, manager: JobManager, resources: Resources, flavour: Flavour, changes: ServiceChanges):
        """With what all dialects share; ``flavour`` says how errors are written."""
        self._manager = manager
        self._resources = resources.with_errors(errors_of(flavour))
        self._changes = changes

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        later = ("async",)
        return [
            *at(_ROOT, self.folder, document="Services"),
            *at(
                f"{_ROOT}/deleteServices",
                self.delete_services,
                acts=True,
                parameters=("services", *later),
                document="Delete services",
            ),
            *at(_SERVICE, self.service, document="Service"),
            *at(f"{_SERVICE}/status", self.status, document="Service status"),
            *at(
                f"{_SERVICE}/edit",
                self.edit,
                acts=True,
                parameters=("service", *later),
                document="Edit service",
            ),
            *at(f"{_SERVICE}/start", self.start, acts=True, parameters=later, document="Start service"),
            *at(f"{_SERVICE}/stop", self.stop, acts=True, parameters=later, document="Stop service"),
            *at(f"{_SERVICE}/delete", self.delete, acts=True, parameters=later, document="Delete service"),
            *at(f"{_SERVICE}/scaling", self.scaling, document="Scaling"),
            *at(
                f"{_SERVICE}/scaling/edit",
                self.edit_scaling,
                acts=True,
                parameters=(_SCALING, *later),
                document="Edit scaling",
            ),
            # Last, since a folder is whatever else there is.
            *at(f"{_ROOT}/{{folder}}", self.folder, document="Folder"),
        ]

    # -- reading -----------------------------------------------------------------------------

    async def folder(self, call: Call) -> Answer:
        """The services of a folder, and the folders."""
        here = call.part("folder")
        configured = await self._changes.configured()
        declared = self._declared()
        folders = sorted({name.rpartition("/")[0] for name in (*declared, *configured)} - {""})
        if here and here not in folders:
            raise not_found(f"Folder {here[:60]}")
        root = f"{call.home}{_ROOT}"
        links = {} if here else {f"{name}/": f"{root}/{name}" for name in folders}
        listed, deleted = [], []
        for name, about in sorted(declared.items()):
            wanted = configured.get(name, Configuration(service=name))
            if about.folder == here and wanted.deleted:
                deleted.append(about)
            elif about.folder == here:
                listed.append(service_wire.service(wanted.of(about), wanted.state))
                links[f"{about.title}.{about.type}"] = f"{root}/{name}"
        gone = sorted(name for name in configured if name not in declared and name.rpartition("/")[0] == here)
        answer: dict[str, Any] = {
            "folderName": here or "/",
            "folders": [] if here else folders,
            "services": listed,
        }
        if deleted:
            answer["deletedServices"] = [_identity(each.name) for each in deleted]
        if gone:
            answer["missingServices"] = [_identity(each) for each in gone]
        forms = [Form(f"{root}/{each.name}/start", f"Bring {each.title} back") for each in deleted]
        if not here:
            forms.append(Form(f"{root}/deleteServices", "Delete services", _DELETED))
        return Answer(
            answer,
            title=here or "Services",
            crumbs=_above(call, "")[: 2 if here else 1],
            links=links,
            forms=forms,
        )

    async def service(self, call: Call) -> Answer:
        """A service with all of its settings."""
        about, wanted = await self._found(call)
        links = {name: f"{call.path}/{name}" for name in ("status", "scaling", "delete")}
        if about.type == _WITH_JOBS:
            links["jobs"] = f"{call.path}/jobs"
        now = service_wire.service(about, wanted.state)
        act = "stop" if wanted.state == "STARTED" else "start"
        return Answer(
            now,
            title=f"{about.title} ({about.type})",
            crumbs=_above(call, about.folder),
            links=links,
            forms=[
                _edit_form(f"{call.path}/edit", now),
                Form(f"{call.path}/{act}", act.capitalize()),
            ],
        )

    async def status(self, call: Call) -> Answer:
        """Whether a service is to be started, and whether it is."""
        about, wanted = await self._found(call)
        running = self._manager.running(about.name)
        return Answer(
            {"configuredState": wanted.state, "realTimeState": "STARTED" if running else "STOPPED"},
            title="Status",
            crumbs=_below(call, about),
        )

    async def scaling(self, call: Call) -> Answer:
        """How many instances a service may have, and what each may use."""
        about, _ = await self._found(call)
        now = service_wire.scaling(about)
        return Answer(
            now,
            title="Scaling",
            crumbs=_below(call, about),
            forms=[_scaling_form(f"{call.path}/edit", now)],
        )

    # -- changing ----------------------------------------------------------------------------

    async def edit(self, call: Call) -> Answer | Response:
        """Give a service other settings."""
        about, wanted = await self._found(call)
        if require_post(call, "Edit"):
            form = _edit_form(call.path, service_wire.service(about, wanted.state))
            return Answer({}, title="Edit", crumbs=_below(call, about), forms=[form])
        text = _required(call, "service", "The service cannot be edited.")
        return await self._edit(
            call, about, "editService", lambda now, state: service_wire.read_service(text, now, state)
        )

    async def edit_scaling(self, call: Call) -> Answer | Response:
        """Give a service other numbers of instances, or more or less memory."""
        about, _ = await self._found(call)
        if require_post(call, "Edit"):
            form = _scaling_form(call.path, service_wire.scaling(about))
            return Answer({}, title="Edit scaling", crumbs=_below(call, about), forms=[form])
        text = _required(call, _SCALING, "The scaling cannot be edited.")
        return await self._edit(
            call,
            about,
            "editServiceScaling",
            lambda now, state: (service_wire.read_scaling(text, now), state),
        )

    async def start(self, call: Call) -> Answer | Response:
        """Have a service take jobs; also one that was deleted, which is as its code declares it then."""
        return await self._act(call, "start", start_service, also_deleted=True)

    async def stop(self, call: Call) -> Answer | Response:
        """Have a service take no jobs; it is stopped once those at work have ended. Those that wait go on waiting."""
        return await self._act(call, "stop", stop_service)

    async def delete(self, call: Call) -> Answer | Response:
        """Stop a service, cancel what waits for it, and take it from the catalogs."""
        return await self._act(call, "delete", delete_services)

    async def delete_services(self, call: Call) -> Answer | Response:
        """Delete several services, all of them or none."""
        title = "Delete services"
        crumbs = _above(call, "")
        if require_post(call, title):
            return Answer({}, title=title, crumbs=crumbs, forms=[Form(call.path, title, _DELETED)])
        names = _read_names(_required(call, "services", "No services can be deleted."))

        async def values() -> dict[str, Any]:
            configured = await self._changes.configured()
            for name in names:
                if name not in self._declared() or configured.get(name, Configuration(service=name)).deleted:
                    raise not_found(f"Service {name[:120]}")
            return {"services": names}

        await values()
        answer = await self._changes.carry_out(
            call,
            delete_services,
            names,
            values,
            name="deleteServices",
            resource=", ".join(each.rpartition("/")[2] for each in names),
        )
        return replace(answer, crumbs=crumbs) if isinstance(answer, Answer) else answer

    async def _edit(
        self,
        call: Call,
        about: Service,
        name: str,
        edit: Callable[[Service, State], tuple[Service, State]],
    ) -> Answer | Response:
        """Carry out an edit, which gives the service and its state from what they are."""
        edit(about, (await self._changes.of(about.name)).state)  # refuse at once what cannot be

        async def values() -> dict[str, Any]:
            now, wanted = await self._found(call)
            edited, state = edit(now, wanted.state)
            settings = changes(self._declared()[about.name], edited)
            return {
                "service": about.name,
                "settings": msgspec.json.encode(settings).decode(),
                "state": state,
            }

        answer = await self._changes.carry_out(
            call, edit_service, [about.name], values, name=name, resource=f"{about.title}.{about.type}"
        )
        return replace(answer, crumbs=_below(call, about)) if isinstance(answer, Answer) else answer

    async def _act(
        self, call: Call, what: str, operation: Any, *, also_deleted: bool = False
    ) -> Answer | Response:
        about, _ = await self._found(call, also_deleted=also_deleted)
        title = what.capitalize()
        crumbs = _below(call, about)
        if require_post(call, title):
            return Answer({}, title=title, crumbs=crumbs, forms=[Form(call.path, title, _LATER)])
        several = operation is delete_services

        async def values() -> dict[str, Any]:
            await self._found(call, also_deleted=also_deleted)
            return {"services": [about.name]} if several else {"service": about.name}

        answer = await self._changes.carry_out(
            call,
            operation,
            [about.name],
            values,
            name=f"{what}Service",
            resource=f"{about.title}.{about.type}",
        )
        return replace(answer, crumbs=crumbs) if isinstance(answer, Answer) else answer

    # -- finding -----------------------------------------------------------------------------

    def _declared(self) -> dict[str, Service]:
        """The services to administer, as the code declares them."""
        return {name: each for name, each in self._manager.catalog.declared.items() if each.type != _OWN}

    async def _found(self, call: Call, *, also_deleted: bool = False) -> tuple[Service, Configuration]:
        """The service that the path names with the settings that are wanted, and what is configured of it.

        Raises:
            ServiceError: 404.
        """
        folder, path = call.part("folder"), f"{call.part('service')}.{call.part('type')}"
        name = f"{folder}/{path}" if folder else path
        declared = self._declared().get(name)
        if declared is None:
            raise not_found(f"Service {name[:120]}")
        wanted = await self._changes.of(name)
        if wanted.deleted and not also_deleted:
            raise ServiceError(
                404, f"Service {name} not found", ["It was deleted; its operation start brings it back"]
            )
        return wanted.of(declared), wanted


def _required(call: Call, name: str, message: str) -> str:
    text = call.parameters.get(name)
    if not text:
        raise ServiceError(400, message, [f"'{name}' must be specified."])
    return text


def _read_names(text: str) -> list[str]:
    """Full names of services in any spelling of the documents: objects with commas between, a list, an object.

    Raises:
        InputError: it is none of these.
    """
    wanted = "Parameter 'services': it must be objects with folderName, serviceName and type"
    try:
        value = msgspec.json.decode(f"[{text}]")
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError([f"{wanted}: {error}"]) from None
    if len(value) == 1 and isinstance(value[0], dict) and "services" in value[0]:
        value = value[0]["services"]
    elif len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    try:
        found = msgspec.convert(value, list[_Named])
    except msgspec.ValidationError as error:
        raise InputError([f"{wanted}: {error}"]) from None
    if not found:
        raise InputError([f"{wanted}: it names no service"])
    names = []
    for each in found:
        folder = each.folderName.strip("/")
        names.append(
            f"{folder}/{each.serviceName}.{each.type}" if folder else f"{each.serviceName}.{each.type}"
        )
    return list(dict.fromkeys(names))


class _Named(msgspec.Struct):
    """A service, as the documents name one."""

    serviceName: str  # noqa: N815 - the documents name it
    type: str
    folderName: str = ""  # noqa: N815 - the documents name it


def _identity(name: str) -> dict[str, str]:
    folder, _, rest = name.rpartition("/")
    title, _, kind = rest.rpartition(".")
    return {"folderName": folder, "serviceName": title, "type": kind}


_LATER: Final = (Field("async", "Do not wait for the end", choices=("false", "true")),)

_DELETED: Final = (
    Field(
        "services",
        "Services",
        help='Such as {"folderName": "Analysis", "serviceName": "Proximity", "type": "GPServer"}',
        kind="long",
        required=True,
    ),
    *_LATER,
)


def _edit_form(action: str, now: dict[str, Any]) -> Form:
    text = encode(now, pretty=True).decode()
    return Form(
        action, "Edit", (Field("service", "Service", value=text, kind="long", required=True), *_LATER)
    )


def _scaling_form(action: str, now: dict[str, Any]) -> Form:
    text = encode(now, pretty=True).decode()
    return Form(
        action, "Edit scaling", (Field(_SCALING, "Scaling", value=text, kind="long", required=True), *_LATER)
    )


def _above(call: Call, folder: str) -> list[tuple[str, str]]:
    root = f"{call.home}/admin"
    crumbs = [("Administration", root), ("Services", f"{root}/services")]
    return [*crumbs, (folder, f"{root}/services/{folder}")] if folder else crumbs


def _below(call: Call, about: Service) -> Sequence[tuple[str, str]]:
    here = f"{call.home}{_ROOT}/{about.name}"
    return [*_above(call, about.folder), (f"{about.title} ({about.type})", here)]
