"""Managing people over HTTP, and what a new password does to the tokens under the old one."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from milepost.security import Privilege, Role
from tests.running import PASSWORD
from tests.servers.house import House, anyio_backend, house, root
from tests.servers.talking import error_of, json_of

__all__ = ["anyio_backend", "house", "root"]

pytestmark = pytest.mark.anyio

USERS = "/sharing/rest/community/users"
SELF = "/sharing/rest/portals/self"
CREATE = "/admin/orgs/0123456789ABCDEF/security/users/createUser"
JSON = {"f": "json"}
NEW = {"username": "carl", "password": "long enough", "firstname": "Carl", "lastname": "Sagan", **JSON}


@pytest.fixture
async def carl(house: House, root: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who was let in a moment ago."""
    json_of(await root.post(CREATE, data={**NEW, "password": PASSWORD}))
    async with house.client("carl") as client:
        yield client
    if house.server.people.get("carl"):
        house.server.people.remove("carl")


async def token_of(client: httpx.AsyncClient, username: str, password: str) -> dict:
    form = {**JSON, "username": username, "password": password}
    return (await client.post("/sharing/rest/generateToken", data=form)).json()


@pytest.mark.parametrize("path", [CREATE, "/portaladmin/security/users/createUser"])
@pytest.mark.parametrize(
    ("role", "given"),
    [
        ("org_publisher", Role.PUBLISHER),
        ("iAAAAAAAAAAAAAAA", Role.VIEWER),
        ("org_admin", Role.ADMINISTRATOR),
        ("", Role.USER),
    ],
)
async def test_somebody_is_let_in(house, root, path, role, given):
    more = {"role": role, "email": "c@example.com", "userLicenseTypeId": "creatorUT", "provider": "arcgis"}
    # The ArcGIS API for Python takes "success" for a failure here.
    assert json_of(await root.post(path, data={**NEW, **more})) == {"status": "success", "username": "carl"}
    person = house.server.people.get("carl")
    assert (person.full_name, person.role) == ("Carl Sagan", given)
    assert (await token_of(root, "carl", "long enough"))["token"]
    error = error_of(await root.post(path, data=NEW))
    assert error["code"] == 400
    assert "already" in error["message"]
    assert json_of(await root.post(f"{USERS}/carl/delete", data=JSON)) == {
        "success": True,
        "username": "carl",
    }
    assert house.server.people.get("carl") is None
    assert (await token_of(root, "carl", "long enough"))["error"]["code"] == 400


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"username": ""}, "'username' must be specified."),
        ({"username": "", "password": ""}, "'username' must be specified.; 'password' must be specified."),
        ({"username": "two words"}, "cannot be a username"),
        ({"password": "short"}, "too short"),
        ({"role": "emperor"}, "Parameter 'role': there is no role 'emperor'"),
        ({"firstname": "x" * 300}, "full name"),
    ],
)
async def test_who_cannot_be_let_in(house, root, more, said):
    error = error_of(await root.post(CREATE, data={**NEW, **more}))
    assert error["code"] == 400
    assert said in error["message"]
    assert house.server.people.get("carl") is None


async def test_only_administrators_manage_people(house, root, carl):
    for path, form in {
        CREATE: NEW,
        "/portaladmin/security/users/createUser": NEW,
        f"{USERS}/ann/delete": {},
        f"{USERS}/ann/update": {"fullname": "Eve"},
        f"{USERS}/ann/reset": {"password": PASSWORD, "newPassword": "another password"},
        f"{USERS}/carl/update": {"password": "another password"},
        f"{SELF}/updateUserRole": {"user": "carl", "role": "org_admin"},
        f"{SELF}/updateuserrole": {"user": "carl", "role": "org_admin"},
        f"{SELF}/removeUsers": {"users": "ann"},
    }.items():
        error = error_of(await carl.post(path, data={**JSON, **form}))
        assert error["code"] == 403, path
        async with house.client() as nobody:
            assert error_of(await nobody.post(path, data={**JSON, **form}))["code"] == 499
        # What would be seen in a URL is not taken from one.
        assert error_of(await root.get(path, params={**JSON, **form}))["code"] == 405
    error = error_of(
        await carl.post(f"{USERS}/carl/update", data={**JSON, "grantedPrivileges": Privilege.SECURITY})
    )
    assert error["code"] == 403
    carl_now, ann_now = (house.server.people.get(name) for name in ("carl", "ann"))
    assert (carl_now.role, carl_now.granted) == (Role.USER, frozenset())
    assert ann_now.full_name == "ann"
    # A password in a URL is refused whoever sends it.
    assert house.server.people.authenticate("ann", PASSWORD)


