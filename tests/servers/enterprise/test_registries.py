"""``/admin/system/containerregistries`` against Debian's registry: what is asked, refused, done and undone."""

import base64
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from milepost.security import People, Tokens
from tests.servers.administering import add_publisher
from tests.servers.browsing import page_of
from tests.servers.enterprise.registry_peers import (
    USER,
    Gate,
    TokenService,
    basic_registry,
    certificate,
    everything_of,
    gate_before,
    needs_registry,
    open_registry,
    set_password,
    token_registry,
)
from tests.servers.enterprise.registry_sites import COMPONENTS, JSON, REGISTRIES, STAGES, Site
from tests.servers.talking import client_of, json_of

FIRST = "first-Kennwort:mit/ä"
SECOND = "second-Kennwort"
WRONG = "wrong-Kennwort"


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that the server is told to trust, and its key."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, trusted: tuple[Path, Path]) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("registries") / "data", SSL_CERT_FILE=str(trusted[0]))
    try:
        yield site
    finally:
        site.close()


@pytest.fixture
def gate(site: Site, tmp_path: Path) -> Iterator[tuple[Gate, str]]:
    """A registry that the site is configured for, behind a gate; and its URL."""
    with basic_registry(tmp_path / "registry", FIRST) as registry, gate_before(registry) as (gate, address):
        site.edited(FIRST, f"http://{address}", registryRepository="gis/images")
        gate.hold(0)
        yield gate, f"http://{address}"


# -- without a registry ------------------------------------------------------------------------


def test_there_is_one_registry_and_its_id_stays(site: Site) -> None:
    listed = json_of(site.client.get(REGISTRIES, params=JSON))
    assert listed.keys() == {"supportedOperations", "containerRegistries"}
    assert listed["supportedOperations"] == []
    [registry] = listed["containerRegistries"]
    assert registry.keys() == {"registryUrl", "registryRepository", "name", "id"}
    assert registry["name"] == "default"
    assert re.fullmatch("[a-z0-9]{21}", registry["id"])
    assert site.registry_id == registry["id"]
    about = site.registry
    assert about["isImagePullSecretSystemManaged"] is True
    assert about.keys() == {
        *registry,
        "password",
        "username",
        "isImagePullSecretSystemManaged",
        "imagePullSecretName",
    }


GOOD = {"username": "alice", "password": "x", "registryUrl": "registry.example.com"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("", "'containerRegistryJson' must be specified."),
        ("{no json", "it is no JSON"),
        ('"alice"', "it must be a JSON object"),
        ("[" * 100_000, "it is no JSON"),
        ({**GOOD, "username": ""}, "'username' must be specified, in every edit"),
        ({"registryUrl": "registry.example.com"}, "'password' must be specified, in every edit"),
        ({**GOOD, "password": 17}, "'password' must be a text"),
        ({**GOOD, "password": "x" * 20_000}, "'password' is longer than 16384 characters"),
        ({**GOOD, "password": "{crypt}********"}, "'password' is what is shown instead of it"),
        ({**GOOD, "username": "a:b"}, "holds a colon"),
        ('{"username": "alice", "password": "\\ud800", "registryUrl": "x"}', "no JSON"),
        ({**GOOD, "name": "other"}, "'name' cannot be changed"),
        ({**GOOD, "id": "x"}, "'id' cannot be changed"),
        ({**GOOD, "isImagePullSecretSystemManaged": False}, "cannot be changed"),
        ({**GOOD, "imagePullSecretName": "mine"}, "'imagePullSecretName' cannot be changed"),
        ({**GOOD, "colour": "red"}, "'colour' is no property of a container registry"),
        ({**GOOD, "registryUrl": 5}, "'registryUrl' must be a text"),
        ({**GOOD, "registryUrl": "ftp://registry.example.com"}, "an https URL"),
        ({**GOOD, "registryUrl": "https://bob:secret@registry.example.com"}, "it holds a user name"),
        ({**GOOD, "registryUrl": "registry.example.com/gis"}, "belongs into registryRepository"),
        ({**GOOD, "registryUrl": "registry.example.com:0"}, "no port 0"),
        ({**GOOD, "registryUrl": "registry.example.com:99999"}, "cannot be understood"),
        ({**GOOD, "registryUrl": "bad host"}, "spaces"),
        ({**GOOD, "registryUrl": "-x-"}, "no host that can exist"),
        ({**GOOD, "registryUrl": "[fe80::1%25eth0]"}, "no host that can exist"),
        ({**GOOD, "registryRepository": "Big/Letters"}, "it is no repository"),
        ({**GOOD, "registryRepository": "a//b"}, "it is no repository"),
        ({**GOOD, "registryRepository": "../up"}, "it is no repository"),
    ],
)
def test_what_does_not_fit_is_refused_before_there_is_a_job(site: Site, asked: Any, said: str) -> None:
    before, jobs = site.world(), json_of(site.client.get("/admin/jobs", params=JSON))
    error = site.refused(asked)
    assert error["code"] == 400
    assert any(said in each for each in (error["message"], *error["details"])), error
    assert site.world() == before
    assert json_of(site.client.get("/admin/jobs", params=JSON)) == jobs


