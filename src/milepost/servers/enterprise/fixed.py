"""What clients ask of the admin API that is as it is here: types of services, defaults, and properties of the system.

Services come from the code of their operations; who tries to publish another way is told how it is done.
"""

from typing import Final, NoReturn

from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Resources, ServiceError
from milepost.manager import JobManager
from milepost.servers.administering import Flavour, error_object, errors_of
from milepost.servers.enterprise.service_wire import PROVIDER

_SERVICES: Final = "/admin/services"
_SYSTEM: Final = "/admin/system/properties"


class Fixed:
    """Resources that tell something, and operations that nobody can have done."""

    def __init__(self, manager: JobManager, resources: Resources, flavour: Flavour):
        """With what all dialects share; ``flavour`` says how errors about services are written."""
        self._manager = manager
        self._resources = resources.with_errors(error_object)
        self._services = resources.with_errors(errors_of(flavour))

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context; they come before those of folders and services."""
        at = self._services.at
        return [
            *at(f"{_SERVICES}/types", self.types, document="Types"),
            *at(f"{_SERVICES}/types/extensions", self.extensions, document="Extensions"),
            *at(f"{_SERVICES}/types/providers", self.providers, document="Providers"),
            *at(
                f"{_SERVICES}/properties",
                self.defaults,
                parameters=("properties",),
                document="Services properties",
            ),
            *at(f"{_SERVICES}/createService", self.create_service, acts=True, document="Create service"),
            *at(f"{_SERVICES}/{{folder}}/createService", self.create_service, acts=True),
            *at(
                f"{_SERVICES}/[{{folder}}/]{{service}}.{{type}}/changeProvider",
                self.change_provider,
                acts=True,
                document="Change provider",
            ),
            *self._resources.at(_SYSTEM, self.system, document="System properties"),
            *self._resources.at(f"{_SYSTEM}/update", self.update_system, acts=True),
        ]

    async def types(self, call: Call) -> Answer:
        """The types of the services that there are."""
        found = sorted({each.type for each in self._manager.catalog.declared.values()})
        said = [{"Name": each, "Provider": PROVIDER, "Extensions": []} for each in found]
        return Answer({"types": said}, title="Types", crumbs=_above_services(call))

    async def extensions(self, call: Call) -> Answer:
        """There are none."""
        return Answer({"extensions": []}, title="Extensions", crumbs=_above_services(call))

    async def providers(self, call: Call) -> Answer:
        """What runs the instances of services: there is one."""
        return Answer({"providers": [{"Name": PROVIDER}]}, title="Providers", crumbs=_above_services(call))

    async def defaults(self, call: Call) -> Answer:
        """What holds for new services: nothing but what their code declares."""
        if call.parameters.get("properties"):
            raise ServiceError(
                400,
                "There are no defaults of services to change",
                ["The code of a service declares its settings; edit those of the service itself"],
            )
        return Answer({}, title="Properties", crumbs=_above_services(call))

    async def create_service(self, _: Call) -> NoReturn:
        """Nobody makes services here; this tells how they come to be."""
        raise ServiceError(
            400,
            "Services cannot be created here",
            [
                (
                    "A service is declared by the code of its operations: start the server with --operations"
                    " FILE, or install a package of them"
                ),
                "A service that was deleted comes back with its operation start",
            ],
        )

    async def change_provider(self, _: Call) -> NoReturn:
        """Nobody changes what runs a service; this tells why."""
        raise ServiceError(400, f"The provider of a service cannot be changed: it is always {PROVIDER}")

    async def system(self, call: Call) -> Answer:
        """The properties of the system that were changed: none can be."""
        crumbs = [("Administration", f"{call.home}/admin"), ("System", f"{call.home}/admin/system")]
        return Answer({}, title="Properties", crumbs=crumbs)

    async def update_system(self, _: Call) -> NoReturn:
        """Nobody changes the system here; this tells where its settings are."""
        raise ServiceError(
            400,
            "The system has no properties that are changed here",
            ["The settings of the server are options of milepost serve"],
        )


def _above_services(call: Call) -> list[tuple[str, str]]:
    root = f"{call.home}/admin"
    return [("Administration", root), ("Services", f"{root}/services")]
