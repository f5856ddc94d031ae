"""The JSON of missions: pure functions of them and of where the server is."""

from typing import Any, Final

from milepost.servers.mission.records import Channel, LayerOfMission, Mission, item_id

VERSION: Final = "11.0"
"""As the document prints it."""

TYPE: Final = "MissionServer"


def mission(about: Mission, base: str) -> dict[str, Any]:
    """The mission service. ``title``, ``extent``, ``created`` and ``itemId``, of its web map, are additions."""
    plan = about.plan
    return {
        "currentVersion": VERSION,
        "missionId": about.id,
        "owner": about.owner,
        "title": plan.title,
        "summary": plan.summary,
        "description": plan.description,
        "thumbnail": "",
        "capabilities": ",".join(plan.capabilities),
        "groupId": about.group_id,
        "folderId": about.folder_id,
        "licenseInfo": plan.license,
        "type": TYPE,
        "tags": list(plan.tags),
        "channels": [channel(each, base) for each in about.channels],
        "extent": list(plan.extent),
        "locale": plan.locale,
        "itemId": about.map_item,
        "created": about.created,
    }


def channel(about: Channel, base: str) -> dict[str, Any]:
    """A channel and its layers."""
    return {
        "name": about.name,
        "msgId": about.message,
        "items": [layer(each, base) for each in about.layers],
    }


def layer(about: LayerOfMission, base: str) -> dict[str, Any]:
    """Where a layer is."""
    return {
        "itemId": about.item,
        "layerId": about.layer,
        "name": about.name,
        "serviceUrl": f"{base}/rest/services/{about.service}/FeatureServer",
    }


def reports(about: Mission, base: str) -> dict[str, Any]:
    """The reports of a mission, as a channel."""
    return {
        "name": "REPORT",
        "msgId": item_id(about.id, "REPORT"),
        "items": [layer(each, base) for each in about.reports],
    }


def item(about: Mission, any_id: str, base: str) -> dict[str, Any]:
    """The portal item of a mission, of its web map, or of its layers."""
    kinds = {about.map_item: "Web Map", about.layers_item: "Feature Service"}
    kind = kinds.get(any_id, "Mission")
    urls = {
        "Web Map": None,
        "Feature Service": f"{base}/rest/services/{about.service}/FeatureServer",
        "Mission": f"{base}/mission/rest/services/{about.id}/MissionServer",
    }
    plan = about.plan
    west, south, east, north = plan.extent
    return {
        "id": any_id,
        "owner": about.owner,
        "created": about.created,
        "modified": about.created,
        "name": None,
        "title": plan.title,
        "type": kind,
        "typeKeywords": [kind.replace(" ", "")],
        "description": (plan.map_description if kind == "Web Map" else "") or plan.description or None,
        "snippet": plan.summary or None,
        "tags": list(plan.tags),
        "thumbnail": None,
        "extent": [[west, south], [east, north]],
        "spatialReference": "4326",
        "accessInformation": None,
        "licenseInfo": plan.license or None,
        "culture": plan.locale,
        "url": urls[kind],
        "access": "private",
        "numComments": 0,
        "numRatings": 0,
        "avgRating": 0,
        "numViews": 0,
    }


def items(about: Mission, base: str) -> list[dict[str, Any]]:
    """All portal items of a mission: itself, its web map and its layers."""
    return [item(about, each, base) for each in (about.id, about.map_item, about.layers_item)]


def folder(about: Mission, base: str) -> dict[str, Any]:
    """The folder with the items of a mission."""
    found = items(about, base)
    return {
        "username": about.owner,
        "total": len(found),
        "start": 1,
        "num": len(found),
        "nextStart": -1,
        "currentFolder": {
            "username": about.owner,
            "id": about.folder_id,
            "title": about.plan.title,
            "created": about.created,
        },
        "items": found,
    }


def web_map(content: dict[str, Any], base: str) -> dict[str, Any]:
    """A kept web map as clients get it: with the URLs of this server."""
    layers = [{**each, "url": f"{base}{each['url']}"} for each in content.get("operationalLayers", [])]
    return {**content, "operationalLayers": layers}


def catalog(missions: list[Mission], *, start: int, limit: int, total: int) -> dict[str, Any]:
    """The list of missions."""
    following = start + len(missions)
    return {
        "currentVersion": VERSION,
        "folders": [],
        "services": [{"name": each.id, "type": TYPE, "title": each.plan.title} for each in missions],
        "start": start,
        "num": limit,
        "total": total,
        "nextStart": following if following <= total else -1,
    }
