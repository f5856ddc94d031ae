"""A server in a process of its own, for as long as the demonstration runs."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from milepost.cli.common import Problem
from milepost.cli.user import PEOPLE_FILE
from milepost.security import People, Role, SecurityError

READY: Final = "Milepost serves "
"""How the line begins in which a server tells its address."""

_STOP_LIMIT: Final = 30.0
"""Seconds a server has to stop in good order."""


class LocalServer:
    """``milepost serve`` on a free port of this machine."""

    def __init__(self, data: Path):
        """Made for one data folder; not started yet."""
        self.data: Final = data
        self.log: Final = data / "server.log"
        self.address = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self, administrator: str, password: str) -> None:
        """Start it; returns once it answers, and somebody can sign in.

        Args:
            administrator: who is to be let in, with all privileges.
            password: their password from now on.

        Raises:
            Problem: it did not start; the text is what it said.
        """
        # Settings for a real server must not leak into this one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MILEPOST_")}
        environment |= {"MILEPOST_ADMIN_USERNAME": administrator, "MILEPOST_ADMIN_PASSWORD": password}
        command = [sys.executable, "-m", "milepost", "serve", "--data", str(self.data), "--port", "0"]
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.log.open("w") as log:
                self._process = subprocess.Popen(  # noqa: S603 - this very interpreter, no shell
                    command,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    env=environment,
                    # Ctrl-C in the terminal is for us alone; we stop the server when we are done.
                    start_new_session=True,
                )
        except OSError as error:
            raise Problem(f"{self.data} cannot be used as a data folder: {error}") from error
        self.address = self._told_address(self._process)
        # Only the very first start makes an administrator.
        try:
            with People(self.data / PEOPLE_FILE) as people:
                if people.get(administrator) is None:
                    people.add(administrator, password)
                people.set_password(administrator, password)
                people.set_role(administrator, Role.ADMINISTRATOR)
        except SecurityError as error:
            raise Problem(str(error)) from error

    def _told_address(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(READY):
                return line.removeprefix(READY).strip()
        process.wait()
        said = self.log.read_text().strip().splitlines() or ["it said nothing"]
        raise Problem(f"the server did not start: {said[-1].removeprefix('Error: ')}")

    def wait(self) -> int:
        """Wait until the server ends by itself; returns its exit code."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> int:
        """Stop it in good order; returns its exit code, 0 when it never ran."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        return code

    def processes_of(self, job_id: str) -> list[psutil.Process]:
        """The processes that work on a job: each of them has the folder of the job as its own.

        Args:
            job_id: as clients see it, ``j`` and 32 hexadecimal digits.
        """
        folder = job_id.removeprefix("j").replace("-", "").lower()
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if folder in process.cwd():
                    found.append(process)
        return found
