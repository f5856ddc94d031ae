"""One request, as a resource sees it."""

from functools import cached_property
from typing import Final

from starlette.types import Receive, Scope

from milepost.http.arriving import Arrival
from milepost.http.parameters import Parameters
from milepost.http.request import PublicAddress
from milepost.security import Person


class Call:
    """One request, as a resource sees it."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        parameters: Parameters,
        size: int,
        person: Person | None,
        address: PublicAddress,
        arrival: Arrival | None = None,
    ):
        """Made by ``Resources``."""
        self.arrival: Final = arrival
        """What followed the files of the body, where the resource has such."""
        self._receive = receive
        self.scope: Final = scope
        self.parameters: Final = parameters
        self.size: Final = size
        """Bytes of the body."""
        self.caller: Final = person
        """Who calls, or None."""
        self._address = address

    @cached_property
    def base(self) -> str:
        """Public URL of the context, without a slash at the end."""
        return self._address.base(self.scope)

    @cached_property
    def home(self) -> str:
        """Path of the context as clients know it, without a slash at the end."""
        return self._address.home(self.scope)

    @cached_property
    def path(self) -> str:
        """Path of the request as clients know it, without a slash at the end, the context included."""
        return self._address.path(self.scope)

    @property
    def method(self) -> str:
        """The HTTP method."""
        return str(self.scope["method"])

    @property
    def request_id(self) -> str:
        """The id of the request, as in the log."""
        return str(self.scope.get("state", {}).get("request_id", ""))

    @property
    def person(self) -> Person:
        """Who calls. Only for resources that ask for a token."""
        assert self.caller is not None
        return self.caller

    async def hung_up(self) -> None:
        """Return when the client hangs up."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def part(self, name: str) -> str:
        """A part of the path, as named in the route; empty when the route has none."""
        return str(self.scope["path_params"].get(name, ""))
