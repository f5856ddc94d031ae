"""Feature and record sets against data frames, with GDAL's own reader of Esri JSON as the witness."""

import datetime as dt
import json
from pathlib import Path

import geopandas as gpd
import msgspec
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.testing import assert_geometries_equal

from milepost.operations.references import crs_of, crs_of_text, reference_of
from milepost.types import FeatureSet, RecordSet

COUNTRIES = Path(pyogrio.__file__).parent / "tests/fixtures/naturalearth_lowres/naturalearth_lowres.shp"


def polygon(*rings, **more):
    return {"geometry": {"rings": [list(map(list, ring)) for ring in rings], **more}}


def square(x, y, size, *, clockwise=True):
    ring = [(x, y), (x, y + size), (x + size, y + size), (x + size, y), (x, y)]
    return ring if clockwise else ring[::-1]


def polygons_of(*features):
    found = FeatureSet("esriGeometryPolygon", {"wkid": 25832}, features=list(features))
    return found.to_geodataframe().geometry


# Geometries

coordinates = st.floats(-170, 170, width=32).map(lambda value: round(value, 3))
heights = st.floats(-1000, 9000, width=32)


def points(size):
    return st.lists(st.tuples(*[coordinates] * 2, *[heights] * (size - 2)), min_size=2, max_size=5)


@st.composite
def shapes(draw, kind):
    """Geometries of one kind, single and multiple, empty and missing, with or without z and m."""
    size = draw(st.sampled_from(["XY", "Z", "M", "ZM"]))
    width = 2 if size == "XY" else 2 + len(size)

    def text(rows):
        return "(" + ", ".join(" ".join(map(repr, row)) for row in rows) + ")"

    def ring(row):
        x, y, *more = row
        corners = [(x, y), (x + 1.5, y), (x, y + 1.25), (x, y)]
        return text([(*corner, *more) for corner in corners])

    mark = "" if size == "XY" else f" {size}"
    made = []
    for rows in draw(st.lists(st.none() | points(width), max_size=4)):
        if rows is None:
            made.append(draw(st.sampled_from([None, shapely.from_wkt(f"{kind} EMPTY")])))
        elif kind == "POINT":
            made.append(shapely.from_wkt(f"POINT{mark} {text(rows[:1])}"))
        elif kind == "MULTIPOINT":
            made.append(shapely.from_wkt(f"MULTIPOINT{mark} ({', '.join(text([row]) for row in rows)})"))
        elif kind == "LINESTRING" and draw(st.booleans()):
            made.append(shapely.from_wkt(f"MULTILINESTRING{mark} ({text(rows)}, {text(rows[::-1])})"))
        elif kind == "LINESTRING":
            made.append(shapely.from_wkt(f"LINESTRING{mark} {text(rows)}"))
        elif draw(st.booleans()):
            rings = [f"({ring((1000 + 10 * n, *row[1:]))})" for n, row in enumerate(rows)]
            made.append(shapely.from_wkt(f"MULTIPOLYGON{mark} ({', '.join(rings)})"))
        else:
            made.append(shapely.from_wkt(f"POLYGON{mark} ({ring(rows[0])})"))
    return gpd.GeoDataFrame(geometry=made, crs=25832)


@pytest.mark.parametrize("kind", ["POINT", "MULTIPOINT", "LINESTRING", "POLYGON"])
@given(data=st.data())
def test_geometries_come_back_as_they_went(kind, data):
    frame = data.draw(shapes(kind))
    sent = FeatureSet.from_geodataframe(frame)
    back = msgspec.convert(json.loads(msgspec.json.encode(sent)), FeatureSet).to_geodataframe()
    assert back.crs == frame.crs
    assert_geometries_equal(
        shapely.normalize(back.geometry.to_numpy()),
        shapely.normalize(frame.geometry.to_numpy()),
        equal_nan=True,
    )
    for m in (shapely.has_m, shapely.has_z):
        there = ~frame.geometry.isna() & ~frame.geometry.is_empty
        assert (m(back.geometry[there].to_numpy()) == m(frame.geometry[there].to_numpy())).all()
    measures = [
        shapely.get_coordinates(each.geometry.to_numpy(), include_z=True, include_m=True)
        for each in (back, frame)
    ]
    if kind != "POLYGON":
        np.testing.assert_array_equal(*measures)
    again = FeatureSet.from_geodataframe(back)
    assert msgspec.json.encode(again) == msgspec.json.encode(sent)


