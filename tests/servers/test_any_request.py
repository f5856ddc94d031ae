"""Whatever is asked of whichever resource: an answer in its envelope, and never the server's own fault."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import structlog.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.http import Parameters, Resource
from tests.servers.house import House, anyio_backend, opened
from tests.servers.video.made import make_layer, make_service

__all__ = ["anyio_backend"]

pytestmark = pytest.mark.anyio

PEOPLE = ("root", "pat", "ann", "vera", "")
CODES = {400, 403, 404, 405, 498, 499, -2147211775}

# An administrator's whim must not send away those who ask.
ABOUT_PEOPLE = ("/users/", "removeUsers", "updateUserRole", "updateuserrole", "createUser")

NAMED = {
    "folder": ["Tests", "Nato", "Field", "hd"],
    "service": ["Small", "Mission", "SampleService", "Sheets", "Topography", "Video"],
    "product": ["MTM50", "Nothing"],
    "task": ["shout", "write", "last", "uploads"],
    "name": ["text", "value", "result"],
    "mission": ["ab" * 16, "0" * 32],
    "file": ["text.txt", "../text.txt", "ABR.m3u8", "0.m4s"],
    "portal": ["self", "0123456789ABCDEF"],
    "username": ["ann", "vera", "nobody", "self"],
    "layer": ["0", "00", "1"],
    "role": ["org_admin", "org_user", "viewer"],
}

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
values = st.one_of(
    words,
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["true", "None", "null", "j" + "0" * 32, "..", "{}", "[]", '["a"]', "2021-11-15", "09-21-2020", "999"]
    ),
    st.sampled_from(["esriJobSucceeded", "4", "100", "info", "ann", "x" * 3000, "\ud7ff", "-1", "1e999"]),
)


class Asked:
    """A house with a job of each dialect, the people who ask, and what its log says."""

    def __init__(self, house: House, clients: dict[str, httpx.AsyncClient], jobs: list[str]):
        self.house = house
        self.clients = clients
        self.jobs = jobs
        self.resources = [each for each in house.server.routes() if isinstance(each, Resource)]

    def path(self, data: st.DataObject, resource: Resource) -> str:
        """A path of a resource, with parts that exist or not."""
        path = resource.path
        for name in resource.param_convertors:
            known = self.jobs if name == "job" else NAMED.get(name, ["default"])
            part = data.draw(st.one_of(st.sampled_from(known), values), label=name)
            path = path.replace(f"{{{name}}}", quote(part.strip(".") or "x", safe=""))
        return path


@pytest.fixture(scope="module", params=["kubernetes", "server"])
async def asked(request, tmp_path_factory) -> AsyncIterator[Asked]:
    async with opened(tmp_path_factory.mktemp("any"), gp_admin=request.param) as house:
        mission = {"mission_id": "ab" * 16, "username": "ann", "plan": '{"title": "Flood"}'}
        ended = [
            await house.run("Mission.MissionServer", "create_mission", **mission),
            await house.run("Tests/Small.GPServer", "write", text="words"),
            await house.run("Mission.MissionServer", "fail"),
            await house.run("Video.VideoServer", "clip"),
            await house.run("Nato/Sheets.TopographicProductionServer", "generate_sheet", productName="A"),
            await house.submit("Mission.MissionServer", "wait"),
        ]
        make_layer(house.server, make_service(house.server, "Video", "ann", access="org"))
        async with AsyncExitStack() as stack:
            clients = {name: await stack.enter_async_context(house.client(name)) for name in PEOPLE}
            yield Asked(house, clients, [each.id for each in ended])


async def test_any_request(asked: Asked) -> None:
    loop = asyncio.get_running_loop()

    @settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        resource = data.draw(st.sampled_from(asked.resources), label="resource")
        people = PEOPLE[1:] if any(each in resource.pattern for each in ABOUT_PEOPLE) else PEOPLE
        client = asked.clients[data.draw(st.sampled_from(people), label="who")]
        names = st.sampled_from([*resource.parameters, "async", "token", "start", "num"]) | words
        sent = data.draw(st.dictionaries(names, values, max_size=5), label="parameters")
        sent["f"] = data.draw(st.sampled_from(["json", "pjson", "html", "csv"]), label="f")
        method = data.draw(st.sampled_from(["GET", "POST", "POST", "PUT", "DELETE", "PATCH"]), label="method")
        path = asked.path(data, resource)
        ways = {"data": sent} if method == "POST" else {"params": sent}
        with structlog.testing.capture_logs() as logs:
            answer = asyncio.run_coroutine_threadsafe(client.request(method, path, **ways), loop).result()
        assert [each for each in logs if each["log_level"] in ("error", "critical")] == []
        check(answer, path)

    # Examples are drawn in a thread, while the server works in the loop of the test.
    await asyncio.to_thread(ask)


@pytest.mark.parametrize("path", ["/admin/none", "/admin/jobs/a/b/c", "/administration", "/rest/none/x/y/z"])
async def test_what_is_no_resource_is_refused_in_the_envelope_of_its_dialect(asked: Asked, path: str) -> None:
    said = (await asked.clients["root"].post(path, data={"f": "json"})).json()
    if path.startswith("/admin/") and asked.house.server.settings.gp_admin == "server":
        assert said == {
            "status": "error",
            "messages": ["There is no such resource", f"/arcgis{path}"],
            "code": 404,
        }
    else:
        assert said["error"]["code"] == 404


def check(answer: httpx.Response, path: str) -> None:
    """What is true of every answer."""
    assert "Traceback" not in answer.text
    kind = answer.headers.get("content-type", "")
    if answer.is_redirect:
        return
    if kind.startswith("text/html"):
        assert answer.status_code in {200, 400, 401, 403, 404, 405}
        assert "<main>" in answer.text
    elif kind.startswith("application/json"):
        assert answer.status_code == 200
        check_envelope(answer.json(), oauth="/oauth2/" in path)
    else:
        assert answer.status_code == 200
        assert path.endswith("/log") or "/directories/" in path, (path, kind)


def check_envelope(said: Any, *, oauth: bool) -> None:
    """An answer of a dialect, or an error as one of them writes it."""
    if not isinstance(said, dict):
        assert isinstance(said, list)
    elif "error" in said:
        # OAuth 2 writes errors in its own way, besides.
        if not (oauth and isinstance(said["error"], str)):
            assert said["error"].keys() >= {"code", "message", "details"}
            assert said["error"]["code"] in CODES, said
            assert said["error"]["message"]
    elif said.get("status") == "error" and "code" in said:
        assert said.keys() == {"status", "messages", "code"}
        assert said["code"] in CODES | {500}, said
        assert said["messages"], said


async def test_resources_read_only_the_parameters_that_they_tell(asked: Asked, monkeypatch) -> None:
    read: set[str] = set()

    def noting(name: str) -> None:
        original = getattr(Parameters, name)

        def note(self: Parameters, parameter: str, *more: Any, **named: Any) -> Any:
            read.add(parameter)
            return original(self, parameter, *more, **named)

        monkeypatch.setattr(Parameters, name, note)

    for name in ("get", "all", "files"):
        noting(name)
    for resource in asked.resources:
        parts = {name: NAMED.get(name, ["default"])[0] for name in resource.param_convertors}
        for job in asked.jobs:
            for method in resource.takes:
                read.clear()
                path = resource.path.format(**{**parts, "job": job})
                await asked.clients["root"].request(
                    method, path, data={"f": "json"} if method == "POST" else None
                )
                # Tasks have parameters of their own, and what portals keep of people is refused by name.
                if resource.pattern.endswith("/update") or any(
                    each.startswith("(") for each in resource.parameters
                ):
                    continue
                assert read - {"f", "token", "csrf_token"} <= set(resource.parameters), resource.pattern
            if "job" not in parts:
                break
