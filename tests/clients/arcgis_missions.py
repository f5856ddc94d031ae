"""Somebody makes a mission, works with its layers and deletes it, with the package ``arcgis``."""

import time
from typing import Any

from arcgis.features import FeatureLayer
from arcgis.gis import GIS
from arcgis.gis.mission import MissionCatalog
from stories import GIVEN, tell

SERVER, PASSWORD = GIVEN["server"], GIVEN["password"]


def life_of_a_mission() -> Any:
    gis = GIS(SERVER, "admin", PASSWORD)
    catalog = MissionCatalog(gis=gis)
    job = catalog.create_mission("Flood", snippet="At the river", tags=["a", "b"], capabilities="CHAT,TASK")
    while job.status not in ("COMPLETED", "FAILED", "CANCELLED"):
        time.sleep(0.1)
    mission = job.result()
    about = mission.properties
    [item] = about["channels"][0]["items"]
    layer = FeatureLayer(f"{item['serviceUrl']}/{item['layerId']}", gis=gis)
    feature = {"attributes": {"user_name": "ann", "speed": 2.5}, "geometry": {"x": 1.5, "y": 42.5}}
    added = layer.edit_features(adds=[feature])
    found = layer.query(where="user_name = 'ann'")
    report = mission.add_report(
        "Damage", "Damage_arcgis", [{"fieldName": "what", "type": "esriQuestionTypeTextBox"}]
    )
    web_map = gis.content.get(about["itemId"])
    content = web_map.get_data()
    listed = [each.properties["title"] for each in catalog.missions]
    deleted = mission.delete()
    return {
        "status": job.status,
        "kind": type(mission).__name__,
        "title": about["title"],
        "tags": about["tags"],
        "capabilities": about["capabilities"],
        "added": added["addResults"][0]["success"],
        "found": [found.features[0].attributes["speed"], found.features[0].geometry["x"]],
        "report": report["success"],
        "web_map": [web_map.type, len(content["operationalLayers"])],
        "listed": "Flood" in listed,
        "deleted": deleted,
    }


tell(life_of_a_mission)
