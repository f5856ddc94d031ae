"""An administrator of an Enterprise on Kubernetes changes services: the package ``arcgis``."""

from typing import Any

from arcgis.gis import GIS
from arcgis.gis.kubernetes._admin._services import KubeService
from stories import GIVEN, refusal, tell, until

gis = GIS(GIVEN["server"], "admin", GIVEN["password"])


def services_are_listed() -> Any:
    manager = gis.admin.services
    return {
        "folders": manager.folders,
        "root": [each.properties["serviceName"] for each in manager.list()],
        "folder": [each.properties["serviceName"] for each in manager.list("Tests")],
    }


def a_service_is_edited() -> Any:
    service = _service()
    before = dict(service.properties)
    service.properties = {"description": "Edited by a client", "maxUsageTime": 300}
    return {"before": before, "after": dict(service.properties)}


def a_bad_value_is_refused() -> Any:
    service = _service()

    def edit() -> None:
        service.properties = {"maxInstancesPerNode": -1}

    return {"refusal": refusal(edit), "after": dict(_service().properties)}


def a_service_is_stopped_and_started() -> Any:
    service = _service()
    seen = [dict(service.status)]
    answers = [dict(service.stop())]
    seen.append(dict(service.status))
    answers.append(dict(service.start()))
    seen.append(dict(service.status))
    return {"seen": seen, "answers": answers, "again": dict(service.restart())}


def a_service_is_scaled() -> Any:
    service = _service()
    spec = dict(service.scaling)
    spec["scalingSpec"][0]["replicas"] = {"min": 2, "max": 4}
    service.scaling = spec
    # It follows the job only as long as that executes, and not while it is submitted.
    return until(lambda: _scaled(service))


def a_service_is_deleted() -> Any:
    service = _service()
    return {"deleted": service.delete(), "left": [each._url for each in gis.admin.services.list()]}


def _service() -> KubeService:
    [found] = [each for each in gis.admin.services.list() if each.properties["serviceName"] == "AtOnce"]
    return found


def _scaled(service: KubeService) -> Any:
    replicas = service.scaling["scalingSpec"][0]["replicas"]
    return dict(replicas) if replicas["max"] == 4 else None


tell(
    services_are_listed,
    a_service_is_edited,
    a_bad_value_is_refused,
    a_service_is_stopped_and_started,
    a_service_is_scaled,
    a_service_is_deleted,
)
