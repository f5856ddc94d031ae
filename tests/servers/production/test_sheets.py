"""Sheets as clients get them: made, stopped, held still, killed and begun again, and what fails says why."""

import asyncio
import io
import json
import os
import signal
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

# Not Mapnik itself: its import changes the settings of PROJ and GDAL of the process.
pytest.importorskip("reportlab", reason="sheets need the extra production")

import numpy as np
import pyogrio
import pypdfium2

from milepost.features import Definition, Field, GeometryType, Layer
from milepost.jobs import Job, Status
from milepost.jobs.events import Progressed, StageStarted
from milepost.servers.production import needs, wire
from tests.servers.house import House
from tests.servers.production.sheets import BASE, add_product
from tests.servers.talking import error_of, json_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240, method="thread")]

SITE = "http://gis.example.com/arcgis"
WEST, SOUTH, EAST, NORTH = BOX = (-84.16, 36.28, -84.12, 36.31)
AREA = [{"geometry": dict(zip(("xmin", "ymin", "xmax", "ymax"), BOX, strict=True))}]
RINGS = [[[WEST, SOUTH], [WEST, NORTH], [EAST, NORTH], [EAST, SOUTH], [WEST, SOUTH]]]

GOOD: dict[str, Any] = {
    "productName": "Plain",
    "productVersion": "1.0",
    "outputType": "pdf",
    "customAoi": AREA,
}


@pytest.fixture(scope="module", autouse=True)
async def product(house: House) -> None:
    async with house.client("pat") as pat:
        await add_product(pat)


async def submit(house: House, client: httpx.AsyncClient, **form: Any) -> Job:
    sent = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in {**GOOD, **form}.items()
        if value is not None
    }
    said = json_of(await client.post(f"{BASE}/generateProduct", data={"f": "json", **sent}))
    return await house.manager.get(said["jobId"].replace("-", "").lower())


async def record(client: httpx.AsyncClient, job: Job, level: str = "info") -> dict[str, Any]:
    url = f"{BASE}/jobs/job/{wire.job_id(job)}"
    said: dict[str, Any] = json_of(await client.get(url, params={"f": "json", "msgLevel": level}))
    return said


def reaches(title: str) -> Any:
    """Whether a job has come to a stage."""
    return lambda job: any(each.text == f"Executing {title}" for each in job.messages)


@pytest.fixture(scope="module")
async def made(house: House, product: None) -> AsyncIterator[Job]:
    """A sheet."""
    async with house.client("ann") as ann:
        job = await house.manager.finished((await submit(house, ann, outputName="Hunter.pdf")).id)
        assert job.status is Status.SUCCEEDED, job.error
        yield job


async def test_a_sheet_is_made(
    house: House, ann: httpx.AsyncClient, bob: httpx.AsyncClient, pat: httpx.AsyncClient, made: Job
) -> None:
    about = await record(ann, made)
    assert (about["status"], about["statusCode"], about["percentComplete"]) == ("Completed", 4, 1)
    assert "errors" not in about["messages"]
    told = about["messages"]["informative"]
    assert told[:2] == ["Submitted.", "Executing..."]
    assert told[3] == "Starting to generate product Plain."
    assert told[5] == "Executing Import Template and Extract Features"
    started = [text for text in told if text.startswith("Start Time: ")]
    assert len(started) >= sum(text.startswith("Executing ") for text in told)
    assert started[0].endswith((" AM", " PM"))
    assert about["outputUrl"].endswith("/Hunter.pdf")
    content = (await ann.get(about["outputUrl"])).content
    assert content.startswith(b"%PDF-")
    for other in (bob, pat):  # nor may who publishes, and lists the jobs of everybody
        assert error_of(await other.get(about["outputUrl"], params={"f": "json"}))["code"] == 404
    while scratch(house, made).exists():  # it goes once the success is kept
        await record(ann, made)


async def test_percent_complete_moves_on(house: House, made: Job) -> None:
    before: dict[str, list[float]] = {"": []}
    stage = ""
    for each in await house.manager.history(made.id):
        match each.event:
            case StageStarted(name=stage):
                before[stage] = []
            case Progressed(fraction=fraction):
                before[stage].append(fraction)
    shares = [fraction for found in before.values() for fraction in found]
    assert shares == sorted(shares)
    # What comes too fast is left out, but never the first and the last.
    assert (shares[0], shares[-1]) == (0, 1)
    # Wherever it is told, it is in its place: by what the stages cost.
    names = list(before)
    early, late = names.index("Place Labels"), names.index("Verify Product")
    assert all(fraction < 0.75 for name in names[:early] for fraction in before[name])
    assert all(fraction > 0.8 for name in names[late:] for fraction in before[name])


