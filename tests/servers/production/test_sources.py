"""The file that names what sheets are made from."""

import subprocess
import sys
from pathlib import Path

import pytest

from milepost.servers.production import Sources, SourcesError, keep_sources, problems, read_sources
from milepost.servers.production.sources import kept_sources
from tests.servers.house import opened
from tests.servers.production.sheets import BASE
from tests.servers.talking import json_of

GOOD = """
[[vectors]]
path = "land.osm.pbf"
credit = "© OpenStreetMap contributors"
licence = "ODbL 1.0"

[[elevation]]
path = "/maps/N42E001.hgt.zip"
credit = "NASA"
vertical_datum = "EGM96 geoid"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "sources.toml"
    path.write_text(text)
    return path


def test_paths_begin_at_the_folder_of_the_file(tmp_path: Path) -> None:
    sources = read_sources(written(tmp_path, GOOD))
    assert [each.path for each in sources.credits()] == [f"{tmp_path}/land.osm.pbf", "/maps/N42E001.hgt.zip"]
    assert sources.vectors[0].licence == "ODbL 1.0"
    assert sources.elevation[0].vertical_datum == "EGM96 geoid"
    keep_sources(tmp_path, sources)
    assert kept_sources(tmp_path) == sources
    assert kept_sources(tmp_path / "elsewhere") == Sources()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vectors = 3", "names no sources"),
        ("[[vectors]]\n", "missing required field"),
        ("[[roads]]\npath = 'x.gpkg'", "roads"),
        ("[[", "names no sources"),
        ("[[vectors]]\npath = 'x.pdf'\ncredit = 'me'", "'x.pdf' is nothing that vectors come from"),
        ("[[elevation]]\npath = 'x.tif'", "'x.tif' has no credit"),
        ("[[elevation]]\npath = 'x.tif'\ncredit = 'me'\nvertical = 'EGM96'", "unknown field `vertical`"),
    ],
)
def test_files_that_do_not_do(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourcesError, match=said):
        read_sources(written(tmp_path, text))


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    sources = read_sources(written(tmp_path, GOOD))
    assert any("land.osm.pbf is missing" in each for each in problems(sources))
    (tmp_path / "land.osm.pbf").touch()
    assert not any("land.osm.pbf" in each for each in problems(sources))


@pytest.mark.anyio
async def test_the_page_of_the_service_tells_it(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    async with opened(tmp_path / "data", sheet_sources=file) as house, house.client("ann") as ann:
        about = json_of(await ann.get(BASE, params={"f": "json"}))
        assert about["sources"] == ["© OpenStreetMap contributors", "NASA"]
        assert [each.split(" is")[0] for each in about["problems"]] == [
            "The source land.osm.pbf",
            "The source N42E001.hgt.zip",
        ]
        assert "land.osm.pbf is missing" in (await ann.get(BASE)).text
        assert str(tmp_path) not in (await ann.get(BASE)).text


@pytest.mark.anyio
async def test_without_sources_the_page_names_the_sample(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as house, house.client("ann") as ann:
        [sample] = json_of(await ann.get(BASE, params={"f": "json"}))["sources"]
        assert "Jacksboro, Tennessee" in sample
        assert "--sheet-sources" in sample


WITHOUT = """
import importlib.abc, sys
from milepost.servers.production.needs import NEEDS

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in NEEDS:
            raise ModuleNotFoundError(f"no {name}")

assert not {*NEEDS} & {each.partition(".")[0] for each in sys.modules}
sys.meta_path.insert(0, Absent())
from milepost.app import BUILT_IN, Server
from milepost.operations import load_catalog
print(*load_catalog(BUILT_IN).services)
"""


def test_the_server_starts_without_the_libraries() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert "Topography.TopographicProductionServer" in done.stdout, done.stderr
