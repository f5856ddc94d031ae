"""Jobs looked after with the package arcgis as those of an ArcGIS Server: JobManager."""

import pytest

from tests.clients.sites import Site, Told


@pytest.fixture(scope="module")
def told(python_client: None, arcgis_server_site: Site) -> Told:
    return arcgis_server_site.run("arcgis_server_administrator.py")


def test_a_search_reads_every_page(told: Told) -> None:
    search = told["search_reads_every_page"]
    assert len(search["submitted"]) == 12  # the client asks for ten at a time
    assert search["found"] == search["submitted"]
    assert search["record"]["status"] == "esriJobSucceeded"
    assert search["failed"] == 0


def test_a_running_job_is_cancelled(told: Told) -> None:
    cancel = told["cancel"]
    assert cancel["answer"] == "success"
    assert cancel["status"] == cancel["record"]["status"] == "esriJobCancelled"


def test_what_waits_is_purged(told: Told) -> None:
    purge = told["purge_queue"]
    assert purge["answer"] == {"status": "success"}
    assert purge["statuses"] == ["esriJobCancelled"] * 2 + ["esriJobExecuting"] * 3