def scratch(house: House, job: Job) -> Path:
    """The private folder of a job at work."""
    return house.server.settings.data / "scratch" / job.id


async def test_a_feature_becomes_a_package_with_what_is_added(
    house: House, ann: httpx.AsyncClient, tmp_path: Path
) -> None:
    name = Field(name="name")
    areas = Layer(name="Areas", geometry=GeometryType.POLYGON, fields=(Field(name="sheet"), name))
    roads = Layer(name="Roads", geometry=GeometryType.POLYLINE, fields=(Field(name="highway"), name))
    service = house.server.features.create(
        "Maps/Private", Definition(owner="ann", layers=(areas, roads), private=True)
    )
    [area] = service.add(
        0, [{"attributes": {"sheet": "4142-III", "name": "Hunter"}, "geometry": {"rings": RINGS}}]
    )
    path = [[WEST + 0.01, SOUTH + 0.01], [EAST - 0.01, NORTH - 0.01]]
    far = [[1.0, 1.0], [2.0, 2.0]]
    service.add(
        1,
        [
            {"attributes": {"highway": "primary", "name": "New road"}, "geometry": {"paths": [path]}},
            {"attributes": {"highway": "primary", "name": "Far away"}, "geometry": {"paths": [far]}},
        ],
    )
    form = {"f": "json", "productName": "Plain", "sheetIDField": "sheet"}
    async with house.client("pat") as pat:
        assert json_of(await pat.post(f"{BASE}/updateProduct", data=form))["success"]
    layer = f"{SITE}/rest/services/Maps/Private/FeatureServer"
    job = await submit(
        house,
        ann,
        customAoi=None,
        aoiLayer=f"{layer}/0",
        aoiFeatureId=area,
        outputType={"outputType": "pdf", "outputFiles": ["Geodatabase"]},
        ancillaryLayers=[{"layer": f"{layer}/1"}],
        layerExclusion="shading",
    )
    job = await house.manager.finished(job.id)
    about = await record(ann, job)
    assert about["statusCode"] == 4, about
    assert (about["aoiFeatureId"], about["outputType"]) == (area, "PDF")
    assert about["outputUrl"].endswith("/4142-III.zip")
    with zipfile.ZipFile(io.BytesIO((await ann.get(about["outputUrl"])).content)) as package:
        data = next(each for each in package.namelist() if each.endswith(".gpkg"))
        assert any(each.endswith(".pdf") for each in package.namelist())
        found = pyogrio.read_dataframe(package.extract(data, tmp_path), layer="Roads")
    assert len(found) == 1


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (
            {"customAoi": [{"geometry": {"rings": [[[0, 0], [2, 2], [2, 0], [0, 1], [0, 0]]]}}]},
            "must not cross itself",
        ),
        ({"customAoi": [{"geometry": {"x": 1, "y": 2}}]}, "has no polygon"),
        ({"customAoi": [{"geometry": {"rings": [[[0, 0], "x"]]}}]}, "draw it anew"),
        (
            {"customAoi": [{"geometry": {"rings": RINGS, "spatialReference": {"wkid": 7}}}]},
            "The polygon in 'customAoi': spatial reference 7 is not known",
        ),
        ({"customAoi": [{"geometry": {"xmin": -90, "ymin": 30, "xmax": -75, "ymax": 40}}]}, "choose a narrower area"),
        ({"customAoi": [{"geometry": {"xmin": 1, "ymin": 1, "xmax": 1.1, "ymax": 1.1}}]}, "--sheet-sources"),
    ],
)  # fmt: skip
async def test_what_fails_says_what_to_do(
    house: House, ann: httpx.AsyncClient, form: dict[str, Any], said: str
) -> None:
    job = await house.manager.finished((await submit(house, ann, **form)).id)
    about = await record(ann, job, "error")
    assert (about["status"], about["statusCode"], about["outputUrl"]) == ("Failed", 5, "")
    error, closing = about["messages"]["errors"]
    assert closing == "Failed."
    assert said in error
    assert "Error:" not in error
    assert "percentComplete" not in about
    assert not scratch(house, job).exists()


