"""Services come whole and go whole, from any process."""

import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from milepost.features import (
    Definition,
    Draft,
    FeatureError,
    FeatureServices,
    Field,
    FieldType,
    GeometryType,
    Layer,
    NoSuchServiceError,
    ServiceExistsError,
    delete_service,
)
from tests.features.conftest import LAYERS, feature, layer

ONE = Definition(owner="ann", layers=(LAYERS[0],))


def files(services: FeatureServices) -> list[Path]:
    return [each for each in services.root.rglob("*") if each.is_file()]


def test_a_service_is_found_by_its_name(services):
    services.create("Town", ONE)
    services.create("Missions/Town", ONE)
    assert services.names() == ["Missions/Town", "Town"]
    assert services.names("") == ["Town"]
    assert services.names("Missions") == ["Missions/Town"]
    assert services.folders() == ["Missions"]
    assert services.open("Missions/Town").definition == ONE
    assert FeatureServices(services.root.parent).open("Town").folder == ""


def test_there_is_one_of_a_name(services):
    services.create("Town", ONE)
    with pytest.raises(ServiceExistsError, match="'Town' already"):
        services.create("Town", ONE)
    assert len(files(services)) == 2


def test_what_is_deleted_is_gone_and_can_be_made_again(services):
    service = services.create("Missions/Town", ONE)
    service.add(0, [feature({"x": 1, "y": 2})])
    assert services.delete("Missions/Town")
    assert not services.delete("Missions/Town")
    assert files(services) == []
    with pytest.raises(NoSuchServiceError, match="no feature service 'Missions/Town'"):
        services.open("Missions/Town")
    with pytest.raises(NoSuchServiceError, match="may have been deleted"):
        service.layers[0].count()
    with pytest.raises(NoSuchServiceError, match="may have been deleted"):
        service.add(0, [feature({"x": 1, "y": 2})])
    assert services.create("Missions/Town", ONE).layers[0].count() == 0


def test_a_rollback_takes_along_what_was_half_made(services):
    half = services.root / "Missions" / ".Town.FeatureServer.1234.new"
    half.mkdir(parents=True)
    (half / "features.gpkg").write_bytes(b"half")
    assert services.names() == []
    for _ in range(2):
        delete_service(str(services.root.parent), "Missions/Town")
    assert files(services) == []


def test_who_edits_can_be_changed(services):
    services.create("Town", ONE)
    changed = services.change("Town", editors=("bob",), capabilities=("Query", "Create"))
    assert changed.definition.may_edit("bob")
    assert not services.open("Town").definition.may_edit("cleo")
    assert services.open("Town").definition.capabilities == ("Query", "Create")
    with pytest.raises(FeatureError, match="stay as they were made"):
        services.change("Town", layers=())


@pytest.mark.parametrize(
    "name", ["", "a/b/c", "../x", "x/../y", ".hidden", "a b", "ü", "x" * 81, "a/", "/a", "a.FeatureServer"]
)
def test_a_name_leads_to_no_other_place(services, name):
    with pytest.raises(NoSuchServiceError):
        services.create(name, ONE)
    with pytest.raises(NoSuchServiceError):
        services.open(name)
    assert not services.root.exists()


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        (Definition(owner="", layers=(LAYERS[0],)), "needs an owner"),
        (Definition(owner="ann", layers=()), "1 to 500 layers"),
        (Definition(owner="ann", layers=(LAYERS[0], LAYERS[0])), "'points' is there twice"),
        (Definition(owner="ann", layers=(LAYERS[0],), capabilities=("Query", "Fly")), "capabilities"),
        (Definition(owner="ann", layers=(LAYERS[0],), max_records=0), "1 to 100000 records"),
        (Definition(owner="ann", layers=(LAYERS[0],), wkid=99999999), "99999999 is not known"),
        (Definition(owner="ann", layers=(layer('p"; DROP TABLE x; --', None),)), "begins with a letter"),
        (Definition(owner="ann", layers=(layer("gpkg_contents", None),)), "begins with a letter"),
        (Definition(owner="ann", layers=(layer("p", None, has_z=True),)), "no geometry, and so no z"),
        (Definition(owner="ann", layers=(layer("p", None, time_field="name"),)), "no field with dates"),
        (Definition(owner="ann", layers=(layer("p", None, display_field="nobody"),)), "is no field"),
        (
            Definition(owner="ann", layers=(layer("p", None, time_field="", fields=(Field(name="Shape"),)),)),
            "'shape' is there twice",
        ),
        (
            Definition(
                owner="ann", layers=(layer("p", None, time_field="", fields=(Field(name="objectid"),)),)
            ),
            "'objectid' is there twice",
        ),
        (
            Definition(
                owner="ann",
                layers=(
                    layer(
                        "p", None, time_field="", fields=(Field(name="n", type=FieldType.LONG, default="x"),)
                    ),
                ),
            ),
            "'x' is not a whole number",
        ),
    ],
)
def test_what_cannot_become_a_service_is_refused_and_leaves_nothing(services, definition, said):
    with pytest.raises(FeatureError, match=said.replace("(", "\\(")):
        services.create("Town", definition)
    assert not services.root.exists() or files(services) == []


