"""Services for the tests of this folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from milepost.features import (
    Definition,
    FeatureService,
    FeatureServices,
    Field,
    FieldType,
    GeometryType,
    Layer,
)

FIELDS = (
    Field(name="name", length=40),
    Field(name="whole", type=FieldType.LONG),
    Field(name="real", type=FieldType.DOUBLE),
    Field(name="seen", type=FieldType.MOMENT),
    Field(name="day", type=FieldType.DAY),
    Field(name="code", type=FieldType.GUID),
)


def layer(name: str, geometry: GeometryType | None, **more: object) -> Layer:
    return Layer(name=name, geometry=geometry, **{"fields": FIELDS, "time_field": "seen", **more})


LAYERS = (
    layer("points", GeometryType.POINT),
    layer("lines", GeometryType.POLYLINE),
    layer("areas", GeometryType.POLYGON),
    layer("crowds", GeometryType.MULTIPOINT),
    layer("heights", GeometryType.POINT, has_z=True),
    layer("remarks", None),
)

Make = Callable[..., FeatureService]


@pytest.fixture
def services(tmp_path: Path) -> FeatureServices:
    return FeatureServices(tmp_path)


@pytest.fixture
def service(services: FeatureServices) -> FeatureService:
    return services.create("Missions/first", Definition(owner="ann", layers=LAYERS))


def feature(geometry: object = None, **attributes: object) -> dict[str, object]:
    """A feature in Esri's JSON."""
    return {"attributes": attributes, **({"geometry": geometry} if geometry is not None else {})}
