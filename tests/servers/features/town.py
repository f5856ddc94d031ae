"""A town as a feature service, and people who ask for its features."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from milepost.features import Definition, FeatureService, Field, FieldType, GeometryType, Layer
from tests.servers.house import House

PATH = "/rest/services/Maps/Town/FeatureServer"
MOMENT = 1_790_000_000_000  # 2026-09-21 14:13:20 UTC

FIELDS = (
    Field(name="name", alias="Name", length=60, nullable=False),
    Field(name="kind", default="house"),
    Field(name="height", type=FieldType.DOUBLE),
    Field(name="floors", type=FieldType.LONG),
    Field(name="built", type=FieldType.MOMENT),
)

TOWN = Definition(
    owner="ann",
    description="A small town",
    editors=("bob",),
    max_records=5,
    layers=(
        Layer(name="sights", title="Sights", geometry=GeometryType.POINT, fields=FIELDS, time_field="built"),
        Layer(name="streets", geometry=GeometryType.POLYLINE, fields=FIELDS),
        Layer(name="districts", geometry=GeometryType.POLYGON, fields=FIELDS),
        Layer(name="summits", geometry=GeometryType.POINT, fields=FIELDS, has_z=True),
        Layer(name="remarks", fields=(Field(name="text", length=2000),)),
    ),
)

SQUARE = {"rings": [[[0, 0], [0, 4], [4, 4], [4, 0], [0, 0]], [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]]}


def fill(service: FeatureService) -> None:
    """Ten sights on a line, a street in two parts, a district with a hole, a summit, a remark."""
    service.add(
        0,
        [
            {
                "attributes": {
                    "name": f"Sight {number}",
                    "kind": "church" if number % 3 == 0 else "house",
                    "height": number * 1.5,
                    "floors": number % 4,
                    "built": MOMENT + number * 86_400_000,
                },
                "geometry": {"x": number, "y": number / 2},
            }
            for number in range(10)
        ],
    )
    service.add(
        1,
        [
            {
                "attributes": {"name": "High Street"},
                "geometry": {"paths": [[[0, 0], [5, 5]], [[6, 6], [7, 6]]]},
            }
        ],
    )
    service.add(2, [{"attributes": {"name": "Old Town"}, "geometry": SQUARE}])
    service.add(3, [{"attributes": {"name": "Hill"}, "geometry": {"x": 1, "y": 2, "z": 812.5}}])
    service.add(4, [{"attributes": {"text": "Mind the gap"}}])


@pytest.fixture
async def town(house: House) -> AsyncIterator[FeatureService]:
    """The town, anew for each test."""
    service = house.server.features.create("Maps/Town", TOWN)
    fill(service)
    yield service
    house.server.features.delete("Maps/Town")


class Asking:
    """Somebody who asks for JSON."""

    def __init__(self, client: httpx.AsyncClient):
        self.client = client

    async def __call__(self, path: str, **parameters: Any) -> Any:
        """What a resource of the town answers by POST; values that are no text go as JSON."""
        form = {
            name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()
        }
        answer = await self.client.post(PATH + path, data={"f": "json", **form})
        assert answer.status_code == 200
        return answer.json()


@pytest.fixture(scope="module")
async def ask(house: House) -> AsyncIterator[Asking]:
    """Ann, who owns the town."""
    async with house.client("ann") as client:
        yield Asking(client)
