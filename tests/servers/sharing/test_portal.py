"""What clients ask a portal before anything else."""

import pytest

from milepost.security import PRIVILEGES_OF, Role
from tests.servers.house import House, ann, anyio_backend, house, opened, root
from tests.servers.talking import error_of, json_of

__all__ = ["ann", "anyio_backend", "house", "root"]

pytestmark = pytest.mark.anyio

SELF = "/sharing/rest/portals/self"
JSON = {"f": "json"}


async def test_anybody_may_ask_what_the_portal_is(house: House):
    async with house.client() as nobody:
        for answer in (await nobody.get(SELF, params=JSON), await nobody.post(SELF, data=JSON)):
            portal = json_of(answer)
            assert portal["id"] == "0123456789ABCDEF"
            assert portal["name"]
            assert portal["portalName"]
            assert (portal["isPortal"], portal["portalMode"]) == (True, "singletenant")
            assert portal["helperServices"] == {}
            assert all(part.isdigit() for part in portal["currentVersion"].split("."))
            assert portal["allSSL"] is False
            assert "user" not in portal
        assert json_of(await nobody.get("/sharing/rest/portals/0123456789ABCDEF", params=JSON)) == portal
        assert error_of(await nobody.get("/sharing/rest/portals/other", params=JSON))["code"] == 404


async def test_a_token_says_who_asks_and_one_that_is_no_good_is_told(house, ann):
    assert json_of(await ann.get(SELF, params=JSON))["user"]["username"] == "ann"
    async with house.client() as nobody:
        error = error_of(await nobody.get(SELF, params={**JSON, "token": "x"}))
        assert (error["code"], error["message"]) == (498, "Invalid Token")
        for nothing in ("", "None"):
            headers = {"X-Esri-Authorization": f"Bearer {nothing}"}
            assert "user" not in json_of(await nobody.get(SELF, params=JSON, headers=headers))


async def test_the_flavour_of_the_admin_api_is_told(house, tmp_path):
    async with house.client() as nobody:
        portal = json_of(await nobody.get(SELF, params=JSON))
        assert portal["portalDeploymentType"] == "ArcGISEnterpriseOnKubernetes"
    async with opened(tmp_path, gp_admin="server") as other, other.client() as nobody:
        assert "portalDeploymentType" not in json_of(await nobody.get(SELF, params=JSON))


async def test_servers_of_each_kind_are_found(ann):
    for portal in ("self", "0123456789ABCDEF"):
        found = json_of(await ann.post(f"/sharing/rest/portals/{portal}/servers", data=JSON))["servers"]
        where = {each["serverType"]: each["url"] for each in found}
        base = "http://gis.example.com/arcgis"
        assert where == {
            "ArcGIS": base,
            "ARCGIS_MISSION_SERVER": f"{base}/mission",
            "ARCGIS_VIDEO_SERVER": f"{base}/video",
        }
        assert all(each["adminUrl"] == each["url"] for each in found)
        assert {each["serverFunction"] for each in found} == {"", "MissionServer", "VideoServer"}
    for path in ("/mission", "/video"):
        # Clients put this after the address, people just open it.
        assert json_of(await ann.get(f"{path}/rest/jobs", params=JSON))
        assert (await ann.get(path)).headers["location"] == f"/arcgis{path}/rest"


async def test_roles(ann):
    listed = json_of(await ann.post(f"{SELF}/roles", data={**JSON, "start": 1, "num": 100}))
    assert (listed["num"], listed["nextStart"]) == (1, -1)
    viewer = listed["roles"][0]
    assert viewer["name"] == "Viewer"
    for role, identifier in (
        (Role.VIEWER, viewer["id"]),
        (Role.VIEWER, "org_viewer"),
        (Role.PUBLISHER, "org_publisher"),
    ):
        said = json_of(await ann.post(f"{SELF}/roles/{identifier}/privileges", data=JSON))
        assert set(said["privileges"]) == PRIVILEGES_OF[role]
    assert error_of(await ann.post(f"{SELF}/roles/none/privileges", data=JSON))["code"] == 404


async def test_community_self_is_for_those_with_a_token(house, ann):
    me = json_of(await ann.get("/sharing/rest/community/self", params=JSON))
    assert me["username"] == "ann"
    assert (me["role"], me["roleId"], me["level"], me["userLicenseTypeId"]) == (
        "org_user",
        "org_user",
        "2",
        "creatorUT",
    )
    assert set(me["privileges"]) == PRIVILEGES_OF[Role.USER]
    assert me["groups"] == []
    assert me["created"] > 1_700_000_000_000
    # Or else a wrong password would sign somebody in with rest-js.
    async with house.client() as nobody:
        error = error_of(await nobody.post("/sharing/rest/community/self", data=JSON))
        assert (error["code"], error["message"]) == (499, "Token Required")


async def test_administrators_have_a_privilege_that_clients_know_them_by(root):
    me = json_of(await root.get("/sharing/rest/community/users/root", params=JSON))
    assert me["role"] == "org_admin"
    assert any(":admin:" in each for each in me["privileges"])


