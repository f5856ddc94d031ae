"""The town of the tests of feature services, made while the server runs, by another process than its own."""

import pytest

from milepost.features import Definition, FeatureServices, Field, GeometryType, Layer
from tests.clients.sites import Site
from tests.servers.features.town import MOMENT, TOWN, fill

TREES = Layer(name="trees", geometry=GeometryType.POINT, fields=(Field(name="name"),))

DAYS = (MOMENT + 86_400_000, MOMENT + 3 * 86_400_000)


@pytest.fixture(scope="module")
def town(site: Site) -> None:
    """There, and nobody but its owner edits it."""
    services = FeatureServices(site.certificate.parents[1])
    if not services.names("Maps"):
        fill(services.create("Maps/Town", TOWN))
        services.change("Maps/Town", editors=())
        wood = services.create("Maps/Wood", Definition(owner="ann", layers=(TREES,), max_records=200))
        wood.add(
            0,
            [
                {"attributes": {"name": f"Tree {number}"}, "geometry": {"x": number, "y": 1}}
                for number in range(450)
            ],
        )