def test_gdal_reads_the_countries_of_the_world_as_they_were_sent():
    countries = pyogrio.read_dataframe(COUNTRIES)
    sent = FeatureSet.from_geodataframe(countries)
    witness = gpd.read_file(json.dumps(msgspec.to_builtins(sent)), engine="pyogrio")
    for found in (witness, sent.to_geodataframe()):
        assert_geometries_equal(
            shapely.normalize(found.geometry.to_numpy()), shapely.normalize(countries.geometry.to_numpy())
        )
        assert found["pop_est"].tolist() == countries["pop_est"].tolist()
        assert found["name"].tolist() == countries["name"].tolist()
    south_africa = sent.features[countries.index[countries["name"] == "South Africa"][0]]
    assert [shapely.is_ccw(shapely.LinearRing(ring)) for ring in south_africa["geometry"]["rings"]] == [
        False,
        True,
    ]


def test_rings_in_any_order_and_direction_become_the_polygon_that_was_meant():
    outer, hole = square(0, 0, 10), square(2, 2, 2, clockwise=False)
    island, far = square(2.5, 2.5, 1), square(20, 0, 5)
    meant = shapely.box(0, 0, 10, 10) - shapely.box(2, 2, 4, 4)
    several = shapely.union_all([meant, shapely.box(2.5, 2.5, 3.5, 3.5), shapely.box(20, 0, 25, 5)])
    found = polygons_of(
        polygon(outer, hole),
        polygon(hole, outer),
        polygon(outer[::-1], hole[::-1]),
        polygon(island, far, hole, outer),
        polygon(far[::-1], outer[::-1], hole[::-1], island[::-1]),
        polygon(outer[::-1]),
        polygon(outer[:-1]),
    )
    assert found.is_valid.all()
    assert found[:3].geom_equals(meant).all()
    assert found[3:5].geom_equals(several).all()
    assert found[5:].geom_equals(shapely.box(0, 0, 10, 10)).all()


def test_a_hole_that_sticks_out_stays_a_hole_for_others_to_repair():
    (found,) = polygons_of(polygon(square(0, 0, 10), square(8, 8, 4, clockwise=False)))
    assert not found.is_valid
    assert len(found.interiors) == 1


def test_z_and_m_are_read_by_name_in_points_and_by_place_elsewhere():
    def coordinates_of(kind, geometry, **flags):
        found = FeatureSet(
            kind, {"wkid": 25832}, features=[{"geometry": geometry}], **flags
        ).to_geodataframe()
        return shapely.get_coordinates(found.geometry[0], include_z=True, include_m=True).tolist()

    nan = pytest.approx(np.nan, nan_ok=True)
    assert coordinates_of("esriGeometryPoint", {"x": 1, "y": 2, "m": 4}) == [[1, 2, nan, 4]]
    assert coordinates_of("esriGeometryPoint", {"x": 1, "y": 2, "z": 3, "m": 4}) == [[1, 2, 3, 4]]
    line = {"paths": [[[1, 2, 3], [4, 5, None]]]}
    assert coordinates_of("esriGeometryPolyline", line) == [[1, 2, 3, nan], [4, 5, nan, nan]]
    assert coordinates_of("esriGeometryPolyline", line, has_m=True) == [[1, 2, nan, 3], [4, 5, nan, nan]]
    assert coordinates_of("esriGeometryPolyline", {**line, "hasM": True}) == [
        [1, 2, nan, 3],
        [4, 5, nan, nan],
    ]
    ragged = {"paths": [[[1, 2], [4, 5, 6, 7]]]}
    assert coordinates_of("esriGeometryPolyline", ragged, has_z=True, has_m=True) == [
        [1, 2, nan, nan],
        [4, 5, 6, 7],
    ]


