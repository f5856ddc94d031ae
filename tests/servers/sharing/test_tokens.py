"""Getting a token, and every way to carry one."""

import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest

from milepost.http.gate import COOKIE_NAME
from tests.running import PASSWORD, RunningServer
from tests.servers.talking import EVERY, client_of, error_of, json_of

GENERATE = "/sharing/rest/generateToken"
GOOD = {"username": "admin", "password": PASSWORD, "f": "json"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of its own: failing sign-ins are remembered."""
    with RunningServer(
        tmp_path_factory.mktemp("door") / "data", "tests/servers/operations.py", options=("--host", "0.0.0.0")
    ) as running:
        running.address = running.address.replace("0.0.0.0", "127.0.0.1")
        yield running


@pytest.fixture(scope="module")
def anyone(door: RunningServer) -> Iterator[httpx.Client]:
    with client_of(door) as client:
        yield client


def token_of(anyone: httpx.Client, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json_of(anyone.post(GENERATE, data={**GOOD, **more}))
    return answer


@pytest.mark.parametrize("way", ["data", "files", "json"])
def test_a_name_and_a_password_give_a_token(anyone: httpx.Client, way: str) -> None:
    form: Any = {name: (None, text) for name, text in GOOD.items()} if way == "files" else GOOD
    answer = json_of(anyone.post(GENERATE, **{way: form}))
    assert answer.keys() == {"token", "expires", "ssl"}
    assert answer["ssl"] is False
    assert 59 * 60 < answer["expires"] / 1000 - time.time() <= 60 * 60
    assert json_of(anyone.get(EVERY, params={"f": "json", "token": answer["token"]}))["tasks"]


@pytest.mark.parametrize(
    ("asked", "minutes"), [("1", 1), ("20160", 20160), ("9999999", 20160), ("0", 60), ("", 60)]
)
def test_expiration(anyone: httpx.Client, asked: str, minutes: int) -> None:
    left = token_of(anyone, expiration=asked)["expires"] / 1000 - time.time()
    assert (minutes - 1) * 60 < left <= minutes * 60


@pytest.mark.parametrize("asked", ["-1", "soon", "1.5", "9" * 99, "NaN"])
def test_expiration_that_makes_no_sense(anyone: httpx.Client, asked: str) -> None:
    error = error_of(anyone.post(GENERATE, data={**GOOD, "expiration": asked}))
    assert error["code"] == 400
    assert error["message"].startswith("Parameter 'expiration': ")


def test_get_is_refused(anyone: httpx.Client) -> None:
    error = error_of(anyone.get(GENERATE, params=GOOD))
    assert error["code"] == 405
    assert "POST only" in error["message"]


@pytest.mark.parametrize("query", ["password=x", "%70assword=x", "token=x"])
def test_no_credentials_in_a_url(anyone: httpx.Client, query: str) -> None:
    error = error_of(anyone.post(f"{GENERATE}?{query}", data=GOOD))
    assert (error["code"], error["message"]) == (400, "Unable to generate token.")
    assert error["details"][0].startswith(
        "POST request should not contain username and password in the query string"
    )
    page = anyone.post("/login?password=x", data={**GOOD, "f": "html"})
    assert page.status_code == 200
    assert COOKIE_NAME not in page.cookies


@pytest.mark.parametrize(
    ("form", "detail"),
    [
        ({"username": "admin", "password": "wrong"}, "Invalid username or password."),
        ({"username": "nobody-here", "password": PASSWORD}, "Invalid username or password."),
        ({"username": "a\u0000b", "password": "x\u0000"}, "Invalid username or password."),
        ({"username": "x" * 100_000, "password": "y" * 100_000}, "Invalid username or password."),
    ],
)
def test_what_does_not_fit(anyone: httpx.Client, form: dict[str, str], detail: str) -> None:
    error = error_of(anyone.post(GENERATE, data={**form, "f": "json"}))
    assert error == {"code": 400, "message": "Unable to generate token.", "details": [detail]}


@pytest.mark.parametrize(
    ("form", "missing"),
    [
        ({"username": "admin"}, ["password"]),
        ({"password": "x"}, ["username"]),
        ({"username": "", "password": ""}, ["username", "password"]),
        ({}, ["username", "password"]),
        ({"client": "referer"}, ["username", "password", "referer"]),
        ({**GOOD, "client": "referer"}, ["referer"]),
        ({**GOOD, "client": "ip", "referer": "http"}, ["ip"]),
    ],
)
def test_all_that_is_missing_is_named(anyone: httpx.Client, form: dict[str, str], missing: list[str]) -> None:
    error = error_of(anyone.post(GENERATE, data={**form, "f": "json"}))
    assert error == {
        "code": 400,
        "message": "Unable to generate token.",
        "details": [f"'{name}' must be specified." for name in missing],
    }


def test_clients_that_bind_their_token(anyone: httpx.Client) -> None:
    for more in (
        {"client": "referer", "referer": "http"},
        {"client": "referer", "referer": "@esri/arcgis-rest-js"},
        {"client": "referer", "referer": "https://maps.example/app"},
        {"referer": "https://maps.example/app"},
        {"client": "requestip"},
        {"client": "ip", "ip": "127.0.0.1"},
        {"client": ""},
    ):
        token = token_of(anyone, **more)["token"]
        assert json_of(anyone.get(EVERY, params={"f": "json", "token": token}))["tasks"], more
    elsewhere = token_of(anyone, client="ip", ip="192.0.2.7")["token"]
    assert error_of(anyone.get(EVERY, params={"f": "json", "token": elsewhere}))["code"] == 498
    error = error_of(anyone.post(GENERATE, data={**GOOD, "client": "ip", "ip": "here"}))
    assert error["code"] == 400
    assert "'ip' must be" in error["details"][0]
    assert "Parameter 'client'" in error_of(anyone.post(GENERATE, data={**GOOD, "client": "x"}))["message"]


@pytest.mark.parametrize("name", ["serverUrl", "serverURL"])
def test_a_token_for_another(anyone: httpx.Client, door: RunningServer, name: str) -> None:
    token = token_of(anyone, expiration="20")
    form = {
        "token": token["token"],
        name: door.address,
        "request": "getToken",
        "expiration": "600",
        "f": "json",
    }
    other = json_of(anyone.post(GENERATE, data=form))
    assert other.keys() == {"token", "expires", "ssl"}
    # It does not outlive the one it was given for.
    assert other["expires"] <= token["expires"]
    assert json_of(anyone.get(EVERY, params={"f": "json", "token": other["token"]}))["tasks"]
    error = error_of(anyone.post(GENERATE, data={**form, "token": "x"}))
    assert (error["code"], error["message"]) == (498, "Invalid Token")


def test_no_token_for_a_server_of_somebody_else(anyone: httpx.Client, door: RunningServer) -> None:
    token = token_of(anyone)["token"]
    form = {"token": token, "request": "getToken", "f": "json"}
    other_port = door.address.replace(str(httpx.URL(door.address).port), "1")
    for name in ("serverUrl", "serverURL"):
        for foreign in ("https://evil.example/arcgis", other_port, "evil", "http://[", "/rest/services"):
            error = error_of(anyone.post(GENERATE, data={**form, name: foreign}))
            assert (error["code"], error["message"]) == (400, "Unable to generate token."), foreign
            assert "is no server of this portal" in error["details"][0]
        own = door.address.replace("/arcgis", "/arcgis/rest/services/")
        assert json_of(anyone.post(GENERATE, data={**form, name: own}))["token"]


CARRIERS = ("query", "body", "bearer", "esri", "cookie")


def asking(client: httpx.Client, carried: dict[str, str]) -> httpx.Response:
    """The service, asked for with tokens in these places."""
    headers, query, body = {}, {"f": "json"}, {}
    for carrier, token in carried.items():
        match carrier:
            case "query":
                query["token"] = token
            case "body":
                body["token"] = token
            case "bearer":
                headers["Authorization"] = f"Bearer {token}"
            case "esri":
                headers["X-Esri-Authorization"] = f"Bearer {token}"
            case "cookie":
                headers["Cookie"] = f'other=1; agstoken="{token}"'
    return client.post(EVERY, params=query, data=body, headers=headers)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_carriers(anyone: httpx.Client, carrier: str) -> None:
    token = token_of(anyone)["token"]
    assert "tasks" in json_of(asking(anyone, {carrier: token}))
    error = error_of(asking(anyone, {carrier: "no.such.token"}))
    assert (error["code"], error["message"]) == (498, "Invalid Token")
    for nothing in ("None", "null", "undefined", "" if carrier in ("query", "body") else "none"):
        error = error_of(asking(anyone, {carrier: nothing}))
        assert (error["code"], error["message"]) == (499, "Token Required"), nothing


@pytest.mark.parametrize("number", range(4))
def test_precedence(anyone: httpx.Client, number: int) -> None:
    """The nearest to the request counts: the body, the query, Esri's header, the common one, the cookie."""
    order = ("body", "query", "esri", "bearer", "cookie")
    good = token_of(anyone)["token"]
    higher, lower = order[number], order[number + 1]
    assert "tasks" in json_of(asking(anyone, {higher: good, lower: "x"}))
    assert error_of(asking(anyone, {higher: "x", lower: good}))["code"] == 498
    nothing = "" if higher == "body" else "None"
    assert "tasks" in json_of(asking(anyone, {higher: nothing, lower: good}))


@pytest.mark.parametrize(
    "header", ["Basic YWRtaW46eA==", "Bearer", "Bearer ", "Bearer  ", "bearer none", "Digest x", "\xff", ""]
)
def test_other_authorization_is_none(door: RunningServer, header: str) -> None:
    """Clients do send ``Bearer`` and a blank; httpx refuses to."""
    connection = HTTPConnection(urlsplit(door.address).netloc)
    for name in ("Authorization", "X-Esri-Authorization"):
        connection.request("GET", f"/arcgis{EVERY}?f=json", headers={name: header})
        answer = connection.getresponse()
        assert answer.status == 200
        assert msgspec.json.decode(answer.read())["error"]["message"] == "Token Required"
        # It would make the ArcGIS API for Python try other kinds of sign-in.
        assert "www-authenticate" not in answer.headers
    connection.close()


@pytest.mark.parametrize("token", ["x", "a.b.c", "%00", "ü", "x" * 100_000, "eyJhbGciOiJub25lIn0.e30."])
def test_tokens_that_prove_nothing(anyone: httpx.Client, token: str) -> None:
    error = error_of(anyone.post(EVERY, data={"f": "json", "token": token}))
    assert (error["code"], error["message"]) == (498, "Invalid Token")


def test_the_way_to_sign_in_is_open_to_all(anyone: httpx.Client, door: RunningServer) -> None:
    """Also with a token that has expired: it is how a client gets the next one."""
    for headers in ({}, {"X-Esri-Authorization": "Bearer dead"}, {"Cookie": "agstoken=dead"}):
        for path in ("/rest/info", "/sharing/rest/info"):
            for ask in (anyone.get, anyone.post):
                about = json_of(ask(f"{path}?f=json", headers=headers))
                assert about["authInfo"]["isTokenBasedSecurity"] is True
                assert about["authInfo"]["tokenServicesUrl"] == f"{door.address}{GENERATE}"
                assert about["owningSystemUrl"] == door.address
        assert json_of(anyone.get("/sharing/rest?f=json", headers=headers)) == {"currentVersion": "2024.1"}
        assert json_of(anyone.post(GENERATE, data=GOOD, headers=headers))["token"]
        assert anyone.get("/login", headers=headers).status_code == 200
    assert json_of(anyone.get("/rest/info?f=json"))["fullVersion"] == "11.4.0"


def test_urls_follow_the_proxy(anyone: httpx.Client) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "gis.example", "X-Forwarded-Prefix": "/gate"}
    about = json_of(anyone.get("/rest/info?f=json", headers=headers))
    assert about["owningSystemUrl"] == "https://gis.example/gate/arcgis"
    headers = {"X-Forwarded-Proto": "javascript", "Host": "gis.example"}
    assert json_of(anyone.get("/rest/info?f=json", headers=headers))["owningSystemUrl"].startswith("http://")


