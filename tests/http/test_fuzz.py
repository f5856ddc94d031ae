"""Whatever is sent: an answer that is JSON where JSON was asked for, and never the server's own fault."""

import json
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.running import RunningServer
from tests.servers.talking import EVERY, UPLOADS

ROUTES = [
    "/rest",
    "/rest/info",
    "/rest/jobs",
    "/rest/services",
    "/rest/services/{}",
    "/rest/services/{}/GPServer",
    "/rest/services/{}/{}/GPServer",
    "/sharing/rest",
    "/sharing/rest/info",
    "/sharing/rest/generateToken",
    "/sharing/rest/community/self",
    "/sharing/rest/community/users",
    "/sharing/rest/community/users/{}",
    "/sharing/rest/community/users/{}/update",
    "/sharing/rest/content/users/{}",
    "/sharing/rest/oauth2/authorize",
    "/sharing/rest/oauth2/token",
    "/sharing/rest/oauth2/revokeToken",
    "/sharing/oauth2/signin",
    "/sharing/oauth2/approval",
    "/sharing/rest/portals/{}",
    "/sharing/rest/portals/self/roles/{}/privileges",
    "/sharing/rest/portals/self/users/search",
    "/sharing/rest/portals/self/updateUserRole",
    "/sharing/rest/portals/self/removeUsers",
    EVERY,
    f"{EVERY}/{{}}",
    f"{EVERY}/everything",
    f"{EVERY}/everything/submitJob",
    f"{EVERY}/copy_files/submitJob",
    f"{EVERY}/talk/execute",
    f"{EVERY}/{{}}/submitJob",
    f"{EVERY}/talk/jobs/{{}}",
    f"{EVERY}/talk/jobs/{{}}/results",
    f"{EVERY}/talk/jobs/{{}}/results/{{}}",
    f"{EVERY}/talk/jobs/{{}}/inputs/{{}}",
    f"{EVERY}/talk/jobs/{{}}/cancel",
    f"{EVERY}/talk/jobs/{{}}/log",
    f"{UPLOADS}/upload",
    f"{UPLOADS}/{{}}",
    f"{UPLOADS}/{{}}/delete",
    "/rest/directories/jobs/{}/{}",
    "/{}",
    "/{}/{}/{}",
]

NAMES = [
    *("text", "whole", "number", "flag", "moment", "distance", "features", "records", "texts", "colour"),
    *("table", "image", "more", "words", "token", "returnMessages", "context", "env:outSR", "file"),
    *("start", "num", "status", "from", "to", "owner", "username", "expiration", "client", "ip", "serverUrl"),
    *("q", "role", "user", "users", "sortField", "fullname", "grantedPrivileges", "csrf_token"),
    *("client_id", "redirect_uri", "response_type", "state", "code", "grant_type", "oauth_state"),
    "milepost:stages",
]

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
numbers = st.one_of(st.integers(), st.floats()).map(str)
trees = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | words,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            words | st.sampled_from(["features", "geometry", "x", "y", "distance", "url", "wkid"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
values = st.one_of(words, numbers, st.sampled_from(["true", "None", "j" + "0" * 32, "..", "{}", "[]"]))
# A client library resolves dots before it sends a path; see below for what it does not send.
parts = st.one_of(values, words).map(lambda text: quote(text.strip(".") or "x", safe=""))
parameters = st.dictionaries(st.one_of(st.sampled_from(NAMES), words), values, max_size=6)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_request(client: httpx.Client, data: st.DataObject) -> None:
    route = data.draw(st.sampled_from(ROUTES))
    path = route.format(*(data.draw(parts) for _ in range(route.count("{}"))))
    sent = data.draw(parameters)
    way = data.draw(st.sampled_from(["GET", "urlencoded", "multipart", "json", "raw"]))
    form = {"f": data.draw(st.sampled_from(["json", "pjson"]))}
    if way == "GET":
        answer = client.get(path, params={**sent, **form})
    elif way == "urlencoded":
        answer = client.post(path, data={**sent, **form})
    elif way == "multipart":
        files = {name: (data.draw(st.sampled_from([None, "a.json"])), text) for name, text in sent.items()}
        answer = client.post(path, data=form, files=files)
    elif way == "json":
        tree = data.draw(st.dictionaries(st.sampled_from(NAMES), trees, max_size=4))
        body = json.dumps({**tree, **form}).encode()
        answer = client.post(path, content=body, headers={"content-type": "application/json"}, params=form)
    else:
        kinds = [
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=a",
            "x",
        ]
        headers = {"content-type": data.draw(st.sampled_from(kinds))}
        answer = client.post(path, params=form, content=data.draw(st.binary(max_size=200)), headers=headers)
    assert answer.status_code == 200, (path, answer.text)
    assert "Traceback" not in answer.text
    if not answer.headers["content-type"].startswith("text/plain"):  # the log of a job
        found = answer.json()
        assert isinstance(found, dict | list)
        if isinstance(found, dict) and "error" in found:
            assert found["error"]["code"] in (400, 403, 404, 405, 498, 499), found


def test_nothing_of_it_was_the_fault_of_the_server(server: RunningServer, client: httpx.Client) -> None:
    """Also what was not seen in an answer."""
    log = server.errors.read_text()
    assert "Traceback" not in log
    assert "request failed" not in log
    assert "ASGI" not in log
    assert client.get(f"{EVERY}?f=json").status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "/arcgis/rest/services/%",
        "/arcgis/rest/services/%zz/GPServer",
        "/arcgis/rest/services/%ff%fe/GPServer",
        "/arcgis/rest/services/a%00b/GPServer",
        "/arcgis/rest/services/..%2f..%2fetc%2fpasswd",
        "/arcgis/rest/services/%2e%2e/%2e%2e/GPServer",
        "/arcgis/rest/../../../etc/passwd",
        "//evil.example/arcgis/rest",
        "/arcgis//rest//services",
        "/arcgis/rest/services/" + "a" * 60_000,
        "/arcgis/rest/services/" + "a/" * 20_000,
        "/" + "%41" * 10_000,
    ],
)
def test_paths_as_no_client_library_sends_them(server: RunningServer, target: str) -> None:

    connection = HTTPConnection(urlsplit(server.address).netloc, timeout=60)
    connection.putrequest("GET", f"{target}?f=json", skip_host=True)
    connection.putheader("Host", "[")
    connection.putheader("X-Esri-Authorization", f"Bearer {server.token}")
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200
    found = json.loads(body)
    assert found.get("error", {}).get("code") in (None, 400, 404), found
    assert len(body) < 1000
    connection.close()
