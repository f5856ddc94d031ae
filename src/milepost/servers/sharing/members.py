"""Managing people over HTTP: letting somebody in, changing and removing them."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
import structlog
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Resources, ServiceError, wrong
from milepost.security import (
    PasswordError,
    People,
    PeopleError,
    Person,
    Privilege,
    PrivilegeError,
    Role,
    read_privileges,
)
from milepost.servers.sharing import wire
from milepost.servers.sharing.community import USER, find_person
from milepost.servers.sharing.credentials import Credentials
from milepost.servers.sharing.portal import PORTAL, require_own

_Result = TypeVar("_Result")

log = structlog.get_logger("milepost.security")

_NOT_KEPT: Final = (
    "email",
    "description",
    "tags",
    "access",
    "preferredView",
    "culture",
    "cultureFormat",
    "region",
    "categories",
    "securityQuestionIdx",
    "securityAnswer",
)
"""What other portals keep of people, and clients offer to change."""

_CREATED: Final = ("username", "password", "firstname", "lastname", "fullname", "role")
_CREATION: Final = (
    f"/admin/orgs/{wire.PORTAL_ID}/security/users/createUser",
    "/portaladmin/security/users/createUser",
)
"""Where the clients of ArcGIS Enterprise ask for it: on Kubernetes, and elsewhere."""


class Members:
    """What changes people. Clients send all of it by POST."""

    def __init__(self, people: People, credentials: Credentials, resources: Resources):
        """For these people; ``credentials`` checks the present password of who chooses a new one."""
        self._people = people
        self._credentials = credentials
        self._resources = resources

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""

        def at(path: str, function: Any, *parameters: str, document: str) -> list[BaseRoute]:
            return self._resources.at(
                path, function, methods=["POST"], acts=True, parameters=parameters, document=document
            )

        changed = ("fullname", "firstName", "lastName", "password", "grantedPrivileges")
        return [
            *at(f"{USER}/update", self.update, *changed, document="Update user"),
            *at(f"{USER}/reset", self.reset, "password", "newPassword", document="Reset"),
            *at(f"{USER}/delete", self.delete, document="Delete user"),
            # Clients write it in both ways.
            *at(f"{PORTAL}/updateUserRole", self.set_role, "user", "role", document="Update user role"),
            *at(f"{PORTAL}/updateuserrole", self.set_role, "user", "role", document="Update user role"),
            *at(f"{PORTAL}/removeUsers", self.remove, "users", document="Remove users"),
            *(each for path in _CREATION for each in at(path, self.add, *_CREATED, document="Create user")),
        ]

    async def add(self, call: Call) -> Answer:
        """Let somebody in. An e-mail address and a description may be sent, but are not kept."""
        given = call.parameters
        missing = [name for name in ("username", "password") if not given.get(name)]
        if missing:
            raise ServiceError(400, "; ".join(f"'{name}' must be specified." for name in missing))
        name = given.get("fullname") or f"{given.get('firstname')} {given.get('lastname')}"
        role = wire.read_role_id(given.get("role") or Role.USER)
        person = await _changed(
            self._people.add, given.get("username"), given.get("password"), role, name.strip()
        )
        _tell("person added", call, person, role=person.role)
        return Answer({"status": "success", "username": person.username}, title="Create user")

    async def update(self, call: Call) -> Answer:
        """Change the full name of oneself or, for administrators, of anybody, and more."""
        who = find_person(self._people, call)
        given = call.parameters
        administrator = call.person.role is Role.ADMINISTRATOR
        if not administrator and call.person.username != who.username:
            raise _forbidden("Only administrators change other people.")
        for name in _NOT_KEPT:
            if given.get(name):
                raise wrong(name, "this server does not keep it of people")
        full_name, password, granted = given.get("fullname"), given.get("password"), _granted(call)
        if not full_name and (given.get("firstName") or given.get("lastName")):
            first, _, last = who.full_name.partition(" ")
            full_name = f"{given.get('firstName') or first} {given.get('lastName') or last}"
        if not administrator and password:
            raise _forbidden("Choose a new password with reset, which asks for the present one.")
        if not administrator and granted is not None:
            raise _forbidden("Only administrators grant privileges.")
        if not full_name and not password and granted is None:
            raise ServiceError(
                400, "There is nothing to change: give fullname, password or grantedPrivileges"
            )
        # The password first: it is the one that can be refused.
        if password:
            await _changed(self._people.set_password, who.username, password)
        if full_name:
            await _changed(self._people.set_full_name, who.username, full_name)
        if granted is not None:
            await _changed(self._people.set_granted, who.username, granted)
        what = {"password": bool(password), "full_name": bool(full_name), "granted": granted is not None}
        _tell("person changed", call, who, what=[name for name, done in what.items() if done])
        return _done(who, "Update")

    async def reset(self, call: Call) -> Answer:
        """Choose another password for oneself. All tokens, this one too, are void then."""
        who = find_person(self._people, call)
        if call.person.username != who.username:
            raise _forbidden("Passwords of other people are changed with update, by administrators.")
        given = call.parameters
        missing = [name for name in ("password", "newPassword") if not given.get(name)]
        if missing:
            raise ServiceError(400, "; ".join(f"'{name}' must be specified." for name in missing))
        try:
            await self._credentials.check(call, who.username, given.get("password"))
        except ServiceError as error:
            why = error.details[0] if error.details else error.message
            raise ServiceError(400, "Unable to reset the password.", [why]) from None
        await _changed(self._people.set_password, who.username, given.get("newPassword"))
        _tell("person changed", call, who, what=["password"])
        return _done(who, "Change password")

    async def delete(self, call: Call) -> Answer:
        """Let somebody in no longer. Their jobs stay."""
        who = find_person(self._people, call)
        await _changed(self._people.remove, who.username)
        _tell("person removed", call, who)
        return _done(who, "Remove")

    async def remove(self, call: Call) -> Answer:
        """Let several people in no longer, and tell whom that did not work for."""
        require_own(call)
        kept = []
        for username in filter(None, (each.strip() for each in call.parameters.get("users").split(","))):
            who = self._people.get(username)
            try:
                await asyncio.to_thread(self._people.remove, username)
            except PeopleError as error:
                kept.append({"username": username, "reason": str(error)})
            else:
                if who:
                    _tell("person removed", call, who)
        return Answer({"notRemoved": kept}, title="Remove users")

    async def set_role(self, call: Call) -> Answer:
        """Give somebody another role."""
        require_own(call)
        given = call.parameters
        role = wire.read_role_id(given.get("role"))
        person = await _changed(self._people.set_role, given.get("user"), role)
        _tell("person changed", call, person, what=["role"], role=role)
        return Answer({"success": True}, title="Change role")


def _granted(call: Call) -> frozenset[Privilege] | None:
    """The privileges in a request, as JSON or separated by commas; None when none are given."""
    text = call.parameters.get("grantedPrivileges").strip()
    if not text:
        return None
    names: Any = text.split(",")
    if text.startswith("["):
        try:
            names = msgspec.json.decode(text, type=list[str])
        except msgspec.MsgspecError as error:
            raise wrong("grantedPrivileges", f"not a list of texts: {error}") from None
    return _refused(read_privileges, [each.strip() for each in names if each.strip()])


def _refused(function: Callable[..., _Result], *arguments: Any) -> _Result:
    try:
        return function(*arguments)
    except (PeopleError, PasswordError, PrivilegeError) as error:
        raise ServiceError(400, str(error)) from None


async def _changed(function: Callable[..., _Result], *arguments: Any) -> _Result:
    """What a change of people gives, made in a thread: it waits for the disk, and hashes passwords.

    Raises:
        ServiceError: 400, it is refused.
    """
    return await asyncio.to_thread(_refused, function, *arguments)


def _done(who: Person, title: str) -> Answer:
    return Answer({"success": True, "username": who.username}, title=title)


def _forbidden(why: str) -> ServiceError:
    return ServiceError(
        403, "You do not have permissions to access this resource or perform this operation.", [why]
    )


def _tell(event: str, call: Call, who: Person, **more: Any) -> None:
    log.info(event, username=who.username, by=call.person.username, request=call.request_id, **more)
