"""The pages of jobs and tasks, for people with a browser."""

import json

import httpx
import pytest

from tests.running import wait_for_job
from tests.servers.browsing import page_of
from tests.servers.talking import EVERY, Task

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'"


@pytest.mark.parametrize("path", ["/rest", "/rest/services", "/rest/jobs", "/rest/services/Tests", EVERY])
def test_the_way_to_a_task(client: httpx.Client, path: str) -> None:
    page = page_of(client.get(path))
    for link in [each["href"] for each in page.all("a")]:
        assert link is not None
        if "?f=" not in link:
            page_of(client.get(link.removeprefix("/arcgis"), follow_redirects=True))


def test_a_form_for_every_parameter(client: httpx.Client) -> None:
    page = page_of(client.get(f"{EVERY}/everything"))
    fields = {each["name"]: each for each in page.all("input", "select", "textarea")}
    names = (
        "text",
        "whole",
        "number",
        "flag",
        "moment",
        "distance",
        "features",
        "records",
        "texts",
        "colour",
    )
    assert fields.keys() >= set(names)
    assert fields["whole"]["value"] == "7"
    (form,) = [each for each in page.all("form") if (each["action"] or "").endswith("/submitJob")]
    assert (form["method"], form["enctype"]) == ("post", "multipart/form-data")
    assert "Some words." in page.text


def test_submitting_leads_to_the_job(client: httpx.Client) -> None:
    answer = client.post(f"{EVERY}/talk/submitJob", data={"words": EVIL})
    assert answer.status_code == 303
    job = answer.headers["location"].removeprefix("/arcgis")
    wait_for_job(client, job)
    page = page_of(client.get(job))
    assert EVIL in page.text
    assert "careful" in page.text
    assert not [each for each in page.all("form") if (each["action"] or "").endswith("/cancel")]
    assert EVIL in page_of(client.get(f"{job}/inputs")).text
    assert EVIL in page_of(client.get(f"{job}/inputs/words")).text


def test_what_fails_says_why(client: httpx.Client, task: Task) -> None:
    job, _ = task.run("fail", reason=EVIL)
    assert EVIL in page_of(client.get(job)).text
    page = page_of(client.get(f"{job}/results/result"), 400)
    assert "not available" in page.text


def test_a_job_at_work_has_a_button_to_cancel_it(client: httpx.Client, task: Task) -> None:
    job = task.submit("slow")
    wait_for_job(client, job, until=("Executing",))
    page = page_of(client.get(job))
    (form,) = [each for each in page.all("form") if (each["action"] or "").endswith("/cancel")]
    assert form["method"] == "post"
    page_of(client.post(str(form["action"]).removeprefix("/arcgis"), files={"x": (None, "")}))
    assert wait_for_job(client, job)["jobStatus"] == "esriJobCancelled"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{EVERY}/<script>", 404),
        ("/rest/services/<script>", 404),
        ("/<script>", 404),
        (f"{EVERY}/talk/jobs/<script>", 404),
        (f"{EVERY}/everything/submitJob?text=a&whole=<script>", 400),
        (f"{EVERY}/talk/submitJob?words=%ff", 200),
    ],
)
def test_errors_are_pages_too(client: httpx.Client, path: str, status: int) -> None:
    if status == 200:  # what cannot even be read may come from a program
        assert client.get(path).json()["error"]["code"] == 400
    else:
        page_of(client.get(path), status)


def test_large_and_deep_values_are_cut(client: httpx.Client, task: Task) -> None:
    deep: object = "bottom"
    for _ in range(40):
        deep = [deep]
    texts = ["word"] * 5000
    features = {
        "geometryType": "esriGeometryPoint",
        "features": [{"attributes": {"deep": str(deep)}, "geometry": {"x": n, "y": 0}} for n in range(900)],
    }
    job, _ = task.run(
        "everything", text="x" * 100_000, texts=json.dumps(texts), features=json.dumps(features)
    )
    page = page_of(client.get(f"{job}/inputs"))
    assert len(page.text) < 300_000
    assert "4800 more: see JSON" in page.text