def test_a_browser_gets_a_cookie(anyone: httpx.Client) -> None:
    page = anyone.get(f"{EVERY}/talk")
    assert page.status_code == 303
    assert page.headers["location"] == f"/arcgis/login?next=/arcgis{EVERY}/talk"
    wrong = anyone.post("/login", data={"username": "admin", "password": "wrong"})
    assert "Invalid username or password." in wrong.text
    assert "set-cookie" not in wrong.headers
    entered = anyone.post("/login", data={**GOOD, "next": "//evil.example", "f": ""})
    assert (entered.status_code, entered.headers["location"]) == (303, "/arcgis/rest/services")
    cookie = entered.headers["set-cookie"]
    assert cookie.startswith("agstoken=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/arcgis" in cookie
    # Whoever made the link to the sign-in cannot have something done in the name of who follows it.
    trap = {**GOOD, "f": "", "next": "/arcgis/rest/jobs?do=something"}
    assert anyone.post("/login", data=trap).headers["location"] == "/arcgis/rest/jobs"
    anyone.cookies.clear()


def test_who_guesses_is_slowed_down_and_nobody_else(anyone: httpx.Client, door: RunningServer) -> None:
    guess = {"username": "Admin", "password": "a guess", "f": "json"}
    errors = [error_of(anyone.post(GENERATE, data=guess)) for _ in range(12)]
    assert errors[0]["message"] == "Unable to generate token."
    last = errors[-1]
    assert last["code"] == 400
    assert "Too many failed sign-ins with this name from this address. Try again in " in last["message"]
    # Else a guess would be worth another try at once.
    assert "Too many" in error_of(anyone.post(GENERATE, data=GOOD))["message"]
    assert "Too many" in anyone.post("/login", data={**GOOD, "f": ""}).text
    assert error_of(anyone.post(GENERATE, data={**guess, "username": "bob"}))["message"] == (
        "Unable to generate token."
    )
    # The person whose name is used for it signs in from another address.
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=door.address, transport=transport, timeout=60) as elsewhere:
        assert token_of(elsewhere)["token"]