async def renderer(job: Job) -> psutil.Process:
    """The process that draws a theme of a job."""
    while True:
        try:
            for child in psutil.Process(job.pid).children(recursive=True):
                if "mapnik_process.py" in " ".join(child.cmdline()):
                    return child
        except psutil.NoSuchProcess:
            pass
        await asyncio.sleep(0.001)


async def test_a_cancel_kills_the_renderer_and_leaves_nothing(house: House, ann: httpx.AsyncClient) -> None:
    job = await submit(house, ann)
    job = await house.until(job, reaches("Draw Water"))
    drawing = await renderer(job)
    form = {"f": "json", "jobId": wire.job_id(job)}
    assert json_of(await ann.post(f"{BASE}/jobs/cancel", data=form))["success"]
    job = await house.manager.finished(job.id)
    assert job.status is Status.CANCELLED
    assert not drawing.is_running()
    about = await record(ann, job)
    assert (about["status"], about["outputUrl"]) == ("Canceled", "")
    assert not scratch(house, job).exists()
    assert not any((house.server.settings.data / "jobs").glob(f"*/{job.id}/results/*"))


async def test_a_sheet_is_held_still_and_goes_on(house: House, ann: httpx.AsyncClient) -> None:
    job = await submit(house, ann)
    job = await house.until(job, reaches("Draw Water"))
    drawing = await renderer(job)
    form = {"f": "json", "jobId": wire.job_id(job)}
    assert json_of(await ann.post(f"{BASE}/jobs/pause", data=form))["success"]
    job = await house.until(job, lambda state: state.status is Status.PAUSED)
    assert {psutil.Process(job.pid).status(), drawing.status()} <= {
        psutil.STATUS_STOPPED,
        psutil.STATUS_ZOMBIE,
    }
    assert json_of(await ann.post(f"{BASE}/jobs/resume", data=form))["success"]
    job = await house.manager.finished(job.id)
    assert (job.status, job.attempt) == (Status.SUCCEEDED, 1)


async def picture(client: httpx.AsyncClient, job: Job) -> Any:
    """The map of a sheet, without its margins, which tell the edition and when it was made."""
    url = (await record(client, job))["outputUrl"]
    with pypdfium2.PdfDocument((await client.get(url)).content) as sheet:
        pixels = sheet[0].render(scale=1.0).to_numpy()
    height = pixels.shape[0]
    return np.asarray(pixels[height // 10 : height // 2], dtype=np.int16)


async def test_a_sheet_whose_instance_is_killed_becomes_the_same_sheet(
    house: House, ann: httpx.AsyncClient, made: Job
) -> None:
    """In three stages; that it may be any of them is a test of the making itself."""
    stages = ("Place Labels", "Draw Water", "Export Product")
    job = await submit(house, ann, outputName="Hunter")
    for number, stage in enumerate(stages):
        job = await house.until(
            job,
            lambda state, n=number, s=stage: state.attempt == n + 1 and state.under_way and reaches(s)(state),
        )
        os.kill(job.pid, signal.SIGKILL)
        job = await house.until(job, lambda state, n=number: state.crashes == n + 1)
    job = await house.manager.finished(job.id)
    assert (job.status, job.attempt) == (Status.SUCCEEDED, len(stages) + 1), job.error
    texts = [each.text for each in job.messages]
    assert texts.count("Submitted.") == 1
    before, after = await picture(ann, made), await picture(ann, job)
    assert before.shape == after.shape
    assert (np.abs(before - after) > 8).mean() < 0.0005


async def test_without_the_libraries_it_is_said_what_is_missing(
    house: House, ann: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "NEEDS", (*needs.NEEDS, "mapnik_of_tomorrow"))
    about = json_of(await ann.get(BASE, params={"f": "json"}))
    assert "mapnik_of_tomorrow are not installed" in about["problems"][0]
    form = {"f": "json", **GOOD, "customAoi": json.dumps(AREA)}
    error = error_of(await ann.post(f"{BASE}/generateProduct", data=form))
    assert error["code"] == 400
    assert "pip install 'milepost[production]'" in error["details"][0]
