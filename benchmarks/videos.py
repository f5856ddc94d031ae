"""The publishing of a video, against the bare FFmpeg command for the same ladder."""

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.figures import Figure, Ratio, Report, in_turns, ratio
from benchmarks.options import Options
from benchmarks.processes import Milepost, peak
from milepost.servers.video.flight import make_clip
from milepost.servers.video.ingest import Limits, find_ffmpeg
from milepost.servers.video.ingest.ffmpeg import CPU
from milepost.servers.video.ingest.planning import plan
from milepost.servers.video.ingest.probing import probe
from milepost.servers.video.ingest.transcoding import AUDIO, command

RESOLUTIONS = ("sd", "hd")
SIZE = (1280, 720)
SMALL = (320, 180)
"""Pixels of a video that only shows that everything runs."""
ROUNDS = 3
"""At most: a turn takes as long as the video, and longer."""


def run(options: Options, folder: Path) -> Report:
    """Measure."""
    clip = folder / "clip.ts"
    width, height = SIZE if options.video > 5 else SMALL
    make_clip(clip, seconds=options.video, width=width, height=height, fps=30)
    with Milepost(folder / "site") as milepost:
        publisher = _Publisher(milepost, clip)
        below = psutil.Process(milepost.process.pid)
        bare, whole = in_turns(
            min(ROUNDS, options.rounds), lambda: _bare(clip, folder), lambda: publisher.publish()
        )
        bare_peak = peak(psutil.Process(), lambda: _bare(clip, folder))
        job_peak = peak(below, publisher.publish)
        two_bare, two_jobs = in_turns(
            min(ROUNDS, options.rounds),
            lambda: _at_once(lambda: _bare(clip, folder)),
            lambda: _at_once(publisher.publish),
        )
    one = ratio(whole, bare)
    two = ratio(two_jobs, two_bare)
    share = job_peak / bare_peak
    return Report(
        [
            Figure(
                f"a video of {options.video:g} s, from addLayer to its end",
                _seconds(statistics.median(whole)),
                _seconds(statistics.median(bare)),
                one,
                "1.10",
                one.median <= 1.10,
            ),
            Figure(
                "two at once, until both are done",
                _seconds(statistics.median(two_jobs)),
                _seconds(statistics.median(two_bare)),
                two,
                "1.10",
                two.median <= 1.10,
            ),
            Figure(
                "peak memory of all that works for one job",
                _mib(job_peak),
                _mib(bare_peak),
                Ratio(share, share, share),
            ),
        ],
        f"{width}x{height} at 30 frames a second with sound and telemetry, published as {' and '.join(RESOLUTIONS)} by a server"
        " of its own: probes, telemetry, playlists, poster, previews and storage included, the upload not. The floor"
        " is the FFmpeg command of the job typed by hand, which makes the same segments and nothing else. Memory is"
        " the proportional set size of the processes that are started for the work; server and template are left out.",
    )


class _Publisher:
    """Somebody who publishes one clip again and again."""

    def __init__(self, milepost: Milepost, clip: Path):
        self._milepost, self._root = milepost, f"{milepost.address}/video/rest"
        milepost.json(f"{self._root}/services/create", serviceName="Bench")
        with clip.open("rb") as file:
            answer = httpx.post(
                f"{self._root}/uploads/upload",
                data={"f": "json"},
                files={"file": ("clip.ts", file)},
                headers=milepost.headers,
                timeout=600,
                trust_env=False,
            )
        self._file = answer.json()["fileId"]

    def publish(self) -> float:
        """Seconds from the wish for a layer until it is there."""
        wanted = {
            "type": "ondemand",
            "name": "Bench",
            "fileIds": self._file,
            "requestedResolutions": ",".join(RESOLUTIONS),
        }
        begun = time.perf_counter()
        add = f"{self._root}/services/Bench/addLayer"
        job = self._milepost.json(add, createParameters=json.dumps(wanted))["jobId"]
        while (state := self._state(job))["status"] in ("SUBMITTED", "EXECUTING"):
            time.sleep(0.25)
        seconds = time.perf_counter() - begun
        assert state["status"] == "COMPLETED", state["messages"]
        return seconds

    def _state(self, job: str) -> dict[str, Any]:
        state: dict[str, Any] = self._milepost.json(f"{self._root}/jobs/job/{job}")
        return state


def _bare(clip: Path, folder: Path) -> float:
    """Seconds that FFmpeg takes alone."""
    limits = Limits()
    source = probe(clip, check=lambda: None, limits=limits)
    rungs = plan(source, RESOLUTIONS).rungs
    line = command(source, rungs, ffmpeg=find_ffmpeg(), encoder=CPU, audio=True, limits=limits)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for name in (*(each.name for each in rungs), AUDIO):
            (Path(place) / name).mkdir()
        begun = time.perf_counter()
        subprocess.run(line, cwd=place, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return time.perf_counter() - begun


def _at_once(work: Callable[[], float]) -> float:
    begun = time.perf_counter()
    with ThreadPoolExecutor(2) as threads:
        for each in [threads.submit(work) for _ in range(2)]:
            each.result()
    return time.perf_counter() - begun


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _mib(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"
