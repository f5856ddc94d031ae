"""The JSON of products: pure functions of them."""

from typing import Any

import msgspec

from milepost.servers.production import dates
from milepost.servers.production.products import AncillaryLayer, Record, Version
from milepost.servers.production.sheet.definition import Product


def product(record: Record, *, with_definition: bool = False, with_types: bool = False) -> dict[str, Any]:
    """A product.

    Args:
        record: of the product.
        with_definition: whether with all that makes its sheets.
        with_types: whether with the types of the values in there, as a JSON schema.
    """
    about: dict[str, Any] = {
        "name": record.name,
        "description": record.description,
        "type": record.type,
        "definitionType": record.definition_type,
        "gridType": record.grid_type,
        "sheetIDField": record.sheet_id_field,
        "productVersions": [version(each) for each in record.versions],
        "enabled": record.enabled,
        # No product has a picture of its own: the relief is made from the elevation.
        "raster": "",
        "ancillaryLayers": [ancillary_layer(each) for each in record.ancillary_layers],
        "lastModified": dates.written(record.modified),
    }
    if with_definition:
        sheet = msgspec.json.decode(bytes(record.definition), type=dict[str, Any])
        about["productDefinition"] = {
            **sheet,
            **{name: about[name] for name in _TOLD_TWICE},
        }
        if with_types:
            about["dataTypes"] = msgspec.json.schema(Product)
    return about


def revision(record: Record) -> dict[str, Any]:
    """What a product was after one of its changes; its definition never changes."""
    about = product(record)
    return {
        "revision": record.revision,
        "lastModified": about["lastModified"],
        "changedBy": record.changed_by,
    } | {name: about[name] for name in _CHANGES}


_CHANGES = ("description", "enabled", "sheetIDField", "productVersions", "ancillaryLayers")
"""What updateProduct changes."""

_TOLD_TWICE = ("type", "definitionType", "gridType", "sheetIDField", "productVersions", "ancillaryLayers")
"""What addProduct takes along with the definition of the sheets."""


def version(about: Version) -> dict[str, Any]:
    """A version; what it changes is told if it changes something."""
    told: dict[str, Any] = {"name": about.name, "template": about.template}
    if about.operation_overrides:
        told["operationOverrides"] = [
            {
                "id": each.id,
                "parameters": [{"name": name, "value": value} for name, value in each.parameters.items()],
            }
            for each in about.operation_overrides
        ]
    if about.excluded_operations:
        told["excludedOperations"] = list(about.excluded_operations)
    return told


def ancillary_layer(about: AncillaryLayer) -> dict[str, Any]:
    """An ancillary layer."""
    return {
        "layer": about.layer,
        "featureClass": about.feature_class,
        "map": about.map,
        "layerIndex": about.layer_index,
    }
