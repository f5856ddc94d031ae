"""Somebody administers video services and uploads with the package ``arcgis``."""

from typing import Any

from arcgis.gis import GIS
from arcgis.gis.video import VideoServer
from stories import GIVEN, refusal, tell

SERVER, PASSWORD = GIVEN["server"], GIVEN["password"]


def server() -> VideoServer:
    return VideoServer(f"{SERVER}/video/rest", gis=GIS(SERVER, "admin", PASSWORD))


def the_server() -> Any:
    about = server().info
    return {"version": about["currentVersion"] > 12, "signing_in": about["authInfo"]["isTokenBasedSecurity"]}


def life_of_a_service() -> Any:
    services = server().admin.services
    before = services.exists("Flights_arcgis")
    made = services.create("Flights_arcgis")
    about = services.get("Flights_arcgis").info
    listed = [each.info.service_name for each in services.list()]
    again = refusal(lambda: services.create("Flights_arcgis"))
    deleted = services.get("Flights_arcgis").delete(skip_portal_delete=False)
    return {
        "before": before,
        "made": [made.success, made.name],
        "about": [about.service_name, about.type, about.extensions],
        "item": about.portal_properties.portal_items[0].item_id == made.item_id,
        "listed": "Flights_arcgis" in listed,
        "again": again,
        "deleted": deleted,
        "after": services.exists("Flights_arcgis"),
        "types": [each["Name"] for each in services.types["types"]],
    }


def uploads() -> Any:
    video = server()
    packets = (b"G" + bytes(187)) * 40
    sent = video.session.post(
        f"{SERVER}/video/rest/uploads/upload", data={"f": "json"}, files={"file": ("flight.ts", packets)}
    ).json()
    [mine] = [each for each in video.admin.uploads() if each.file_id == sent["fileId"]]
    deleted = video.admin.delete_upload(sent["fileId"])
    left = [each for each in video.admin.uploads() if each.file_id == sent["fileId"]]
    return {
        "mine": [mine.owner, mine.file_name, mine.content_type, mine.committed],
        "deleted": deleted,
        "left": left,
    }


tell(the_server, life_of_a_service, uploads)
