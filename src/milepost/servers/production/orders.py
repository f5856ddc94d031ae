"""What generateProduct is asked for, read into an order that a job can carry out on its own."""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from milepost.http import Parameters, json_of, required, wrong
from milepost.servers.production.areas import Area, LayerName
from milepost.servers.production.products import AncillaryLayer, Record, Version
from milepost.servers.production.reading import members, only, read_ancillary, read_version, texts
from milepost.servers.production.sheet.definition import Product
from milepost.servers.production.sheet.order import LONGEST_STEM, Output
from milepost.servers.production.versions import made_of, without

GENERATE: Final = (
    "productName",
    "productVersion",
    "aoiLayer",
    "aoiFeatureId",
    "customAoi",
    "layerExclusion",
    "ancillaryLayers",
    "outputType",
    "outputName",
    "outputSettings",
)

MOST_SHEETS: Final = 200
"""Areas that one request may name."""

_TYPES: Final = ("pdf", "tiff", "zip")
_INSTEAD: Final = {
    "aprx": "zip: the data as a GeoPackage, the style and the PDF",
    "ppkx": "zip: the data as a GeoPackage, the style and the PDF",
    "pagx": "pdf, whose layers can be switched",
    "tif": "tiff",
    "jpg": "tiff",
    "png": "tiff",
}
_FILES: Final = {"geodatabase": "data", "producttemplate": "style", "raster": "raster"}
_OUTPUT_NAME: Final = re.compile(r"[^\W_][\w .()-]{0,99}")


