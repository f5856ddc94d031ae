"""Programs send people to sign in, in the ways that real clients do."""

import base64
import hashlib
import json
import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from milepost.servers.sharing.grants import CODE_SECONDS, SIGN_IN_SECONDS
from tests.running import PASSWORD
from tests.servers.house import House, ann, anyio_backend, house, opened, root
from tests.servers.talking import error_of, json_of

__all__ = ["ann", "anyio_backend", "house", "root"]

pytestmark = pytest.mark.anyio

AUTHORIZE = "/sharing/rest/oauth2/authorize"
SIGN_IN = "/sharing/oauth2/signin"
TOKEN = "/sharing/rest/oauth2/token"
REVOKE = "/sharing/rest/oauth2/revokeToken"
ME = "/sharing/rest/community/self"
JSON = {"f": "json"}
OOB = "urn:ietf:wg:oauth:2.0:oob"
CALLBACK = "http://localhost:3000/callback?app=1"

ASKED = {
    "client_id": "pythonapi",
    "response_type": "token",
    "redirect_uri": "http://gis.example.com",
    "state": "a state & <more>",
    "expiration": "600",
}
ANN = {"username": "ann", "password": PASSWORD}
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def variables(page: httpx.Response) -> dict:
    """What the ArcGIS API for Python reads out of a page: the first braces of any line."""
    assert page.status_code == 200, page.text
    found: dict = json.loads(re.search(r"\{.*\}", page.text, re.MULTILINE)[0])
    # And what other parts of it read.
    assert json.loads(re.search("var oAuthInfo = ({.*?});", page.text, re.DOTALL)[1]) == found
    return found


async def begin(client: httpx.AsyncClient, **more: str) -> str:
    """The state that the page for signing in carries."""
    page = await client.get(AUTHORIZE, params={**ASKED, **more})
    state = variables(page)["oauth_state"]
    assert f'name="oauth_state" value="{state}"' in page.text
    return state


async def sign_in(client: httpx.AsyncClient, **more: str) -> tuple[str, dict[str, str]]:
    """Where somebody is led to, and with what."""
    form = {"oauth_state": await begin(client, **more), **ANN}
    answer = await client.post(SIGN_IN, data=form)
    assert answer.status_code == 302, answer.text
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    where = answer.headers["location"]
    url = urlsplit(where)
    pairs = parse_qs(url.fragment or url.query)
    return where, {name: values[0] for name, values in pairs.items()}


async def exchange(client: httpx.AsyncClient, code: str, /, **more: str) -> dict:
    form = {"grant_type": "authorization_code", "client_id": "pythonapi", "redirect_uri": OOB, "code": code}
    answer = await client.post(TOKEN, data={**form, **more})
    assert answer.status_code == 200
    # Without f=json too: that is what OAuth clients expect.
    return json_of(answer)


@pytest.fixture
async def anyone(house: House):
    async with house.client() as client:
        yield client


async def test_a_token_comes_back_after_the_number_sign(anyone):
    where, given = await sign_in(anyone)
    assert where.startswith("http://gis.example.com#access_token=")
    assert given["state"] == ASKED["state"]
    assert given["username"] == "ann"
    assert given["expires_in"] == "36000"
    me = json_of(await anyone.get(ME, params={**JSON, "token": given["access_token"]}))
    assert me["username"] == "ann"


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("60", 3600), ("20160", 1209600), ("9999999", 1209600), ("", 3600), ("0", 3600), ("-1", 1209600)],
)
async def test_the_expiration_is_what_was_asked_for(anyone, asked, seconds):
    assert (await sign_in(anyone, expiration=asked))[1]["expires_in"] == str(seconds)


@pytest.mark.parametrize("form", [{"password": "wrong"}, {"username": "nobody"}])
async def test_a_wrong_password_is_told_in_the_page(anyone, form):
    state = await begin(anyone)
    page = await anyone.post(SIGN_IN, data={"oauth_state": state, **ANN, **form})
    assert variables(page) == {"code": "OAUTH_0015", "messages": ["Invalid username or password."]}
    assert 'role="alert"' in page.text
    assert "wrong" not in page.text
    # The person may try again with the form in that page.
    again = re.search(r'name="oauth_state" value="([^"]+)"', page.text)[1]
    assert (await anyone.post(SIGN_IN, data={"oauth_state": again, **ANN})).status_code == 302