async def test_people_change_their_own_name(house, carl):
    said = json_of(await carl.post(f"{USERS}/CARL/update", data={**JSON, "fullname": "C. E. Sagan"}))
    assert said == {"success": True, "username": "carl"}
    me = json_of(await carl.get("/sharing/rest/community/self", params=JSON))
    assert (me["fullName"], me["firstName"], me["lastName"]) == ("C. E. Sagan", "C.", "E. Sagan")
    json_of(await carl.post(f"{USERS}/carl/update", data={**JSON, "firstName": "Carl"}))
    assert house.server.people.get("carl").full_name == "Carl E. Sagan"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "nothing to change"),
        ({"description": "an astronomer"}, "Parameter 'description': this server does not keep it"),
        ({"fullname": "x" * 300}, "full name"),
        ({"fullname": "a\u0007b"}, "full name"),
        ({"password": "short"}, "too short"),
        ({"grantedPrivileges": "portal:admin:fly"}, "the privileges are"),
        ({"grantedPrivileges": "[1]"}, "Parameter 'grantedPrivileges'"),
        ({"grantedPrivileges": "["}, "Parameter 'grantedPrivileges'"),
    ],
)
async def test_changes_that_are_refused(house, root, carl, form, said):
    before = house.server.people.get("carl")
    error = error_of(await root.post(f"{USERS}/carl/update", data={**JSON, **form}))
    assert error["code"] == 400
    assert said in error["message"]
    assert house.server.people.get("carl") == before


async def test_privileges_are_granted(house, root, carl):
    assert error_of(await carl.get("/admin/jobs", params=JSON))["code"] == 403
    for text in (Privilege.UPDATE_CONTENT, json.dumps([Privilege.UPDATE_CONTENT])):
        form = {**JSON, "grantedPrivileges": text}
        assert json_of(await root.post(f"{USERS}/carl/update", data=form))["success"] is True
        # Tokens that were issued before carry them too.
        assert "jobs" in json_of(await carl.get("/admin/jobs", params=JSON))
        me = json_of(await carl.get("/sharing/rest/community/self", params=JSON))
        assert me["grantedPrivileges"] == [Privilege.UPDATE_CONTENT]
        assert Privilege.UPDATE_CONTENT in me["privileges"]
    json_of(await root.post(f"{USERS}/carl/update", data={**JSON, "grantedPrivileges": "[]"}))
    assert error_of(await carl.get("/admin/jobs", params=JSON))["code"] == 403


@pytest.mark.parametrize("path", [f"{SELF}/updateUserRole", f"{SELF}/updateuserrole"])
async def test_roles_are_changed(house, root, carl, path):
    assert error_of(await carl.get("/admin/jobs", params=JSON))["code"] == 403
    form = {**JSON, "user": "carl", "role": "org_publisher"}
    assert json_of(await root.post(path, data=form)) == {"success": True}
    assert "jobs" in json_of(await carl.get("/admin/jobs", params=JSON))
    error = error_of(await root.post(path, data={**form, "user": "nobody"}))
    assert "nobody named" in error["message"]
    assert "no role" in error_of(await root.post(path, data={**form, "role": "x"}))["message"]


