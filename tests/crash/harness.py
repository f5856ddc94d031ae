"""Kills the server, its template or an instance at random moments, and checks every job's history.

The server dies by SIGKILL or is stopped in good order, and is started again on the same data folder;
the template and the instances, those that work and those that undo, die by SIGKILL. Meanwhile clients
submit, watch, pause, resume and cancel jobs that leave traces in files. Once all has settled, the histories
in the store, the traces, and what the clients were told must agree.

A few dozen kills are part of the tests, as many as MILEPOST_TEST_KILLS says and with the dice of
MILEPOST_TEST_SEED if that is set. A long run:

    python -m tests.crash --kills 500 --seed 1
"""

import os
import random
import signal
import sqlite3
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from milepost.jobs import Job, JobError, Status, events, fold
from tests.running import RunningServer, plain_client

CLIENTS = 4
TASK = "/rest/services/Crash/Test/GPServer/work"
SETTLE_LIMIT = 120.0
"""Seconds within which every job must have ended once nothing is killed any more."""


class Harness:
    """A server that is killed again and again while jobs are submitted and cancelled."""

    def __init__(self, folder: Path, seed: int):
        self.random = random.Random(seed)
        self.place = folder / "place"
        self.place.mkdir()
        operations = Path(__file__).with_name("operations.py")
        self.server = RunningServer(folder / "data", operations, program="tests.crash.server").start()
        self.token = self.server.sign_in()
        self._http = plain_client(headers={"X-Esri-Authorization": f"Bearer {self.token}"}, timeout=10)
        self.jobs: dict[str, str] = {}
        """Name of each job that was accepted, and its id."""
        self.endings: dict[str, str] = {}
        """The status of jobs that were seen to have ended."""
        self.held: set[str] = set()
        """The ids of jobs that somebody asked to pause, and nobody to go on."""
        self.looks: Counter[str] = Counter()
        """How many jobs were seen to stand still, and how many to be paused in the end."""
        self.kills: Counter[str] = Counter()
        self.problems: list[str] = []
        """What clients saw that must not be."""
        self._submitted = 0
        self._over = threading.Event()

    def run(self, kills: int) -> "Report":
        """Kill so many times, let everything settle, and tell what is left."""
        clients = [
            threading.Thread(target=self._client, args=(self.random.random(),)) for _ in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        try:
            for _ in range(kills):
                self._over.wait(self.random.uniform(0.01, 0.6))
                self._kill()
        finally:
            self._over.set()
            for client in clients:
                client.join()
        try:
            self._settle()
        finally:
            self._http.close()
            self.server.stop()
        return Report(self)

    # -- clients -----------------------------------------------------------------------------

    def _client(self, seed: float) -> None:
        """Submit, pause, resume and cancel jobs, whatever happens to the server."""
        mine = random.Random(seed)
        paused: list[str] = []
        while not self._over.is_set():
            self._submitted += 1
            name = f"job{self._submitted}-{mine.randrange(10**6)}"
            values = {
                "place": str(self.place),
                "name": name,
                "seconds": f"{mine.uniform(0.01, 0.8):.3f}",
                "fails": mine.random() < 0.2,
                "stubborn": mine.random() < 0.2,
                "f": "json",
                "milepost:key": name,
            }
            answer = self._insist(f"{TASK}/submitJob", values)
            if answer is None:
                return
            self.jobs[name] = answer["jobId"]
            if mine.random() < 0.4:
                self._over.wait(mine.uniform(0, 0.4))
                self._pause(answer["jobId"])
                paused.append(answer["jobId"])
            if paused and mine.random() < 0.4:
                self._resume(paused.pop(mine.randrange(len(paused))))
            if mine.random() < 0.35:
                self._over.wait(mine.uniform(0, 0.5))
                self._insist(f"{TASK}/jobs/{answer['jobId']}/cancel", {"f": "json"})
            for job_id in mine.sample(list(self.jobs.values()), min(3, len(self.jobs))):
                self._look(job_id)
            self._over.wait(mine.uniform(0, 0.15))

    def _insist(self, path: str, form: dict[str, Any]) -> dict[str, Any] | None:
        """Send a request until it is answered; a job must not come of it twice. None when all is over."""
        while not self._over.is_set():
            with suppress(httpx.HTTPError):
                answer = self._http.post(self.server.address + path, data=form)
                found: dict[str, Any] = answer.json()
                if answer.status_code == 200:
                    return found
                self.problems.append(f"{path} was answered {answer.status_code}: {found}")
            self._over.wait(0.05)
        return None

    def _pause(self, job_id: str) -> None:
        self.held.add(job_id)  # the request may arrive although its answer does not
        answer = self._insist(f"/crash/pause/{job_id}", {})
        if answer is None:
            return
        if answer["status"] in ("PAUSE_PENDING", "PAUSED"):
            self._check_still(job_id)
        elif not answer["done"]:
            self.held.discard(job_id)

    def _resume(self, job_id: str) -> None:
        answer = self._insist(f"/crash/resume/{job_id}", {})
        if answer is None:
            return
        if answer["status"] in ("PAUSE_PENDING", "PAUSED"):
            self.problems.append(f"{job_id} was told to go on and is {answer['status']}")
        self.held.discard(job_id)

    def _check_still(self, job_id: str) -> None:
        """See whether anything of a job is at work although it is said to be paused."""
        before = self._insist(f"/crash/look/{job_id}", {})
        if before is None or before["status"] != "PAUSED":
            return
        at_work = _at_work(job_id)
        if before == self._insist(f"/crash/look/{job_id}", {}):
            self.looks["standing still"] += 1
            if at_work:
                self.problems.append(f"{job_id} is paused, and processes of it are at work: {at_work}")

    def _look(self, job_id: str) -> None:
        """See whether a job contradicts what was seen of it before."""
        job = self._insist(f"{TASK}/jobs/{job_id}", {"f": "json"})
        if job is None:
            return
        if "error" in job:
            self.problems.append(f"{job_id} was accepted and is not known any more: {job}")
            return
        known, status = self.endings.get(job_id), job["jobStatus"]
        if known not in (None, status):
            self.problems.append(f"{job_id} was {known} and is {status}")
        if status in ("esriJobSucceeded", "esriJobFailed", "esriJobCancelled", "esriJobTimedOut"):
            self.endings[job_id] = status

    # -- kills -------------------------------------------------------------------------------

    def _kill(self) -> None:
        what = self.random.choices(("server", "stopped server", "instance", "template"), (6, 1, 10, 2))[0]
        if what.endswith("server"):
            if what == "server":
                self.server.kill()
            elif self.server.stop() != 0:
                self.problems.append("the server did not stop in good order")
            self.server.start()
        else:
            victims = self._processes(what)
            if not victims:
                return
            with suppress(ProcessLookupError):
                os.kill(self.random.choice(victims), signal.SIGKILL)
        self.kills[what] += 1

    def _processes(self, what: str) -> list[int]:
        with suppress(psutil.NoSuchProcess):
            templates = psutil.Process(self.server.process.pid).children()
            if what == "template":
                return [each.pid for each in templates]
            return [each.pid for template in templates for each in template.children()]
        return []

    def _settle(self) -> None:
        """Wait until every job has ended or is paused, then let those go on and wait until they have ended."""
        with self.server.client() as client:
            for job_id in self._wait(client, "PAUSED"):
                self.looks["paused in the end"] += 1
                if job_id not in self.held:
                    self.problems.append(f"{job_id} is paused, and nobody wants it to be")
                if at_work := _at_work(job_id):
                    self.problems.append(f"{job_id} is paused, and processes of it are at work: {at_work}")
                if not client.post(f"/crash/resume/{job_id}").json()["done"]:
                    self.problems.append(f"{job_id} is paused and cannot be resumed")
            self._wait(client)

    def _wait(self, client: httpx.Client, *but: str) -> list[str]:
        """The ids of the jobs that have one of the statuses ``but``, once all others have ended."""
        waited = threading.Event()
        for _ in range(int(SETTLE_LIMIT / 0.1)):
            unfinished: dict[str, str] = client.get("/crash/unfinished").json()
            if set(unfinished.values()) <= set(but):
                return list(unfinished)
            waited.wait(0.1)
        raise AssertionError(
            f"jobs are stuck: {unfinished}; the log ends: {self.server.errors.read_text()[-3000:]}"
        )


class Report:
    """What the store and the traces tell once all is over, and what is wrong with it."""

    def __init__(self, harness: Harness):
        self.kills = dict(harness.kills)
        self.problems = list(harness.problems)
        self.outcomes: Counter[str] = Counter()
        self.attempts = self.pauses = 0
        self.looks = dict(harness.looks)
        self._place = harness.place
        histories = _histories(harness.server.data / "milepost.sqlite")
        for name, spelled in harness.jobs.items():
            job_id = spelled.removeprefix("j")
            if job_id not in histories:
                self.problems.append(f"{name}: accepted as {job_id} and then unknown")
        keys: Counter[str] = Counter()
        for job_id, history in histories.items():
            try:
                job = fold(job_id, history)
            except JobError as error:
                self.problems.append(f"the history of {job_id} is not legal: {error}")
                continue
            keys[job.key] += 1
            self.outcomes[job.status.name] += 1
            self.attempts += job.attempt
            self._check(job, history)
            ended = harness.endings.get(f"j{job_id}")
            if ended and ended.removeprefix("esriJob").upper() != job.status.name.replace("_", ""):
                self.problems.append(f"{job.key}: was seen {ended} and is {job.status.name}")
        self.problems += [f"{key}: submitted once, accepted {n} times" for key, n in keys.items() if n > 1]
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("MILEPOST_JOB") in histories:
                    self.problems.append(f"process {process.pid} of a job is left")

    def _check(self, job: Job, history: list[events.AnyEvent]) -> None:
        name = job.key
        if not job.status.ended:
            self.problems.append(f"{name}: still {job.status.name}")
        if (self._place / f"{name}.overlap").exists():
            self.problems.append(f"{name}: two attempts ran at the same time")
        effect = (self._place / f"{name}.effect").exists()
        if effect != (job.status is Status.SUCCEEDED):
            self.problems.append(
                f"{name}: {job.status.name}, and its effect is{'' if effect else ' not'} there"
            )
        if job.status is Status.CANCELLED and not job.cancelled_by:
            self.problems.append(f"{name}: cancelled by nobody")
        if job.status is Status.FAILED and not job.error:
            self.problems.append(f"{name}: failed without a reason")
        self.pauses += sum(isinstance(event, events.Paused) for event in history)
        pids = {event.attempt: event.pid for event in history if isinstance(event, events.Started)}
        for event in history:
            if isinstance(event, events.StepFinished):
                # Done again only by attempts up to the one whose result was recorded.
                allowed = {pid for attempt, pid in pids.items() if attempt <= event.attempt}
                trace = self._place / f"{name}.{event.name}"
                done_by = {int(line) for line in trace.read_text().split()}
                if not done_by <= allowed:
                    self.problems.append(
                        f"{name}: step {event.name}, recorded in attempt {event.attempt} of {pids}, was done by {done_by}"
                    )

    def __str__(self) -> str:
        kills = ", ".join(f"{number} {what}" for what, number in sorted(self.kills.items()))
        ends = ", ".join(f"{number} {what.lower()}" for what, number in sorted(self.outcomes.items()))
        jobs = sum(self.outcomes.values())
        looks = ", ".join(f"{number} {what}" for what, number in sorted(self.looks.items()))
        return (
            f"{sum(self.kills.values())} kills ({kills}); {jobs} jobs in {self.attempts} attempts"
            f" ({ends}); {self.pauses} pauses ({looks}); {len(self.problems)} problems"
        )


def _at_work(job_id: str) -> list[str]:
    """The processes of a job that neither stand still nor have ended."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("MILEPOST_JOB") == job_id.removeprefix("j"):
                state = process.status()
                if state not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
                    found.append(f"{process.pid} {state}")
    return found


def _histories(path: Path) -> dict[str, list[events.AnyEvent]]:
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT jobs.id, events.body FROM events JOIN jobs ON jobs.number = events.job"
        " ORDER BY events.job, events.sequence"
    )
    histories: dict[str, list[events.AnyEvent]] = {}
    for job_id, body in rows:
        histories.setdefault(job_id, []).append(events.decode(body))
    connection.close()
    return histories