def test_rings_close_in_z_and_m_as_well():
    rings = {"rings": [[[0, 0, None, 7], [0, 4, 1, 8], [4, 0, 2, 9], [0, 0, None, 7]]]}
    layer = FeatureSet(
        "esriGeometryPolygon", {"wkid": 25832}, features=[{"geometry": rings}], has_z=True, has_m=True
    )
    assert FeatureSet.from_geodataframe(layer.to_geodataframe()).features[0]["geometry"] == rings


def test_envelopes_are_polygons_and_empty_forms_empty_geometries():
    box = {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 5}
    found = FeatureSet("esriGeometryEnvelope", features=[{"geometry": box}]).to_geodataframe()
    assert found.geometry[0].equals(shapely.box(1, 2, 3, 5))
    assert FeatureSet.from_geodataframe(found[:0]).geometry_type == "esriGeometryPolygon"
    for nothing in ({"x": None}, {"x": "NaN", "y": 2}):
        assert FeatureSet(features=[{"geometry": nothing}]).to_geodataframe().geometry[0].is_empty
    assert polygons_of(polygon())[0].is_empty


@pytest.mark.parametrize(
    ("kind", "geometry", "cause"),
    [
        ("esriGeometryPolygon", {"rings": [[[0, 0], [1, 1]]]}, "feature 1 is no polygon"),
        ("esriGeometryPolygon", {"paths": []}, "feature 1 is no polygon: it has no 'rings'"),
        ("esriGeometryPolyline", {"paths": [[[0, 0], [1, "NaN"]]]}, "feature 1 is no polyline: a coordinate"),
        (
            "esriGeometryPolyline",
            {"curvePaths": [[[0, 0], {"c": [[1, 1], [2, 2]]}]]},
            "feature 1 has true curves",
        ),
        ("esriGeometryMultipoint", {"points": [[1]]}, "feature 1 is no multipoint: a point needs x and y"),
    ],
)
def test_a_broken_geometry_is_named(kind, geometry, cause):
    features = [{"geometry": None}, {"geometry": geometry}]
    with pytest.raises(ValueError, match=cause):
        FeatureSet(kind, {"wkid": 25832}, features=features).to_geodataframe()


def test_geometries_of_several_types_are_refused():
    frame = gpd.GeoDataFrame(geometry=[shapely.Point(1, 2), shapely.box(0, 0, 1, 1)], crs=4326)
    with pytest.raises(ValueError, match="of one type, but these are Point, Polygon"):
        FeatureSet.from_geodataframe(frame)


# Spatial references


@pytest.mark.parametrize(
    ("given", "code", "back"),
    [
        ({"wkid": 102100}, 3857, {"wkid": 102100, "latestWkid": 3857}),
        ({"wkid": 102100, "latestWkid": 3857}, 3857, {"wkid": 102100, "latestWkid": 3857}),
        ({"wkid": 3857}, 3857, {"wkid": 102100, "latestWkid": 3857}),
        ({"wkid": "25832"}, 25832, {"wkid": 25832, "latestWkid": 25832}),
        ({"wkid": 54030}, "ESRI:54030", {"wkid": 54030, "latestWkid": 54030}),
        ({}, 4326, {"wkid": 4326, "latestWkid": 4326}),
        ({"wkt": crs_of({"wkid": 2263}).to_wkt("WKT1_ESRI")}, 2263, {"wkid": 2263, "latestWkid": 2263}),
    ],
)
def test_spatial_references(given, code, back):
    crs = crs_of(given)
    assert crs.equals(gpd.GeoSeries(crs=code).crs, ignore_axis_order=True)
    assert reference_of(crs) == back


def test_a_system_without_a_number_travels_as_text():
    local = crs_of_text("25832").to_wkt("WKT1_ESRI").replace("9.0", "9.5").replace("UTM_Zone_32N", "Ours")
    reference = reference_of(crs_of({"wkt": local}))
    assert list(reference) == ["wkt"]
    assert crs_of(reference).equals(crs_of({"wkt": local}))


