"""Feature services: layers of features in a GeoPackage each, read and edited by many at a time.

Whoever makes one says what it holds, and gets it whole or not at all, from any process of the site::

    services = FeatureServices(data_folder())
    service = services.create(
        "Missions/tracks_4f1e",
        Definition(
            owner="ann",
            editors=("bob",),
            layers=(
                Layer(
                    name="tracks",
                    title="Tracks",
                    geometry=GeometryType.POINT,
                    fields=(Field(name="user_name"), Field(name="seen", type=FieldType.MOMENT)),
                    time_field="seen",
                ),
            ),
        ),
    )

It is served at ``rest/services/Missions/tracks_4f1e/FeatureServer`` from that moment on. An operation records
how to undo it first, with ``run.on_rollback(delete_service, str(data_folder()), name)``; to delete what is not
there does no harm, and takes along what a creation that was killed has left.

Features are Esri's JSON, ``{"attributes": {...}, "geometry": {...}}``, with dates in milliseconds since 1970::

    service.add(0, [{"attributes": {"user_name": "ann", "seen": now}, "geometry": {"x": 8.5, "y": 47.4}}])
    service.layer("tracks").features(Selection(where="user_name = 'ann'"), limit=100).rows
    service.apply([LayerEdits(layer=0, deletes=[1, 2])])
    services.change(service.name, editors=("bob", "cleo"))
    services.delete(service.name)

All of it works on files and may take a moment: in the event loop, call it through ``asyncio.to_thread``.
What cannot be done is a ``FeatureError``, whose text is fit for whoever asked.
"""

from milepost.features.blobs import Bounds, shapes
from milepost.features.definition import CAPABILITIES, Definition, GeometryType, Layer
from milepost.features.drafts import Draft
from milepost.features.edits import EditResult, LayerEdits, LayerResults
from milepost.features.errors import (
    FeatureError,
    NoSuchServiceError,
    ServiceExistsError,
    TooSlowError,
    WhereError,
    is_full,
)
from milepost.features.fields import Field, FieldType
from milepost.features.layers import STATISTICS, FeatureLayer, Features, Order, Statistic
from milepost.features.references import form_of, number_of, read_reference, transform
from milepost.features.selection import Relation, Selection
from milepost.features.services import Content, FeatureService, FeatureServices, delete_service

__all__ = [
    "CAPABILITIES",
    "STATISTICS",
    "Bounds",
    "Content",
    "Definition",
    "Draft",
    "EditResult",
    "FeatureError",
    "FeatureLayer",
    "FeatureService",
    "FeatureServices",
    "Features",
    "Field",
    "FieldType",
    "GeometryType",
    "Layer",
    "LayerEdits",
    "LayerResults",
    "NoSuchServiceError",
    "Order",
    "Relation",
    "Selection",
    "ServiceExistsError",
    "Statistic",
    "TooSlowError",
    "WhereError",
    "delete_service",
    "form_of",
    "is_full",
    "number_of",
    "read_reference",
    "shapes",
    "transform",
]