class Wanted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sheet that somebody wants: all that does not change while the job waits for its turn."""

    product: Product
    version: str
    """As it was asked for: its name, with the number of a revision if that was named."""
    made_by: str = ""
    """The name of the version, with the revision of the product if it ever changed, such as ``Winter@3``."""
    username: str
    layer: LayerName | None = None
    """The layer with the area."""
    feature: int | None = None
    """Its feature that is the area."""
    area: Area | None = None
    """What that feature was when the sheet was asked for."""
    drawn: dict[str, Any] | None = None
    """The feature that the client drew instead."""
    sheet_id_field: str = ""
    excluded: tuple[str, ...] = ()
    ancillary: tuple[tuple[LayerName, str], ...] = ()
    """Layers, and the layers of the product that their features are added to."""
    output: Output = Output()
    output_name: str = ""


def read_asked_version(record: Record, given: Parameters) -> Version:
    """The version that is asked for: its name, and what the client overrides in it.

    Raises:
        ServiceError: 400, it is no version.
    """
    name = "productVersion"
    known = ", ".join(each.name for each in record.versions)
    text = required(given, name, f"product {record.name} has {known}")
    value = json_of(name, text) if text.startswith(("{", "[", '"')) else text
    found = members(name, value, "versions")
    if len(found) != 1:
        raise wrong(name, "send one version; each sheet is a request of its own")
    return read_version(name, found[0])


def version_of(record: Record, name: str, asked: Version) -> Version:
    """A version of a product, with what the client overrides in it.

    Args:
        record: of the product.
        name: of the version.
        asked: what the client overrides.

    Raises:
        ServiceError: 400, the product has no such version.
    """
    version = record.version(name)
    if version is None:
        known = ", ".join(each.name for each in record.versions)
        raise wrong("productVersion", f"product {record.name} has no version {name[:60]!r}; it has {known}")
    return msgspec.structs.replace(
        version,
        operation_overrides=version.operation_overrides + asked.operation_overrides,
        excluded_operations=version.excluded_operations + asked.excluded_operations,
    )


def read_product(record: Record, version: Version, given: Parameters) -> tuple[Product, tuple[str, ...]]:
    """The product as it is asked for, and what is left out of it.

    Raises:
        ServiceError: 400, something that is to be overridden or left out is not there.
    """
    try:
        product = made_of(record.product(), version)
        product, excluded = without(product, version.excluded_operations)
    except ValueError as error:
        raise wrong("productVersion", str(error)) from None
    name = "layerExclusion"
    try:
        product, more = without(product, texts(name, _list(name, given), "layers"))
    except ValueError as error:
        raise wrong(name, str(error)) from None
    return product, tuple(dict.fromkeys((*excluded, *more)))


def read_areas(given: Parameters) -> tuple[list[int], dict[str, Any] | None]:
    """The features that are the areas, or the one that the client drew.

    Raises:
        ServiceError: 400, there is neither.
    """
    drawn = given.get("customAoi").strip()
    if drawn:
        return [], _drawn(drawn)
    name = "aoiFeatureId"
    text = required(
        given, name, "send the object id of a feature of 'aoiLayer', or draw the area: 'customAoi'"
    )
    value = json_of(name, text) if text.startswith(("[", '"')) else text.split(",")
    found = value if isinstance(value, list) else [value]
    if not 0 < len(found) <= MOST_SHEETS:
        raise wrong(name, f"name 1 to {MOST_SHEETS} features")
    ids = []
    for each in found:
        digits = str(each).strip()
        if isinstance(each, bool) or not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
            raise wrong(name, f"{digits[:40]!r} is no object id, which is a whole number")
        ids.append(int(digits))
    return list(dict.fromkeys(ids)), None


def read_layers(record: Record, given: Parameters) -> list[tuple[AncillaryLayer, str]]:
    """The ancillary layers of the product and of the request, and the parameter that each comes from.

    Raises:
        ServiceError: 400.
    """
    name = "ancillaryLayers"
    own = [(each, "the ancillary layers of the product") for each in record.ancillary_layers]
    asked = read_ancillary(name, _list(name, given))
    return [*own, *((each, f"Parameter '{name}'") for each in asked)]


def product_layer(product: Product, layer: AncillaryLayer, called: str) -> str:
    """The layer of a product to which the features of an ancillary layer belong.

    Args:
        product: the product.
        layer: the ancillary layer.
        called: what the feature service calls it.

    Raises:
        ValueError: there is no such layer; the text names those that there are.
    """
    wanted = layer.feature_class or called
    for each in product.layers:
        if each.name.lower() == wanted.lower():
            return each.name
    raise ValueError(
        f"product {product.name} has no layer {wanted[:60]!r} to add features to; name one with 'featureClass':"
        f" {', '.join(each.name for each in product.layers)}"
    )


def read_output(given: Parameters) -> tuple[str, Output]:
    """The type of output that is asked for, and what comes out.

    Raises:
        ServiceError: 400, it cannot be had; the message says what can.
    """
    name = "outputType"
    text = required(given, name, f"send {', '.join(_TYPES)}")
    files: tuple[str, ...] = ()
    if text.startswith(("{", '"')):
        value = json_of(name, text)
        if isinstance(value, dict):
            only(name, value, ("outputType", "outputFiles"), "a type of output")
            files = texts(name, value.get("outputFiles"), "output files")
            value = value.get("outputType")
        text = str(value or "")
    kind = text.strip().lower()
    if kind not in _TYPES:
        instead = _INSTEAD.get(kind)
        raise wrong(
            name,
            f"{text[:40]!r} cannot be made here; send {instead}"
            if instead
            else f"{text[:40]!r} is no type of output; send {', '.join(_TYPES)}",
        )
    kept = []
    for each in files:
        found = _FILES.get(each.strip().lower())
        if found is None:
            raise wrong(
                name,
                f"'outputFiles': {each[:40]!r} cannot be made here; send some of Geodatabase (a GeoPackage),"
                " ProductTemplate (the style) and Raster",
            )
        kept.append(found)
    if kept and kind == "tiff":
        kept.append("raster")
    # Several files come in one package.
    form = {"type": "zip", "files": list(dict.fromkeys(kept))} if kept else {"type": kind}
    output = msgspec.convert(form, Output)
    return kind, msgspec.structs.replace(output, **_settings(kind, output, given))


def _settings(kind: str, output: Output, given: Parameters) -> dict[str, int]:
    name = "outputSettings"
    text = given.get(name).strip()
    if not text:
        return {}
    if not text.startswith("{"):
        raise wrong(
            name, f'there is no file of settings {text[:60]!r}; send JSON such as {{"resolution": 200}}'
        )
    value = json_of(name, text)
    settings = {}
    for key, each in _of_type(kind, output, value).items():
        limits = {"resolution": ("dpi", 72, 600), "imagequality": ("jpeg_quality", 50, 100)}.get(key.lower())
        if limits is None:
            raise wrong(
                name,
                f"{key[:40]!r} is no setting here; there are 'resolution', the pixels an inch of a TIFF, and"
                " 'imageQuality', from 50 to 100, of the relief in a PDF",
            )
        field, least, most = limits
        if field == "dpi" and not output.has_raster:
            raise wrong(
                name,
                f"{key!r} is that of a TIFF, and none is made; let 'outputType' be tiff, or have Raster among its"
                " 'outputFiles', or leave it out",
            )
        if isinstance(each, bool) or not isinstance(each, int) or not least <= each <= most:
            raise wrong(name, f"{key!r} must be a whole number from {least} to {most}")
        settings[field] = each
    return settings


def _of_type(kind: str, output: Output, value: dict[str, Any]) -> dict[str, Any]:
    """The settings of what is made, of those that clients may also send as one object for each type of output."""
    made = {kind, "tiff"} if output.has_raster else {kind}
    found: dict[str, Any] = {}
    for key, each in value.items():
        if key.lower() not in _TYPES or not isinstance(each, dict):
            found[key] = each
        elif key.lower() in made:
            found |= each
    return found


def read_output_name(given: Parameters) -> str:
    """The name of the file; empty for the number of the sheet.

    Raises:
        ServiceError: 400, it is no name of a file.
    """
    name = "outputName"
    text = given.get(name).strip()
    if text and not _OUTPUT_NAME.fullmatch(text):
        raise wrong(
            name,
            f"{text[:40]!r} is no name of a file; use up to 100 letters, digits, spaces, '_', '-' and '.'",
        )
    if len(text.encode()) > LONGEST_STEM:
        raise wrong(
            name,
            f"{text[:40]!r} has more than {LONGEST_STEM} bytes, which is too long for a file; shorten it",
        )
    return text


def _drawn(text: str) -> dict[str, Any]:
    name = "customAoi"
    value = json_of(name, text)
    if isinstance(value, dict) and isinstance(value.get("features"), list):
        reference = value.get("spatialReference")
        value = [
            _with_reference(each, reference) if isinstance(each, dict) else each for each in value["features"]
        ]
    found: Sequence[Any] = value if isinstance(value, list) else [value]
    if len(found) != 1 or not isinstance(found[0], dict):
        raise wrong(name, "it must be a JSON array with one feature; each sheet is a request of its own")
    feature: dict[str, Any] = found[0]
    return feature


def _with_reference(feature: dict[str, Any], reference: Any) -> dict[str, Any]:
    """A feature of a feature set, which has the spatial reference for all of them."""
    geometry = feature.get("geometry")
    if not isinstance(geometry, dict) or geometry.get("spatialReference") or not reference:
        return feature
    return {**feature, "geometry": {**geometry, "spatialReference": reference}}


def _list(name: str, given: Parameters) -> Any:
    """A JSON array, or what stands between commas."""
    text = given.get(name).strip()
    if not text:
        return None
    if text.startswith(("[", "{", '"')):
        return json_of(name, text)
    return [each.strip() for each in text.split(",") if each.strip()]
