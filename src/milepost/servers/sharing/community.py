"""The people of the portal, to look them up."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Field, Form, Resources, ServiceError, wrong
from milepost.security import People, Person, Role
from milepost.servers.sharing import wire
from milepost.servers.sharing.portal import PAGING, PORTAL, paging, require_own
from milepost.servers.sharing.search import Test, read_query

USERS: Final = "/sharing/rest/community/users"
USER: Final = f"{USERS}/{{username}}"

_FILTERS: Final = ("role", "userLicenseType", "sortField", "sortOrder", *PAGING)

_SORTED_BY: Final[dict[str, Callable[[Person], Any]]] = {
    "username": lambda who: who.username.casefold(),
    "fullname": lambda who: who.full_name.casefold(),
    "created": lambda who: who.created_at,
    "modified": lambda who: who.created_at,
}

_COUNTED: Final = {"role": wire.role_id, "userLicenseType": wire.license_type}


_NEW_PASSWORD: Final = Field(
    name="password", title="New password", kind="password", autocomplete="new-password"
)


class Community:
    """``community/self``, ``community/users`` and the lists of users of the portal."""

    def __init__(self, people: People, resources: Resources):
        """For these people."""
        self._people = people
        self._resources = resources

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at("/sharing/rest/community/self", self.myself, document="Community self"),
            *at(USERS, self.search, parameters=("q", *_FILTERS), document="User search"),
            *at(USER, self.user, document="User"),
            *at(
                "/sharing/rest/content/users/{username}",
                self.content,
                parameters=PAGING,
                document="User content",
            ),
            *at(f"{PORTAL}/users", self.users, parameters=_FILTERS, document="Users"),
            *at(f"{PORTAL}/users/counts", self.counts, parameters=("type", *PAGING), document="User counts"),
            *at(f"{PORTAL}/users/search", self.search, parameters=("q", *_FILTERS), document="User search"),
        ]

    async def myself(self, call: Call) -> Answer:
        """Whose token this is."""
        return Answer(
            wire.person(call.person),
            title=call.person.full_name,
            forms=_forms(call, call.person),
        )

    async def user(self, call: Call) -> Answer:
        """Somebody, by name."""
        who = find_person(self._people, call)
        return Answer(
            wire.person(who),
            title=who.full_name,
            crumbs=[("Users", call.path.rpartition("/")[0])],
            forms=_forms(call, who),
        )

    async def content(self, call: Call) -> Answer:
        """The items of somebody. Nobody has any here; clients ask before they remove the person."""
        who = find_person(self._people, call)
        found: dict[str, Any] = wire.page("items", [], *paging(call))
        return Answer(
            {"username": who.username, **found, "currentFolder": None, "folders": []}, title="Items"
        )

    async def users(self, call: Call) -> Answer:
        """Everybody, in pages."""
        require_own(call)
        return self._listed(call, "users", lambda _: True)

    async def search(self, call: Call) -> Answer:
        """The people that a query finds, in pages."""
        if call.part("portal"):
            require_own(call)
        query = call.parameters.get("q")
        return self._listed(call, "results", read_query(query), query=query)

    async def counts(self, call: Call) -> Answer:
        """How many people there are of each role, or of each type of licence."""
        require_own(call)
        kind = call.parameters.get("type") or "role"
        if kind not in _COUNTED:
            raise wrong("type", f"use one of {', '.join(_COUNTED)}")
        counted = Counter(_COUNTED[kind](who.role) for who in self._people.list())
        found = [{"key": key, "count": count} for key, count in sorted(counted.items())]
        return Answer(wire.page("results", found, *paging(call)), title="Users counted")

    def _listed(self, call: Call, name: str, test: Test, **about: Any) -> Answer:
        given = call.parameters
        role, license_type = given.get("role"), given.get("userLicenseType")
        wanted = wire.read_role_id(role) if role else None
        by = _SORTED_BY.get((given.get("sortField") or "username").lower())
        if by is None:
            raise wrong("sortField", f"use one of {', '.join(_SORTED_BY)}")
        found = [
            who
            for who in self._people.list()
            if test(who)
            and (wanted is None or who.role is wanted)
            and (not license_type or license_type == wire.license_type(who.role))
        ]
        found.sort(key=by, reverse=given.get("sortOrder").lower().startswith("desc"))
        listed = wire.page(name, found, *paging(call))
        people: list[Person] = listed[name]
        return Answer(
            {**about, **listed, name: [wire.person(who) for who in people]},
            title="Users",
            crumbs=[("Portal", f"{call.path.partition('/sharing/')[0]}/sharing/rest")],
            links={who.username: f"{_users_path(call)}/{who.username}" for who in people},
            forms=[_adding(call)] if call.person.role is Role.ADMINISTRATOR else (),
        )


def find_person(people: People, call: Call) -> Person:
    """The person whom a path names.

    Raises:
        ServiceError: 400, there is nobody of that name.
    """
    who = people.get(call.part("username"))
    if who is None:
        # Clients look for these very words.
        raise ServiceError(400, "User does not exist or is inaccessible.", [call.part("username")[:60]])
    return who


def _users_path(call: Call) -> str:
    context, _, _ = call.path.partition("/sharing/rest/")
    return context + USERS


def _adding(call: Call) -> Form:
    context, _, _ = call.path.partition("/sharing/rest/")
    return Form(
        action=f"{context}/portaladmin/security/users/createUser",
        title="Add somebody",
        fields=(
            Field(name="username", title="Username", required=True),
            Field(name="fullname", title="Full name"),
            _NEW_PASSWORD,
            Field(name="role", title="Role", value=Role.USER, choices=tuple(Role), required=True),
        ),
    )


def _forms(call: Call, who: Person) -> list[Form]:
    """What the caller may do with somebody."""
    path = f"{_users_path(call)}/{who.username}"
    administrator, own = call.person.role is Role.ADMINISTRATOR, call.person.username == who.username
    name = Field(name="fullname", title="Full name", value=who.full_name)
    granted = Field(
        name="grantedPrivileges",
        title="Granted privileges",
        value=",".join(sorted(who.granted)) or "[]",
        help="Beyond those of the role, separated by commas; [] for none.",
    )
    forms = []
    if administrator or own:
        fields = (name, _NEW_PASSWORD, granted) if administrator else (name,)
        forms.append(Form(action=f"{path}/update", title="Update", fields=fields))
    if own:
        old = Field(
            name="password", title="Present password", kind="password", autocomplete="current-password"
        )
        new = Field(name="newPassword", title="New password", kind="password", autocomplete="new-password")
        forms.append(Form(action=f"{path}/reset", title="Change password", fields=(old, new)))
    if administrator:
        portal = path.partition("/community/")[0] + "/portals/self"
        roles = tuple(Role)
        chosen = (
            Field(name="user", title="", value=who.username, kind="hidden"),
            Field(name="role", title="Role", value=who.role, choices=roles, required=True),
        )
        forms.append(Form(action=f"{portal}/updateUserRole", title="Change role", fields=chosen))
        forms.append(Form(action=f"{path}/delete", title="Remove"))
    return forms
