"""Services are administered with the package arcgis: KubernetesAdmin's ServicesManager and KubeService."""

import pytest

from tests.clients.sites import OPERATIONS, Site, Told
from tests.running import RunningServer

STARTED = {"configuredState": "STARTED", "realTimeState": "STARTED"}
STOPPED = {"configuredState": "STOPPED", "realTimeState": "STOPPED"}
SUCCESS = {"status": "success"}


@pytest.fixture(scope="module")
def told(python_client: None, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """On a server of its own: others need the service that is deleted here."""
    data = tmp_path_factory.mktemp("services") / "data"
    with RunningServer(data, *OPERATIONS, options=("--tls",)) as server:
        return Site(server, {}).run("arcgis_services.py")


def test_services_are_listed(told: Told) -> None:
    listed = told["services_are_listed"]
    assert "Tests" in listed["folders"]
    assert "AtOnce" in listed["root"]
    assert "Every" in listed["folder"]


def test_a_service_is_edited(told: Told) -> None:
    edit = told["a_service_is_edited"]
    wanted = {"description": "Edited by a client", "maxUsageTime": 300}
    assert edit["after"] == {**edit["before"], **wanted}


def test_a_bad_value_is_refused_by_name(told: Told) -> None:
    refused = told["a_bad_value_is_refused"]
    assert "maxInstancesPerNode: it must be a whole number from 1 to 1000" in refused["refusal"]
    assert refused["after"]["maxInstancesPerNode"] == 2


def test_a_service_is_stopped_started_and_restarted(told: Told) -> None:
    story = told["a_service_is_stopped_and_started"]
    assert story["seen"] == [STARTED, STOPPED, STARTED]
    assert story["answers"] == [SUCCESS, SUCCESS]
    assert story["again"] == SUCCESS


def test_a_service_is_scaled(told: Told) -> None:
    assert told["a_service_is_scaled"] == {"min": 2, "max": 4, "scalingMode": "auto"}


def test_a_service_is_deleted(told: Told) -> None:
    story = told["a_service_is_deleted"]
    assert story["deleted"] is True
    assert not any("AtOnce" in each for each in story["left"])
