"""What the notes of a sheet tell of its datum."""

import pytest

from milepost.servers.production.sheet.frame.notes import DatumBlock
from milepost.servers.production.sheet.order import Source
from tests.servers.production.sheet import sheets

SRTM = Source(path="a.hgt", credit="NASA SRTM", vertical_datum="EGM96 geoid")
LASER = Source(path="b.tif", credit="Survey", vertical_datum="EVRF2019")
SILENT = Source(path="c.tif", credit="Somebody")


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ((), None),
        ((SRTM, SRTM), "EGM96 geoid"),
        ((SILENT,), "Not told by the source"),
        (
            (LASER, SRTM, SILENT),
            "EVRF2019 (Survey); EGM96 geoid (NASA SRTM); not told by the source (Somebody)",
        ),
    ],
)
def test_what_heights_are_above(sources, said):
    order = sheets.order()
    rows = dict(DatumBlock(sheets.sheet_of(order), order.product, sources).rows())
    assert rows.get("Vertical datum") == said
