"""A server on which publishing stumbles where it is told to, and what there is to see on it."""

import threading
from pathlib import Path
from typing import Any

import httpx
import psutil

from milepost.servers.video.flight import make_clip
from tests.running import RunningServer
from tests.videos import ENDED, JSON, REST, SERVICES, add_layer, create_service, upload

INTERRUPTING = Path(__file__).with_name("interrupting.py")
SERVICE = "Flight"
STEPS = (117, 154, 155, 156, 157, 158, 159, 160, 161, 174, 182, 162, 163, 205, 206, 118)
"""The codes of the sixteen steps, in their order."""

LIMIT = 2400
"""Looks at a job; they are a twentieth of a second apart."""


class Field:
    def __init__(self, folder: Path):
        self.places = folder / "places"
        self.places.mkdir()
        environment = {"MILEPOST_TEST_STUMBLE": str(self.places)}
        self.server = RunningServer(folder / "data", INTERRUPTING, environment=environment).start()
        clip = folder / "flight.ts"
        make_clip(clip, seconds=2.4, width=160, height=90)
        self.client = self.server.client()
        self.file = upload(self.client, clip)
        create_service(self.client, SERVICE)

    def close(self) -> None:
        self.client.close()
        self.server.stop()

    def publish(self, *places: str) -> str:
        """The id of a job that stumbles at some places."""
        for each in places:
            (self.places / each).touch()
        (self.places.parent / "encodings").unlink(missing_ok=True)
        return add_layer(self.client, SERVICE, self.file)

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job at its end; the server is started again when it was killed."""
        pause = threading.Event()
        for _ in range(LIMIT):
            if self.server.process.poll() is not None:
                self.server.start()
                self.client.base_url = httpx.URL(self.server.address)
            try:
                job: dict[str, Any] = self.client.get(f"{REST}/jobs/job/{job_id}", params=JSON).json()
            except (httpx.HTTPError, ValueError):
                pause.wait(0.05)
                continue
            if job["status"] in ENDED:
                return job
            pause.wait(0.05)
        raise AssertionError(f"the job does not end: {job}")

    def cancel(self, job_id: str) -> None:
        """Cancel a job once its work stands still."""
        pause = threading.Event()
        still = self.places / "stands-still"
        for _ in range(LIMIT):
            if still.exists():
                still.unlink()
                said = self.client.post(f"{REST}/jobs/job/{job_id}/cancel", data=JSON).json()
                assert said == {"success": True}
                return
            pause.wait(0.05)
        raise AssertionError("the work did not come to its place")

    def encodings(self) -> int:
        return len((self.places.parent / "encodings").read_text().splitlines())

    def encoders(self) -> list[int]:
        """The processes of FFmpeg that the server has started, by themselves or through others."""
        found = psutil.Process(self.server.process.pid).children(recursive=True)
        return [each.pid for each in found if "ffmpeg" in each.name()]

    def world(self) -> dict[str, Any]:
        """What is stored, listed and reserved."""
        data = self.server.data
        services = self.client.get(SERVICES, params=JSON).json()["services"]
        layers = self.client.get(f"{SERVICES}/{SERVICE}/VideoServer", params=JSON).json()["layers"]
        return {
            "stored": sorted(each.name for each in (data / "videos").glob("*")),
            "layers": [each["id"] for each in layers],
            "reserved": services[0]["frameworkProperties"]["lastReservedId"],
        }

    def check_played(self, layer: int) -> None:
        """All that the playlists of a layer name is there."""
        about = self.client.get(f"{SERVICES}/{SERVICE}/VideoServer/{layer}", params=JSON).json()
        (master,) = about["connectionUrl"].values()
        master = master.partition("/arcgis")[2]
        text = self.client.get(master).text
        uris = [line for line in text.splitlines() if line and not line.startswith("#")]
        uris += [part.partition('"')[0] for part in text.split('URI="')[1:]]
        assert len(uris) == 3  # the pictures, the sound, the telemetry
        for uri in uris:
            folder = f"{master.rpartition('/')[0]}/{uri.rpartition('/')[0]}"
            playlist = self.client.get(f"{folder}/index.m3u8").text
            segments = [line for line in playlist.splitlines() if line and not line.startswith("#")]
            assert segments
            for each in segments:
                assert self.client.head(f"{folder}/{each}").status_code == 200

    def delete(self, layer: int) -> None:
        url = f"{SERVICES}/{SERVICE}/VideoServer/{layer}/delete"
        assert self.client.post(url, data=JSON).json() == {"success": True}
