"""A backup of a server at work is that of one moment, and a server goes on from it."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx

from milepost.backups import restore
from tests.backups.site_server import (
    JSON,
    WORK,
    create,
    ended,
    file_of,
    run,
    server_of,
    submit,
    wait_for,
)
from tests.running import plain_client, wait_for_job

PRODUCTION = "/rest/services/Topography/TopographicProductionServer"
VIDEOS = "/video/rest/services"


class Users:
    """People who submit jobs, and one who deletes ended ones, until told to stop."""

    def __init__(self, address: str, token: str):
        self.accepted: list[tuple[str, str]] = []
        """The URL and the text of each job that the server took in, in the order of its answers."""
        self.deleted: set[str] = set()
        self.problems: list[str] = []
        self._address = address
        self._headers = {"X-Esri-Authorization": f"Bearer {token}"}
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._submit, args=(n,)) for n in range(3)]
        self._threads.append(threading.Thread(target=self._delete))

    def __enter__(self):
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for each in self._threads:
            each.join()

    def until(self, count: int) -> None:
        """Wait until so many more jobs were accepted."""
        wanted = len(self.accepted) + count
        while len(self.accepted) < wanted:
            time.sleep(0.005)

    def _client(self) -> httpx.Client:
        return plain_client(base_url=self._address, headers=self._headers)

    def _submit(self, number: int) -> None:
        with self._client() as client:
            count = 0
            while not self._over.is_set():
                count += 1
                text = f"text {number}.{count}"
                try:
                    self.accepted.append((submit(client, f"{WORK}/produce", text=text), text))
                except (httpx.HTTPError, KeyError) as error:
                    self.problems.append(f"{text}: {error!r}")

    def _delete(self) -> None:
        with self._client() as client:
            while not self._over.is_set():
                for url, _ in self.accepted[:-10:7]:
                    if url in self.deleted or self._over.is_set():
                        continue
                    job = url.rpartition("/")[2]
                    path = f"/admin/services/Backups/Work.GPServer/jobs/{job}/delete"
                    answer = client.post(path, data=JSON).json()
                    if answer == {"status": "success"}:
                        self.deleted.add(url)
                self._over.wait(0.05)


def test_every_job_that_was_accepted_before_a_backup_began_is_in_it(tmp_path: Path) -> None:
    backups = []
    with server_of(tmp_path / "data", "--gp-admin", "server") as server, server.client() as client:
        token = server.sign_in()
        with Users(server.address, token) as users:
            for _ in range(2):
                users.until(40)
                before = list(users.accepted)
                job = create(client)
                state = ended(client, job)
                assert state["status"] == "COMPLETED", state
                backups.append((before, state["result"]["backup"], job))
            users.until(10)
        assert users.problems == []
        assert users.deleted
    for number, (before, name, job) in enumerate(backups):
        new = tmp_path / f"new{number}"
        done = restore(tmp_path / "data/backups" / f"{name}.tar", new)
        assert done.about.jobs >= len(before)
        with server_of(new) as server, server.client() as client:
            texts = {}
            for url, text in before:
                status = wait_for_job(client, url)["jobStatus"]
                # A job at work is cancelled before it is deleted.
                gone = status in ("esriJobDeleted", "esriJobCancelled") and url in users.deleted
                assert status == "esriJobSucceeded" or gone, status
                if status == "esriJobSucceeded":
                    texts[url] = text
            for url in list(texts)[::5]:
                assert file_of(client, url) == texts[url]
            assert len(texts) > 20
            # The job that made the backup has made it, and does not make another.
            assert ended(client, job)["status"] == "COMPLETED"
            assert client.get("/admin/system/backups", params=JSON).json()["backups"] == []
            assert run(client, f"{WORK}/produce", text="new")[1]["jobStatus"] == "esriJobSucceeded"


def test_a_job_at_work_goes_on_from_its_last_step_beside_the_server_it_came_from(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with server_of(tmp_path / "data") as server, server.client() as client:
        going = submit(client, f"{WORK}/in_two_steps", text="from the first life", gate=str(gate))
        wait_for(gate.with_suffix(".reached"))
        state = ended(client, create(client))
        assert state["status"] == "COMPLETED", state
        done = restore(tmp_path / "data/backups" / f"{state['result']['backup']}.tar", tmp_path / "new")
        # The other that had not ended is the one that made the backup.
        assert (done.site.jobs, done.site.unfinished) == (2, 2)
        gate.with_suffix(".reached").unlink()
        with server_of(tmp_path / "new") as other, other.client() as its_client:
            wait_for(gate.with_suffix(".reached"))
            gate.touch()
            for each in (client, its_client):
                job = wait_for_job(each, going)
                assert job["jobStatus"] == "esriJobSucceeded", job
                value = each.get(f"{going}/results/result", params=JSON).json()["value"]
                assert value == "from the first life"
            attempts = [
                each.get("/rest/jobs", params={**JSON, "operation": "in_two_steps"})
                for each in (client, its_client)
            ]
            assert [each.json()["jobs"][0]["attempt"] for each in attempts] == [1, 2]


def test_a_restored_server_knows_people_with_their_tokens_products_and_videos(tmp_path: Path) -> None:
    with server_of(tmp_path / "data") as server, server.client() as client:
        token = server.token
        made = {"productDefinition": '{"name": "Walks", "basedOn": "MTM50"}', **JSON}
        assert client.post(f"{PRODUCTION}/addProduct", data=made).json()["success"]
        assert client.post(f"{VIDEOS}/create", data={"serviceName": "Flights", **JSON}).json()["success"]
        with_keys = ended(client, create(client))["result"]["backup"]
        without = ended(client, create(client, keys="false"))["result"]["backup"]
    folder = tmp_path / "data/backups"
    for name, kept in ((with_keys, True), (without, False)):
        new = tmp_path / name
        assert restore(folder / f"{name}.tar", new).about.keys is kept
        assert (new / "token.key").exists() is kept
        with server_of(new) as server:
            server.sign_in()
            headers = {"X-Esri-Authorization": f"Bearer {token}"}
            answer = httpx.get(
                f"{server.address}/admin", params=JSON, headers=headers, trust_env=False
            ).json()
            assert ("error" not in answer) is kept
            with server.client() as client:
                product = client.get(f"{PRODUCTION}/products/Walks", params=JSON).json()
                assert product["name"] == "Walks"
                [service] = client.get(VIDEOS, params=JSON).json()["services"]
                assert service["serviceName"] == "Flights"
            with suppress(KeyError):
                assert answer["error"]["code"] == 498
