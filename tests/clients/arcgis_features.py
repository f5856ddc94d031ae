"""Somebody at a notebook works with features: FeatureLayer of the package ``arcgis``."""

from datetime import UTC, datetime
from typing import Any

from arcgis.features import FeatureLayer, FeatureLayerCollection
from arcgis.geometry.filters import envelope_intersects, intersects
from arcgis.gis import GIS
from stories import GIVEN, refusal, tell

URL = f"{GIVEN['server']}/rest/services/Maps/Town/FeatureServer"

gis = GIS(GIVEN["server"], "ann", GIVEN["password"])
sights = FeatureLayer(f"{URL}/0", gis)
NEW = {"attributes": {"name": "Tower", "height": 40.0}, "geometry": {"x": 20, "y": 10}}


def collection_of_layers() -> Any:
    town = FeatureLayerCollection(URL, gis)
    return {
        "layers": [each.properties.name for each in town.layers],
        "tables": [each.properties.name for each in town.tables],
        "capabilities": town.properties.capabilities,
    }


def layer_explains_itself() -> Any:
    about = sights.properties
    return {
        "geometry": about.geometryType,
        "fields": [each.name for each in about.fields],
        "renderer": sights.renderer.type,
        "pages": about.advancedQueryCapabilities.supportsPagination,
    }


def every_page_of_a_query() -> Any:
    trees = FeatureLayer(URL.replace("Town", "Wood") + "/0", gis)
    found = trees.query(where="name LIKE 'Tree%'")  # in pages of two hundred
    return {
        "names": sorted(each.attributes["name"] for each in found),
        "in_order": [each.attributes["OBJECTID"] for each in trees.query(order_by_fields="OBJECTID DESC")],
        "reference": dict(found.spatial_reference),
        "first": dict(found.features[0].geometry),
    }


def query_of_all_kinds() -> Any:
    square = {"rings": [[[0, 0], [0, 9], [3, 9], [3, 0], [0, 0]]], "spatialReference": {"wkid": 4326}}
    first, last = (datetime.fromtimestamp(each / 1000, UTC) for each in GIVEN["days"])
    return {
        "count": sights.query(where="height > 10", return_count_only=True),
        "ids": sights.query(where="height > 10", return_ids_only=True),
        "in_polygon": sights.query(geometry_filter=intersects(square), return_count_only=True),
        "in_envelope": sights.query(
            geometry_filter=envelope_intersects({"xmin": 0, "ymin": 0, "xmax": 4, "ymax": 9}),
            return_count_only=True,
        ),
        "in_time": sights.query(time_filter=[first, last], return_count_only=True),
        "sorted": [
            each.attributes["name"]
            for each in sights.query(order_by_fields="height DESC", result_record_count=2)
        ],
        "statistics": sights.query(
            out_statistics=[
                {"statisticType": "max", "onStatisticField": "height", "outStatisticFieldName": "top"}
            ],
            group_by_fields_for_statistics="kind",
        ).to_dict()["features"],
        "distinct": len(sights.query(out_fields="kind", return_distinct_values=True, return_geometry=False)),
        "extent": sights.query(return_extent_only=True, out_sr=102100),
        "mercator": sights.query(object_ids="2", out_sr=3857).features[0].geometry["x"],
    }


def edits() -> Any:
    added = sights.edit_features(adds=[NEW])
    number = added["addResults"][0]["objectId"]
    tower = sights.query(object_ids=str(number)).features[0]
    tower.attributes["height"] = 41.0
    changed = sights.edit_features(updates=[tower])
    seen = sights.query(object_ids=str(number)).features[0].attributes
    deleted = sights.edit_features(deletes=str(number))
    left = sights.query(object_ids=str(number), return_count_only=True)
    return {"added": added, "changed": changed, "height": seen["height"], "deleted": deleted, "left": left}


def delete_by_condition() -> Any:
    sights.edit_features(adds=[NEW, NEW])
    return sights.delete_features(where="name = 'Tower'")


def bad_edit() -> Any:
    return sights.edit_features(adds=[NEW, {"attributes": {"name": "x", "floors": "many"}}])


def bad_query() -> Any:
    return refusal(lambda: sights.query(where="nobody = 1"))


def edit_by_somebody_else() -> Any:
    other = FeatureLayer(f"{URL}/0", GIS(GIVEN["server"], "bob", GIVEN["password"]))
    return {
        "count": other.query(return_count_only=True),
        "refusal": refusal(lambda: other.edit_features(adds=[NEW])),
    }


tell(
    collection_of_layers,
    layer_explains_itself,
    every_page_of_a_query,
    query_of_all_kinds,
    edits,
    delete_by_condition,
    bad_edit,
    bad_query,
    edit_by_somebody_else,
)
