"""A real server in a process of its own, for tests."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

START_LIMIT = 60.0
"""Seconds until a server must be ready; importing the toolbox takes a few on a busy machine."""

PASSWORD = "correct-horse-battery"


class RunningServer:
    """``milepost serve`` on a free port, with an administrator ``admin`` whose password is ``PASSWORD``."""

    def __init__(
        self,
        data: Path,
        *operations: str | Path,
        options: tuple[str, ...] = (),
        toolbox: bool = False,
        environment: Mapping[str, str] | None = None,
        program: str = "milepost",
    ):
        self.data = data
        self._program = program
        self._options = [
            *("--data", str(data), "--port", "0"),
            *(part for each in operations for part in ("--operations", str(each))),
            *(() if toolbox else ("--no-toolbox",)),
            *options,
        ]
        self._environment = {**os.environ, "MILEPOST_ADMIN_PASSWORD": PASSWORD, **(environment or {})}
        self.output: list[str] = []
        self.errors = data.parent / f"{data.name}.stderr"
        self.address = ""
        self.token = ""
        self.process: subprocess.Popen[str]

    def command(self) -> list[str]:
        """What is started."""
        return [sys.executable, "-m", self._program, "serve", *self._options]

    def start(self) -> Self:
        """Start it, on a new port each time; returns once it answers."""
        self.output = []
        lines: queue.Queue[str | None] = queue.Queue()
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                self.command(),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=self._environment,
            )
        threading.Thread(target=self._read, args=(self.process, lines), daemon=True).start()
        while (line := lines.get(timeout=START_LIMIT)) is not None:
            self.output.append(line.rstrip())
            if line.startswith("Milepost serves "):
                self.address = line.split()[-1]
                return self
        raise AssertionError(f"the server did not start:\n{self.errors.read_text()}")

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: "queue.Queue[str | None]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        process.stdout.close()
        lines.put(None)

    def client(self, *, signed_in: bool = True) -> httpx.Client:
        """An HTTP client whose URLs begin at the context."""
        headers = {}
        if signed_in:
            self.token = self.token or self.sign_in()
            headers["X-Esri-Authorization"] = f"Bearer {self.token}"
        return plain_client(base_url=self.address, headers=headers)

    def sign_in(self, username: str = "admin", password: str = PASSWORD) -> str:
        """A fresh token."""
        form = {"username": username, "password": password, "f": "json", "expiration": "600"}
        with plain_client() as client:
            answer = client.post(f"{self.address}/sharing/rest/generateToken", data=form)
        token: str = answer.json()["token"]
        return token

    def kill(self) -> None:
        """As ``kill -9``."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """As Ctrl-C; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def plain_client(**options: Any) -> httpx.Client:
    """A client for plain HTTP: to load the certificates that are trusted takes longer than many a test."""
    return httpx.Client(**{"timeout": 60, "trust_env": False, "verify": False, **options})


def wait_for_job(client: httpx.Client, url: str, *, until: tuple[str, ...] = ()) -> dict[str, Any]:
    """Poll a geoprocessing job until it has ended, or has one of the statuses ``until``; its JSON."""
    wanted = until or ("Succeeded", "Failed", "TimedOut", "Cancelled", "Deleted")
    pause = threading.Event()
    for _ in range(3000):
        job: dict[str, Any] = client.get(url, params={"f": "json"}).json()
        assert "error" not in job, job
        if job["jobStatus"].removeprefix("esriJob") in wanted:
            return job
        pause.wait(0.02)
    raise AssertionError(f"the job did not get to {wanted}: {job}")