def test_everything_that_does_not_fit_is_named_and_no_secret_is_repeated(site: Site) -> None:
    error = site.refused({"password": "sesame" * 4000, "registryUrl": "a b", "name": "sesame"})
    assert len(error["details"]) == 4
    assert "sesame" not in json.dumps(error)


def test_a_password_in_the_url_is_refused(site: Site) -> None:
    url = f"{REGISTRIES}/{site.registry_id}/edit"
    for query in ({"containerRegistryJson": json.dumps(GOOD)}, {"password": "x"}):
        answer = json_of(site.client.post(url, params=query, data=JSON))
        assert "send it in the body" in answer["error"]["message"]


def test_it_is_edited_by_post_and_only_where_it_is(site: Site) -> None:
    error = json_of(site.client.get(f"{REGISTRIES}/{site.registry_id}/edit", params=JSON))["error"]
    assert error["code"] == 405
    for path in ("nothing", "nothing/edit"):
        error = json_of(site.client.post(f"{REGISTRIES}/{path}", data=JSON))["error"]
        assert (error["code"], error["message"]) == (404, "Container registry nothing not found")


def test_it_is_for_administrators(site: Site) -> None:
    with client_of(site.server, add_publisher(site.server, "paula")) as publisher:
        for path in (REGISTRIES, f"{REGISTRIES}/{site.registry_id}"):
            assert json_of(publisher.get(path, params=JSON))["error"]["code"] == 403


def test_what_does_the_work_is_no_service_of_anybody(site: Site) -> None:
    for path in ("/rest/services", "/admin/services"):
        listed = json_of(site.client.get(path, params=JSON))
        assert listed["folders"] == []
        assert "SystemServer" not in {each["type"] for each in listed["services"]}
    assert json_of(site.client.get("/admin/services/System", params=JSON))["error"]["code"] == 404


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://127.0.0.2:1", "nothing listens there"),
        ("http://registry.invalid", "there is no host registry.invalid"),
        ("https://169.254.169.254", "is at 169.254.169.254, which is no public address"),
        ("https://[::1]:5000", "no public address"),
        ("https://[::ffff:10.0.0.1]", "no public address"),
        ("http://192.0.2.1", "no public address"),
    ],
)
def test_a_registry_that_cannot_be_asked_leaves_everything_as_it_was(site: Site, url: str, said: str) -> None:
    before = site.world()
    state = site.ended(site.submit(FIRST, url))
    assert state["status"] == "FAILED"
    assert said in state["messages"][-1], state["messages"]
    assert state["result"]["code"] == 500
    assert [each["state"] for each in state["progress"]["stages"]] == ["failed", *["pending"] * 7]
    assert site.world() == before


# -- with one ----------------------------------------------------------------------------------


@needs_registry
def test_the_job_is_that_of_the_document(site: Site, gate: tuple[Gate, str]) -> None:
    state = site.edited(FIRST)
    assert state["progress"]["stages"] == [{"name": each, "state": "completed"} for each in STAGES]
    identity = site.registry_id
    assert state["resource"] == {"name": f"default (id: {identity})"}
    assert (state["name"], state["messages"]) == ("editContainerRegistry", [])
    assert state["operationURI"] == f"/arcgis/admin/system/containerregistries/{identity}/edit"
    assert state["jobid"].startswith("s")
    assert (state["result"], state["username"]) == ({"credentialUpdateOnly": True}, "admin")


@needs_registry
def test_credentials_are_waited_for_and_a_place_is_not(site: Site, gate: tuple[Gate, str]) -> None:
    asked = {"username": USER, "password": FIRST}
    for _ in range(2):  # and at once again
        assert json_of(site.post(asked)) == {"status": "success"}
        assert list(site.system.glob("changes/*")) == []
    answer = json_of(site.post({**asked, "registryRepository": "other/images"}))
    assert answer.keys() == {"jobsUrl", "jobID", "jobid", "jobStatus"}
    state = site.ended(answer["jobID"])
    assert (state["status"], state["result"]) == ("COMPLETED", {"credentialUpdateOnly": False})
    assert site.registry["registryRepository"] == "other/images"


