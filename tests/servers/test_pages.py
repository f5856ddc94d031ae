"""Somebody with a browser gets from the front page to every resource, and back."""

import re
from collections.abc import AsyncIterator
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from milepost.features import Definition, GeometryType, Layer
from milepost.http import Resource
from milepost.jobs import Job, Status
from tests.servers.browsing import Page, page_of
from tests.servers.house import House, anyio_backend, opened, root
from tests.servers.video.made import make_layer, make_service, make_upload

__all__ = ["anyio_backend", "root"]

pytestmark = pytest.mark.anyio

FRONT = "/arcgis/rest"
SITE = "http://gis.example.com"

FOR_PROGRAMS = {
    "/rest/services/[{folder}/]{service}/GPServer/{task}/execute",  # people submit jobs
    "/rest/services/[{folder}/]{service}/GPServer/uploads/{upload}",  # its page comes with the upload
    "/rest/services/[{folder}/]{service}/GPServer/uploads/{upload}/delete",
    "/rest/services/[{folder}/]{service}.GPServer/jobs/{job}",  # a second way to the same
    "/rest/services/[{folder}/]{service}/FeatureServer/{layer}/{feature}",  # the query shows it
    "/mission/rest/info",
    "/mission/rest/missions/{mission}",
    "/mission/rest/missions/{mission}/delete",
    "/mission/rest/missions/{mission}/addReport",
    "/mission/rest/services/{mission}/MissionServer/reports/add",
    "/mission/rest/services/{mission}/delete",
    "/video/admin/generateToken",
    "/video/admin/info",
    "/video/rest/info",
    "/video/rest/services/{service}/addLayer",
    "/sharing/rest/content/users/{username}/createService",
    "/video/rest/services/{service}/VideoServer/{layer}/clips/{export}/{file}",  # answered to who asks for them
    "/video/rest/services/{service}/VideoServer/{layer}/framesets/{export}",
    "/video/rest/services/{service}/VideoServer/{layer}/framesets/{export}/{file}",
    "/video/player/{version}/{file}",  # parts of the pages of layers
    "/video/rest/jobs/{job}",
    "/video/rest/jobs/{job}/cancel",
    "/rest/services/[{folder}/]{service}/TopographicProductionServer/jobs/job",
    "/rest/services/[{folder}/]{service}/TopographicProductionServer/jobs/products",
    "/admin/generateToken",
    "/admin/orgs/0123456789ABCDEF/security/users/createUser",
    "/sharing/oauth2/approval",  # programs send people to these, and nobody else does
    "/sharing/oauth2/signin",
    "/sharing/rest/oauth2/authorize",
    "/sharing/rest/oauth2/revokeToken",
    "/sharing/rest/oauth2/signin",
    "/sharing/rest/oauth2/token",
    "/sharing/rest/content/users/{username}",
    "/sharing/rest/portals/languages",
    "/sharing/rest/portals/regions",
    "/sharing/rest/portals/{portal}/appBundles",
    "/sharing/rest/portals/{portal}/purchases",
    "/sharing/rest/portals/{portal}/removeUsers",
    "/sharing/rest/portals/{portal}/roles/{role}/privileges",
    "/sharing/rest/portals/{portal}/updateuserrole",
    "/sharing/rest/portals/{portal}/userDefaultSettings",
    "/sharing/rest/portals/{portal}/users/counts",
    "/sharing/rest/portals/{portal}/users/search",
    "/sharing/rest/content/users/{username}/{folder}",
    "/mission/rest/services/addMission",
    "/admin/services/createService",
    "/admin/services/{folder}/createService",
    "/admin/services/[{folder}/]{service}.{type}/changeProvider",
    "/admin/services/properties",
    "/admin/services/types",
    "/admin/services/types/extensions",
    "/admin/services/types/providers",
    "/admin/system/properties",
    "/admin/system/properties/update",
    "/logout",  # once there is a session to end
}
"""Resources that no page leads to, since people have no use for them."""