async def test_guessing_is_slowed_down_as_everywhere(house, anyone):
    house.server.people.add("gus", PASSWORD)
    state = await begin(anyone)
    for _ in range(7):
        page = await anyone.post(SIGN_IN, data={"oauth_state": state, "username": "gus", "password": "guess"})
    assert variables(page)["code"] == "OAUTH_0015"
    assert "Too many failed sign-ins" in variables(page)["messages"][0]
    form = {**JSON, "username": "gus", "password": PASSWORD}
    assert "Too many" in error_of(await anyone.post("/sharing/rest/generateToken", data=form))["message"]


@pytest.mark.parametrize("missing", ["username", "password"])
async def test_what_is_missing_is_named(anyone, missing):
    form = {"oauth_state": await begin(anyone), **ANN, missing: ""}
    page = await anyone.post(SIGN_IN, data=form)
    # An apostrophe is written in another way: one client makes quotation marks of them.
    assert f"'{missing}'" not in page.text.partition("</script>")[0]
    assert variables(page)["messages"] == [f"'{missing}' must be specified."]


@pytest.mark.parametrize("state", ["", "x", "a.b.c", "ü", "x" * 20_000])
async def test_only_a_sign_in_that_was_begun_here_is_ended_here(anyone, state):
    page = await anyone.post(SIGN_IN, data={"oauth_state": state, **ANN})
    assert "begin again" in variables(page)["messages"][0]
    assert "location" not in page.headers


async def test_a_sign_in_takes_its_time_and_not_for_ever(house, anyone, monkeypatch):
    state = await begin(anyone)
    clock = house.server.seals._clock
    monkeypatch.setattr(house.server.seals, "_clock", lambda: clock() + SIGN_IN_SECONDS)
    page = await anyone.post(SIGN_IN, data={"oauth_state": state, **ANN})
    assert "took too long" in variables(page)["messages"][0]


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://www.arcgis.com",
        "//evil.example",
        "javascript:alert(1)",
        "http://gis.example.com@evil.example",
    ],
)
async def test_nobody_is_led_to_strangers(anyone, uri):
    answer = await anyone.get(AUTHORIZE, params={**ASKED, "redirect_uri": uri})
    assert answer.status_code == 400
    # The ArcGIS API for Python tries its next one when it reads that.
    assert "Invalid redirect_uri" in answer.text
    assert "location" not in answer.headers


async def test_where_else_the_settings_allow(tmp_path):
    async with (
        opened(tmp_path, redirect_uris=("https://maps.example.com",)) as house,
        house.client() as anyone,
    ):
        page = await anyone.get(AUTHORIZE, params={**ASKED, "redirect_uri": "https://maps.example.com/app"})
        # Or else browsers would not follow from the form to there.
        assert page.headers["content-security-policy"].endswith("form-action 'self' https://maps.example.com")
        where, _ = await sign_in(anyone, redirect_uri="https://maps.example.com/app")
        assert where.startswith("https://maps.example.com/app#access_token=")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"client_id": ""}, "Invalid client_id"),
        ({"client_id": "x" * 300}, "Invalid client_id"),
        ({"response_type": "id_token"}, "Invalid response_type"),
        ({"response_type": ""}, "Invalid response_type"),
        ({"state": "x" * 5000}, "Invalid state"),
        ({"expiration": "soon"}, "Parameter 'expiration'"),
        ({"code_challenge_method": "MD5"}, "Invalid code_challenge_method"),
        ({"code_challenge": "x" * 200, "code_challenge_method": "S256"}, "Invalid code_challenge"),
    ],
)
async def test_what_makes_no_sense(anyone, more, said):
    error = error_of(await anyone.get(AUTHORIZE, params={**ASKED, **more, **JSON}))
    assert error["code"] == 400
    assert said in error["message"]


async def test_markup_of_a_program_stays_text(anyone):
    nasty = "</script><script>alert(1)</script>'\"{}"
    page = await anyone.get(AUTHORIZE, params={**ASKED, "client_id": nasty, "state": nasty})
    assert page.text.count("<script") == 1
    assert "<script>alert" not in page.text
    assert variables(page).keys() == {"oauth_state"}
    form = {"oauth_state": variables(page)["oauth_state"], **ANN, "username": nasty}
    page = await anyone.post(SIGN_IN, data=form)
    assert page.text.count("<script") == 1
    assert variables(page)["messages"] == ["Invalid username or password."]