def test_the_reference_that_came_goes_back_unchanged():
    came = {"wkid": 102100, "latestWkid": 3857, "vcsWkid": 5703}
    frame = FeatureSet(spatial_reference=came, features=[{"geometry": {"x": 1, "y": 2}}]).to_geodataframe()
    assert FeatureSet.from_geodataframe(frame).spatial_reference == came
    assert FeatureSet.from_geodataframe(frame.to_crs(4326)).spatial_reference["wkid"] == 4326


def test_without_a_reference_coordinates_must_be_degrees():
    here = {"x": 512000, "y": 5230000}
    with pytest.raises(ValueError, match="no spatialReference"):
        FeatureSet(features=[{"geometry": here}]).to_geodataframe()
    own = {**here, "spatialReference": {"wkid": 25832}}
    assert FeatureSet(features=[{"geometry": own}]).to_geodataframe().crs.to_epsg() == 25832
    assert FeatureSet(features=[{"geometry": {"x": 8, "y": 47}}]).to_geodataframe().crs.to_epsg() == 4326


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("999999", "999999 is not known"),
        ("Mercator", "not understood"),
        ("+proj=longlat +nadgrids=/etc/passwd", "more than a coordinate system"),
        ("+init=/etc/passwd:1", "not understood"),
        ('PROJCS["x",GEOGCS["y"],EXTENSION["PROJ4","+proj=utm"]]', "more than a coordinate system"),
        ('{"wkid": ', "not valid JSON"),
        ('{"name": 1}', "neither"),
        ('{"wkid": "x"}', "not a whole number"),
    ],
)
def test_unknown_references_are_refused_by_name(text, cause):
    with pytest.raises(ValueError, match=cause):
        crs_of_text(text)
    assert crs_of_text("EPSG:25832").to_epsg() == crs_of_text('{"wkid": 25832}').to_epsg() == 25832


def test_a_frame_without_a_system_or_geometry_is_refused():
    with pytest.raises(ValueError, match="set_crs"):
        FeatureSet.from_geodataframe(gpd.GeoDataFrame(geometry=[shapely.Point(1, 2)]))
    with pytest.raises(ValueError, match="no geometry column"):
        FeatureSet.from_geodataframe(gpd.GeoDataFrame({"a": [1]}))


# Attributes

FIELDS = [
    {"name": "OBJECTID", "type": "esriFieldTypeOID", "alias": "Number"},
    {"name": "small", "type": "esriFieldTypeSmallInteger", "alias": "Small one"},
    {"name": "large", "type": "esriFieldTypeBigInteger", "alias": "large"},
    {"name": "share", "type": "esriFieldTypeDouble", "alias": "Share"},
    {"name": "when_", "type": "esriFieldTypeDate", "alias": "When", "length": 8},
    {"name": "name", "type": "esriFieldTypeString", "alias": "Name", "length": 40},
    {"name": "key", "type": "esriFieldTypeGUID", "alias": "Key", "length": 38},
    {"name": "day", "type": "esriFieldTypeDateOnly", "alias": "Day"},
]


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "small": st.none() | st.integers(-(2**15), 2**15 - 1),
                "large": st.none() | st.integers(-(2**63), 2**63 - 1),
                "share": st.none() | st.floats(allow_nan=False, allow_infinity=False),
                "when_": st.none() | st.integers(-62_135_596_800_000, 253_402_300_799_999),
                "name": st.none() | st.text(max_size=40),
                "key": st.none() | st.uuids().map(str),
                "day": st.none() | st.dates().map(dt.date.isoformat),
            }
        ),
        max_size=5,
    )
)
def test_attributes_and_fields_come_back_as_they_went(rows):
    names = [field["name"] for field in FIELDS[1:]]
    features = [
        {"attributes": {"OBJECTID": number, **{name: row[name] for name in names}}}
        for number, row in enumerate(rows)
    ]
    records = RecordSet(fields=FIELDS, features=features)
    back = RecordSet.from_dataframe(records.to_dataframe())
    assert msgspec.json.encode(back) == msgspec.json.encode(records)
    layer = FeatureSet(fields=FIELDS, features=[{**row, "geometry": None} for row in features])
    assert FeatureSet.from_geodataframe(layer.to_geodataframe()).features == layer.features


