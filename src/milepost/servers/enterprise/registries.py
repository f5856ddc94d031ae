"""The URLs of the container registry."""

from typing import Final

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Field, Form, Resources, ServiceError, not_found, parse_query
from milepost.security import SecurityError
from milepost.servers.administering import error_object, require_post
from milepost.servers.enterprise.registry.asking import shown
from milepost.servers.enterprise.registry.configuration import NAME, Registry
from milepost.servers.enterprise.registry.edits import RegistryEdits

_REGISTRY: Final = "/admin/system/containerregistries/{registry}"
_JSON: Final = "containerRegistryJson"
_FIELDS: Final = ("username", "password", "registryUrl", "registryRepository")
"""What the page sends instead of the JSON."""


class Registries:
    """The container registry of the deployment."""

    def __init__(self, resources: Resources, edits: RegistryEdits):
        """With what all dialects share, and what edits the registry."""
        self._resources = resources.with_errors(error_object)
        self._edits = edits

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at("/admin/system/containerregistries", self.registries, document="Container registries"),
            *at(_REGISTRY, self.registry, document="Container registry"),
            *at(
                f"{_REGISTRY}/edit",
                self.edit,
                acts=True,
                parameters=(_JSON, "async"),
                document="Edit container registry",
            ),
        ]

    async def registries(self, call: Call) -> Answer:
        """The registries: there is one."""
        registry = shown(await self._read())
        return Answer(
            {
                "supportedOperations": [],
                "containerRegistries": [
                    {name: registry[name] for name in ("registryUrl", "registryRepository", "name", "id")}
                ],
            },
            title="Container registries",
            crumbs=_above(call)[:2],
            links={registry["name"]: f"{call.path}/{registry['id']}"},
        )

    async def registry(self, call: Call) -> Answer:
        """A registry, without its password."""
        registry = await self._found(call)
        return Answer(
            shown(registry),
            title=NAME,
            crumbs=_above(call),
            links={"edit": f"{call.path}/edit"},
        )

    async def edit(self, call: Call) -> Answer | Response:
        """Give the registry other credentials, or another place."""
        registry = await self._found(call)
        crumbs = [*_above(call), (NAME, call.path.removesuffix("/edit"))]
        if require_post(call, "Edit"):
            return Answer({}, title="Edit", crumbs=crumbs, forms=[_form(call.path, registry)])
        _refuse_secrets_in_url(call)
        try:
            answer = await self._edits.edit(call, _asked(call))
        except SecurityError as error:
            raise ServiceError(500, str(error)) from None
        return msgspec.structs.replace(answer, crumbs=crumbs) if isinstance(answer, Answer) else answer

    async def _found(self, call: Call) -> Registry:
        registry = await self._read()
        if call.part("registry") != registry.id:
            raise not_found(f"Container registry {call.part('registry')[:60]}")
        return registry

    async def _read(self) -> Registry:
        try:
            return await self._edits.registry()
        except SecurityError as error:
            raise ServiceError(500, str(error)) from None


def _asked(call: Call) -> str:
    """The JSON of the registry as it is to be, from a program or from the fields of the page."""
    given = call.parameters
    fields = {name: given.get(name) for name in _FIELDS if given.get(name)}
    text = given.get(_JSON) or (msgspec.json.encode(fields).decode() if fields else "")
    if not text:
        raise ServiceError(400, "The registry cannot be edited.", [f"'{_JSON}' must be specified."])
    return text


def _refuse_secrets_in_url(call: Call) -> None:
    if {_JSON, "password"} & dict(parse_query(call.scope["query_string"])).keys():
        raise ServiceError(
            400, f"'{_JSON}' holds a password: send it in the body, for URLs end up in logs and histories"
        )


def _form(action: str, registry: Registry) -> Form:
    now = shown(registry)
    return Form(
        action=action,
        title="Edit",
        fields=(
            Field("username", "User name", value=now["username"], required=True, autocomplete="off"),
            Field("password", "Password", kind="password", required=True, autocomplete="new-password"),
            Field(
                "registryUrl",
                "Registry",
                value=now["registryUrl"],
                help="Its host, such as registry.example.com:5000",
                required=True,
            ),
            Field(
                "registryRepository",
                "Repository",
                value=now["registryRepository"],
                help="Where the images are below that, such as gis/images",
            ),
        ),
    )


def _above(call: Call) -> list[tuple[str, str]]:
    root = f"{call.home}/admin"
    system = f"{root}/system"
    return [
        ("Administration", root),
        ("System", system),
        ("Container registries", f"{system}/containerregistries"),
    ]
