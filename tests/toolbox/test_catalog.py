"""The toolbox as clients find it."""

import pytest

from milepost import Run
from milepost.operations import load_catalog
from milepost.types import FeatureSet

TOOLBOX = "milepost.servers.geoprocessing.toolbox"


@pytest.fixture(scope="module")
def catalog():
    return load_catalog([TOOLBOX])


def test_all_tools_are_found_in_their_services(catalog):
    found = {name: {each.name for each in catalog.of(name)} for name in catalog.services}
    assert {
        "Analysis/Proximity.GPServer": {"buffer", "nearest"},
        "Analysis/Overlay.GPServer": {"clip", "dissolve", "summarize_within"},
        "Analysis/Projection.GPServer": {"reproject"},
        "Terrain/Surface.GPServer": {"contour", "slope", "viewshed", "hillshade"},
    }.items() <= found.items()


def test_every_tool_and_parameter_is_explained(catalog):
    for service in catalog.services.values():
        if service.folder not in ("Analysis", "Terrain"):
            continue
        assert service.description
        for tool in catalog.of(service.name):
            assert tool.summary
            assert all(parameter.doc for parameter in tool.inputs), tool.name
            names = [parameter.name for parameter in [*tool.inputs, *tool.outputs]]
            assert len(set(names)) == len(names), tool.name


def test_a_tool_runs_on_what_a_client_sends(catalog):
    tool = catalog.get("Analysis/Proximity.GPServer", "nearest")
    here = '{"features": [{"geometry": {"x": 8, "y": 47}}]}'
    there = '{"features": [{"geometry": {"x": 8.01, "y": 47}}], "spatialReference": {"wkid": 4326}}'
    found = tool.perform(Run(), tool.check({"features": here, "near_features": there, "units": "kilometers"}))
    (feature,) = found["nearest_features"]["features"]
    assert feature["attributes"]["NEAR_DIST"] == pytest.approx(0.76, abs=0.01)
    assert found["connecting_lines"]["geometryType"] == "esriGeometryPolyline"


def test_a_tool_is_a_function(catalog):
    buffer = catalog.get("Analysis/Proximity.GPServer", "buffer")
    point = FeatureSet(features=[{"geometry": {"x": 8, "y": 47}}])
    assert buffer(Run(), features=point, distance="500 Meters").geometry_type == "esriGeometryPolygon"