async def test_the_page_is_for_people_too(anyone):
    page = await anyone.get(AUTHORIZE, params=ASKED)
    assert '<html lang="en">' in page.text
    assert "For pythonapi. Afterwards you are led to http://gis.example.com." in page.text
    assert 'autocomplete="username"' in page.text
    assert 'autocomplete="current-password"' in page.text
    assert 'action="/arcgis/sharing/oauth2/signin"' in page.text
    # Nothing in it is run.
    assert '<script type="text/plain">' in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_credentials_in_a_url_are_refused(anyone):
    state = await begin(anyone)
    page = await anyone.post(f"{SIGN_IN}?password=x", data={"oauth_state": state, **ANN})
    assert "query string" in variables(page)["messages"][0]
    assert error_of(await anyone.get(SIGN_IN, params={**JSON, "oauth_state": state, **ANN}))["code"] == 405


async def test_a_code_comes_back_in_the_query(anyone):
    where, given = await sign_in(anyone, response_type="code", redirect_uri=CALLBACK)
    assert where.startswith(f"{CALLBACK}&code=")
    assert given["state"] == ASKED["state"]
    tokens = await exchange(anyone, given["code"], redirect_uri=CALLBACK)
    assert tokens["username"] == "ann"
    assert (tokens["expires_in"], tokens["refresh_token_expires_in"]) == (1800, 36000)
    assert tokens["ssl"] is False
    assert json_of(await anyone.get(ME, params={**JSON, "token": tokens["access_token"]}))


async def test_a_program_without_an_address_gets_its_code_from_a_page(anyone):
    where, given = await sign_in(anyone, response_type="code", redirect_uri=OOB)
    assert where.startswith("http://gis.example.com/arcgis/sharing/oauth2/approval?code=")
    page = await anyone.get(where)
    assert re.search("<title>SUCCESS code=(.*?)</title>", page.text)[1] == given["code"]
    assert variables(page) == {}
    assert (await exchange(anyone, given["code"]))["access_token"]
    where, _ = await sign_in(anyone, redirect_uri=OOB)
    assert where.startswith("http://gis.example.com/arcgis/sharing/oauth2/approval#access_token=")
    assert "signed in" in (await anyone.get(where)).text
    # Nobody else's words are shown as a code.
    assert "call" not in (await anyone.get("/sharing/oauth2/approval?code=call+this+number")).text


async def test_the_proof_key_is_asked_for(anyone):
    for method, challenge in (("S256", CHALLENGE), ("plain", VERIFIER), ("", VERIFIER)):
        more = {"response_type": "code", "redirect_uri": OOB}
        more |= {"code_challenge": challenge, "code_challenge_method": method}
        for wrong in ("", "x" * 43, challenge if method == "S256" else CHALLENGE):
            code = (await sign_in(anyone, **more))[1]["code"]
            error = (await exchange(anyone, code, code_verifier=wrong))["error"]
            assert (error["code"], error["error"]) == (400, "invalid_grant")
            assert "code_verifier" in error["message"]
        code = (await sign_in(anyone, **more))[1]["code"]
        assert VERIFIER not in base64.urlsafe_b64decode(code.split(".")[1] + "==").decode()
        assert (await exchange(anyone, code, code_verifier=VERIFIER))["access_token"]


async def test_one_client_asks_in_json_and_below_rest(anyone):
    asked = {**ASKED, **JSON, "response_type": "code", "redirect_uri": OOB}
    answer = await anyone.get(AUTHORIZE, params=asked)
    state = answer.text.split('"oauth_state":"')[1].split('"')[0]
    answer = await anyone.post("/sharing/rest/oauth2/signin", data={"oauth_state": state, **ANN})
    assert answer.status_code == 302
    code = answer.headers["location"].split("code=")[1].split("&")[0]
    assert (await exchange(anyone, code))["access_token"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"code": "x"}, "Invalid code"),
        ({"client_id": "other"}, "Invalid client_id"),
        ({"redirect_uri": "http://localhost:3000"}, "Invalid redirect_uri"),
        ({"grant_type": "password"}, "Invalid grant_type"),
        ({"grant_type": ""}, "Invalid grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "Invalid refresh_token"),
    ],
)
async def test_a_code_is_good_for_the_program_that_asked(anyone, more, said):
    code = (await sign_in(anyone, response_type="code", redirect_uri=OOB))[1]["code"]
    error = (await exchange(anyone, code, **more))["error"]
    assert error["code"] == 400
    assert error["message"].startswith(said)
    assert error["error_description"] == error["message"]
    assert error["details"] == []
    # A token is none, and the other way round.
    token = (await sign_in(anyone))[1]["access_token"]
    assert "error" in await exchange(anyone, token)
    assert error_of(await anyone.get(ME, params={**JSON, "token": code}))["code"] == 498


