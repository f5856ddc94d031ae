"""The making of a map sheet, against Mapnik alone that draws the same layers."""

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.figures import Figure, Ratio, Report, in_turns, ratio
from benchmarks.options import Options
from benchmarks.processes import Milepost, peak
from milepost.operations import Run
from milepost.servers.production.sheet.order import Order, Source
from milepost.servers.production.sheet.reading import built_in
from milepost.servers.production.sheet.render import PROGRAM

Box = tuple[float, float, float, float]
"""West, south, east and north, in degrees."""

SHARED = Path(__file__).parents[2] / "shared" / "data"
"""An extract and heights of Andorra, where somebody has put them beside the checkout."""
SOURCES = """
[[vectors]]
path = "{folder}/andorra.osm.pbf"
credit = "© OpenStreetMap contributors"
licence = "ODbL 1.0"

[[elevation]]
path = "{folder}/N42E001.hgt.zip"
credit = "NASA SRTM"
"""
ROUNDS = 5
"""At most: a turn takes a while."""


@dataclass(frozen=True)
class Country:
    """A place, and what its sheets are made from."""

    name: str
    area: Box
    folder: Path | None = None
    """Of its files; None for the sample of an installed package."""


SAMPLE = Country("the sample", (-84.25, 36.27, -84.10, 36.39))
ANDORRA = Country("Andorra", (1.45, 42.45, 1.70, 42.65), SHARED)


def run(options: Options, folder: Path) -> Report:
    """Measure."""
    figures = _measured(options, folder, SAMPLE)
    if (SHARED / "andorra.osm.pbf").is_file():
        figures += _measured(options, folder, ANDORRA)
    return Report(
        figures,
        "MTM50, from generateProduct to the end of the job: extraction, generalisation, contours, relief, labels, frame"
        " and assembly included. The sample is 13 by 13 kilometres from an installed package, its drainage derived"
        " anew; Andorra is 20 by 22 kilometres from an extract of OpenStreetMap and SRTM, measured where these lie"
        " beside the checkout. The floor is one Mapnik process that draws the same themes from the same files and"
        " nothing else; labels and relief are not Mapnik's. Memory is the proportional set size of the processes that"
        " are started for it.",
    )


def _measured(options: Options, folder: Path, country: Country) -> list[Figure]:
    """The lines of one place."""
    folder = folder / country.name.replace(" ", "-")
    requests = folder / "requests"
    requests.mkdir(parents=True)
    program = [sys.executable, "-m", "benchmarks.sheets", country.name, str(requests)]
    subprocess.run(program, check=True)
    with Milepost(folder / "site", command=_command(folder, country)) as milepost:
        below = psutil.Process(milepost.process.pid)
        bare, pdf, tiff = in_turns(
            min(ROUNDS, options.rounds),
            lambda: _bare(requests),
            lambda: _sheet(milepost, country, "pdf"),
            lambda: _sheet(milepost, country, "tiff"),
        )
        bare_peak = peak(psutil.Process(), lambda: _bare(requests))
        job_peak = peak(below, lambda: _sheet(milepost, country, "pdf"))
    share = job_peak / bare_peak
    of = f"of {country.name}"
    return [
        Figure(f"a sheet {of} as a PDF", _seconds(pdf), _seconds(bare), ratio(pdf, bare)),
        Figure(f"a sheet {of} as a GeoTIFF of 200 dpi", _seconds(tiff), _seconds(bare), ratio(tiff, bare)),
        Figure(
            f"peak memory of all that works for one PDF {of}",
            _mib(job_peak),
            _mib(bare_peak),
            Ratio(share, share, share),
        ),
    ]


def _command(folder: Path, country: Country) -> list[str]:
    """What starts the server that has the sources of a place."""
    options = ["--data", str(folder / "site"), "--port", "0", "--no-toolbox"]
    if country.folder:
        file = folder / "sources.toml"
        file.write_text(SOURCES.format(folder=country.folder), "utf-8")
        options += ["--sheet-sources", str(file)]
    return ["milepost", "serve", *options]


def _sheet(milepost: Milepost, country: Country, kind: str) -> float:
    """Seconds from the wish for a sheet until it is there."""
    service = f"{milepost.address}/rest/services/Topography/TopographicProductionServer"
    area = dict(zip(("xmin", "ymin", "xmax", "ymax"), country.area, strict=True))
    form = {
        "productName": "MTM50",
        "productVersion": "1.0",
        "outputType": kind,
        "customAoi": json.dumps([{"geometry": area}]),
    }
    begun = time.perf_counter()
    url = milepost.json(f"{service}/generateProduct", **form)["statusUrl"]
    while (state := milepost.json(url))["statusCode"] < 4:
        time.sleep(0.05)
    seconds = time.perf_counter() - begun
    assert state["statusCode"] == 4, state["messages"]
    return seconds


def _bare(requests: Path) -> float:
    """Seconds that Mapnik takes alone, for all themes in one process."""
    program = (
        "import io, pathlib, runpy, sys\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.json')):\n"
        "    sys.stdin = io.StringIO(path.read_text())\n"
        "    runpy.run_path(sys.argv[2], run_name='__main__')\n"
    )
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-c", program, str(requests), str(PROGRAM)], check=True)
    return time.perf_counter() - begun


def record(country: Country, folder: Path) -> None:
    """Make a sheet here, and keep what Mapnik is asked to draw for it."""
    from milepost.servers.production.sheet import make, render
    from milepost.servers.production.sheet.builtin import built_in_sources
    from milepost.servers.production.sheet.drawing import style_of

    def recorded(run: Run, drawn: Any, geometry: Any, path: Path) -> None:
        render.render(run, drawn, geometry, path)
        request = {
            "style": style_of(drawn),
            "output": str(path),
            "width": geometry.width,
            "height": geometry.height,
            "box": geometry.frame,
        }
        (folder / f"{path.stem}.json").write_text(json.dumps(request))

    make.render = recorded
    west, south, east, north = country.area
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    if country.folder:
        vectors = (Source(path=str(country.folder / "andorra.osm.pbf")),)
        elevation = (Source(path=str(country.folder / "N42E001.hgt.zip")),)
    else:
        vectors, elevation = built_in_sources(folder)
    order = Order(
        product=built_in()["MTM50"],
        version="1.0",
        area={"type": "Polygon", "coordinates": [ring]},
        vectors=vectors,
        elevation=elevation,
    )
    make.make_sheet(Run(workspace=folder), order, folder)


def _seconds(samples: list[float]) -> str:
    return f"{statistics.median(samples):.1f} s"


def _mib(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"


if __name__ == "__main__":
    record({each.name: each for each in (SAMPLE, ANDORRA)}[sys.argv[1]], Path(sys.argv[2]))
