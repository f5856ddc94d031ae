"""Makes the work on missions stumble inside of their steps; see ``tests.servers.stumbling``."""

from milepost import Run, operation
from milepost.features import Draft, FeatureServices
from milepost.servers.mission import Missions
from tests.servers.stumbling import always, around

PLACES = {
    "begin": Draft,
    "add_layer": Draft,
    "put_map": Missions,
    "publish": Draft,
    "add": Missions,
    "change": Missions,
    "withdraw": Missions,
    "remove": Missions,
    "delete": FeatureServices,
}

for name, kind in PLACES.items():
    setattr(kind, name, around(getattr(kind, name), always(name)))


@operation(service="Tests/Stumbling.GPServer")
def nothing(run: Run) -> None:
    """Nothing: a file of operations must have one."""
