"""Jobs of every dialect, looked after with the package arcgis: KubernetesAdmin, missions, production."""

from typing import Any

import pytest

from tests.clients.sites import Site, Told


@pytest.fixture(scope="module")
def told(python_client: None, site: Site) -> Told:
    return site.run("arcgis_administrator.py")


def dashed(job: str) -> str:
    return f"j{job[:8]}-{job[8:12]}-{job[12:16]}-{job[16:20]}-{job[20:]}"


def test_gis_admin_lists_the_jobs_of_every_dialect(told: Told, site: Site) -> None:
    assert told["jobs_of_everybody"]["manager"] == "arcgis.gis.kubernetes._admin._jobs"
    assert {dashed(each) for each in site.jobs.values()} <= set(told["jobs_of_everybody"]["jobs"])


def test_gis_admin_reads_a_job_that_completed(told: Told, site: Site) -> None:
    job = told["job_that_completed"]
    assert (job["jobid"], job["status"]) == (dashed(site.jobs["mission"]), "COMPLETED")
    assert [each["state"] for each in job["progress"]["stages"]] == ["completed"] * 3
    assert job["messages"][0] == "Started mission creation."


def test_gis_admin_reads_why_a_job_failed(told: Told) -> None:
    job = told["job_that_failed"]
    assert job["status"] == "FAILED"
    assert "ERROR 000824: The tool is not licensed." in job["result"]["messages"]


def test_gis_admin_is_told_that_there_is_no_such_job(told: Told) -> None:
    assert "does not exist or is inaccessible" in told["unknown_job"]


def test_a_query_of_service_jobs_reads_every_page(told: Told) -> None:
    query = told["query_reads_every_page"]
    assert len(query["submitted"]) == 7  # in pages of three
    assert query["found"] == query["submitted"]
    assert (query["record"]["status"], query["record"]["username"]) == ("Succeeded", "admin")
    assert query["nothing"] == {}


def test_the_mission_server_of_the_portal_lists_its_jobs(told: Told, site: Site) -> None:
    wanted = {dashed(site.jobs["mission"]), dashed(site.jobs["failed_mission"])}
    assert set(told["mission_jobs_of_the_portal"]) == wanted


def test_a_mission_job_has_a_result(told: Told, site: Site) -> None:
    mission = told["mission_job"]
    assert mission["status"] == "COMPLETED"
    job = mission["result"]
    assert (job["jobId"], job["type"]) == (dashed(site.jobs["mission"]), "addMission")
    assert job["customAttributes"]["missionId"] == "d942d2bdb70c4104bcd1a76d4cf8a6b7"
    assert len(job["messages"]) == len(job["customAttributes"]["messageCodes"])


def test_a_mission_job_that_failed_tells_why(told: Told) -> None:
    mission = told["mission_job_that_failed"]
    assert (mission["status"], mission["result"]) == ("FAILED", None)
    assert mission["properties"]["messages"] == ["The map could not be made"]


def test_a_production_job_has_a_product(told: Told) -> None:
    job = told["production_job"]["job"]
    assert (job["status"], job["percentComplete"]) == ("Completed", 1)
    assert job["outputUrl"].endswith(".pdf")
    assert job["messages"] == {"informative": ["Submitted."], "warnings": ["The grid is old."]}
    assert told["production_job"]["errors_only"]["messages"] == {}


def test_a_production_job_that_failed_tells_why(told: Told) -> None:
    job = told["production_job_that_failed"]
    assert job["status"] == "Failed"
    assert job["messages"]["errors"] == ["ERROR 000824: The tool is not licensed.", "Failed."]


def test_production_jobs_are_found_by_status_and_date(told: Told, site: Site) -> None:
    query = told["production_query"]

    def names(found: dict[str, Any]) -> set[str]:
        assert found["count"] == len(found["jobs"])
        return {each["productName"] for each in found["jobs"]}

    assert names(query["failed"]) == {"MTM50 unlicensed"}
    assert names(query["by_date"]) == {"MTM50", "MTM50 unlicensed"}
    assert {"MTM50", "MTM50 unlicensed"} <= names(query["by_moment"])
    assert names(query["long_ago"]) == set()


def test_a_production_job_at_work_is_cancelled(told: Told) -> None:
    cancel = told["production_cancel"]
    assert cancel["answer"]["success"] is True
    assert cancel["job"]["status"] == "Canceled"
    assert cancel["again"]["success"] is False
