"""Edits are done all or none, features fit their layer, and the spatial index knows where they are."""

import sqlite3
from typing import Any

import pytest
import shapely
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from milepost.features import Definition, FeatureServices, LayerEdits, Selection
from tests.features.conftest import LAYERS, feature


def edit(service: Any, number: int = 0, **edits: Any) -> Any:
    options = {name: edits.pop(name) for name in ("rollback_on_failure", "use_global_ids") if name in edits}
    return service.apply([LayerEdits(layer=number, **edits)], **options)[0]


def test_features_are_added_changed_and_deleted(service):
    added = edit(
        service, adds=[feature({"x": 1, "y": 2}, name="a", whole=1), feature({"x": 3, "y": 4}, name="b")]
    )
    assert [each.object_id for each in added.adds] == [1, 2]
    assert len({each.global_id for each in added.adds}) == 2
    changed = edit(
        service, updates=[feature({"x": 9, "y": 9}, OBJECTID=1, NAME="c"), feature(OBJECTID=2, whole=5)]
    )
    assert changed.success
    found = service.layers[0].features(names=["name", "whole"])
    assert found.rows == [{"name": "c", "whole": 1}, {"name": "b", "whole": 5}]
    assert [each.wkt for each in found.geometries] == ["POINT (9 9)", "POINT (3 4)"]
    assert edit(service, deletes=[1]).success
    assert service.layers[0].ids() == [2]
    # An id is never given again.
    assert service.add(0, [feature({"x": 0, "y": 0})]) == [3]


def test_a_geometry_can_be_taken_away(service):
    service.add(0, [feature({"x": 1, "y": 2}), {"attributes": {}}, feature({"x": "NaN", "y": "NaN"})])
    assert edit(service, updates=[{"attributes": {"OBJECTID": 1}, "geometry": None}]).success
    assert list(service.layers[0].features().geometries) == [None, None, None]
    assert service.layers[0].count(Selection(geometry=shapely.box(-180, -90, 180, 90))) == 0


def test_one_that_fails_takes_the_others_back(service):
    good, bad = feature({"x": 1, "y": 2}, name="a"), feature({"x": 1, "y": 2}, whole="many")
    results = edit(service, adds=[good, bad])
    assert [each.code for each in results.adds] == [1003, 1000]
    assert [each.object_id for each in results.adds] == [None, None]
    assert results.adds[1].problem == "field 'whole': 'many' is not a whole number of 32 bits"
    assert service.layers[0].count() == 0
    results = edit(service, adds=[good, bad], rollback_on_failure=False)
    assert [each.success for each in results.adds] == [True, False]
    assert service.layers[0].count() == 1


def test_layers_are_edited_together(service):
    edits = [
        LayerEdits(layer=0, adds=[feature({"x": 1, "y": 2})]),
        LayerEdits(layer=1, adds=[feature({"paths": [[[0, 0], [1, 1]]]})], deletes=[77]),
    ]
    assert [each.success for each in service.apply(edits)] == [False, False]
    assert [each.count() for each in service.layers[:2]] == [0, 0]
    assert [each.success for each in service.apply(edits, rollback_on_failure=False)] == [True, False]
    assert [each.count() for each in service.layers[:2]] == [1, 1]


