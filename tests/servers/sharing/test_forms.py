"""Forms of a session: those of our own pages work, and those of other pages do not."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from milepost.http import COOKIE_NAME, Resource
from tests.running import PASSWORD
from tests.servers.house import House, ann, anyio_backend, house, opened, root
from tests.servers.talking import error_of, json_of

__all__ = ["ann", "anyio_backend", "house", "root"]

pytestmark = pytest.mark.anyio

UPDATE = "/sharing/rest/community/users/ann/update"
SUBMIT = "/rest/services/Tests/Small/GPServer/shout/submitJob"
JSON = {"f": "json"}

# What browsers say of a form on our own pages, which tell nobody where they are.
OWN = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
PAGES_OF_OTHERS = [
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://other.example.com"},
    {"Origin": "http://gis.example.com:8080"},
    {"Origin": "null"},
]


@pytest.fixture
async def browser(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which ann has signed in."""
    async with house.client() as client:
        form = {"username": "ann", "password": PASSWORD}
        entered = await client.post("/login", data=form, headers=OWN)
        assert entered.status_code == 303, entered.text
        assert COOKIE_NAME in client.cookies
        yield client


async def token_of(browser: httpx.AsyncClient, path: str = "/sharing/rest/community/users/ann") -> str:
    """What the forms of a page hold; every one of them the same."""
    page = (await browser.get(path)).text
    found = set(re.findall(r'name="csrf_token" value="(\w{64})"', page))
    assert len(found) == 1, page
    assert page.count('name="csrf_token"') == page.count("<form ")
    return found.pop()


async def test_forms_of_our_own_work(house, browser):
    form = {"fullname": "Ann A.", "csrf_token": await token_of(browser)}
    for headers in (OWN, {"Origin": "null"}, {"Origin": "http://gis.example.com"}):
        for parts in ({"data": form}, {"files": {name: (None, text) for name, text in form.items()}}):
            answer = await browser.post(UPDATE, headers=headers, **parts)
            assert answer.status_code == 200, answer.text
    assert house.server.people.get("ann").full_name == "Ann A."


@pytest.mark.parametrize("headers", [*PAGES_OF_OTHERS, OWN, {"Sec-Fetch-Site": "same-origin"}])
@pytest.mark.parametrize("token", ["", "x", "0" * 64, "ü"])
async def test_without_what_the_page_holds_nothing_is_changed(house, browser, headers, token):
    before = house.server.people.get("ann")
    for more in ({}, JSON):
        form = {"fullname": "Eve", "csrf_token": token, **more}
        answer = await browser.post(UPDATE, data=form, headers=headers)
        if more:
            assert error_of(answer)["code"] == 403
        else:
            assert answer.status_code == 403
            assert "reload the page" in answer.text
    assert house.server.people.get("ann") == before


async def test_what_another_session_holds_is_no_good(house, browser):
    async with house.client() as other:
        await other.post("/login", data={"username": "bob", "password": PASSWORD})
        form = {"fullname": "Eve", "csrf_token": await token_of(other)}
    answer = await browser.post(UPDATE, data=form, headers=OWN)
    assert answer.status_code == 403
    await browser.post("/login", data={"username": "ann", "password": PASSWORD})
    assert form["csrf_token"] != await token_of(browser)


async def test_every_resource_that_changes_something_asks_for_it(house, browser):
    """By POST, and by GET from pages of others."""
    asked = 0
    for resource in house.server.routes():
        assert isinstance(resource, Resource)
        if not re.search(
            r"/(submitJob|execute|cancel|delete|upload|update\w*|reset|remove\w*|createUser|pause|resume|logout)$",
            resource.path,
            re.IGNORECASE,
        ):
            continue
        asked += 1
        path = re.sub(r"{\w+}", "Nothing", resource.path)
        error = error_of(await browser.post(path, data=JSON, headers=PAGES_OF_OTHERS[0]))
        assert (error["code"], "page of your session" in error["message"]) == (403, True), path
        if "GET" in resource.takes:
            error = error_of(await browser.get(path, params=JSON, headers={"Sec-Fetch-Site": "cross-site"}))
            assert (error["code"], "page of your session" in error["message"]) == (403, True), path
    assert asked > 20


async def test_programs_that_carry_the_cookie_go_on_as_ever(browser):
    for ask in (browser.get, browser.post):
        key = "params" if ask == browser.get else "data"
        answer = json_of(await ask(SUBMIT, **{key: {**JSON, "text": "quiet"}}))
        assert answer["jobStatus"] == "esriJobSubmitted"
    # So does a URL that somebody types.
    typed = {"Sec-Fetch-Site": "none"}
    assert json_of(await browser.get(SUBMIT, params={**JSON, "text": "quiet"}, headers=typed))["jobId"]


