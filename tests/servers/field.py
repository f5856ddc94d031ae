"""A server whose work stumbles where it is told to, and clients of it that outlive it."""

import threading
from pathlib import Path
from typing import Any

import httpx

from tests.running import RunningServer
from tests.servers.stumbling import FOLDER, STILL
from tests.servers.talking import json_of

JSON = {"f": "json"}
ENDED = ("COMPLETED", "FAILED", "CANCELLED")

LIMIT = 4800
"""Looks at a job; they are a fortieth of a second apart."""


class Field:
    """The server; ``stumbling`` says how it is told."""

    def __init__(self, folder: Path, *operations: Path):
        """With files of operations, which make something stumble."""
        self.places = folder / "places"
        self.places.mkdir()
        environment = {FOLDER: str(self.places)}
        self.server = RunningServer(folder / "data", *operations, environment=environment).start()
        self.client = self.server.client()

    def close(self) -> None:
        self.client.close()
        self.server.stop()

    def post(self, path: str, **form: str) -> dict[str, Any]:
        said: dict[str, Any] = json_of(self.client.post(path, data={**form, **JSON}))
        return said

    def tell(self, *places: str) -> None:
        """Where to stumble, each once."""
        for each in places:
            (self.places / each).touch()

    def require_all(self) -> None:
        """The work came to all places."""
        assert not list(self.places.iterdir()), "the work did not come to all its places"

    def ended(self, job: str) -> dict[str, Any]:
        """The job at a path once it has ended; the server is started again whenever it was killed."""
        pause = threading.Event()
        state: dict[str, Any] = {}
        for _ in range(LIMIT):
            if self.server.process.poll() is not None:
                self.server.start()
                self.client.base_url = httpx.URL(self.server.address)
            try:
                state = self.post(job)
            except httpx.HTTPError:
                state = {}
            if state.get("status") in ENDED:
                return state
            pause.wait(0.025)
        raise AssertionError(f"the job does not end: {state}")

    def until_still(self) -> None:
        """Return once the work stands still at a place."""
        pause = threading.Event()
        for _ in range(LIMIT):
            if (self.places / STILL).exists():
                (self.places / STILL).unlink()
                return
            pause.wait(0.025)
        raise AssertionError("the work did not come to its place")