TOWN = Definition(owner="root", layers=(Layer(name="Trees", geometry=GeometryType.POINT, fields=()),))


class Visit:
    """All pages that somebody can get to from the front page."""

    def __init__(self, house: House, client: httpx.AsyncClient):
        self._client = client
        self._resources = [each for each in house.server.routes() if isinstance(each, Resource)]
        self.pages: dict[str, Page] = {}
        self.reached: set[str] = set()

    def resource(self, path: str) -> Resource | None:
        """The resource at a path."""
        below = path.removeprefix("/arcgis")
        return next((each for each in self._resources if each.path_regex.fullmatch(below)), None)

    async def go(self) -> None:
        """Look at everything."""
        waiting = [FRONT]
        while waiting:
            url = waiting.pop()
            path = urlsplit(url).path
            if path in self.pages or not path.startswith("/arcgis") or path == "/arcgis/logout":
                continue
            answer = await self._client.get(urljoin(SITE, url))
            found = self.resource(path)
            if found is not None:
                self.reached.add(found.pattern)
            if answer.is_redirect:
                waiting.append(urljoin(url, answer.headers["location"]))
                continue
            assert found is not None, url
            if "text/html" not in answer.headers["content-type"]:
                assert answer.status_code == 200, url
                continue
            try:
                page = self.pages[path] = page_of(answer)
            except AssertionError as error:
                raise AssertionError(url) from error
            waiting += [urljoin(url, str(each["href"])) for each in page.all("a")]
            for form in page.all("form"):
                action = urljoin(url, str(form["action"]))
                target = self.resource(urlsplit(action).path)
                assert target is not None, action
                assert str(form["method"]).upper() in target.takes, action
                self.reached.add(target.pattern)
                if form["method"] == "get":
                    waiting.append(action)


@pytest.fixture(scope="module", params=["kubernetes", "server"])
async def house(request, tmp_path_factory) -> AsyncIterator[House]:
    async with opened(tmp_path_factory.mktemp("pages"), gp_admin=request.param) as house:
        yield house


@pytest.fixture(scope="module")
async def jobs(house: House, root: httpx.AsyncClient) -> list[Job]:
    """Jobs of every dialect, ended and at work."""
    upload_id, path = house.manager.start_upload("words.txt")
    path.write_text("words")
    house.manager.finish_upload(upload_id, path, owner="root", service_type="GPServer")
    sheet = {"productVersion": "1", "aoiLayer": "https://x/0", "aoiFeatureId": 1, "outputType": "PDF"}
    layer = {"serviceItemId": "4a", "requestedResolutions": "hd"}
    ended = [
        await house.run("Tests/Small.GPServer", "shout", text="quiet"),
        await house.run("Tests/Small.GPServer", "write", text="words"),
        await house.run("Mission.MissionServer", "add_mission"),
        await house.run(
            "SampleService.TopographicProductionServer", "generate_product", productName="A", **sheet
        ),
        await house.run("Video.VideoServer", "add_layer", **layer),
    ]
    mission = {"mission_id": "ab" * 16, "username": "root", "plan": '{"title": "Flood"}'}
    owner = {"owner": "root"}
    ended += [
        await house.run("Mission.MissionServer", "create_mission", **mission),
        await house.run("System/Safety.SystemServer", "create_backup", backup="first", **owner),
        await house.run("System/Health.SystemServer", "run_health_check", **owner),
    ]
    stopped = await root.post("/admin/services/Field/Drill.MissionServer/stop", data={"f": "json"})
    assert stopped.json() == {"status": "success"}
    going = [
        await house.submit("Tests/Small.GPServer", "last"),
        await house.submit("Mission.MissionServer", "wait"),
        await house.submit(
            "SampleService.TopographicProductionServer", "generate_product", productName="waits", **sheet
        ),
        await house.submit("Video.VideoServer", "stream"),
        await house.submit(
            "SampleService.TopographicProductionServer", "generate_product", productName="waits", **sheet
        ),
    ]
    house.server.features.create("Maps/Town", TOWN)
    make_layer(house.server, make_service(house.server, "Flights", "root"))
    make_upload(house.server, "root")
    make_upload(house.server, "root", committed=False)
    jobs = [
        *ended,
        *[await house.until(each, lambda job: job.status is Status.EXECUTING) for each in going],
    ]
    await house.manager.pause(going[-1].id, "root")
    await house.until(going[-1], lambda job: job.status is Status.PAUSED)
    return jobs