async def test_whoever_sends_the_token_otherwise_needs_nothing_else(house, ann):
    """Pages of others too: they were given it."""
    for headers in PAGES_OF_OTHERS:
        answer = json_of(await ann.post(SUBMIT, data={**JSON, "text": "quiet"}, headers=headers))
        assert answer["jobId"]
    token = ann.headers["X-Esri-Authorization"].removeprefix("Bearer ")
    async with house.client() as nobody:
        form = {**JSON, "text": "quiet", "token": token}
        assert json_of(await nobody.post(SUBMIT, data=form, headers=PAGES_OF_OTHERS[0]))["jobId"]


async def test_pages_that_the_settings_name_act_for_people(tmp_path):
    async with opened(tmp_path, cors=("https://maps.example.com",)) as house, house.client() as browser:
        await browser.post("/login", data={"username": "ann", "password": PASSWORD})
        headers = {"Origin": "https://maps.example.com", "Sec-Fetch-Site": "same-site"}
        assert json_of(await browser.post(SUBMIT, data={**JSON, "text": "quiet"}, headers=headers))["jobId"]
        headers["Origin"] = "https://evil.example.com"
        error = error_of(await browser.post(SUBMIT, data={**JSON, "text": "quiet"}, headers=headers))
        assert error["code"] == 403


@pytest.mark.parametrize("headers", PAGES_OF_OTHERS[:3])
async def test_nobody_is_signed_in_by_a_page_of_others(house, headers):
    async with house.client() as client:
        form = {"username": "ann", "password": PASSWORD}
        answer = await client.post("/login", data=form, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


async def test_signing_out_ends_the_session(browser):
    assert "Sign out" in (await browser.get("/rest")).text
    cookie = browser.cookies[COOKIE_NAME]
    assert (await browser.post("/logout", headers=PAGES_OF_OTHERS[0])).status_code == 403
    form = {"csrf_token": await token_of(browser, "/rest")}
    answer = await browser.post("/logout", data=form, headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/arcgis/login")
    assert COOKIE_NAME not in browser.cookies
    assert "Sign out" not in (await browser.get("/rest")).text
    error = error_of(await browser.get("/rest/services", params={**JSON, "token": cookie}))
    assert (error["code"], error["message"]) == (498, "Invalid Token")


async def test_without_a_session_there_is_nothing_to_prove(house, root):
    async with house.client() as nobody:
        assert "csrf_token" not in (await nobody.get("/login")).text
    assert "csrf_token" not in (await root.get("/sharing/rest/community/users/ann")).text


async def test_a_post_to_the_admin_api_may_have_to_hold_its_token(tmp_path):
    async with opened(tmp_path, strict_post_token=True) as house, house.client("root") as root:
        token = root.headers["X-Esri-Authorization"].removeprefix("Bearer ")
        for path in ("/admin", "/admin/jobs"):
            for query in ({}, {"token": token}):
                said = json_of(await root.post(path, params=query, data=JSON))
                assert said == {"error": {"code": 499, "message": "Token Required.", "details": None}}
            assert "error" not in json_of(await root.post(path, data={**JSON, "token": token}))
            assert "error" not in json_of(await root.get(path, params=JSON))
        # Elsewhere the documents say nothing of the kind.
        assert json_of(await root.post("/rest/services", data=JSON))["services"]
        form = {**JSON, "username": "root", "password": PASSWORD}
        assert json_of(await root.post("/admin/generateToken", data=form))["token"]


async def test_the_admin_api_takes_tokens_from_everywhere_otherwise(root):
    assert "jobs" in json_of(await root.post("/admin/jobs", data=JSON))


async def test_a_token_bound_to_a_page_is_refused_to_others_when_that_is_set(tmp_path):
    async with opened(tmp_path, strict_referer=True) as house, house.client() as nobody:
        form = {
            **JSON,
            "username": "root",
            "password": PASSWORD,
            "client": "referer",
            "referer": "https://maps.example.com/app",
        }
        bound = {
            "f": "json",
            "token": json_of(await nobody.post("/sharing/rest/generateToken", data=form))["token"],
        }
        for referer in ("https://maps.example.com/", "https://maps.example.com:443/other"):
            assert "jobs" in json_of(
                await nobody.get("/admin/jobs", params=bound, headers={"Referer": referer})
            )
        assert "jobs" in json_of(await nobody.get("/admin/jobs", params=bound))
        refused = await nobody.get("/admin/jobs", params=bound, headers={"Referer": "https://evil.example/"})
        assert (error_of(refused)["code"], error_of(refused)["message"]) == (498, "Invalid Token")
