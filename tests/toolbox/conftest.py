"""Layers that the tools are tried on."""

from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest

from milepost.types import FeatureSet

COUNTRIES = Path(pyogrio.__file__).parent / "tests/fixtures/naturalearth_lowres/naturalearth_lowres.shp"


@pytest.fixture(scope="session")
def world() -> gpd.GeoDataFrame:
    """The 177 countries of Natural Earth, in degrees."""
    return pyogrio.read_dataframe(COUNTRIES)


@pytest.fixture
def layer():
    """A feature set of geometries with attributes."""

    def make(geometries, crs=4326, **attributes) -> FeatureSet:
        return FeatureSet.from_geodataframe(gpd.GeoDataFrame(attributes, geometry=list(geometries), crs=crs))

    return make


@pytest.fixture
def said():
    """What a run said, by level."""

    def read(run, level="info") -> str:
        events = run.notebook.events
        return "\n".join(event.text for event in events if getattr(event, "level", "") == level)

    return read
