"""An administrator of an ArcGIS Server looks after jobs: the package ``arcgis``."""

from datetime import UTC, datetime, timedelta
from typing import Any

from arcgis.geoprocessing import import_toolbox
from arcgis.gis import GIS
from stories import GIVEN, tell, until

SERVER = GIVEN["server"]

gis = GIS(SERVER, "admin", GIVEN["password"], use_gen_token=True)
tools = import_toolbox(f"{SERVER}/rest/services/Tests/Every/GPServer", gis=gis)
[server] = [each for each in gis.admin.servers.list() if each.url == f"{SERVER}/admin"]
[service] = [each for each in server.services.list(folder="Tests") if each.url.endswith("/Every.GPServer")]
manager = service.jobs


def search_reads_every_page() -> Any:
    hour = {  # the client cannot do without either
        "start_time": datetime.now(UTC) - timedelta(minutes=30),
        "end_time": datetime.now(UTC) + timedelta(minutes=30),
    }
    jobs = [tools.talk(words=str(number), gis=gis, future=True) for number in range(12)]
    for each in jobs:
        each.result()
    found = manager.search(**hour, status="esriJobSucceeded", username="admin")
    return {
        "submitted": sorted(each._jobid for each in jobs),
        "found": sorted(each.url.rpartition("/")[2] for each in found),
        "record": dict(found[0].properties),
        "failed": len(manager.search(**hour, status="esriJobFailed")),
    }


def cancel() -> Any:
    job = tools.slow(seconds=600, gis=gis, future=True)
    until(lambda: job.status == "esriJobExecuting")
    [running] = manager.search(status="esriJobExecuting")
    answer = running.cancel()
    until(lambda: job.status != "esriJobCancelling")
    running._refresh()
    return {"answer": answer, "status": job.status, "record": dict(running.properties)}


def purge_queue() -> Any:
    # Three of them work, the others wait.
    jobs = [tools.slow(seconds=600, gis=gis, future=True) for _ in range(5)]
    until(lambda: [each.status for each in jobs].count("esriJobExecuting") == 3)
    answer = manager.purge()
    until(lambda: [each.status for each in jobs].count("esriJobCancelled") == 2)
    statuses = sorted(each.status for each in jobs)
    for each in jobs:
        each.cancel()
    return {"answer": answer, "statuses": statuses}


tell(search_reads_every_page, cancel, purge_queue)