def test_columns_have_the_types_that_pandas_works_with():
    rows = [
        {"OBJECTID": 1, "small": 2, "large": 2**60, "when_": 1_600_703_302_123, "name": "a", "share": 1},
        {"OBJECTID": 2, "small": None, "large": 1, "when_": None, "name": None, "share": None},
    ]
    frame = RecordSet(fields=FIELDS[:6], features=[{"attributes": row} for row in rows]).to_dataframe()
    assert [str(kind) for kind in frame.dtypes] == [
        "int64",
        "Int16",
        "int64",
        "float64",
        "datetime64[ms, UTC]",
        "str",
    ]
    assert frame["when_"][0] == pd.Timestamp("2020-09-21T15:48:22.123Z")
    assert frame.isna().sum().sum() == 4


@pytest.mark.parametrize(("value", "dtype"), [(-(2**15), "int16"), (2**15 - 1, "int16"), (2**15, "int64")])
def test_a_number_too_large_for_its_field_widens_the_column(value, dtype):
    features = [{"attributes": {"small": value}}]
    assert str(RecordSet(fields=FIELDS[1:2], features=features).to_dataframe()["small"].dtype) == dtype


def test_every_kind_of_column_has_its_esri_type():
    frame = pd.DataFrame(
        {
            "objectid": [1, 2, 3],
            "flag": [True, False, True],
            "maybe": pd.array([True, None, False], dtype="boolean"),
            "int16": np.array([1, 2, 3], dtype="int16"),
            "int32": pd.array([1, None, 3], dtype="Int32"),
            "uint32": np.array([1, 2, 2**32 - 1], dtype="uint32"),
            "single": np.array([0.5, np.nan, 2], dtype="float32"),
            "double": [0.25, np.inf, -np.inf],
            "naive": pd.to_datetime(["2024-01-31", None, "1969-12-31T23:59:59.999999"], format="ISO8601"),
            "zoned": pd.to_datetime(["2024-01-31T12:00"] * 3).tz_localize("Asia/Tokyo"),
            "text": ["a", None, "b" * 300],
            "kind": pd.Categorical(["x", "y", None]),
            "day": [dt.date(2024, 2, 29), None, dt.date(1, 1, 1)],
            "objects": pd.Series([1, None, 2**62], dtype=object),
            "nothing": pd.Series([None, None, None], dtype=object),
        }
    )
    records = RecordSet.from_dataframe(frame)
    assert {field["name"]: field["type"].removeprefix("esriFieldType") for field in records.fields} == {
        "objectid": "OID",
        "flag": "SmallInteger",
        "maybe": "SmallInteger",
        "int16": "SmallInteger",
        "int32": "Integer",
        "uint32": "BigInteger",
        "single": "Single",
        "double": "Double",
        "naive": "Date",
        "zoned": "Date",
        "text": "String",
        "kind": "String",
        "day": "String",
        "objects": "BigInteger",
        "nothing": "String",
    }
    assert next(field for field in records.fields if field["name"] == "text")["length"] == 300
    values = {name: [row["attributes"][name] for row in records.features] for name in frame}
    assert values["flag"] == [1, 0, 1]
    assert values["maybe"] == [1, None, 0]
    assert values["int32"] == [1, None, 3]
    assert values["single"] == [0.5, None, 2]
    assert values["double"] == [0.25, None, None]
    assert values["naive"] == [1_706_659_200_000, None, -1]
    assert values["zoned"] == [1_706_670_000_000] * 3
    assert values["kind"] == ["x", "y", None]
    assert values["day"] == ["2024-02-29", None, "0001-01-01"]
    assert values["objects"] == [1, None, 2**62]
    assert values["nothing"] == [None, None, None]
    assert {type(value) for column in values.values() for value in column} <= {int, float, str, type(None)}


