"""Operations loaded with this file stumble before and after each check of the site's health; see ``stumbling``."""

from milepost import Run, operation
from milepost.servers.enterprise import checks, stored
from tests.servers.stumbling import always, around

CHECKS = (
    *("database", "disk", "instances", "extras", "programs"),
    *("permissions", "certificate", "backups", "clock"),
)

for name in CHECKS:
    module = stored if name == "database" else checks
    setattr(module, name, around(getattr(module, name), always(name)))


@operation(service="Stumbling.GPServer")
def nothing(run: Run) -> None:
    """Nothing: a file of operations must have one."""
