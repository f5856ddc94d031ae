"""The services of the deployment, as its administrators see them under ``/admin/services``."""

from typing import Any, Final
from urllib.parse import urlsplit

from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Resources, not_found
from milepost.manager import JobManager
from milepost.operations import Service
from milepost.servers.administering import Flavour, errors_of

_OWN: Final = "SystemServer"
"""The type of the services that do the work of the admin API itself; they are nobody's to administer."""

_WITH_JOBS: Final = "GPServer"
"""The type of services whose jobs are resources of the admin API."""


class Services:
    """The folders and services of one catalog."""

    def __init__(self, manager: JobManager, resources: Resources, flavour: Flavour):
        """With what all dialects share; ``flavour`` says how errors are written."""
        self._manager = manager
        self._resources = resources.with_errors(errors_of(flavour))

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at("/admin/services", self.folder, document="Services"),
            *at("/admin/services/{folder}", self.folder, document="Folder"),
        ]

    async def folder(self, call: Call) -> Answer:
        """The services of a folder, and the folders."""
        here = call.part("folder")
        known = [each for each in self._manager.catalog.services.values() if each.type != _OWN]
        folders = sorted({each.folder for each in known if each.folder})
        if here and here not in folders:
            raise not_found(f"Folder {here[:60]}")
        found = sorted((each for each in known if each.folder == here), key=lambda each: each.name)
        root = f"{urlsplit(call.base).path}/admin"
        links = {} if here else {f"{name}/": f"{root}/services/{name}" for name in folders}
        for each in found:
            if each.type == _WITH_JOBS:
                links[f"Jobs of {each.title}"] = f"{root}/services/{each.name}/jobs"
        return Answer(
            {
                "folderName": here or "/",
                "folders": [] if here else folders,
                "services": [_about(each) for each in found],
            },
            title=here or "Services",
            crumbs=[("Administration", root), *([("Services", f"{root}/services")] if here else [])],
            links=links,
        )


def _about(service: Service) -> dict[str, Any]:
    return {
        "folderName": service.folder or "/",
        "serviceName": service.title,
        "type": service.type,
        "description": service.description,
    }
