"""An administrator edits the container registry: the package ``arcgis``."""

from typing import Any

from arcgis.gis import GIS
from stories import GIVEN, refusal, tell, until

gis = GIS(GIVEN["server"], "admin", GIVEN["password"])
[registry] = gis.admin.system.containers


def registry_as_it_is() -> Any:
    return dict(registry.properties())


def edit_that_changes_the_place() -> Any:
    """The client takes the answer with the job for a failure; the registry is edited all the same."""
    answer = registry.edit(GIVEN["place"])
    [job] = gis.admin.jobs.properties["jobs"]
    until(lambda: gis.admin.jobs.job(job)["status"] == "COMPLETED")
    return {"answer": answer, "registry": dict(registry.properties())}


def edit_of_the_credentials() -> Any:
    asked = {**registry.properties(), **GIVEN["credentials"]}
    return {"answer": registry.edit(asked), "registry": dict(registry.properties())}


def edit_that_is_refused() -> Any:
    return refusal(lambda: registry.edit({**GIVEN["credentials"], "password": "wrong"}))


tell(registry_as_it_is, edit_that_changes_the_place, edit_of_the_credentials, edit_that_is_refused)