@needs_registry
def test_the_whole_object_may_be_sent_back_with_new_credentials(site: Site, gate: tuple[Gate, str]) -> None:
    asked = {**site.registry, "username": USER, "password": FIRST}
    assert json_of(site.post(asked)) == {"status": "success"}


@needs_registry
def test_every_component_holds_what_docker_reads_and_nobody_else_can(
    site: Site, gate: tuple[Gate, str]
) -> None:
    _, url = gate
    files = sorted(site.system.glob("components/*/config.json"))
    assert {each.parent.name for each in files} == set(COMPONENTS)
    for each in files:
        assert each.stat().st_mode & 0o777 == 0o600
        auth = base64.b64encode(f"{USER}:{FIRST}".encode()).decode()
        assert json.loads(each.read_bytes()) == {"auths": {url.removeprefix("http://"): {"auth": auth}}}


@needs_registry
def test_each_is_proved_by_what_was_written(site: Site, gate: tuple[Gate, str]) -> None:
    peer, _ = gate
    peer.hold(0)
    site.edited(FIRST)
    assert peer.count == 2 * len(STAGES)


@needs_registry
def test_a_password_is_nowhere_to_be_read(site: Site, gate: tuple[Gate, str], tmp_path: Path) -> None:
    set_password(tmp_path / "registry", SECOND)
    job = site.submit(SECOND)
    assert site.ended(job)["status"] == "COMPLETED"
    assert site.post({"username": USER, "password": WRONG}).status_code == 200
    assert site.leaks(FIRST, SECOND, WRONG) == []
    assert site.registry["password"] == "{crypt}********"
    told = (
        site.client.get(f"/admin/jobs/{job}", params=JSON).text + site.client.get(f"/admin/jobs/{job}").text
    )
    told += site.client.get(f"{REGISTRIES}/{site.registry_id}").text
    assert not [each for each in everything_of(SECOND) if each.decode() in told]


@needs_registry
def test_a_wrong_password_changes_nothing(site: Site, gate: tuple[Gate, str]) -> None:
    before = site.world()
    error = site.refused({"username": USER, "password": WRONG})
    assert error["code"] == 500
    assert error["message"].endswith("refuses the user name or the password (401 UNAUTHORIZED)")
    assert site.world() == before


@needs_registry
@pytest.mark.parametrize("stage", [1, 4, 7])
def test_a_component_that_cannot_use_them_has_all_restored(
    site: Site, gate: tuple[Gate, str], tmp_path: Path, stage: int
) -> None:
    peer, _ = gate
    before = site.world()
    set_password(tmp_path / "registry", SECOND)
    peer.hold(0)
    peer.refuse_from = 2 * stage + 1
    state = site.ended(site.submit(SECOND))
    peer.refuse_from = 0
    assert state["status"] == "FAILED"
    assert state["messages"][-1].lower().startswith(f"{STAGES[stage]} cannot use its new credentials")
    states = [each["state"] for each in state["progress"]["stages"]]
    assert states == ["completed"] * stage + ["failed"] + ["pending"] * (7 - stage)
    assert site.world() == before
    assert site.leaks(FIRST, SECOND) == []
    assert site.edited(SECOND)["status"] == "COMPLETED"


@needs_registry
@pytest.mark.parametrize("stage", [0, 3, 7])
def test_a_cancel_restores_all(site: Site, gate: tuple[Gate, str], tmp_path: Path, stage: int) -> None:
    peer, _ = gate
    before = site.world()
    set_password(tmp_path / "registry", SECOND)
    peer.hold(2 * stage + 2)
    job = site.submit(SECOND)
    assert peer.held.wait(60)
    assert json_of(site.client.post(f"/admin/jobs/{job}/cancel", data=JSON)) == {"status": "success"}
    peer.release()
    assert site.ended(job)["status"] == "CANCELLED"
    assert site.world() == before


@needs_registry
def test_one_edit_at_a_time(site: Site, gate: tuple[Gate, str]) -> None:
    peer, _ = gate
    peer.hold(2)
    job = site.submit(FIRST)
    assert peer.held.wait(60)
    error = site.refused({"username": USER, "password": FIRST})
    assert error["message"] == (
        f"The container registry is being edited by the job {job}; wait for its end, or cancel it"
    )
    peer.release()
    assert site.ended(job)["status"] == "COMPLETED"


