"""The processes that belong to jobs, seen from outside: found, and killed."""

import contextlib
import os
import signal
from collections.abc import Iterable
from typing import Final

import psutil
import structlog

from milepost.engine.instance import JOB_VARIABLE
from milepost.jobs import Job

log = structlog.get_logger("milepost.engine")

_SWEEPS: Final = 10


def kill_leftovers(jobs: Iterable[Job]) -> None:
    """Kill all processes of these jobs that no template can see to; returns when they are gone.

    A pid alone proves nothing, for it may have been given away again: a process must have been
    created when the instance was, or carry the id of a job in its environment.
    """
    wanted = {job.id: job for job in jobs}
    instances = {job.pid: job for job in wanted.values() if job.pid}
    for _ in range(_SWEEPS):  # a process may have been forked behind our back by one that died then
        found = [each for each in psutil.process_iter() if _belongs(each, wanted, instances)]
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


def _belongs(process: psutil.Process, jobs: dict[str, Job], instances: dict[int, Job]) -> bool:
    with contextlib.suppress(psutil.Error):
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        job = instances.get(process.pid)
        if job is not None and abs(process.create_time() - job.born) < 1:
            return True
        return process.environ().get(JOB_VARIABLE) in jobs
    return False
