"""Polls and submissions are answered in front of middleware and routes: with the same answers."""

import httpx
import pytest

from tests.servers.talking import Task

# A request that names the page it comes from takes the long way.
LONG_WAY = {"Origin": "https://maps.example"}
OURS = {"content-type", "cache-control", "x-content-type-options"}


def same(short: httpx.Response, long: httpx.Response) -> None:
    assert short.status_code == long.status_code
    assert short.content == long.content
    assert {name: short.headers.get(name) for name in OURS} == {name: long.headers.get(name) for name in OURS}
    assert "access-control-allow-origin" not in short.headers
    assert long.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "query",
    [
        "f=json",
        "f=pjson",
        "f=json&returnMessages=false",
        "f=json&milepost:stages=true",
        "f=json&unknown=1",
        "f=json&token=nonsense",
        "f=nonsense",
        "f=json&returnMessages=perhaps",
    ],
)
def test_polls(client: httpx.Client, task: Task, query: str) -> None:
    job, _ = task.run("slow", seconds=0)
    same(client.get(f"{job}?{query}"), client.get(f"{job}?{query}", headers=LONG_WAY))


def test_polls_of_those_who_may_not(task: Task, ann: httpx.Client, nobody: httpx.Client) -> None:
    job, _ = task.run("slow", seconds=0)
    for person in (ann, nobody):
        same(person.get(f"{job}?f=json"), person.get(f"{job}?f=json", headers=LONG_WAY))


@pytest.mark.parametrize("form", [{"seconds": "many"}, {"seconds": "NaN"}, {"f": "nonsense"}])
def test_submissions_that_are_refused(client: httpx.Client, task: Task, form: dict[str, str]) -> None:
    job, _ = task.run("slow", seconds=0)
    submit = job.partition("/jobs/")[0] + "/submitJob"
    values = {"f": "json", **form}
    same(client.post(submit, data=values), client.post(submit, data=values, headers=LONG_WAY))


def test_a_submission_either_way_gives_the_same_job(client: httpx.Client, task: Task) -> None:
    job, _ = task.run("slow", seconds=0)
    submit = job.partition("/jobs/")[0] + "/submitJob"
    values = {"f": "json", "seconds": "0", "milepost:key": "one of two ways"}
    same(client.post(submit, data=values), client.post(submit, data=values, headers=LONG_WAY))
