"""Operations for the tests of the mission, production and video dialects."""

# ruff: noqa: N803, N815 - the documents name the inputs and results.

import threading
from dataclasses import dataclass

from milepost import Run, Service, operation
from milepost.types import DataFile

MISSION = Service(name="Mission.MissionServer", max_instances=2)
OTHER_MISSION = Service(name="Field/Drill.MissionServer", min_instances=0)
SAMPLE = Service(name="SampleService.TopographicProductionServer", max_instances=2)
NATO = Service(name="Nato/Sheets.TopographicProductionServer", min_instances=0)
VIDEO = Service(name="Video.VideoServer", max_instances=2)

MISSION_ID = "d942d2bdb70c4104bcd1a76d4cf8a6b7"
PARTS = ("tracks", "communications", "events")


def wait_for_the_end(run: Run) -> None:
    """Until the run is told to stop."""
    pause = threading.Event()
    while True:
        run.check()
        pause.wait(0.01)


@operation(service=MISSION)
def add_mission(run: Run) -> str:
    """What the document shows."""
    run.attribute("type", "addMission")
    run.attribute("missionId", MISSION_ID)
    run.plan_stages(*PARTS)
    run.message("Started mission creation.", code=1500)
    for number, part in enumerate(PARTS):
        with run.stage(part):
            run.message(f"Creating {part}.", code=1501 + 2 * number)
            run.message(f"Created {part}.", code=1502 + 2 * number)
    run.message(f"Finished creating mission {MISSION_ID}.", code=1510)
    return MISSION_ID


@operation(service=MISSION)
def wait(run: Run) -> str:
    """Waits for its cancel."""
    run.message("waiting")
    wait_for_the_end(run)
    return ""


@operation(service=MISSION)
def fail(run: Run) -> str:
    """Fails."""
    raise ValueError("The map could not be made")


@operation(service=OTHER_MISSION)
def drill(run: Run) -> str:
    """In another service."""
    return "done"


@dataclass
class Product:
    product: DataFile
    notes: str


def _product(run: Run) -> Product:
    path = run.workspace / "sheet 1.pdf"
    path.write_bytes(b"%PDF")
    return Product(DataFile(path), "printed")


@operation(service=SAMPLE)
def generate_product(
    run: Run, productName: str, productVersion: str, aoiLayer: str, aoiFeatureId: int, outputType: str
) -> Product:
    """A sheet."""
    run.message("Submitted.")
    run.message("The grid is old.", level="warning")
    if productName == "MTM50 unlicensed":
        run.message("ERROR 000824: The tool is not licensed.", level="error")
        raise RuntimeError("Failed.")
    if productName == "waits":
        run.progress(0.25)
        wait_for_the_end(run)
    return _product(run)


@operation(service=NATO)
def generate_sheet(run: Run, productName: str) -> str:
    """A sheet of another service."""
    return productName


@dataclass
class Layer:
    layerId: int
    layerName: str
    serviceName: str


@operation(service=VIDEO)
def add_layer(run: Run, serviceItemId: str, requestedResolutions: str, notes: str = "") -> Layer:
    """What the document shows."""
    run.attribute("type", "Publish Streaming Service")
    run.attribute("newLayerId", 0)
    run.message("Starting Ingest", code=117)
    run.message("Video Files Created", code=205)
    run.attribute("savingToStorage", True)
    run.message("Ingest Complete", code=118)
    return Layer(0, "Cheyenne_TS", "Cheyenne_TS")


@operation(service=VIDEO)
def clip(run: Run) -> DataFile:
    """A file."""
    path = run.workspace / "clip.mp4"
    path.write_bytes(b"video")
    return DataFile(path)


@operation(service=VIDEO)
def stream(run: Run) -> str:
    """Waits for its cancel."""
    wait_for_the_end(run)
    return ""


@operation(service="Tests/Small.GPServer")
def shout(run: Run, text: str) -> str:
    """In capital letters."""
    return text.upper()


@operation(service="Tests/Small.GPServer")
def write(run: Run, text: str) -> DataFile:
    """Into a file."""
    path = run.workspace / "text.txt"
    path.write_text(text)
    return DataFile(path)


@operation(service="Tests/Small.GPServer")
def last(run: Run) -> str:
    """Waits for its cancel."""
    wait_for_the_end(run)
    return ""
