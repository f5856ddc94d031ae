"""``/admin/healthCheck``: what is looked at, and what is said about it."""

import datetime as dt
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from milepost.features import Definition, FeatureServices, GeometryType, Layer
from milepost.operations import Run
from milepost.servers.enterprise import checks
from milepost.servers.enterprise.operations.health import look
from milepost.servers.mission import Missions
from milepost.servers.production import Products
from milepost.servers.video import Videos
from milepost.servers.video.records import Layer as VideoLayer
from milepost.servers.video.records import Service
from tests.backups.sites import back_up, make_site
from tests.servers.enterprise.test_backups import ended
from tests.servers.talking import Task, error_of, json_of
from tests.servers.video.made import FACTS

JSON = {"f": "json"}
HEALTH = "/admin/healthCheck"
NAMES = [
    "jobs_database",
    "people_database",
    "missions_database",
    "products_database",
    "videos_database",
    "feature_services",
    "disk_space",
    "instances",
    "extras",
    "programs",
    "permissions",
    "certificate",
    "backups",
    "clock",
]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("healthy") / "data"
    make_site(data)
    for each in (Missions, Products, Videos):
        each(data).close()
    definition = Definition(
        owner="ann", layers=(Layer(name="tracks", geometry=GeometryType.POINT, fields=()),)
    )
    FeatureServices(data).create("tracks", definition)
    back_up(data, data / "backups")
    return data


@pytest.fixture
def site(healthy: Path, tmp_path: Path) -> Path:
    """A healthy data folder."""
    return Path(shutil.copytree(healthy, tmp_path / "data"))


def checked(data: Path, name: str, **values: Any) -> dict[str, str]:
    """What one check says, and that the whole report goes by it."""
    report = look(Run(), data, instances={}, **values)
    rows = [each["attributes"] for each in report.checks.features]
    assert [each["name"] for each in rows] == NAMES
    assert all(each["seen"] and (each["state"] == "ok") == (each["advice"] == "") for each in rows)
    assert report.state == checks.worst(each["state"] for each in rows)
    (row,) = [each for each in rows if each["name"] == name]
    return row


def test_a_server_looks_at_itself_while_the_client_waits(client: httpx.Client, task: Task):
    task.run("talk")
    answer = json_of(client.post(f"{HEALTH}/run", data=JSON))
    assert answer["status"] == "success"
    report = answer["report"]
    assert [each["name"] for each in report["checks"]] == NAMES
    states = {each["name"]: each for each in report["checks"]}
    machine = ("disk_space", "extras", "programs", "backups")
    for name in (each for each in NAMES if each not in machine):
        assert states[name]["state"] == "ok", states[name]
    assert "services started an instance" in states["instances"]["seen"]
    path = answer["reportUrl"].partition("/arcgis")[2]
    assert json_of(client.get(path, params=JSON)) == report
    listed = json_of(client.get(HEALTH, params=JSON))["reports"]
    assert listed[0] == {name: value for name, value in report.items() if name != "checks"}


def test_a_health_check_is_a_job_with_stages(client: httpx.Client):
    answer = json_of(client.post(f"{HEALTH}/run", data={**JSON, "async": "true", "free_gib": "1e8"}))
    state = ended(client, answer["jobID"])
    assert (state["status"], state["name"]) == ("COMPLETED", "runHealthCheck")
    assert [each["name"] for each in state["progress"]["stages"]] == NAMES
    assert any(each.startswith("disk_space: ") for each in state["messages"])
    report = json_of(client.get(f"{HEALTH}/{answer['jobID']}", params=JSON))
    assert (report["status"], report["state"]) == ("COMPLETED", "warning")
    (disk,) = [each for each in report["checks"] if each["name"] == "disk_space"]
    assert disk["state"] == "warning"
    assert "Make room" in disk["advice"]


def test_bad_thresholds_and_unknown_reports_are_refused(client: httpx.Client, task: Task):
    error = error_of(client.post(f"{HEALTH}/run", data={**JSON, "free_gib": "much"}))
    assert (error["code"], "free_gib" in error["message"]) == (400, True)
    job, _ = task.run("talk")
    for name in ("j" + "0" * 32, job.rpartition("/")[2]):
        assert error_of(client.get(f"{HEALTH}/{name}", params=JSON))["code"] == 404
    assert error_of(client.get(f"{HEALTH}/nothing", params=JSON))["code"] == 400
    assert error_of(client.get(f"{HEALTH}/run", params=JSON))["code"] == 405


def test_all_is_well(site):
    for name in NAMES:
        if name not in ("extras", "programs"):  # that depends on the machine
            assert checked(site, name)["state"] == "ok", name


