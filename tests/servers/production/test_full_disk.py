"""A sheet for which the disk of the server has no room: it fails, says so, and leaves nothing."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("reportlab", reason="sheets need the extra production")

from milepost.servers.production.sheet.room import RESERVE
from tests.servers.production.sheets import BASE, PLAIN
from tests.servers.talking import json_of
from tests.servers.test_full_disk import SmallDisk, can_mount

pytestmark = pytest.mark.timeout(240)

AREA = [{"geometry": {"xmin": -84.16, "ymin": 36.28, "xmax": -84.12, "ymax": 36.31}}]
FORM = {"productName": "Plain", "productVersion": "1.0", "outputType": "pdf", "customAoi": json.dumps(AREA)}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if not can_mount():
        pytest.skip("a disk cannot be mounted here")
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with SmallDisk(data) as running:
        yield running


def test_a_sheet_without_room(disk: SmallDisk) -> None:
    with disk.client() as client:

        def said(path: str, **form: str) -> dict[str, Any]:
            answer: dict[str, Any] = json_of(client.post(f"{BASE}/{path}", data={"f": "json", **form}))
            return answer

        assert said("addProduct", productDefinition=json.dumps(PLAIN))["success"]
        disk.fill(RESERVE + (1 << 20))
        job = said("generateProduct", **FORM)["jobId"]
        pause = threading.Event()
        while (about := said("jobs/job", jobId=job, msgLevel="info"))["statusCode"] not in (4, 5, 6, 8):
            pause.wait(0.1)
        assert about["statusCode"] == 5, about
        error, closing = about["messages"]["errors"]
        assert error.startswith("The disk of the server is full; nothing of the sheet was kept.")
        assert closing == "Failed."
        assert not [*(disk.disk / "scratch").glob("*")]
        assert not [*(disk.disk / "jobs").rglob("*.pdf")]
