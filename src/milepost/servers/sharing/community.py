"""The people of the portal: to look them up, and to manage them."""

from typing import Any, Final

from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Resources, ServiceError
from milepost.security import People, Person
from milepost.servers.sharing import wire

USERS: Final = "/sharing/rest/community/users"


class Community:
    """``community/self`` and ``community/users``."""

    def __init__(self, people: People, resources: Resources):
        """For these people."""
        self._people = people
        self._resources = resources

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at("/sharing/rest/community/self", self.myself, document="Community self"),
            *at(f"{USERS}/{{username}}", self.user, document="User"),
        ]

    async def myself(self, call: Call) -> Answer:
        """Whose token this is."""
        return Answer(wire.person(call.person), title=call.person.full_name)

    async def user(self, call: Call) -> Answer:
        """Somebody."""
        who = self._find(call)
        about: dict[str, Any] = wire.person(who)
        return Answer(about, title=who.full_name)

    def _find(self, call: Call) -> Person:
        who = self._people.get(call.part("username"))
        if who is None:
            # Clients look for these very words.
            raise ServiceError(400, "User does not exist or is inaccessible.", [call.part("username")[:60]])
        return who
