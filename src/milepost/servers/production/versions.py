"""What a version makes of its product: values that it overrides, and parts that it leaves out."""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from milepost.servers.production.products import Override, Version
from milepost.servers.production.sheet.definition import UNKNOWN, Product
from milepost.servers.production.sheet.reading import read_product

_RELIEF: Final = ("contours", "shading", "spotHeights")
_ALSO: Final = {"relief shading": "shading", "spot heights": "spotHeights"}
"""What the sheet calls parts of the relief."""
_SECTIONS: Final = ("grid", "frame")
SHEET: Final = "sheet"
"""The part with the values of the product itself, such as its title."""
_SPACE: Final = r"[\s.,']"
"""What stands between the digits of a scale."""


def made_of(product: Product, version: Version) -> Product:
    """A product as one of its versions has it; what is left out is another matter.

    Raises:
        ValueError: an override names a part or a value that there is not; the text says what there is.
    """
    if not version.operation_overrides:
        return product
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(product))
    for each in version.operation_overrides:
        part = _part(document, each.id)
        for name, value in each.parameters.items():
            _put(part, name, value, each)
    name_scale(document, product)
    try:
        return read_product(msgspec.json.encode(document))
    except ValueError as error:
        ids = ", ".join(each.id for each in version.operation_overrides)
        raise ValueError(f"the overrides of {ids} do not fit: {error}") from None


def name_scale(document: dict[str, Any], before: Product) -> None:
    """Let the texts that a product has from another name its own scale.

    Args:
        document: the JSON of the product, which is changed.
        before: the product that it was made of.
    """
    scale = document.get("scale")
    if not isinstance(scale, int) or scale == before.scale:
        return
    digits = f"{_SPACE}?".join(str(before.scale))
    named = re.compile(rf"(?<!\d)1{_SPACE}?:{_SPACE}?{digits}(?!{_SPACE}?\d)")
    written = f"1:{scale:,}".replace(",", " ")
    frame = document.get("frame")
    for part, name, text in (
        (document, "title", before.title),
        (document, "description", before.description),
        (frame if isinstance(frame, dict) else {}, "series", before.frame.series),
    ):
        if part.get(name) == text:  # it was not given anew
            part[name] = named.sub(written, text)


def without(product: Product, names: Iterable[str]) -> tuple[Product, tuple[str, ...]]:
    """A product without parts of its relief, and the names of the layers and themes that are left out besides.

    Args:
        product: the product.
        names: of layers, themes and parts of the relief, in any case.

    Raises:
        ValueError: there is no such part; the text names those that there are.
    """
    known = _ALSO | {each.lower(): each for each in (*_RELIEF, *product.themes)}
    known |= {each.lower(): each for each in (UNKNOWN, product.labels_theme)}
    known |= {each.name.lower(): each.name for each in product.layers}
    relief, excluded = product.relief, []
    for name in names:
        found = known.get(name.strip().lower())
        if found is None:
            raise ValueError(
                f"product {product.name} has no layer {name[:60]!r}; it has {', '.join(dict.fromkeys(known.values()))}"
            )
        if found in ("contours", "spotHeights", "shading"):
            field = "spot_heights" if found == "spotHeights" else found
            relief = msgspec.structs.replace(relief, **{field: None})
        if found not in _RELIEF:
            excluded.append(found)
    return msgspec.structs.replace(product, relief=relief), tuple(dict.fromkeys(excluded))


def _part(document: dict[str, Any], name: str) -> dict[str, Any]:
    wanted = name.strip().lower()
    if wanted == SHEET:
        return document
    for section in _SECTIONS:
        if wanted == section:
            found: dict[str, Any] = document.setdefault(section, {})
            return found
    relief = document.setdefault("relief", {})
    for each in _RELIEF:
        if wanted == each.lower():
            found = relief.get(each) or {}
            relief[each] = found
            return found
    layers = {each["name"].lower(): each for each in document["layers"]}
    if wanted in layers:
        layer: dict[str, Any] = layers[wanted]
        return layer
    known = ", ".join((SHEET, *_SECTIONS, *_RELIEF, *(each["name"] for each in document["layers"])))
    raise ValueError(f"product {document['name']} has no part {name[:60]!r} to override; it has {known}")


def _put(part: dict[str, Any], name: str, value: Any, override: Override) -> None:
    *above, last = name.split(".")
    for each in above:
        inner = part.setdefault(each, {})
        if not isinstance(inner, dict):
            raise ValueError(
                f"override of {override.id}: {name[:60]!r} leads through {each!r}, which has no parts"
            )
        part = inner
    if override.id.strip().lower() == SHEET and not above and last in ("name", "layers"):
        raise ValueError(f"override of {SHEET}: a version cannot change {last!r}; add a product of its own")
    part[last] = value
