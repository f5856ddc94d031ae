"""Areas of layers of feature services: what lies in them, and what lies around them."""

import json
from pathlib import Path
from typing import Any

import pytest
import shapely

from milepost.features import Definition, FeatureService, FeatureServices, Field, GeometryType, Layer
from milepost.servers.production import areas
from milepost.servers.production.adjoining import adjoining


@pytest.fixture
def sheets(tmp_path: Path) -> FeatureService:
    """Three by three sheets of half a degree around the antimeridian, and one that is far away."""
    layer = Layer(name="Sheets", geometry=GeometryType.POLYGON, fields=(Field(name="number"),))
    service = FeatureServices(tmp_path).create("Sheets", Definition(owner="ann", layers=(layer,)))
    service.add(0, [sheet(0.5 * n % 1.5 + 179, 10 + 0.5 * (n // 3), str(n + 1)) for n in range(9)])
    service.add(0, [sheet(0, 0, "far")])
    return service


def sheet(west: float, south: float, number: str) -> dict[str, Any]:
    west = west - 360 if west >= 180 else west
    box = shapely.box(west, south, west + 0.5, south + 0.5)
    return {
        "attributes": {"number": number},
        "geometry": {"rings": [[list(each) for each in box.exterior.coords]]},
    }


def test_the_sheets_around_a_sheet(sheets: FeatureService) -> None:
    layer = sheets.layers[0]

    def around(feature: int) -> dict[Any, str]:
        area = areas.areas_of_features(sheets, layer, [feature])[feature]
        return dict(adjoining(sheets, layer, feature, area, lambda each: each.attributes["number"]))

    # The fifth lies in the middle, its eastern side on the antimeridian.
    assert around(5) == {"NW": "7", "N": "8", "NE": "9", "W": "4", "E": "6", "SW": "1", "S": "2", "SE": "3"}
    assert around(3) == {"W": "2", "N": "6", "NW": "5"}
    assert around(10) == {}


def box(west: Any, south: Any, east: Any, north: Any, wkid: int | None = None) -> dict[str, Any]:
    form = {"xmin": west, "ymin": south, "xmax": east, "ymax": north}
    return {"geometry": form | ({"spatialReference": {"wkid": wkid}} if wkid else {})}


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        (
            box(500_000, 4_000_000, 501_000, 4_001_000),
            "which is not on the Earth; if its coordinates are no degrees",
        ),
        (box(1, 42, 1.2, 92), "42 to 92 of latitude, which is not on the Earth"),
        (box(1.7, 42.4, 1.4, 42.6), "a 'xmin' of 1.7 and a 'xmax' of 1.4, which must be the larger one"),
        (box(1.4, 42.6, 1.7, 42.4), "a 'ymin' of 42.6"),
        (
            box(1.4, 42.4, 1.7, 42.6, 102100),
            "are degrees, but those of its spatial reference 3857 are lengths",
        ),
        (box(1.4, 42.4, 1.7, 42.6, 99999), "spatial reference 99999 is not known"),
    ],
)
def test_areas_that_were_not_meant_so(drawn: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        areas.area_drawn(drawn)
    assert str(raised.value).startswith("The ")
    assert "'customAoi'" in str(raised.value)


def test_an_area_that_is_drawn() -> None:
    over = areas.area_drawn(box(179.9, 10.1, 180.1, 10.2))
    assert areas.bounds(over) == pytest.approx((179.9, 10.1, 180.1, 10.2))
    metres = areas.area_drawn(box(155_000, 5_220_000, 190_000, 5_250_000, 102100))
    assert areas.bounds(metres) == pytest.approx((1.392, 42.386, 1.707, 42.584), abs=0.01)


def test_an_area_on_both_sides_of_the_antimeridian_takes_what_lies_there(
    sheets: FeatureService, tmp_path: Path
) -> None:
    parts = shapely.union_all([shapely.box(179.9, 10.1, 180, 10.2), shapely.box(-180, 10.1, -179.9, 10.2)])
    over = shapely.box(179.9, 10.1, 180.1, 10.2)
    for shape in (parts, over):
        area = areas.Area(shapely.geometry.mapping(shape))
        assert areas.bounds(area) == pytest.approx((179.9, 10.1, 180.1, 10.2))
        path = tmp_path / "found.geojson"
        assert areas.write_features(sheets, sheets.layers[0], areas.bounds(area), path) == 2
        found = json.loads(path.read_bytes())["features"]
        assert [each["properties"]["number"] for each in found] == ["2", "3"]
