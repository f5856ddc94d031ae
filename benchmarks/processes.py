"""The servers that are measured, each a process of its own on a core of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

OPERATIONS = Path(__file__).with_name("operations.py")
PASSWORD = "benchmark-only-password"


def cores() -> tuple[int | None, int | None]:
    """The core for servers and the one for the load client; None where there are no two to choose from."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[-1]) if len(usable) > 1 else (None, None)


class Server:
    """A server that prints its address as the last word of a line when it is ready."""

    def __init__(
        self, command: list[str], *, core: int | None = None, environment: dict[str, str] | None = None
    ):
        """Starts it; returns once it serves."""
        started = time.perf_counter()
        errors, name = tempfile.mkstemp()
        self._errors = Path(name)
        with _on(core):
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **(environment or {})},
            )
        os.close(errors)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if " serves " in line:
                self.address = line.split()[-1]
                break
        else:
            raise RuntimeError(f"{' '.join(command)} did not start:\n{self._errors.read_text()[-2000:]}")
        self.started_in = time.perf_counter() - started
        """Seconds from the start of the process until it served."""

    def cpu(self) -> float:
        """Seconds of CPU the server process has used so far, its children not included."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def __enter__(self) -> Self:
        return self

    def stop(self) -> None:
        """As Ctrl-C."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.unlink()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Milepost(Server):
    """``milepost serve`` with the operations of the benchmarks, and somebody who is signed in."""

    def __init__(
        self, data: Path, *, core: int | None = None, toolbox: bool = False, command: list[str] | None = None
    ):
        """Over a data folder, made if missing; ``command`` is another way to start the same server."""
        super().__init__(
            command
            or [
                *("milepost", "serve", "--data", str(data), "--port", "0", "--operations", str(OPERATIONS)),
                *(() if toolbox else ("--no-toolbox",)),
            ],
            core=core,
            environment={"MILEPOST_ADMIN_USERNAME": "admin", "MILEPOST_ADMIN_PASSWORD": PASSWORD},
        )
        # One client for all requests: each client of its own reads the certificates of the system first, and that
        # work takes the cores away from what is measured.
        self._client = httpx.Client(timeout=120, trust_env=False)
        form = {"username": "admin", "password": PASSWORD, "f": "json", "expiration": "600"}
        answer = self._client.post(f"{self.address}/sharing/rest/generateToken", data=form)
        self.token: str = answer.json()["token"]
        self.headers = {"X-Esri-Authorization": f"Bearer {self.token}"}

    def stop(self) -> None:
        """As Ctrl-C."""
        self._client.close()
        super().stop()

    def task(self, service: str, name: str) -> str:
        """The URL of a task."""
        return f"{self.address}/rest/services/{service}/GPServer/{name}"

    def text(self, url: str) -> str:
        """What is at a URL."""
        return self._client.get(url, headers=self.headers).text

    def json(self, url: str, **parameters: Any) -> Any:
        """What a resource says."""
        answer = self._client.post(url, data={"f": "json", **parameters}, headers=self.headers).json()
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{url}: {answer['error']}")
        return answer

    def submit(self, task: str, **inputs: Any) -> str:
        """Submit a job; the URL of its resource."""
        return f"{task}/jobs/{self.json(f'{task}/submitJob', **inputs)['jobId']}"

    def finish(self, job: str) -> Any:
        """Wait for the end of a job; its JSON."""
        while True:
            state = self.json(job)
            if state["jobStatus"] == "esriJobSucceeded":
                return state
            if state["jobStatus"] not in ("esriJobSubmitted", "esriJobWaiting", "esriJobExecuting"):
                raise RuntimeError(f"{job}: {state}")
            time.sleep(0.01)


@contextlib.contextmanager
def _on(core: int | None) -> Iterator[None]:
    """What is started inside runs on this core, and so do its children."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def peak(above: psutil.Process, work: Callable[[], float]) -> float:
    """By how many bytes the processes below one grow at most during some work; those that come into being count whole.

    Proportional set sizes, where the system tells them: what processes share counts once.
    """
    before = _sizes(above)
    highest, done = before, threading.Event()

    def look() -> None:
        nonlocal highest
        while not done.wait(0.2):
            highest = max(highest, _sizes(above))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        work()
    finally:
        done.set()
        looking.join()
    return highest - before


def _sizes(above: psutil.Process) -> float:
    return sum(_size(each) for each in above.children(recursive=True))


def _size(process: psutil.Process) -> float:
    try:
        info = process.memory_full_info()
    except psutil.Error:  # it has just ended
        return 0.0
    return float(getattr(info, "pss", 0) or info.rss)
