"""An administrator of an Enterprise on Kubernetes looks after jobs: the package ``arcgis``."""

from datetime import UTC, datetime, timedelta
from typing import Any

from arcgis.features._topographic import TopographicProductionManager
from arcgis.geoprocessing import import_toolbox
from arcgis.gis import GIS
from arcgis.gis.mission import MissionCatalog, MissionJob
from stories import GIVEN, refusal, tell, until

SERVER = GIVEN["server"]
JOBS = GIVEN["jobs"]

gis = GIS(SERVER, "admin", GIVEN["password"])


def jobs_of_everybody() -> Any:
    manager = gis.admin.jobs
    return {"manager": type(manager).__module__, "jobs": manager.properties["jobs"]}


def job_that_completed() -> Any:
    return until(lambda: _ended(gis.admin.jobs.job(JOBS["mission"])))


def job_that_failed() -> Any:
    return until(lambda: _ended(gis.admin.jobs.job(JOBS["unlicensed"])))


def unknown_job() -> Any:
    return refusal(lambda: gis.admin.jobs.job("0" * 32))


def query_reads_every_page() -> Any:
    tools = import_toolbox(f"{SERVER}/rest/services/Tests/Every/GPServer", gis=gis)
    before = datetime.now(UTC) - timedelta(seconds=2)
    jobs = [tools.talk(words=str(number), gis=gis, future=True) for number in range(7)]
    for each in jobs:
        each.result()
    [service] = [each for each in gis.admin.services.list("Tests") if each._url.endswith("/Every.GPServer")]
    manager = service.jobs
    found = manager.query(
        ["esriJobSucceeded", "esriJobFailed"], start_time=before, username="admin", number=3
    )
    nothing = manager.query(["esriJobFailed"], start_time=before, username="admin")
    return {
        "submitted": sorted(each._jobid for each in jobs),
        "found": sorted(found),
        "record": found[jobs[0]._jobid],
        "nothing": nothing,
    }


def mission_jobs_of_the_portal() -> Any:
    """The catalog looks for a mission server among those of the portal."""
    return [each._url.rpartition("/")[2] for each in MissionCatalog(gis).jobs]


def mission_job() -> Any:
    job = MissionJob(f"{SERVER}/mission/rest/jobs/{JOBS['mission']}", gis)
    until(lambda: job.status == "COMPLETED")
    return {"status": job.status, "result": dict(job.result())}


def mission_job_that_failed() -> Any:
    job = MissionJob(f"{SERVER}/mission/rest/jobs/{JOBS['failed_mission']}", gis)
    until(lambda: job.status not in ("SUBMITTED", "EXECUTING"))
    return {"status": job.status, "result": job.result(), "properties": dict(job.properties)}


def production_job() -> Any:
    manager = _production()
    job = until(lambda: _produced(manager.job(JOBS["product"], "info")))
    return {"job": job, "errors_only": manager.job(JOBS["product"], "error")}


def production_job_that_failed() -> Any:
    return until(lambda: _produced(_production().job(JOBS["unlicensed"])))


def production_query() -> Any:
    manager = _production()
    until(lambda: _produced(manager.job(JOBS["product"])))
    until(lambda: _produced(manager.job(JOBS["unlicensed"])))
    now = datetime.now(UTC)
    yesterday, tomorrow = (f"{now + timedelta(days=days):%Y-%m-%d}" for days in (-1, 1))
    return {
        "failed": manager.query_job(status=5),
        "by_date": manager.query_job(start_date=yesterday, end_date=tomorrow, msg_level="error"),
        "by_moment": manager.query_job(start_date=now - timedelta(days=1)),
        "long_ago": manager.query_job(start_date="2001-01-01", end_date="2001-01-02"),
    }


def production_cancel() -> Any:
    manager = _production()
    until(lambda: manager.job(JOBS["endless"])["statusCode"] == 3)
    answer = manager.cancel_job(JOBS["endless"])
    job = until(lambda: _produced(manager.job(JOBS["endless"])))
    return {"answer": answer, "job": job, "again": manager.cancel_job(JOBS["endless"])}


def _production() -> Any:
    url = f"{SERVER}/rest/services/SampleService/TopographicProductionServer"
    return TopographicProductionManager(url, gis).jobs_manager()


def _ended(job: dict[str, Any]) -> dict[str, Any] | None:
    return None if job["status"] in ("SUBMITTED", "EXECUTING", "CANCELLING") else job


def _produced(job: dict[str, Any]) -> dict[str, Any] | None:
    """The job when it has ended: Succeeded, Failed, TimedOut or Cancelled."""
    return job if job["statusCode"] in (4, 5, 6, 8) else None


tell(
    jobs_of_everybody,
    job_that_completed,
    job_that_failed,
    unknown_job,
    query_reads_every_page,
    mission_jobs_of_the_portal,
    mission_job,
    mission_job_that_failed,
    production_job,
    production_job_that_failed,
    production_query,
    production_cancel,
)
