"""Operations for the tests: one that takes everything, and one for each way a job can go."""

import sys
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from milepost import Run, Service, operation
from milepost.types import DataFile, Doc, FeatureSet, LinearUnit, Range, Raster, RecordSet

TESTS = Service(name="Tests/Every.GPServer", description="Operations for tests", max_instances=3)
HUNDRED = LinearUnit(100, "Meters")
AT_ONCE = Service(name="AtOnce.GPServer", execution="synchronous", max_instances=2)


@dataclass
class Everything:
    text_back: str
    whole_back: int
    number_back: float
    flag_back: bool
    moment_back: datetime | None
    distance_back: LinearUnit | None
    features_back: FeatureSet | None
    records_back: RecordSet | None
    texts_back: list[str] | None
    colour_back: str


@operation(service=TESTS)
def everything(
    run: Run,
    text: str,
    whole: Annotated[int, Range(0, 100)] = 7,
    number: float = 0.5,
    flag: bool = False,
    moment: datetime | None = None,
    distance: LinearUnit | None = HUNDRED,
    features: FeatureSet | None = None,
    records: RecordSet | None = None,
    texts: list[str] | None = None,
    colour: Literal["red", "green"] = "green",
) -> Everything:
    """Gives back what it gets.

    Args:
        text: Some words.
        whole: A whole number.
    """
    return Everything(text, whole, number, flag, moment, distance, features, records, texts, colour)


@dataclass
class Files:
    table_copy: DataFile
    image_copy: Raster
    copies: list[DataFile]


@operation(service=TESTS)
def copy_files(
    run: Run, table: DataFile, image: Raster | None = None, more: list[DataFile] | None = None
) -> Files:
    """Files in, files out."""
    kept = run.workspace / table.path.name
    kept.write_bytes(table.path.read_bytes())
    picture = run.workspace / "Höhe <b>.tif"
    picture.write_bytes(image.path.read_bytes() if image else b"II*\0")
    copies = []
    for number, each in enumerate(more or []):
        copies.append(run.workspace / f"{number}.bin")
        copies[-1].write_bytes(each.path.read_bytes())
    return Files(DataFile(kept), Raster(picture), [DataFile(each) for each in copies])


@operation(service=TESTS)
def page(run: Run, content: str = "<script>alert(1)</script>") -> DataFile:
    """A file that a browser would run."""
    path = run.workspace / "page.html"
    path.write_text(content)
    return DataFile(path)


@operation(service=TESTS)
def slow(run: Run, seconds: float = 30.0, say: str = "") -> str:
    """Works until its time is over or somebody cancels it."""
    if say:
        run.message(say)
    run.progress(0.25, "a quarter")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        run.check()
        time.sleep(0.01)
    return "done"


@operation(service=TESTS)
def fail(run: Run, reason: str = "the bridge is out") -> Annotated[str, Doc("Never there")]:
    """Fails."""
    run.message("so far so good")
    raise ValueError(reason)


@operation(service=TESTS)
def talk(run: Run, words: str = "hello") -> None:
    """Says and prints what it is told."""
    sys.stdout.write(f"printed {words}\n")
    run.message(words)
    run.message("careful", level="warning", code=17)


@operation(service=TESTS)
def parcels(run: Run, count: int = 2) -> FeatureSet:
    """Points on the equator, in degrees."""
    return FeatureSet(
        geometry_type="esriGeometryPoint",
        spatial_reference={"wkid": 4326},
        fields=[{"name": "number", "type": "esriFieldTypeInteger", "alias": "Number"}],
        features=[
            {"attributes": {"number": each}, "geometry": {"x": float(each), "y": 0.0}}
            for each in range(count)
        ],
    )


@operation(service=AT_ONCE)
def add(run: Run, a: float, b: float = 1.0) -> float:
    """The sum."""
    run.message(f"adding {b:g}")
    return a + b


@operation(service=AT_ONCE)
def linger(run: Run, seconds: float = 30.0, mark: str = "") -> str:
    """As ``slow``, for execute."""
    return slow(run, seconds, mark)
