"""What a feature service is made from: its layers, their fields, and who may edit."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

import msgspec

from milepost.features.errors import FeatureError
from milepost.features.fields import LONGEST_TEXT, Field, FieldType, stored

MAX_RECORDS: Final = 2000
"""Features in one answer to a query."""

CAPABILITIES: Final = ("Query", "Create", "Update", "Delete")
"""What a service may let people do."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
_RESERVED: Final = ("gpkg_", "rtree_", "sqlite_", "ogr_")
_LONGEST_TITLE: Final = 250
_MOST: Final = 500
"""Layers of a service, and fields of a layer."""


class GeometryType(StrEnum):
    """What the features of a layer look like, by the name that ArcGIS clients know."""

    POINT = "esriGeometryPoint"
    MULTIPOINT = "esriGeometryMultipoint"
    POLYLINE = "esriGeometryPolyline"
    POLYGON = "esriGeometryPolygon"

    @property
    def sql_name(self) -> str:
        """How a GeoPackage calls it. Lines and polygons of several parts are one feature."""
        return _SQL_NAMES[self]


_SQL_NAMES: Final = {
    GeometryType.POINT: "POINT",
    GeometryType.MULTIPOINT: "MULTIPOINT",
    GeometryType.POLYLINE: "MULTILINESTRING",
    GeometryType.POLYGON: "MULTIPOLYGON",
}


class Layer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A layer of a service, or a table where there is no geometry. Its id is its place in the service."""

    name: str
    """Letters, digits and ``_``; also the table in the file."""
    fields: tuple[Field, ...]
    """Beside the two ids, which every layer has."""
    geometry: GeometryType | None = None
    title: str = ""
    """What people call it; its name if empty."""
    description: str = ""
    time_field: str = ""
    """The field that queries with ``time`` ask about."""
    display_field: str = ""
    """The field whose value names a feature; the first text if empty."""
    object_id: str = "OBJECTID"
    global_id: str = "GlobalID"
    has_z: bool = False
    drawing: dict[str, Any] | None = None
    """Esri's ``drawingInfo``; a simple one if there is none."""

    @property
    def all_fields(self) -> tuple[Field, ...]:
        """The fields with both ids."""
        return (
            Field(name=self.object_id, type=FieldType.OBJECT_ID, nullable=False, editable=False),
            *self.fields,
            Field(name=self.global_id, type=FieldType.GLOBAL_ID, nullable=False, editable=False),
        )

    def field(self, name: str) -> Field | None:
        """The field of that name, in any case; None when there is none."""
        wanted = name.strip().lower()
        return next((each for each in self.all_fields if each.name.lower() == wanted), None)

    @property
    def shown_field(self) -> str:
        """The field whose value names a feature."""
        texts = [each.name for each in self.fields if each.type is FieldType.TEXT]
        return self.display_field or (texts[0] if texts else self.object_id)


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A feature service."""

    owner: str
    """Username of who may edit and delete it, whatever else is said."""
    layers: tuple[Layer, ...]
    wkid: int = 4326
    """Spatial reference of all layers: an EPSG code or a wkid of Esri's. Beyond 4326 and 3857 pyproj is needed."""
    description: str = ""
    editors: tuple[str, ...] = ()
    """Usernames of others who may edit the features."""
    everybody_edits: bool = False
    """Whether everybody may who has the privilege to edit features."""
    private: bool = False
    """Whether it is there for the owner, the editors and administrators only."""
    capabilities: tuple[str, ...] = CAPABILITIES
    max_records: int = MAX_RECORDS

    def may_read(self, username: str) -> bool:
        """Whether the service is there for somebody, as far as the service is concerned."""
        return not self.private or username == self.owner or username in self.editors

    def may_edit(self, username: str) -> bool:
        """Whether somebody may edit the features, as far as the service is concerned."""
        return self.everybody_edits or username == self.owner or username in self.editors


def check(definition: Definition) -> None:
    """Refuse what cannot become a service.

    Raises:
        FeatureError: the text names what is wrong, and what would be right.
    """
    if not definition.owner:
        raise FeatureError("a feature service needs an owner")
    if not 0 < len(definition.layers) <= _MOST:
        raise FeatureError(f"a feature service has 1 to {_MOST} layers")
    unknown = set(definition.capabilities) - set(CAPABILITIES)
    if unknown or "Query" not in definition.capabilities:
        raise FeatureError(
            f"the capabilities of a feature service are Query and some of {', '.join(CAPABILITIES[1:])}"
        )
    if not 1 <= definition.max_records <= 100_000:
        raise FeatureError("a feature service gives 1 to 100000 records in one answer")
    _check_names("layer", (each.name for each in definition.layers))
    for layer in definition.layers:
        _check_layer(layer)


def _check_layer(layer: Layer) -> None:
    if len(layer.fields) > _MOST:
        raise FeatureError(f"layer {layer.name!r} has more than {_MOST} fields")
    if layer.has_z and layer.geometry is None:
        raise FeatureError(f"layer {layer.name!r} has no geometry, and so no z")
    _check_names(f"layer {layer.name!r}: field", [*(each.name for each in layer.all_fields), "shape"])
    if max(len(layer.title), len(layer.description) // 100) > _LONGEST_TITLE:
        raise FeatureError(f"the title or the description of layer {layer.name!r} is too long")
    for field in layer.fields:
        if field.type in (FieldType.OBJECT_ID, FieldType.GLOBAL_ID):
            raise FeatureError(f"field {field.name!r}: every layer has its two ids without being told")
        if not 1 <= field.length <= LONGEST_TEXT or len(field.alias) > _LONGEST_TITLE:
            raise FeatureError(f"field {field.name!r}: its text may have 1 to {LONGEST_TEXT} characters")
        if field.default is not None:
            stored(field, field.default)
    timed = layer.time_field and layer.field(layer.time_field)
    if layer.time_field and (not timed or timed.type is not FieldType.MOMENT):
        raise FeatureError(
            f"layer {layer.name!r}: its time field {layer.time_field!r} is no field with dates"
        )
    if layer.display_field and not layer.field(layer.display_field):
        raise FeatureError(f"layer {layer.name!r}: its display field {layer.display_field!r} is no field")


def _check_names(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name) or name.lower().startswith(_RESERVED):
            raise FeatureError(
                f"{what} {name[:80]!r}: a name begins with a letter and has up to 60 letters, digits and _"
            )
        if name.lower() in seen:
            raise FeatureError(f"{what} {name!r} is there twice")
        seen.add(name.lower())
