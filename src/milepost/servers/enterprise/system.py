"""The deployment's own parts, below ``/admin/system``."""

from typing import Final

from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Resources
from milepost.servers.administering import error_object

_PARTS: Final = ("backups", "containerregistries")


class System:
    """The front page of the parts."""

    def __init__(self, resources: Resources):
        """With what all dialects share."""
        self._resources = resources.with_errors(error_object)

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        return self._resources.at("/admin/system", self.system, document="System")

    async def system(self, call: Call) -> Answer:
        """The parts of the deployment that are administered."""
        return Answer(
            {"resources": list(_PARTS)},
            title="System",
            crumbs=[("Administration", f"{call.home}/admin")],
            links={name: f"{call.path}/{name}" for name in _PARTS},
        )