def test_features_bring_their_global_ids(service):
    guid = "9c5f1e4e-2b0c-4b5e-9b1a-0a3f6d7c8e91"
    stored = "{9C5F1E4E-2B0C-4B5E-9B1A-0A3F6D7C8E91}"
    [added] = edit(service, adds=[feature({"x": 1, "y": 2}, globalid=guid)], use_global_ids=True).adds
    assert added.global_id == stored
    again = edit(service, adds=[feature({"x": 1, "y": 2}, GlobalID=guid)], use_global_ids=True).adds
    assert "already" in again[0].problem
    none = edit(service, adds=[feature({"x": 1, "y": 2})], use_global_ids=True).adds
    assert "needs a GUID as GlobalID" in none[0].problem
    assert edit(service, updates=[feature(GlobalID=guid, name="x")], use_global_ids=True).success
    assert edit(service, deletes=[stored], use_global_ids=True).success
    assert service.layers[0].count() == 0


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"nobody": 1}, "there is no field 'nobody'; the fields are OBJECTID, name"),
        ({"name": "x" * 41}, "is longer than the 40 characters of the field"),
        ({"name": ["x"]}, "is not text"),
        ({"name": "\ud800"}, "is not"),
        ({"whole": 2**31}, "is not a whole number of 32 bits"),
        ({"whole": 1.5}, "is not a whole number of 32 bits"),
        ({"whole": True}, "is not a whole number of 32 bits"),
        ({"real": float("inf")}, "is not a number"),
        ({"real": "1"}, "is not a number"),
        ({"seen": "yesterday"}, "is not a date in milliseconds since 1970"),
        ({"seen": 1e20}, "is not a date in milliseconds since 1970"),
        ({"day": 5}, "is not a day such as 2026-09-21"),
        ({"code": "x"}, "is not a GUID"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_name_of_its_field(service, attributes, problem):
    [result] = edit(service, adds=[feature({"x": 1, "y": 2}, **attributes)]).adds
    assert problem in result.problem
    assert not result.success
    assert service.layers[0].count() == 0


@pytest.mark.parametrize(
    ("number", "geometry"),
    [
        (0, {"paths": [[[0, 0], [1, 1]]]}),
        (0, {"x": 1}),
        (0, {"x": float("inf"), "y": 1}),
        (0, {"x": "a", "y": 1}),
        (0, [1, 2]),
        (0, {"x": 1, "y": 2, "spatialReference": {"wkid": 99999999}}),
        (0, {"x": 1, "y": 2, "spatialReference": {"wkid": "x"}}),
        (1, {"x": 1, "y": 2}),
        (1, {"paths": [[[0, 0]]]}),
        (1, {"curvePaths": [[[0, 0], {"c": [[1, 1], [2, 2]]}]]}),
        (2, {"rings": [[[0, 0], [1, 1]]]}),
        (2, {"rings": 5}),
        (3, {"points": [["a", "b"]]}),
    ],
)
def test_a_geometry_that_does_not_fit_is_refused(service, number, geometry):
    [result] = edit(service, number, adds=[feature(geometry)]).adds
    assert (result.success, result.code) == (False, 1000)
    assert len(result.problem) > 10


@pytest.mark.parametrize("broken", [None, 5, "x", [], {"attributes": 5}, {"attributes": None}])
def test_what_is_no_feature_is_refused_or_empty(service, broken):
    results = edit(service, adds=[broken], updates=[broken])
    assert not results.success
    assert service.layers[0].count() == 0


def test_geometries_come_from_other_spatial_references(service):
    mercator = {"x": 946_206.7, "y": 6_007_610.4, "spatialReference": {"wkid": 102100}}
    service.add(0, [feature(mercator)])
    [point] = service.layers[0].features().geometries
    assert (point.x, point.y) == pytest.approx((8.5, 47.4), abs=1e-3)


def test_an_update_needs_its_feature(service):
    results = edit(
        service, updates=[feature(name="x"), feature(OBJECTID=7, name="x"), feature(OBJECTID=2**70)]
    )
    assert [each.code for each in results.updates] == [1000, 1019, 1019]
    assert "needs the OBJECTID" in results.updates[0].problem


coordinate = st.one_of(st.integers(-180, 180), st.floats(-180, 180, allow_nan=False))
points = st.one_of(
    st.none(),
    st.builds(lambda x, y: {"x": x, "y": y}, coordinate, coordinate),
    st.just({"x": None, "y": None}),
)


class Edits(RuleBasedStateMachine):
    """Whatever is done, the layer holds what a dictionary would, and its index agrees."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile
        from pathlib import Path

        self.folder = tempfile.TemporaryDirectory()
        self.services = FeatureServices(Path(self.folder.name))
        self.service = self.services.create("s", Definition(owner="ann", layers=LAYERS))
        self.kept: dict[int, tuple[str | None, Any]] = {}

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(shape=points, name=st.one_of(st.none(), st.text(alphabet="abü", max_size=3)))
    def add(self, shape: Any, name: str | None) -> None:
        [number] = self.service.add(0, [{"attributes": {"name": name}, "geometry": shape}])
        assert number not in self.kept
        self.kept[number] = (name, self.position(shape))

    @precondition(lambda self: self.kept)
    @rule(shape=points, data=st.data(), fails=st.booleans())
    def update(self, shape: Any, data: Any, fails: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.kept)))
        updates = [{"attributes": {"OBJECTID": number, "name": "u"}, "geometry": shape}]
        done = edit(self.service, updates=updates, deletes=[10**6] if fails else [])
        assert done.success is not fails
        if not fails:
            self.kept[number] = ("u", self.position(shape))

    @precondition(lambda self: self.kept)
    @rule(data=st.data(), fails=st.booleans())
    def delete(self, data: Any, fails: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.kept)))
        deletes = [number, 10**6] if fails else [number]
        assert edit(self.service, deletes=deletes).success is not fails
        if not fails:
            del self.kept[number]

    @rule(box=st.tuples(coordinate, coordinate, coordinate, coordinate))
    def delete_in_a_place(self, box: Any) -> None:
        area = shapely.box(min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3]))
        inside = {
            number
            for number, (_, place) in self.kept.items()
            if place and area.intersects(shapely.Point(place))
        }
        done = self.service.delete(0, Selection(geometry=area))
        assert {each.object_id for each in done} == inside
        for number in inside:
            del self.kept[number]

    @invariant()
    def the_layer_holds_what_was_kept(self) -> None:
        found = self.service.layers[0].features()
        places = [None if each is None else (each.x, each.y) for each in found.geometries]
        assert {
            row["OBJECTID"]: (row["name"], place) for row, place in zip(found.rows, places, strict=True)
        } == self.kept
        count, bounds = self.service.layers[0].extent()
        known = [place for _, place in self.kept.values() if place]
        assert count == len(self.kept)
        assert (bounds is None) is (not known)
        if known:
            xs, ys = zip(*known, strict=True)
            assert bounds == (min(xs), min(ys), max(xs), max(ys))

    @invariant()
    def the_index_knows_the_places(self) -> None:
        path = self.services.root / "s.FeatureServer" / "features.gpkg"
        connection = sqlite3.connect(path)
        indexed = {row[0] for row in connection.execute("SELECT id FROM rtree_points_shape")}
        assert connection.execute("SELECT rtreecheck('rtree_points_shape')").fetchone() == ("ok",)
        connection.close()
        assert indexed == {number for number, (_, place) in self.kept.items() if place}

    @staticmethod
    def position(shape: Any) -> Any:
        return None if shape is None or shape["x"] is None else (float(shape["x"]), float(shape["y"]))


TestEdits = Edits.TestCase
TestEdits.settings = settings(
    max_examples=15, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
