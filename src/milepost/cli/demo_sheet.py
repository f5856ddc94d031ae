"""What the demonstration has made of the one place whose heights an installed package ships: a map sheet."""

from typing import Final

import httpx
import msgspec

from milepost.client import BadAnswerError

SERVICE: Final = "Topography/TopographicProductionServer"
TITLE: Final = (
    "Map sheet: the country around Jacksboro, Tennessee, at 1:50 000, from heights measured from space"
)
SHOWS: Final = (
    "Contours, relief, streams and lakes are computed from the heights, and towns are named; there are no roads,"
    " since no map was given: see docs/how-to/map-sheets.md."
)

AREA: Final = {"xmin": -84.25, "ymin": 36.28, "xmax": -84.11, "ymax": 36.39}
"""In degrees."""


def form() -> dict[str, str]:
    """What generateProduct is sent."""
    feature = {"geometry": AREA, "attributes": {"name": "JACKSBORO"}}
    return {
        "productName": "MTM50",
        "productVersion": "1.0",
        "customAoi": msgspec.json.encode([feature]).decode(),
        "outputType": "pdf",
    }


def fetched(url: str, token: str) -> bytes:
    """The sheet at an address.

    Raises:
        BadAnswerError: it cannot be fetched.
    """
    try:
        answer = httpx.get(url, headers={"X-Esri-Authorization": f"Bearer {token}"}, trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise BadAnswerError(f"the sheet cannot be fetched: {error}") from error
    return answer.content


def wrong_sheet(content: bytes) -> str:
    """What is wrong with a sheet; empty when nothing is."""
    from io import BytesIO

    import pikepdf

    try:
        with pikepdf.open(BytesIO(content)) as sheet:
            layers = len(sheet.Root.OCProperties.OCGs)
            pages = len(sheet.pages)
    except (pikepdf.PdfError, AttributeError) as error:
        return f"what came out is no map sheet: {error}"
    return "" if pages == 1 and layers > 3 else f"the sheet has {pages} pages and {layers} layers"
