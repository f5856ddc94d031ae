"""Who may use what: every resource is asked by every role, with each privilege, and by nobody."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.routing import BaseRoute

from milepost.http import Resource
from milepost.security import Privilege, Role
from milepost.servers.access import access_table
from tests.servers.house import House, anyio_backend, opened

__all__ = ["anyio_backend"]

pytestmark = pytest.mark.anyio

ROLES = {"root": Role.ADMINISTRATOR, "pat": Role.PUBLISHER, "ann": Role.USER, "vera": Role.VIEWER}
FLAVOURS = ("kubernetes", "server")
REFUSED = (403, 498, 499)


@pytest.fixture(scope="module", params=FLAVOURS)
async def house(request, tmp_path_factory) -> AsyncIterator[House]:
    async with opened(tmp_path_factory.mktemp("access"), gp_admin=request.param) as house:
        yield house


@pytest.fixture(scope="module")
async def clients(house: House) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(house.client(name)) for name in (*ROLES, "")}


def resources(house: House) -> list[Resource]:
    return [route for route in house.server.routes() if isinstance(route, Resource)]


def filled(path: str) -> str:
    """A path whose parts name nothing that exists, so that nobody changes anything."""
    return re.sub(r"{\w+}", "Nothing", path)


async def refusal(client: httpx.AsyncClient, resource: Resource) -> int | None:
    """The code with which a resource turns a client away; None when it lets it in."""
    method = "POST" if "POST" in resource.takes else "GET"
    answer = await client.request(method, filled(resource.path), data={"f": "json"})
    if answer.is_redirect:
        return None
    assert answer.status_code == 200, (resource.path, answer.text)
    said = answer.json()
    # The two envelopes of errors; some answers are lists.
    error = said.get("error", said) if isinstance(said, dict) else {}
    code = error.get("code")
    return code if code in REFUSED else None


async def test_every_route_is_a_resource_that_the_table_names(house):
    routes: list[BaseRoute] = house.server.routes()
    assert [route for route in routes if not isinstance(route, Resource)] == []
    flavour = house.server.settings.gp_admin
    assert {route.pattern for route in resources(house)} == set(access_table(flavour))


async def test_every_role_gets_in_where_the_table_lets_it_and_nowhere_else(house, clients):
    for resource in resources(house):
        for name, role in ROLES.items():
            allowed = resource.access.without_token or resource.access.admits(
                role, house.server.people.get(name).privileges
            )
            code = await refusal(clients[name], resource)
            assert code == (None if allowed else 403), (resource.path, name)


async def test_without_a_token_only_what_is_open_answers(house, clients):
    for resource in resources(house):
        code = await refusal(clients[""], resource)
        assert code == (None if resource.access.without_token else 499), resource.path


async def test_a_bad_token_opens_nothing(house):
    async with house.client() as client:
        client.headers["X-Esri-Authorization"] = "Bearer garbage"
        for resource in resources(house):
            code = await refusal(client, resource)
            assert code == (None if resource.access.ignores_token else 498), resource.path


@pytest.mark.parametrize("privilege", Privilege)
async def test_one_privilege_opens_what_it_is_listed_for(house, clients, privilege):
    house.server.people.set_granted("vera", [privilege])
    try:
        for resource in resources(house):
            if resource.access.privileges:
                allowed = privilege in resource.access.privileges
                assert await refusal(clients["vera"], resource) == (None if allowed else 403), resource.path
    finally:
        house.server.people.set_granted("vera", [])


# -- what the documents print, apart from the table ---------------------------------------------

CONTENT = {"portal:admin:updateItems", "portal:admin:deleteItems", "portal:admin:manageSecurity"}
WEBHOOKS = {"portal:publisher:createFeatureWebhook", "portal:admin:createGPWebhook"}
GP_JOB = "/admin/services/[{folder}/]{service}.GPServer/jobs/{job}"


@pytest.mark.parametrize(
    ("flavour", "path", "privileges", "roles"),
    [
        ("kubernetes", "/admin/jobs", CONTENT, {"org_publisher"}),
        ("kubernetes", "/admin/jobs/{job}", CONTENT, {"org_publisher"}),
        ("kubernetes", GP_JOB, WEBHOOKS, {"org_publisher"}),
        ("server", GP_JOB, CONTENT | {"portal:admin:manageServers"}, set()),
        ("server", GP_JOB + "/cancel", set(), set()),
        ("server", GP_JOB + "/delete", set(), set()),
        ("server", "/admin/services/[{folder}/]{service}.GPServer/jobs/purgeQueue", set(), set()),
    ],
)
async def test_the_privileges_are_those_of_the_documents(flavour, path, privileges, roles):
    access = access_table(flavour)[path]
    assert access.privileges == privileges
    assert {role.identifier for role in access.roles} == roles


async def test_the_refusal_says_what_is_needed(house, clients):
    answer = (await clients["ann"].get("/admin/jobs", params={"f": "json"})).json()
    assert answer["error"] == {
        "code": 403,
        "message": "You do not have permissions to access this resource or perform this operation.",
        "details": [
            (
                "One of these is needed: Content: Delete (portal:admin:deleteItems), Portal settings: Security"
                " and infrastructure (portal:admin:manageSecurity), Content: Update (portal:admin:updateItems),"
                " the role administrator, the role publisher"
            )
        ],
    }


async def test_a_page_for_people_says_it_too(clients):
    page = await clients["ann"].get("/admin/jobs")
    assert page.status_code == 403
    assert "the role publisher" in page.text
