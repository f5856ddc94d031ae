"""People sign in to the portal, in each way that the package ``arcgis`` knows."""

from functools import cache
from typing import Any

from arcgis.geoprocessing import import_toolbox
from arcgis.gis import GIS
from stories import GIVEN, refusal, tell

SERVER, PASSWORD = GIVEN["server"], GIVEN["password"]


@cache
def _signed_in(username: str) -> GIS:
    return GIS(SERVER, username, PASSWORD)


def _seen(gis: GIS) -> dict[str, Any]:
    me = gis.users.me
    return {
        "username": me.username,
        "fullName": me.fullName,
        "role": me.role,
        "privileges": list(me.privileges),
        "signed_in_with": type(gis.session.auth).__name__,
        "administration": type(gis.admin).__name__,
        "version": list(gis.version),
    }


def password_on_the_sign_in_page() -> Any:
    return _seen(_signed_in("admin"))


def password_for_a_token() -> Any:
    return _seen(GIS(SERVER, "admin", PASSWORD, use_gen_token=True))


def token_from_elsewhere() -> Any:
    return _seen(GIS(SERVER, token=GIVEN["token"]))


def somebody_who_is_no_administrator() -> Any:
    return _seen(_signed_in("ann"))


def program_with_an_id() -> Any:
    return _seen(GIS(SERVER, "ann", PASSWORD, client_id="map"))


def nobody() -> Any:
    gis = GIS(SERVER)
    return {"me": repr(gis.users.me), "administration": repr(gis.admin)}


def wrong_password_on_the_sign_in_page() -> Any:
    return refusal(lambda: GIS(SERVER, "bob", "wrong-horse-battery"))


def wrong_password_for_a_token() -> Any:
    return refusal(lambda: GIS(SERVER, "bob", "wrong-horse-battery", use_gen_token=True))


def wrong_token() -> Any:
    # The client goes on without one.
    return repr(GIS(SERVER, token="not-a-token").users.me)


def people_who_come_and_go() -> Any:
    gis = _signed_in("admin")
    kim = gis.users.create(
        username="kim",
        password=PASSWORD,
        firstname="Kim",
        lastname="Lee",
        email="kim@example.com",
        role="org_user",
    )
    created = {"username": kim.username, "fullName": kim.fullName, "role": kim.role}
    signed_in = GIS(SERVER, "kim", PASSWORD).users.me.username
    promoted = kim.update_role("org_publisher"), gis.users.get("kim").role
    found = sorted(each.username for each in gis.users.search())
    deleted = kim.delete()
    return {
        "created": created,
        "signed_in": signed_in,
        "promoted": promoted,
        "found": found,
        "deleted": deleted,
        "left": sorted(each.username for each in gis.users.search()),
        "signs_in_no_more": refusal(lambda: GIS(SERVER, "kim", PASSWORD)),
    }


def tool_of_the_portal() -> Any:
    gis = _signed_in("ann")
    tools = import_toolbox(f"{SERVER}/rest/services/Tests/Every/GPServer", gis=gis)
    return len(tools.parcels(count=3, gis=gis).features)


tell(
    password_on_the_sign_in_page,
    password_for_a_token,
    token_from_elsewhere,
    somebody_who_is_no_administrator,
    program_with_an_id,
    nobody,
    wrong_password_on_the_sign_in_page,
    wrong_password_for_a_token,
    wrong_token,
    people_who_come_and_go,
    tool_of_the_portal,
)