async def test_a_code_is_good_for_a_while(house, anyone, monkeypatch):
    code = (await sign_in(anyone, response_type="code", redirect_uri=OOB))[1]["code"]
    clock = house.server.seals._clock
    monkeypatch.setattr(house.server.seals, "_clock", lambda: clock() + CODE_SECONDS)
    assert "too long ago" in (await exchange(anyone, code))["error"]["message"]


async def test_a_code_that_is_used_twice_ends_the_session(anyone):
    code = (await sign_in(anyone, response_type="code", redirect_uri=OOB))[1]["code"]
    tokens = await exchange(anyone, code)
    assert "used already" in (await exchange(anyone, code))["error"]["message"]
    error = error_of(await anyone.get(ME, params={**JSON, "token": tokens["access_token"]}))
    assert error["code"] == 498


async def refreshed(client: httpx.AsyncClient, token: str, **more: str) -> dict:
    form = {"grant_type": "refresh_token", "client_id": "pythonapi", "refresh_token": token, **more}
    return json_of(await client.post(TOKEN, data=form))


async def test_a_refresh_token_gives_more_tokens(house, anyone):
    house.server.people.add("rick", PASSWORD)
    state = await begin(anyone, response_type="code", redirect_uri=OOB)
    form = {"oauth_state": state, "username": "rick", "password": PASSWORD}
    code = parse_qs(urlsplit((await anyone.post(SIGN_IN, data=form)).headers["location"]).query)["code"][0]
    tokens = await exchange(anyone, code)
    more = await refreshed(anyone, tokens["refresh_token"])
    assert (more["username"], more["expires_in"]) == ("rick", 1800)
    assert json_of(await anyone.get(ME, params={**JSON, "token": more["access_token"]}))
    error = (await refreshed(anyone, tokens["refresh_token"], client_id="other"))["error"]
    assert error["error"] == "invalid_grant"
    house.server.people.set_password("rick", "a better password")
    error = (await refreshed(anyone, tokens["refresh_token"]))["error"]
    assert (error["error"], "sign in again" in error["message"]) == ("invalid_grant", True)


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_signing_out_ends_the_session(anyone, which):
    code = (await sign_in(anyone, response_type="code", redirect_uri=OOB))[1]["code"]
    tokens = await exchange(anyone, code)
    more = (await refreshed(anyone, tokens["refresh_token"]))["access_token"]
    form = {**JSON, "client_id": "pythonapi", "auth_token": tokens[which]}
    assert json_of(await anyone.post(REVOKE, data=form)) == {"success": True}
    for token in (tokens["access_token"], more):
        error = error_of(await anyone.get(ME, params={**JSON, "token": token}))
        assert (error["code"], error["message"]) == (498, "Invalid Token")
    assert "session was ended" in (await refreshed(anyone, tokens["refresh_token"]))["error"]["message"]
    # Nobody needs to hear that a token is no good any more.
    for text in (tokens[which], "", "x"):
        assert json_of(await anyone.post(REVOKE, data={**form, "auth_token": text})) == {"success": True}


async def test_a_new_signing_key_voids_everything(tmp_path):
    async with opened(tmp_path) as house, house.client() as anyone:
        state = await begin(anyone)
        code = (await sign_in(anyone, response_type="code", redirect_uri=OOB))[1]["code"]
        house.server.tokens.rotate()
        page = await anyone.post(SIGN_IN, data={"oauth_state": state, **ANN})
        assert "begin again" in variables(page)["messages"][0]
        assert "error" in await exchange(anyone, code)
