"""Somebody makes map sheets and keeps products, with the package ``arcgis``."""

from typing import Any

from arcgis.features._topographic import TopographicProductionManager
from arcgis.gis import GIS
from stories import GIVEN, refusal, tell, until

SERVER, PASSWORD = GIVEN["server"], GIVEN["password"]
URL = f"{SERVER}/rest/services/Topography/TopographicProductionServer"

AREA = {"rings": [[[-84.2, 36.3], [-84.2, 36.36], [-84.12, 36.36], [-84.12, 36.3], [-84.2, 36.3]]]}
ENDED = (4, 5, 6, 8)

gis = GIS(SERVER, "admin", PASSWORD)
manager = TopographicProductionManager(URL, gis=gis)
jobs = manager.jobs_manager()


def generate(version: Any = "1.0", area: dict[str, Any] | None = None, **more: Any) -> str:
    feature = {
        "geometry": {**(area or AREA), "spatialReference": {"wkid": 4326}},
        "attributes": {"name": "Hunter"},
    }
    answer = manager.generate_product(
        "MTM50", version, "https://example.com/0", "1", "pdf", custom_area_interest=[feature], **more
    )
    assert answer["success"] is True
    return str(answer["jobId"])


def ended(job_id: str) -> dict[str, Any]:
    return until(
        lambda: (job := jobs.job(job_id, msg_level="info"))["statusCode"] in ENDED and job, seconds=150
    )


def products() -> Any:
    listed = manager.products(include_def=False)["products"]
    return {
        "service": manager.properties["serviceName"],
        "names": sorted(each["name"] for each in listed),
        "scale": manager.product("MTM50", include_def=True)["productDefinition"]["scale"],
        "unknown": refusal(lambda: manager.product("MTM49")),
    }


def a_product_of_ones_own() -> Any:
    added = manager.add_product({"name": "Walks", "basedOn": "MTM25", "title": "Walks"})
    version = {"name": "Bare", "excludedOperations": ["contours", "shading"]}
    updated = manager.update_product(
        "Walks", description="For walking", versions={"operation": "add", "versions": [version]}
    )
    about = manager.product("Walks", include_def=False)
    removed = manager.remove_product("Walks")
    return {
        "added": added,
        "updated": updated,
        "versions": [each["name"] for each in about["productVersions"]],
        "removed": removed,
    }


def a_sheet() -> Any:
    job = ended(generate(layer_exclusion=["Woods"], output_settings={"imageQuality": 80}))
    path = gis._con.get(job["outputUrl"], try_json=False, out_folder=GIVEN["folder"], file_name="sheet.pdf")
    with open(path, "rb") as sheet:
        begins = sheet.read(5)
    told = job["messages"].get("informative", [])
    return {
        "status": [job["status"], job["statusCode"], job["percentComplete"]],
        "product": [job["productName"], job["productVersion"], job["outputType"]],
        "errors": job["messages"].get("errors", []),
        "started": told[2].startswith("Start Time: ") if len(told) > 2 else told,
        "said": told[3] if len(told) > 3 else told,
        "begins": begins.decode(),
    }


def an_area_from_a_point() -> Any:
    point = {"x": -84.2, "y": 36.3, "spatialReference": {"wkid": 4326}}
    said = manager.calculate_extent("MTM50", "1.0", "", point, "4326")
    return {"success": said["success"], "features": len(said["customAoi"])}


def what_fails() -> Any:
    elsewhere = [[[x + 90, y] for x, y in AREA["rings"][0]]]
    job = ended(generate(area={"rings": elsewhere}))
    return {
        "status": [job["status"], job["statusCode"]],
        "errors": len(job["messages"]["errors"]),
        "unknown": refusal(lambda: manager.generate_product("MTM49", "1.0", "", "1", "pdf")),
        "output": refusal(
            lambda: manager.generate_product("MTM50", "1.0", "", "1", "aprx", [{"geometry": AREA}])
        ),
    }


def what_is_stopped() -> Any:
    job_id = generate()
    cancelled = jobs.cancel_job(job_id)
    job = ended(job_id)
    return {
        "success": cancelled["success"],
        "status": [job["status"], job["statusCode"]],
        "found": job_id in [each["jobId"] for each in jobs.query_job(status=8)["jobs"]],
    }


tell(products, a_product_of_ones_own, an_area_from_a_point, a_sheet, what_fails, what_is_stopped)