def test_a_database_that_is_damaged(site):
    with (site / "milepost.sqlite").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    row = checked(site, "jobs_database")
    assert (row["state"], "milepost restore" in row["advice"]) == ("failing", True)
    (site / "people.sqlite").unlink()
    assert checked(site, "people_database")["state"] == "failing"


def test_databases_of_missions_products_and_features(site):
    for name, path in (
        ("missions_database", "missions.sqlite"),
        ("products_database", "products.sqlite"),
        ("feature_services", "features/tracks.FeatureServer/features.gpkg"),
    ):
        (site / path).write_bytes(b"something else")
        row = checked(site, name)
        assert (row["state"], "milepost restore" in row["advice"]) == ("failing", True)
    (site / "missions.sqlite").unlink()
    assert checked(site, "missions_database")["state"] == "warning"
    shutil.rmtree(site / "features/tracks.FeatureServer")
    assert checked(site, "feature_services")["seen"].startswith("0 feature services")


def test_videos_whose_files_are_missing(site):
    here, elsewhere = "1" * 32, "2" * 32
    with Videos(site) as videos:
        videos.add(Service(name="Flights", item="a" * 32, owner="ann", created=1))
        for key, storage in ((here, ""), (elsewhere, "s3://elsewhere")):
            number = videos.reserve("a" * 32, key, None)
            layer = VideoLayer(
                id=number, key=key, storage=storage, name="x", created=1, owner="ann", facts=FACTS
            )
            videos.finish("a" * 32, layer)
    row = checked(site, "videos_database")
    assert (row["state"], here in row["seen"], elsewhere in row["seen"]) == ("failing", True, False)
    (site / "videos" / here).mkdir(parents=True)
    row = checked(site, "videos_database")
    assert (row["state"], row["seen"].endswith("the files of 1 layers are there")) == ("ok", True)


def test_too_little_room(site):
    assert checked(site, "disk_space", free_gib=1e9)["state"] == "warning"


def test_a_service_that_starts_no_instance(site):
    row = checks.instances({"A.GPServer": "", "B.GPServer": "no processes are left"})
    assert (row.state, row.seen) == ("failing", "B.GPServer: no processes are left")
    assert checks.instances(None).state == "warning"


def test_a_clock_that_was_set_back(site):
    ahead = int((time.time() + 3600) * 1000)
    with sqlite3.connect(site / "milepost.sqlite") as connection:
        connection.execute("UPDATE jobs SET updated_at = ?", (ahead,))
    connection.close()
    row = checked(site, "clock")
    assert row["state"] == "failing"
    assert "in the future" in row["seen"]


def test_a_clock_that_was_set_while_the_checks_ran(site):
    since = checks.Clock()
    since.wall -= 60
    row = checks.clock(site, since)
    assert row.state == "warning"
    assert "+60" in row.seen


@pytest.mark.parametrize(
    ("name", "mode", "state"),
    [
        ("token.key", 0o644, "failing"),
        ("token.key", 0o640, "warning"),
        ("people.sqlite", 0o604, "failing"),
        ("tls/certificate-key.pem", 0o644, "failing"),
        ("system/registry/config.json", 0o644, "failing"),
        (".", 0o755, "failing"),
    ],
)
def test_secrets_that_others_can_read(site, name, mode, state):
    (site / name).chmod(mode)
    row = checked(site, "permissions")
    assert row["state"] == state
    assert f"chmod {'700' if name == '.' else '600'} '{site / name}'" in row["advice"]


@pytest.mark.parametrize(("days", "state"), [(200, "ok"), (10, "warning"), (-1, "failing")])
def test_the_end_of_the_certificate(site, days, state):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    end = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - dt.timedelta(days=365))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    path = site / "tls/certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    row = checked(site, "certificate", certificate=path)
    assert row["state"] == state
    assert f"{end:%Y-%m-%d}" in row["seen"]


def test_a_certificate_that_cannot_be_read(site):
    path = site / "tls/certificate.pem"
    assert checked(site, "certificate", certificate=path)["state"] == "ok"
    path.write_text("no certificate")
    assert checked(site, "certificate", certificate=path)["state"] == "failing"


def test_backups_that_are_missing_old_or_damaged(site):
    assert checked(site, "backups", backup_days=0)["state"] == "warning"
    (site / "backups/two.tar").write_bytes(b"cut off")
    row = checked(site, "backups")
    assert (row["state"], row["seen"][-3:]) == ("warning", "two")
    for path in (site / "backups").iterdir():
        path.unlink()
    row = checked(site, "backups")
    assert (row["seen"], row["advice"]) == ("There is no backup", "Make one: milepost backup")
