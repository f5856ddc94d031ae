"""A mission with the package arcgis, and with GDAL."""

import json
import ssl
import subprocess
import sys

import httpx

from tests.clients.sites import Site

READ_WITH_GDAL = """
import sys
import pyogrio
told = pyogrio.read_info(sys.argv[1])
print(told["driver"], told["features"], told["geometry_type"], ",".join(told["fields"]))
"""


def test_the_life_of_a_mission(python_client: None, site: Site) -> None:
    assert site.run("arcgis_missions.py")["life_of_a_mission"] == {
        "status": "COMPLETED",
        "kind": "Mission",
        "title": "Flood",
        "tags": ["a", "b"],
        "capabilities": "CHAT,TASK",
        "added": True,
        "found": [2.5, 1.5],
        "report": True,
        "web_map": ["Web Map", 3],
        "listed": True,
        "deleted": True,
    }


def test_gdal_reads_the_layers(site: Site) -> None:
    token = site.token()
    trusting = ssl.create_default_context(cafile=site.certificate)
    with httpx.Client(verify=trusting, trust_env=False, timeout=60) as client:

        def post(url: str, **form: str) -> dict[str, object]:
            said: dict[str, object] = client.post(url, data={**form, "token": token, "f": "json"}).json()
            return said

        made = post(f"{site.address}/mission/rest/services/createMission", title="For GDAL")
        service = f"{site.address}/rest/services/Missions/mission_{made['missionId']}/FeatureServer"
        feature = {"attributes": {"summary": "Bridge gone"}, "geometry": {"x": 1.5, "y": 42.5}}
        assert post(f"{service}/2/addFeatures", features=json.dumps([feature]))["addResults"]
    query = f"{service}/2/query?where=1%3D1&outFields=*&f=json&resultRecordCount=100&token={token}"
    read = subprocess.run(
        [sys.executable, "-c", READ_WITH_GDAL, f"ESRIJSON:{query}"],
        capture_output=True,
        text=True,
        check=False,
        # A certificate that signs itself is no authority to this library.
        env={"PATH": "/usr/bin:/bin", "GDAL_HTTP_UNSAFESSL": "YES"},
        timeout=120,
    )
    assert read.returncode == 0, read.stderr
    driver, features, kind, fields = read.stdout.strip().split(" ")
    assert (driver, features, kind) == ("ESRIJSON", "1", "Point")
    assert "summary" in fields.split(",")
