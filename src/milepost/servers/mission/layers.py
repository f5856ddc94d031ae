"""The layers of a mission: where people are, what they say, and what happens."""

from typing import Any, Final, NamedTuple

from milepost.features import Definition, Field, FieldType, GeometryType, Layer
from milepost.servers.mission.records import Mission

TRACKS, COMMUNICATIONS, EVENTS = 0, 1, 2
"""Ids of the layers."""

WKID: Final = 4326

_LONGEST_NAME: Final = 128


class Group(NamedTuple):
    """Layers that are made together, with the messages and codes of the document."""

    name: str
    channel: str
    purpose: str
    code: int
    """Of the first message; that of the second is one more."""
    color: tuple[int, int, int]

    @property
    def title(self) -> str:
        """What people call the layer."""
        return self.name.capitalize()


GROUPS: Final = (
    Group("tracks", "TRACKS", "location awareness", 1501, (0, 92, 230)),
    Group("communications", "COMMUNICATIONS", "collaboration", 1503, (0, 132, 88)),
    Group("events", "EVENTS", "mission logs", 1505, (214, 69, 65)),
)
"""The place of a group is the id of its layer."""


def definition(owner: str, title: str) -> Definition:
    """The feature service of a mission."""
    return Definition(
        owner=owner,
        wkid=WKID,
        description=f"Layers of the mission {title}",
        private=True,
        layers=(
            _layer(
                GROUPS[TRACKS],
                "location_timestamp",
                "user_name",
                Field(name="user_name", alias="User", length=_LONGEST_NAME),
                Field(name="device", alias="Device", length=128),
                Field(name="speed", alias="Speed (m/s)", type=FieldType.DOUBLE),
                Field(name="course", alias="Course (degrees)", type=FieldType.DOUBLE),
                Field(name="altitude", alias="Altitude (m)", type=FieldType.DOUBLE),
                Field(name="accuracy", alias="Accuracy (m)", type=FieldType.DOUBLE),
                Field(name="location_timestamp", alias="Time", type=FieldType.MOMENT),
            ),
            _layer(
                GROUPS[COMMUNICATIONS],
                "sent",
                "message",
                Field(name="sender", alias="Sender", length=_LONGEST_NAME),
                Field(name="recipients", alias="Recipients", length=4000),
                Field(name="message", alias="Message", length=4000),
                Field(name="sent", alias="Sent", type=FieldType.MOMENT),
            ),
            _layer(
                GROUPS[EVENTS],
                "created",
                "summary",
                Field(name="kind", alias="Kind", length=64),
                Field(name="summary", alias="Summary", length=1000),
                Field(name="reported_by", alias="Reported by", length=_LONGEST_NAME),
                Field(name="created", alias="Created", type=FieldType.MOMENT),
            ),
        ),
    )


def _layer(group: Group, time_field: str, display_field: str, *fields: Field) -> Layer:
    return Layer(
        name=group.name,
        title=group.title,
        description=f"{group.title} for {group.purpose}",
        geometry=GeometryType.POINT,
        fields=fields,
        time_field=time_field,
        display_field=display_field,
        drawing=drawing(group.color),
    )


def drawing(color: tuple[int, int, int]) -> dict[str, Any]:
    """Esri's ``drawingInfo`` of dots in a color."""
    symbol = {
        "type": "esriSMS",
        "style": "esriSMSCircle",
        "size": 8,
        "color": [*color, 255],
        "outline": {"type": "esriSLS", "style": "esriSLSSolid", "color": [255, 255, 255, 255], "width": 1},
    }
    return {"renderer": {"type": "simple", "symbol": symbol}}


def web_map(mission: Mission) -> dict[str, Any]:
    """The web map of a mission, with paths below the context in place of URLs."""
    plan = mission.plan
    west, south, east, north = plan.extent
    return {
        "operationalLayers": [
            {
                "id": f"{mission.id}-{number}",
                "title": group.title,
                "layerType": "ArcGISFeatureLayer",
                "itemId": mission.layers_item,
                "url": f"/rest/services/{mission.service}/FeatureServer/{number}",
                "visibility": True,
                "opacity": 1,
                "layerDefinition": {"drawingInfo": drawing(group.color)},
            }
            for number, group in enumerate(GROUPS)
        ],
        "baseMap": plan.base_map or {"title": "Empty", "baseMapLayers": []},
        "spatialReference": {"wkid": 102100, "latestWkid": 3857},
        "initialState": {
            "viewpoint": {
                "targetGeometry": {
                    "xmin": west,
                    "ymin": south,
                    "xmax": east,
                    "ymax": north,
                    "spatialReference": {"wkid": WKID},
                }
            }
        },
        "authoringApp": "Milepost",
        "version": "2.31",
    }