@pytest.mark.parametrize(
    ("column", "cause"),
    [
        (pd.to_timedelta([1, 2], unit="s"), "timedelta64"),
        (pd.Series([{"a": 1}, [2]], dtype=object), "several or unknown kinds"),
        (pd.Series([1, "a"], dtype=object), "several or unknown kinds"),
        (np.array([2**63, 1], dtype="uint64"), "more than 63 bits"),
        (gpd.GeoSeries([None, None]), "geometry"),
    ],
)
def test_a_column_without_an_esri_form_is_named(column, cause):
    with pytest.raises(ValueError, match=f"'odd'.*{cause}"):
        RecordSet.from_dataframe(pd.DataFrame({"odd": column}))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("esriFieldTypeInteger", 1.5),
        ("esriFieldTypeInteger", "1"),
        ("esriFieldTypeBigInteger", 2**63),
        ("esriFieldTypeDouble", "much"),
        ("esriFieldTypeDate", "2024-01-01"),
        ("esriFieldTypeDate", 1e30),
    ],
)
def test_an_attribute_that_does_not_fit_its_field_is_named(kind, value):
    features = [{"attributes": {"odd": 1}}, {"attributes": {"odd": value}}]
    with pytest.raises(ValueError, match=f"'odd' of feature 1 .* no {kind}"):
        RecordSet(fields=[{"name": "odd", "type": kind}], features=features).to_dataframe()


def test_attributes_without_fields_are_kept_and_their_types_found():
    rows = [
        {"a": 1, "b": 2**60, "c": 0.5, "d": True, "e": "x", "f": 1},
        {"b": None, "c": 1, "g": None, "f": "y"},
    ]
    frame = RecordSet(features=[{"attributes": row} for row in rows]).to_dataframe()
    assert dict(frame.dtypes.astype(str)) == {
        "a": "Int64",
        "b": "Int64",
        "c": "float64",
        "d": "boolean",
        "e": "str",
        "f": "str",
        "g": "str",
    }
    assert frame["b"][0] == 2**60
    assert frame["f"].tolist() == ["1", "y"]


def test_an_attribute_called_geometry_does_not_hide_the_geometry():
    features = [{"attributes": {"geometry": "round", "SHAPE": 4}, "geometry": {"x": 1, "y": 2}}]
    frame = FeatureSet(features=features).to_geodataframe()
    assert frame.geometry.name == "SHAPE_1"
    assert frame["geometry"].tolist() == ["round"]
    assert FeatureSet.from_geodataframe(frame).features == features


def test_object_ids_that_repeat_are_no_object_ids():
    frame = FeatureSet(fields=FIELDS[:1], features=[{"attributes": {"OBJECTID": 7}}]).to_geodataframe()
    doubled = gpd.GeoDataFrame(pd.concat([frame, frame]))
    assert [field["type"] for field in FeatureSet.from_geodataframe(doubled).fields] == [
        "esriFieldTypeBigInteger"
    ]
    doubled["OBJECTID"] = [1, 2]
    assert [field["type"] for field in FeatureSet.from_geodataframe(doubled).fields] == ["esriFieldTypeOID"]


def test_empty_sets_keep_their_type_and_fields():
    layer = FeatureSet(
        "esriGeometryPolyline", {"wkid": 25832}, fields=FIELDS, features=[], display_field_name="name"
    )
    frame = layer.to_geodataframe()
    assert len(frame) == 0
    assert FeatureSet.from_geodataframe(frame) == layer
    assert RecordSet().to_dataframe().empty
    assert RecordSet.from_dataframe(pd.DataFrame()) == RecordSet()
    assert FeatureSet.from_geodataframe(gpd.GeoDataFrame(geometry=[], crs=4326)).features == []


def test_ten_thousand_features_do_not_take_long():
    # Nothing is timed: a quadratic step would run into the time limit of the suite.
    many = 10_000
    centres = shapely.points(np.random.default_rng(1).random((many, 2)))
    frame = gpd.GeoDataFrame({"n": range(many)}, geometry=shapely.buffer(centres, 0.1), crs=4326)
    back = FeatureSet.from_geodataframe(frame).to_geodataframe()
    assert back.geometry.geom_equals(frame.geometry).all()