async def test_the_last_administrator_stays(house, root):
    for path, form in {
        f"{USERS}/root/delete": {},
        f"{SELF}/updateUserRole": {"user": "root", "role": "org_user"},
    }.items():
        error = error_of(await root.post(path, data={**JSON, **form}))
        assert error["code"] == 400
        assert "last administrator" in error["message"]
    said = json_of(await root.post(f"{SELF}/removeUsers", data={**JSON, "users": "root"}))
    assert [each["username"] for each in said["notRemoved"]] == ["root"]
    assert house.server.people.get("root").role is Role.ADMINISTRATOR


async def test_several_people_are_removed(house, root, carl):
    form = {**JSON, "users": "carl, nobody,"}
    said = json_of(await root.post(f"{SELF}/removeUsers", data=form))
    assert [each["username"] for each in said["notRemoved"]] == ["nobody"]
    assert error_of(await carl.get("/sharing/rest/community/self", params=JSON))["code"] == 498


async def test_a_new_password_voids_the_tokens_under_the_old_one(house, root, carl):
    error = error_of(
        await carl.post(f"{USERS}/carl/reset", data={**JSON, "password": "x", "newPassword": "y"})
    )
    assert error["details"] == ["Invalid username or password."]
    error = error_of(await carl.post(f"{USERS}/carl/reset", data=JSON))
    assert error["message"] == "'password' must be specified.; 'newPassword' must be specified."
    form = {**JSON, "password": PASSWORD, "newPassword": "short"}
    assert "too short" in error_of(await carl.post(f"{USERS}/carl/reset", data=form))["message"]
    assert json_of(await carl.get("/sharing/rest/community/self", params=JSON))
    form = {**JSON, "password": PASSWORD, "newPassword": "a better password"}
    assert json_of(await carl.post(f"{USERS}/carl/reset", data=form)) == {"success": True, "username": "carl"}
    error = error_of(await carl.get("/sharing/rest/community/self", params=JSON))
    assert (error["code"], error["message"]) == (498, "Invalid Token")
    assert "error" in await token_of(root, "carl", PASSWORD)
    token = (await token_of(root, "carl", "a better password"))["token"]
    # An administrator gives another one without knowing the present one.
    json_of(await root.post(f"{USERS}/carl/update", data={**JSON, "password": "the best password"}))
    error = error_of(await carl.get("/sharing/rest/community/self", params={**JSON, "token": token}))
    assert error["code"] == 498
    assert (await token_of(root, "carl", "the best password"))["token"]


async def test_guessing_the_present_password_is_slowed_down_too(house):
    house.server.people.add("gus", PASSWORD)  # guesses are remembered by name
    form = {**JSON, "password": "a guess", "newPassword": "another password"}
    async with house.client("gus") as gus:
        said = [error_of(await gus.post(f"{USERS}/gus/reset", data=form)) for _ in range(8)]
    assert any("Too many failed sign-ins" in each["details"][0] for each in said)
    assert all(each["code"] == 400 for each in said)


async def test_passwords_are_nowhere_in_the_log(root, carl, capsys):
    json_of(await root.post(f"{USERS}/carl/update", data={**JSON, "password": "the secret password"}))
    said = "".join(capsys.readouterr())
    assert "person changed" in said
    assert "the secret password" not in said


async def test_the_pages_have_the_forms_for_those_who_may(root, carl):
    page = (await carl.get(f"{USERS}/carl")).text
    assert f'action="/arcgis{USERS}/carl/update"' in page
    assert f'action="/arcgis{USERS}/carl/reset"' in page
    assert "/delete" not in page
    assert "<form" not in (await carl.get(f"{USERS}/ann")).text
    page = (await root.get(f"{USERS}/carl")).text
    assert f'action="/arcgis{USERS}/carl/delete"' in page
    assert 'autocomplete="new-password"' in page
    assert "createUser" in (await root.get(USERS)).text
    assert "createUser" not in (await carl.get(USERS)).text