@pytest.fixture(scope="module")
async def visit(house: House, jobs: list[Job], root: httpx.AsyncClient) -> Visit:
    visit = Visit(house, root)
    await visit.go()
    return visit


async def test_every_link_leads_to_a_page_and_every_resource_has_one(house, visit):
    patterns = {each.pattern for each in house.server.routes() if isinstance(each, Resource)}
    missed = sorted(patterns - visit.reached)
    assert missed == sorted(each for each in FOR_PROGRAMS if each in patterns), missed


async def test_behind_a_proxy_that_has_a_path_of_its_own_links_keep_it(root, jobs):
    headers = {"X-Forwarded-Prefix": "/maps", "X-Forwarded-Proto": "https"}
    paths = [
        "/rest",
        "/rest/services/Tests",
        "/mission/rest/jobs",
        f"/admin/jobs/{jobs[2].id}",
        "/admin/none",
    ]
    for path in paths:
        page = Page((await root.get(path, headers=headers)).text)
        links = [str(each["href"]) for each in page.all("a")] + [
            str(each["action"]) for each in page.all("form")
        ]
        assert links, path
        for link in links:
            assert urlsplit(urljoin(f"https://gis.example.com/maps/arcgis{path}", link)).path.startswith(
                "/maps/"
            ), link
    front = await root.get(SITE, headers=headers)
    assert front.headers["location"] == "/maps/arcgis/rest"
    nobody = await root.get("/rest/services", headers={**headers, "X-Esri-Authorization": ""})
    assert nobody.headers["location"] == "/maps/arcgis/login?next=/maps/arcgis/rest/services"


async def test_every_page_shows_the_way_up(visit):
    for path, page in visit.pages.items():
        if path == FRONT or path == "/arcgis/login":
            continue
        crumbs = [each for each in page.all("nav") if each.get("aria-label") == "Breadcrumbs"]
        assert crumbs, path
        assert any(each.get("href") == FRONT for each in page.all("a")), path


async def test_every_page_leads_to_the_same_content_for_programs(visit, root):
    for path, page in visit.pages.items():
        links = {str(each["href"]) for each in page.all("a")}
        if path == "/arcgis/login":
            continue
        assert {f"{path}?f=json", f"{path}?f=pjson"} <= links, path
        plain = await root.get(f"{SITE}{path}?f=json")
        pretty = await root.get(f"{SITE}{path}?f=pjson")
        assert plain.headers["content-type"] == "application/json;charset=UTF-8", path
        assert re.match(r"[{\[]", plain.text), path
        if path.endswith("/jobs") or "/job" not in path:
            assert plain.json().keys() == pretty.json().keys(), path


async def test_the_page_of_a_query_leads_to_the_same_query_without_its_secrets(house, jobs):
    path = "/rest/services/SampleService/TopographicProductionServer/jobs/query"
    async with house.client("root") as root:
        token = root.headers.pop("X-Esri-Authorization").removeprefix("Bearer ")
        asked = {"status": "4", "msgLevel": "info", "f": "html", "token": token}
        page = page_of(await root.get(path, params=asked))
    links = {str(each["href"]) for each in page.all("a")}
    assert f"/arcgis{path}?status=4&msgLevel=info&f=json" in links
    assert not any(token in link for link in links)


async def test_what_a_form_did_is_linked_nowhere(house, root):
    job = await house.submit("Mission.MissionServer", "wait")
    path = f"/mission/rest/jobs/{job.id}/cancel"
    page = page_of(await root.post(path))
    assert "success" in page.text
    assert not any("cancel" in str(each["href"]) for each in page.all("a"))
    await house.manager.finished(job.id)
