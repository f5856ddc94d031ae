"""What the documentation says is true."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

from milepost import Service
from milepost.cli.serve import serve
from milepost.jobs import Status
from milepost.security import PRIVILEGES_OF, Privilege, Role
from tests.docs import resources_page
from tests.running import PASSWORD, RunningServer, wait_for_job

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def files_in(page: Path) -> dict[str, str]:
    """The code blocks of a page that say which file they are."""
    return dict(re.findall(r"```python file=(\S+)\n(.*?)```", page.read_text(), re.DOTALL))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not urlsplit(target).scheme:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_option_of_the_server_is_described():
    described = (ROOT / "docs/reference/settings.md").read_text()
    for option in serve.params:
        if isinstance(option, click.Option) and option.name != "help":
            for name in option.opts:
                assert f"`{name}`" in described, name
            if option.show_envvar and option.envvar is None:
                variable = f"MILEPOST_SERVE_{option.name.upper()}"
                assert option.name == "data" or variable in described, variable


def test_every_setting_of_a_service_is_described_with_its_default():
    described = (ROOT / "docs/reference/settings.md").read_text()
    for name, default in zip(Service.__struct_fields__[1:], Service.__struct_defaults__, strict=True):
        row = re.search(rf"^\| `{name}` \| ?([^|]*?) \|", described, re.MULTILINE)
        assert row, name
        shown = row[1].strip("`")
        assert shown == (f"{default:g}" if isinstance(default, int | float) else default), name


def test_every_role_and_privilege_is_described():
    described = (ROOT / "docs/how-to/people-and-tokens.md").read_text()
    for role in Role:
        assert f"| `{role}` | `{role.identifier}` |" in described
    for privilege in Privilege:
        roles = ", ".join(role for role in Role if privilege in PRIVILEGES_OF[role])
        assert f"| {privilege.printed} | `{privilege}` | {roles} |" in described


def test_every_resource_is_described():
    assert resources_page.PAGE.read_text() == asyncio.run(resources_page.page()), (
        "the resources changed: run python -m tests.docs.resources_page"
    )


def test_the_glossary_counts_the_statuses_right():
    assert len(Status) == 15
    assert "one of fifteen" in (ROOT / "docs/glossary.md").read_text()


def test_the_tutorial_works_as_printed(tmp_path):
    pytest.importorskip("geopandas", reason="the tutorial's operation uses GeoPandas")
    for name, text in files_in(ROOT / "docs/tutorial/first-operation.md").items():
        (tmp_path / name).write_text(text)
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_parks.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in tested.stdout, tested.stdout + tested.stderr

    with RunningServer(tmp_path / "data", tmp_path / "parks.py") as server, server.client() as client:
        tasks = "/rest/services/Parks/Access/GPServer"
        page = tmp_path / "page.html"
        form = {"f": "json", "name": "parc central", "path": str(page), "patience": "60"}
        job = client.post(f"{tasks}/publish/submitJob", data=form).json()
        url = f"{tasks}/publish/jobs/{job['jobId']}"
        while "progress" not in client.get(url, params={"f": "json"}).json():
            pass
        assert page.read_text() == "<h1>Parc Central</h1>"
        client.post(f"{url}/cancel", data={"f": "json"})
        assert wait_for_job(client, url)["jobStatus"] == "esriJobCancelled"
        assert not page.exists()


def test_the_operation_of_the_readme_works_as_printed(tmp_path):
    pytest.importorskip("geopandas", reason="the operation uses GeoPandas")
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "parks.py").write_text(code)
    features = '{"spatialReference": {"wkid": 4326}, "features": [{"geometry": {"x": 1.52, "y": 42.51}}]}'
    with RunningServer(tmp_path / "data", tmp_path / "parks.py") as server, server.client() as client:
        task = "/rest/services/Parks/Access/GPServer/walkable"
        answer = client.post(f"{task}/execute", data={"f": "json", "parks": features}).json()
    (result,) = answer["results"]
    assert result["value"]["geometryType"] == "esriGeometryPolygon"
    assert answer["messages"][0]["description"] == "Measuring 500 Meters around 1 parks"


def test_the_commands_about_backups_work_as_printed(tmp_path):
    text = (ROOT / "docs/how-to/backup.md").read_text()
    commands = [
        line.removeprefix("$ ")
        for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(commands) == 8
    (tmp_path / "mnt").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MILEPOST_")}
    environment["MILEPOST_PASSWORD"] = PASSWORD

    def run(command, address):
        command = command.replace("http://127.0.0.1:6080/arcgis", address).replace("/mnt/", "mnt/")
        for folder in re.findall(r"(\S+)/milepost-20261122T072618Z-7ddbb7.tar", command):
            newest = max((tmp_path / folder).glob("*.tar"), key=lambda path: path.stat().st_mtime)
            command = command.replace("milepost-20261122T072618Z-7ddbb7.tar", newest.name)
        done = subprocess.run(
            [sys.executable, "-m", *command.split()],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, command + done.stdout + done.stderr

    # What needs a server comes first here, so that one is enough.
    commands.sort(key=lambda command: "--server" not in command)
    with RunningServer(tmp_path / "milepost-data") as server:
        while "--server" in commands[0]:
            run(commands.pop(0), server.address)
    for command in commands:
        if command.startswith("milepost serve"):
            with RunningServer(tmp_path / command.split()[-1]) as server, server.client() as client:
                jobs = client.get("/rest/jobs", params={"f": "json"}).json()["jobs"]
                assert {each["jobStatus"] for each in jobs} == {"succeeded"}
        else:
            run(command, "")