async def test_a_viewer_has_the_role_that_clients_can_give(house):
    async with house.client("vera") as vera:
        me = json_of(await vera.get("/sharing/rest/community/self", params=JSON))
        assert (me["role"], me["roleId"], me["level"], me["userLicenseTypeId"]) == (
            "org_viewer",
            "iAAAAAAAAAAAAAAA",
            "1",
            "viewerUT",
        )


async def test_somebody_is_looked_up(ann):
    assert json_of(await ann.get("/sharing/rest/community/users/bob", params=JSON))["username"] == "bob"
    assert json_of(await ann.post("/sharing/rest/community/users/BOB", data=JSON))["username"] == "bob"
    for name in ("nobody", "a%20b", "%3Cscript%3E", "x" * 1000):
        error = error_of(await ann.get(f"/sharing/rest/community/users/{name}", params=JSON))
        assert (error["code"], error["message"]) == (400, "User does not exist or is inaccessible.")


async def names(client, path="/sharing/rest/community/users", **more):
    found = json_of(await client.post(path, data={**JSON, **more}))
    return [each["username"] for each in found.get("results") or found.get("users") or []]


async def test_everybody_is_listed_in_pages(ann):
    everybody = ["ann", "bob", "pat", "root", "vera"]
    first = json_of(await ann.get(f"{SELF}/users", params={**JSON, "start": 1, "num": 2}))
    assert [each["username"] for each in first["users"]] == everybody[:2]
    assert (first["total"], first["start"], first["num"], first["nextStart"]) == (5, 1, 2, 3)
    assert await names(ann, f"{SELF}/users", start=3, num=100) == everybody[2:]
    last = json_of(await ann.get(f"{SELF}/users", params={**JSON, "start": 5, "num": 1}))
    assert last["nextStart"] == -1
    # How a client asks for what follows the last page.
    assert await names(ann, start=-1, num=10) == []
    assert json_of(await ann.post(f"{SELF}/users", data={**JSON, "num": 0}))["total"] == 5
    assert await names(ann, sortField="username", sortOrder="DESC") == everybody[::-1]
    assert await names(ann, f"{SELF}/users", role="org_admin") == ["root"]
    assert await names(ann, userLicenseType="viewerUT") == ["vera"]
    counts = json_of(await ann.get(f"{SELF}/users/counts", params={**JSON, "type": "role"}))["results"]
    assert {each["key"]: each["count"] for each in counts} == {
        "org_admin": 1,
        "org_publisher": 1,
        "org_user": 2,
        "iAAAAAAAAAAAAAAA": 1,
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("ann", ["ann"]),
        ("A", ["ann", "pat", "vera"]),
        ("username:b*", ["bob"]),
        ("username:bo", []),
        ('fullname:"vera"', ["vera"]),
        ("role:org_user", ["ann", "bob"]),
        ("role:org_user NOT ann", ["bob"]),
        ("ann OR bob AND role:org_admin", ["ann"]),
        ("(ann OR bob) AND role:org_user accountid:0123456789ABCDEF", ["ann", "bob"]),
        ("ann accountid:other", []),
        ("[ab]nn", []),
        ("?nn", []),
        ("*", ["ann", "bob", "pat", "root", "vera"]),
        ("", ["ann", "bob", "pat", "root", "vera"]),
    ],
)
async def test_people_are_searched_for(ann, query, found):
    assert await names(ann, q=query) == found
    assert await names(ann, f"{SELF}/users/search", q=query) == found


@pytest.mark.parametrize(
    "query",
    ["(ann", "ann)", "AND", "ann OR", "NOT", "()", '"ann', "planet:mars", "x" * 2001, "(" * 100 + ")" * 100],
)
async def test_queries_that_cannot_be_understood(ann, query):
    error = error_of(await ann.post("/sharing/rest/community/users", data={**JSON, "q": query}))
    assert error["code"] == 400
    assert error["message"].startswith("Parameter 'q': ")


@pytest.mark.parametrize(
    ("name", "value"),
    [("start", "x"), ("num", "-1"), ("sortField", "shoes"), ("role", "emperor")],
)
async def test_lists_name_the_parameter_that_makes_no_sense(ann, name, value):
    error = error_of(await ann.post(f"{SELF}/users", data={**JSON, name: value}))
    assert error["code"] == 400
    assert f"Parameter '{name}'" in error["message"]


async def test_what_clients_ask_before_they_add_change_or_remove_somebody(root):
    assert json_of(await root.get(f"{SELF}/userDefaultSettings", params=JSON))["role"] == "org_user"
    config = json_of(await root.get("/portaladmin/security/config", params=JSON))
    assert config == {"defaultRoleForUser": "org_user", "defaultUserTypeIdForUser": "creatorUT"}
    items = json_of(await root.get("/sharing/rest/content/users/ann", params={**JSON, "num": 50}))
    assert (items["items"], items["folders"]) == ([], [])
    assert json_of(await root.get(f"{SELF}/purchases", params=JSON)) == {"purchases": []}
    assert json_of(await root.get(f"{SELF}/appBundles", params=JSON))["nextStart"] == -1
    assert json_of(await root.get("/sharing/rest/portals/languages", params=JSON))[0]["culture"] == "en"
    assert "region" in json_of(await root.get("/sharing/rest/portals/regions", params=JSON))[0]
    # One client doubles a slash.
    assert json_of(await root.get("/sharing/rest//portals/self/users", params=JSON))["total"] == 5