def test_the_file_is_a_geopackage_that_gdal_reads(services):
    pyogrio = pytest.importorskip("pyogrio")
    service = services.create("All", Definition(owner="ann", layers=LAYERS, wkid=25832))
    ring = [[0, 0, 7], [0, 10, 7], [10, 10, 7], [10, 0, 7], [0, 0, 7]]
    shapes = [
        {"x": 1, "y": 2},
        {"paths": [[[0, 0], [1, 1]], [[2, 2], [3, 3]]]},
        {"rings": [ring]},
        {"points": [[1, 1], [2, 2]]},
        {"x": 1, "y": 2, "z": 3},
        None,
    ]
    for number, shape in enumerate(shapes):
        service.add(
            number,
            [feature(shape, name="Zürich", whole=5, real=0.5, seen=1_790_000_000_123, day="2026-09-21")],
        )
    path = services.root / "All.FeatureServer" / "features.gpkg"
    assert {tuple(each) for each in pyogrio.list_layers(path)} == {
        ("points", "Point"),
        ("lines", "MultiLineString"),
        ("areas", "MultiPolygon"),
        ("crowds", "MultiPoint"),
        ("heights", "Point Z"),
        ("remarks", None),
    }
    about = pyogrio.read_info(path, layer="areas", force_total_bounds=True)
    assert (about["crs"], about["fid_column"], about["geometry_name"]) == ("EPSG:25832", "OBJECTID", "shape")
    assert about["total_bounds"] == (0, 0, 10, 10)
    assert dict(zip(about["fields"], about["dtypes"], strict=True)) == {
        "name": "object",
        "whole": "int32",
        "real": "float64",
        "seen": "datetime64[ms]",
        "day": "datetime64[D]",
        "code": "object",
        "GlobalID": "object",
    }
    [row] = pyogrio.read_dataframe(path, layer="heights", datetime_as_string=True).to_dict("records")
    assert row["geometry"].wkt == "POINT Z (1 2 3)"
    assert (row["name"], row["whole"], row["real"]) == ("Zürich", 5, 0.5)
    assert row["seen"].startswith("2026-09-21T14:13:20.123")
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_what_gdal_writes_into_the_file_is_served(services):
    pyogrio = pytest.importorskip("pyogrio")
    geopandas = pytest.importorskip("geopandas")
    from shapely import Point

    simple = Layer(name="trees", geometry=GeometryType.POINT, fields=(Field(name="name"),), global_id="guid")
    service = services.create("Wood", Definition(owner="ann", layers=(simple,)))
    path = services.root / "Wood.FeatureServer" / "features.gpkg"
    guid = "{9C5F1E4E-2B0C-4B5E-9B1A-0A3F6D7C8E91}"
    frame = geopandas.GeoDataFrame({"name": ["oak"], "guid": [guid]}, geometry=[Point(3, 4)], crs=4326)
    pyogrio.write_dataframe(frame, path, layer="trees", append=True)
    found = service.layers[0].features()
    assert found.rows == [{"OBJECTID": 1, "name": "oak", "guid": guid}]
    assert found.geometries is not None
    assert found.geometries[0].wkt == "POINT (3 4)"


def test_a_draft_that_is_gone_is_not_taken_for_a_service(services):
    draft = Draft(services, "Missions/Flood", ONE)
    draft.begin()
    draft.add_layer(0)
    again = Draft(services, "Missions/Flood", ONE)
    again.publish()
    again.publish()  # as after a crash
    assert services.names() == ["Missions/Flood"]
    services.delete("Missions/Flood")
    with pytest.raises(NoSuchServiceError, match="is gone"):
        again.publish()
    assert services.names() == []


def test_many_edits_while_the_file_is_held_are_there_once_it_is_let_go(services):
    service = services.create("Busy", ONE)
    release = service.hold()
    for number in range(5):
        service.add(0, [feature({"x": number, "y": 0}, name="ann")])
    assert service.layers[0].count() == 5
    release()
    assert service.layers[0].count() == 5
    assert [each.suffix for each in files(services)].count(".gpkg") == len(files(services)) - 1
    services.delete("Busy")
    with pytest.raises(NoSuchServiceError):
        service.hold()


def _add(data: str, name: str, count: int) -> None:
    service = FeatureServices(Path(data)).open("Busy")
    for number in range(count):
        service.add(0, [feature({"x": number, "y": 0}, name=name)])


def test_several_processes_edit_one_service(services):
    service = services.create("Busy", ONE)
    context = multiprocessing.get_context("forkserver")
    names = ["ann", "bob", "cleo"]
    processes = [context.Process(target=_add, args=(str(services.root.parent), name, 10)) for name in names]
    for each in processes:
        each.start()
    seen = []
    while any(each.is_alive() for each in processes):
        seen.append(service.layers[0].count())
    for each in processes:
        each.join()
        assert each.exitcode == 0
    assert seen == sorted(seen)
    rows = service.layers[0].features().rows
    assert [each["OBJECTID"] for each in rows] == list(range(1, 31))
    assert sorted(each["name"] for each in rows) == sorted(names * 10)
