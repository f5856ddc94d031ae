"""What people want a product to be: the parameters of addProduct and updateProduct."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from milepost.http import Field, Parameters, ServiceError, json_of, required, wrong
from milepost.servers.production.areas import layer_of
from milepost.servers.production.orders import product_layer
from milepost.servers.production.products import DEFINITION_TYPE, AncillaryLayer, Record, Version
from milepost.servers.production.reading import member, members, only, read_ancillary, read_version, texts
from milepost.servers.production.sheet.reading import read_product
from milepost.servers.production.versions import made_of, name_scale, without

ADD: Final = ("productDefinition", "raster", "ancillaryLayers")
UPDATE: Final = (
    "productName",
    "description",
    "enabled",
    "sheetIDField",
    "raster",
    "productVersions",
    "ancillaryLayers",
)

_CHANGEABLE: Final = tuple(each for each in UPDATE if each not in ("productName", "raster"))

BASED_ON: Final = "basedOn"
"""Member of a definition that names the product whose values it has where it says no other."""

_CATALOGUE: Final = frozenset(
    {"type", "definitionType", "gridType", "sheetIDField", "productVersions", "enabled", "ancillaryLayers"}
    | {"raster", "lastModified", BASED_ON}
)
"""Members of a definition that are about the product and not about its sheets."""

_LONGEST: Final = 1 << 20
_LONGEST_TEXT: Final = 2000


def add_fields() -> tuple[Field, ...]:
    """The form that people add a product with."""
    return (
        Field(
            "productDefinition",
            "Definition",
            kind="long",
            required=True,
            help='As JSON; that of another product may be taken over: {"name": "Walks", "basedOn": "MTM25"}',
        ),
        Field("ancillaryLayers", "Ancillary layers", kind="long", help="A JSON array"),
    )


def update_fields(record: Record) -> tuple[Field, ...]:
    """The form that people change a product with."""
    return (
        Field("productName", "Name", value=record.name, kind="hidden"),
        Field("description", "Description", value=record.description),
        Field("enabled", "Enabled", value="true" if record.enabled else "false", choices=("true", "false")),
        Field(
            "sheetIDField",
            "Field with the number of a sheet",
            value=record.sheet_id_field,
            help="Of the layer with the areas",
        ),
        Field(
            "productVersions",
            "Versions",
            kind="long",
            help='Such as {"operation": "add", "versions": [{"name": "2.0"}]}',
        ),
        Field(
            "ancillaryLayers",
            "Ancillary layers",
            kind="long",
            help='Such as {"operation": "add", "layers": [{"layer": "..."}]}',
        ),
    )


def read_added(given: Parameters, base: Record | None, context: str) -> Record:
    """The product that addProduct describes.

    Args:
        given: the parameters.
        base: the product that ``based_on`` names.
        context: the URL of the context of this server.

    Raises:
        ServiceError: 400, the message says what of it does not do.
    """
    name = "productDefinition"
    _refuse_raster(given)
    document = _document(given)
    if base is not None:
        document = msgspec.json.decode(bytes(base.definition), type=dict[str, Any]) | document
        name_scale(document, base.product())
    about = {key: value for key, value in document.items() if key in _CATALOGUE}
    sheet = {key: value for key, value in document.items() if key not in _CATALOGUE}
    if member(name, about, "raster"):
        raise wrong(name, "'raster': no file of the disk of the server is taken; leave it out")
    sheet.setdefault("title", sheet.get("name"))
    try:
        product = read_product(msgspec.json.encode(sheet))
    except ValueError as error:
        raise wrong(name, str(error)) from None
    enabled = about.get("enabled", True)
    if str(enabled).lower() not in ("true", "false"):
        raise wrong(name, "'enabled' must be true or false")
    record = Record(
        name=product.name,
        description=product.description or product.title,
        definition=msgspec.Raw(msgspec.json.encode(product)),
        versions=tuple(read_version(name, each) for each in _some(about.get("productVersions"), name)),
        type=member(name, about, "type") or "Topographic map",
        definition_type=member(name, about, "definitionType") or DEFINITION_TYPE,
        grid_type=member(name, about, "gridType") or "MGRS",
        sheet_id_field=member(name, about, "sheetIDField"),
        enabled=str(enabled).lower() == "true",
        ancillary_layers=_ancillary(given, about),
    )
    _check_versions(record, "productDefinition")
    _check_ancillary(record, record.ancillary_layers, context)
    return record


def based_on(given: Parameters) -> str:
    """The name of the product on which the one that is to be added is based; empty if on none.

    Raises:
        ServiceError: 400.
    """
    return member("productDefinition", _document(given), BASED_ON)


def changed(record: Record, given: Parameters, context: str) -> Record:
    """A product as updateProduct wants it to be.

    Args:
        record: the product as it is.
        given: the parameters.
        context: the URL of the context of this server.

    Raises:
        ServiceError: 400, the message says what of it does not do.
    """
    _refuse_raster(given)
    changes: dict[str, Any] = {}
    for name, field in (("description", "description"), ("sheetIDField", "sheet_id_field")):
        text = given.get(name).strip()
        if len(text) > _LONGEST_TEXT:
            raise wrong(name, f"it has {len(text)} characters; {_LONGEST_TEXT} are allowed")
        if text or given.emptied(name):
            changes[field] = text
    if given.get("enabled"):
        changes["enabled"] = given.flag("enabled", record.enabled)
    if given.get("productVersions").strip():
        changes["versions"] = _versions(record, given)
    if given.get("ancillaryLayers").strip():
        changes["ancillary_layers"] = _layers(record, given)
    if not changes:
        raise ServiceError(400, f"There is nothing to change: send one of {', '.join(_CHANGEABLE)}")
    after = msgspec.structs.replace(record, **changes)
    _check_versions(after, "productVersions")
    _check_ancillary(after, set(after.ancillary_layers) - set(record.ancillary_layers), context)
    return after


def _document(given: Parameters) -> dict[str, Any]:
    name = "productDefinition"
    text = required(given, name, "send the JSON of a product")
    if len(text) > _LONGEST:
        raise wrong(name, f"it has {len(text)} characters; {_LONGEST} are allowed")
    document = json_of(name, text)
    if not isinstance(document, dict):
        raise wrong(name, 'it must be a JSON object such as {"name": "Walks", "basedOn": "MTM25"}')
    return document


def _some(value: Any, name: str) -> list[Any]:
    return members(name, value, "versions") or ["1.0"]


def _ancillary(given: Parameters, about: dict[str, Any]) -> tuple[AncillaryLayer, ...]:
    name = "ancillaryLayers"
    text = given.get(name).strip()
    return read_ancillary(name, json_of(name, text) if text else about.get(name))


def _refuse_raster(given: Parameters) -> None:
    if given.get("raster").strip():
        raise wrong(
            "raster", "no file of the disk of the server is taken; the relief is made from the elevation"
        )


def _check_versions(record: Record, name: str) -> None:
    """Refuse versions that could not be made."""
    names = [each.name.lower() for each in record.versions]
    if len(set(names)) < len(names):
        raise wrong(name, "two versions have the same name; give each a name of its own")
    if not names:
        raise wrong(name, "a product needs a version; leave it one")
    try:
        product = record.product()
        for each in record.versions:
            without(made_of(product, each), each.excluded_operations)
    except ValueError as error:
        raise wrong(name, str(error)) from None


def _check_ancillary(record: Record, layers: Iterable[AncillaryLayer], context: str) -> None:
    """Refuse ancillary layers with which no sheet could be made, whatever is published later."""
    product = record.product()
    for each in layers:
        try:
            layer_of(each.layer, context)
            if each.feature_class:
                product_layer(product, each, "")
        except ValueError as error:
            raise wrong("ancillaryLayers", str(error)) from None


def _operation(name: str, given: Parameters, key: str) -> tuple[str, list[Any]]:
    """What to do, and with which members."""
    value = json_of(name, given.get(name))
    example = f'{{"operation": "add", "{key}": [...]}}'
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        raise wrong(name, f"it must be a JSON object such as {example}")
    only(name, value, ("operation", key), "it")
    operation = member(name, value, "operation").lower()
    if operation not in ("add", "update", "remove"):
        raise wrong(name, f"its 'operation' must be add, update or remove, as in {example}")
    found = members(name, value.get(key), key)
    if not found:
        raise wrong(name, f"its {key!r} are missing, as in {example}")
    return operation, found


def _versions(record: Record, given: Parameters) -> tuple[Version, ...]:
    name = "productVersions"
    operation, found = _operation(name, given, "versions")
    kept = {each.name.lower(): each for each in record.versions}
    if operation == "remove":
        names = [each.get("name") if isinstance(each, dict) else each for each in found]
        for each in texts(name, names, "versions"):
            if kept.pop(each.lower(), None) is None:
                raise wrong(name, f"product {record.name} has no version {each[:60]!r}")
        return tuple(kept.values())
    for version in (read_version(name, each) for each in found):
        there = version.name.lower() in kept
        if there and operation == "add":
            raise wrong(name, f"product {record.name} has a version {version.name!r} already; update it")
        if not there and operation == "update":
            raise wrong(name, f"product {record.name} has no version {version.name!r}; add it")
        kept[version.name.lower()] = version
    return tuple(kept.values())


def _layers(record: Record, given: Parameters) -> tuple[AncillaryLayer, ...]:
    name = "ancillaryLayers"
    operation, found = _operation(name, given, "layers")
    kept = {each.layer.rstrip("/").lower(): each for each in record.ancillary_layers}
    for each in read_ancillary(name, found):
        key = each.layer.rstrip("/").lower()
        if operation != "add" and key not in kept:
            raise wrong(name, f"product {record.name} has no ancillary layer {each.layer[:200]}")
        if operation == "remove":
            del kept[key]
        else:
            kept[key] = each
    return tuple(kept.values())
