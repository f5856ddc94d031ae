"""The container registry edited with the package arcgis: SystemManager.containers."""

from collections.abc import Iterator

import pytest

from tests.clients.sites import Site, Told
from tests.running import RunningServer
from tests.servers.enterprise.registry_peers import LOOPBACK, USER, basic_registry, needs_registry

pytestmark = needs_registry

SECRET = 'it\'s "ä" & more'
CONCEALED = "{crypt}********"


@pytest.fixture(scope="module")
def told(python_client: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("arcgis_registry")
    options = ("--tls", "--registry-network", LOOPBACK)
    with (
        basic_registry(folder / "registry", SECRET) as registry,
        RunningServer(folder / "data", options=options) as server,
    ):
        credentials = {"username": USER, "password": SECRET}
        place = {**credentials, "registryUrl": f"http://{registry.address}", "registryRepository": "gis"}
        yield Site(server, {}).run("arcgis_registry.py", credentials=credentials, place=place)


def test_it_is_read(told: Told) -> None:
    assert told["registry_as_it_is"]["name"] == "default"


def test_its_place_is_changed(told: Told) -> None:
    edit = told["edit_that_changes_the_place"]
    assert edit["answer"] is False  # the client knows of no job here
    assert edit["registry"]["registryRepository"] == "gis"


def test_its_credentials_are_changed(told: Told) -> None:
    edit = told["edit_of_the_credentials"]
    assert edit["answer"] is True
    assert (edit["registry"]["username"], edit["registry"]["password"]) == (USER, CONCEALED)


def test_wrong_credentials_are_refused(told: Told) -> None:
    assert "refuses the user name or the password" in told["edit_that_is_refused"]