@needs_registry
def test_of_many_at_once_each_succeeds_or_is_told_to_wait(site: Site, gate: tuple[Gate, str]) -> None:
    answers: list[dict[str, Any]] = []

    def edit() -> None:
        answers.append(json_of(site.post({"username": USER, "password": FIRST})))

    threads = [threading.Thread(target=edit) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    done = [each for each in answers if each == {"status": "success"}]
    told = [each for each in answers if "is being edited by" in each.get("error", {}).get("message", "")]
    assert done
    assert len(done) + len(told) == 8
    assert json_of(site.post({"username": USER, "password": FIRST})) == {"status": "success"}


@needs_registry
def test_people_edit_it_by_a_form(site: Site, gate: tuple[Gate, str]) -> None:
    page = page_of(site.client.get(f"{REGISTRIES}/{site.registry_id}/edit"))
    fields = {str(each["name"]): each for each in page.all("input")}
    assert fields["password"]["type"] == "password"
    assert not fields["password"]["value"]
    filled = {name: str(each["value"]) for name, each in fields.items()}
    url = f"{REGISTRIES}/{site.registry_id}/edit"
    done = page_of(site.client.post(url, data={**filled, "password": FIRST}))
    assert "success" in done.text
    moved = site.client.post(url, data={**filled, "password": FIRST, "registryRepository": "moved"})
    assert moved.status_code == 303
    job = moved.headers["location"].rpartition("/")[2]
    assert site.ended(job)["result"] == {"credentialUpdateOnly": False}


@needs_registry
def test_a_registry_that_asks_for_nothing_is_taken_with_a_warning(site: Site, tmp_path: Path) -> None:
    with open_registry(tmp_path / "open") as registry:
        state = site.edited(FIRST, f"http://{registry.address}")
    assert state["messages"] == [
        "The registry asks for no credentials: whether these are right cannot be told."
    ]


@needs_registry
def test_a_registry_with_a_token_service(site: Site, trusted: tuple[Path, Path], tmp_path: Path) -> None:
    with token_registry(tmp_path / "tokens", trusted, FIRST) as (registry, service):
        assert isinstance(service, TokenService)
        site.edited(FIRST, f"https://{registry.address}")
        assert service.asked == [{"service": ["tests-registry"]}] * len(STAGES)
        error = site.refused({"username": USER, "password": WRONG})
        assert re.match(
            r"the token service 127.0.0.1:\d+ refuses the user name or the password \(401\)", error["message"]
        )
        assert set(site.configs()) == set(COMPONENTS)
    assert site.leaks(FIRST, WRONG) == []


@needs_registry
def test_a_new_key_for_the_tokens_loses_no_secret(site: Site, gate: tuple[Gate, str]) -> None:
    peer, _ = gate
    peer.hold(2)
    job = site.submit(FIRST)
    assert peer.held.wait(60)
    with People(site.server.data / "people.sqlite") as people:
        Tokens(site.server.data / "token.key", people).rotate()
    peer.release()
    site.client.headers["X-Esri-Authorization"] = f"Bearer {site.server.sign_in()}"
    assert site.ended(job)["status"] == "COMPLETED"
    assert json_of(site.post({"username": USER, "password": FIRST})) == {"status": "success"}


@needs_registry
def test_a_lost_key_for_secrets_is_no_end(site: Site, gate: tuple[Gate, str]) -> None:
    (site.server.data / "secrets.key").unlink()
    assert json_of(site.post({"username": USER, "password": FIRST})) == {"status": "success"}
    assert site.registry["password"] == "{crypt}********"


def test_a_damaged_file_is_named_with_its_cure(site: Site) -> None:
    path = site.system / "containerregistry.json"
    content = path.read_bytes()
    path.write_bytes(b"{")
    try:
        error = json_of(site.client.get(REGISTRIES, params=JSON))["error"]
        assert error["code"] == 500
        assert "containerregistry.json is damaged" in error["message"]
    finally:
        path.write_bytes(content)


def test_a_network_that_is_none_keeps_the_server_from_starting(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "milepost", "serve", "--data", str(tmp_path), "--port", "0"]
    ended = subprocess.run([*command, "--registry-network", "10.0.0.1/8"], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "--registry-network: '10.0.0.1/8' is no network: 10.0.0.1/8 has host bits set" in ended.stderr


@needs_registry
def test_without_the_setting_nothing_private_is_connected_to(tmp_path: Path) -> None:
    with ExitStack() as stack:
        registry = stack.enter_context(basic_registry(tmp_path / "registry", FIRST))
        gate, address = stack.enter_context(gate_before(registry))
        site = Site(tmp_path / "data", networks=())
        stack.callback(site.close)
        for url in (
            f"http://{address}",
            f"https://{address}",
            f"http://localhost:{address.rpartition(':')[2]}",
        ):
            state = site.ended(site.submit(FIRST, url))
            assert state["status"] == "FAILED"
            assert "which is no public address" in state["messages"][-1]
        assert gate.count == 0
