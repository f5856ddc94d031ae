"""The JSON of missions: pure functions of them and of where the server is."""

from typing import Any, Final

from milepost.servers.mission.records import Channel, LayerOfMission, Mission

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
        "folderId": "",
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
