"""The processes that belong to jobs, seen from outside: found, held still, and killed."""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import psutil
import structlog

from milepost.engine.instance import JOB_VARIABLE
from milepost.jobs import Job
from milepost.operations import site

log = structlog.get_logger("milepost.engine")

_SWEEPS: Final = 10

_STOPPED: Final = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
_OVER: Final = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class ProcessTree:
    """A process and all that came from it, in whatever group or session; where it is a subreaper, daemons too."""

    def __init__(self, root: psutil.Process):
        """Below ``root``, which knows when its pid was given to another process."""
        self._root = root
        self._held: dict[psutil.Process, None] = {}

    def stop(self) -> bool:
        """Stop every process where it is; whether each stood still in two looks one after the other.

        When not, call it again: a process may have forked while it was being stopped. What was stopped
        by others is left to them.
        """
        return self._look() and self._look()

    def go_on(self) -> None:
        """Let those that were stopped here go on, children before those who may wait for them."""
        for process in reversed(self._held):
            with contextlib.suppress(psutil.Error):
                process.resume()
        self._held.clear()

    def _look(self) -> bool:
        """Stop what runs; whether nothing did, and the root is there."""
        try:
            # The root first: once it stands still it starts nothing more.
            still = self._stop(self._root)
            for each in self._root.children(recursive=True):
                still = self._stop(each) and still
        except psutil.NoSuchProcess:
            return False
        return still

    def _stop(self, process: psutil.Process) -> bool:
        """Stop one process if it runs; whether it did not."""
        with contextlib.suppress(psutil.Error):
            state = process.status()
            # One in the middle of a call to the kernel stops before it does anything else. It may never
            # return from it: a parent waits there until its child, stopped just before, runs its program.
            if state in _STOPPED or (state == psutil.STATUS_DISK_SLEEP and process in self._held):
                return True
            if state in _OVER:
                return process != self._root
            process.suspend()
            self._held[process] = None
        return False


def kill_leftovers(jobs: Iterable[Job], data: Path) -> None:
    """Kill all processes of these jobs that no template can see to; returns when they are gone.

    A pid alone proves nothing, for it may have been given away again: a process must have been
    created when the instance was, or carry the id of a job in its environment. Nor does the id alone: a site
    that was restored from a backup has the jobs of another, whose server may be at work on them.

    Args:
        jobs: whose processes they are.
        data: the data folder of the site.
    """
    wanted = {job.id: job for job in jobs}
    instances = {job.pid: job for job in wanted.values() if job.pid}
    for _ in range(_SWEEPS):  # a process may have been forked behind our back by one that died then
        found = [each for each in psutil.process_iter() if _belongs(each, wanted, instances, str(data))]
        for process in found:
            with contextlib.suppress(psutil.Error, OSError):
                process.kill()
                if process.pid in instances:
                    os.killpg(process.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(found, timeout=5)
        if not found or alive:
            break
    if found:
        log.error("processes of ended attempts cannot be killed", pids=[each.pid for each in found])


def _belongs(process: psutil.Process, jobs: dict[str, Job], instances: dict[int, Job], data: str) -> bool:
    with contextlib.suppress(psutil.Error):
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        environment = process.environ()
        if environment.get(site.VARIABLE, data) != data:
            return False
        job = instances.get(process.pid)
        if job is not None and abs(process.create_time() - job.born) < 1:
            return True
        return environment.get(JOB_VARIABLE) in jobs
    return False
