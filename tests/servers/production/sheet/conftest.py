"""What the tests of this folder share: a small country, and sheets of it that take a while to make."""

from pathlib import Path

import pytest

from milepost.operations import Run
from milepost.operations import run as runs
from milepost.servers.production.sheet.make import make_sheet
from tests.servers.production.sheet import ground

SHARED = Path(__file__).parents[5] / "shared" / "data"


@pytest.fixture(scope="session")
def country(tmp_path_factory):
    """A folder with features and heights of a small country."""
    folder = tmp_path_factory.mktemp("country")
    ground.write_features(folder / "country.gpkg")
    ground.write_heights(folder / "country.tif")
    return folder


@pytest.fixture(scope="session")
def made(country, tmp_path_factory):
    """A sheet of the small country: its run, its order, its folder and its file."""
    run, folder, order = Run(), tmp_path_factory.mktemp("made"), ground.order(country)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "PROGRESS_EVERY", 0.0)  # however fast it comes
        return run, order, folder, make_sheet(run, order, folder)


@pytest.fixture(scope="session")
def andorra():
    """The folder with an extract and heights of Andorra."""
    if not (SHARED / "andorra.osm.pbf").is_file():
        pytest.skip("there is no ../shared/data with an extract of Andorra beside this checkout")
    return SHARED
