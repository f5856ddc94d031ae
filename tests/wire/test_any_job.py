"""What every dialect promises, whatever happened to the job."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.client import read_job
from milepost.http import read_job_id
from milepost.jobs import Job, Kept, Status, fold
from milepost.jobs import events as ev
from milepost.servers.enterprise import wire as enterprise
from milepost.servers.geoprocessing import admin_wire
from milepost.servers.mission import wire as mission
from milepost.servers.production import wire as production
from milepost.servers.video import wire as video
from tests.jobs.test_job_properties import HISTORIES
from tests.wire.histories import jobs

SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

any_job = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def value_of(values: dict[str, Kept]) -> dict[str, Any]:
    return {name: kept.value for name, kept in values.items()}


def enterprise_json(job: Job) -> dict[str, Any]:
    return enterprise.job(job, results=value_of(job.results))


def kubernetes_json(job: Job) -> dict[str, Any]:
    return admin_wire.kubernetes_job(job, base="https://example.com/arcgis", service_id="s1")


def server_json(job: Job) -> dict[str, Any]:
    return admin_wire.server_job(job, base="https://example.com/arcgis")


def production_json(job: Job) -> dict[str, Any]:
    return production.job(
        job, inputs=value_of(job.inputs), output_url="https://example.com/map", level="info"
    )


def video_json(job: Job) -> dict[str, Any]:
    return video.job(job, inputs=value_of(job.inputs), results=value_of(job.results))


Dialect = Callable[[Job], dict[str, Any]]

DIALECTS: dict[str, Dialect] = {
    "enterprise": enterprise_json,
    "kubernetes": kubernetes_json,
    "server": server_json,
    "mission": mission.job,
    "production": production_json,
    "video": video_json,
}

WORDS = {
    0: "New",
    1: "Submitted",
    2: "Waiting",
    3: "Executing",
    4: "Succeeded",
    5: "Failed",
    6: "TimedOut",
    7: "Cancelling",
    8: "Cancelled",
    9: "Deleting",
    10: "Deleted",
}

ENDED = (Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.CANCELLED)
FAILED = (Status.FAILED, Status.TIMED_OUT)
GONE = (Status.DELETING, Status.DELETED)


def check_document(job: Job, document: dict[str, Any]) -> None:
    """What holds for the resource of any job in any dialect."""
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    # Clients take either of these for a request that failed.
    assert "error" not in document
    assert "code" not in document
    spelled = [document[key] for key in ("jobid", "jobId", "job_id") if key in document]
    assert [read_job_id(each) for each in spelled] == [job.id]


@given(job=jobs())
@any_job
def test_every_job_is_rendered(job: Job) -> None:
    for dialect in DIALECTS.values():
        check_document(job, dialect(job))


@given(job=jobs(st.integers()))
@any_job
def test_no_time_however_wrong_keeps_a_job_from_being_rendered(job: Job) -> None:
    for dialect in DIALECTS.values():
        check_document(job, dialect(job))


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())
@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES.keys())
def test_a_job_is_rendered_wherever_it_stands(dialect: Dialect, history: list[ev.Event]) -> None:
    job = fold("0" * 32, history)
    document = dialect(job)
    check_document(job, document)
    finished = read_job(document).finished
    assert finished == (job.status in ENDED) or job.status in GONE


@given(job=jobs())
@any_job
def test_clients_see_the_end_when_it_is_there_and_not_before(job: Job) -> None:
    if job.status in GONE:
        return
    for dialect in DIALECTS.values():
        view = read_job(dialect(job))
        assert view.finished == (job.status in ENDED)
        assert (view.state == "succeeded") == (job.status is Status.SUCCEEDED)
        assert (view.state == "cancelled") == (job.status is Status.CANCELLED)


@given(job=jobs())
@any_job
def test_messages_and_codes_are_parallel(job: Job) -> None:
    for document in (mission.job(job), video_json(job)):
        codes = document["customAttributes"]["messageCodes"]
        assert len(document["messages"]) == len(codes)
        assert all(type(code) is int for code in codes)
        assert list(zip(document["messages"], codes, strict=True))[: len(job.messages)] == [
            (each.text, each.code) for each in job.messages
        ]


@given(job=jobs())
@any_job
def test_times_keep_their_unit_and_their_digits(job: Job) -> None:
    begun, ended = bool(job.started_at), job.status.ended

    document = enterprise_json(job)
    for key, there in (("updatedtime", True), ("starttime", True), ("endtime", ended)):
        assert len(str(document[key])) == 13 if there else document[key] == 0
    assert document["starttime"] <= document["updatedtime"]
    assert not ended or document["starttime"] <= document["endtime"]

    document = mission.job(job)
    for key, there in (("startTime", True), ("endTime", ended)):
        assert len(str(document[key])) == 13 if there else document[key] == 0

    document = server_json(job)
    for key, there in (("submittedTime", True), ("endTime", ended)):
        assert len(str(document[key])) == 13 if there else document[key] == 0

    document = kubernetes_json(job)
    times = [document[f"job_{key}"] for key in ("created", "execution_start", "execution_end")]
    for at, there in zip(times, (True, begun, ended), strict=True):
        assert len(str(at)) == 10 if there else at == 0
    assert not begun or times[0] <= times[1]
    assert not ended or times[1] <= times[2]

    document = production_json(job)
    for key in ("submissionTime", "lastUpdatedTime"):
        assert SECONDS.fullmatch(document[key])
    assert document["submissionTime"] <= document["lastUpdatedTime"]

    assert not re.search("time", " ".join(video_json(job)), re.IGNORECASE)


@given(job=jobs(), level=st.sampled_from(["info", "warn", "error"]))
@any_job
def test_production_tells_a_share_and_messages_by_level(job: Job, level: production.MessageLevel) -> None:
    document = production.job(job, inputs={}, level=level)
    assert ("percentComplete" in document) == (document["status"] != "Failed")
    assert 0 <= document.get("percentComplete", 0) <= 1
    assert document["statusCode"] == job.status
    groups = {"info": ["info", "empty"], "warn": ["warning"], "error": ["error", "abort"]}
    names = {"info": "informative", "warn": "warnings", "error": "errors"}
    wanted = list(groups)[list(groups).index(level) :]
    assert set(document["messages"]) <= {names[each] for each in wanted}
    for each in wanted:
        texts = [said.text for said in job.account() if said.level in groups[each]]
        if each == "error" and document["status"] == "Failed" and texts[-1:] != ["Failed."]:
            texts.append("Failed.")
        assert document["messages"].get(names[each], []) == texts
        assert texts or names[each] not in document["messages"]


@given(job=jobs())
@any_job
def test_a_failure_always_has_a_reason(job: Job) -> None:
    if job.status not in FAILED:
        return
    for document in (enterprise_json(job), mission.job(job), video_json(job)):
        assert document["status"] == "FAILED"
        assert document["messages"]
    result = enterprise_json(job)["result"]
    assert result["status"] == "error"
    assert result["messages"]
    assert type(result["code"]) is int
    assert production_json(job)["messages"]["errors"]


@given(job=jobs())
@any_job
def test_results_come_with_the_success_and_not_before(job: Job) -> None:
    done = job.status is Status.SUCCEEDED
    assert ("result" in enterprise_json(job)) == (done or job.status in FAILED)
    assert bool(video_json(job)["results"]) == (done and bool(job.results))
    assert bool(production_json(job)["outputUrl"]) == done


@given(job=jobs())
@any_job
def test_steps_of_a_mission_are_counted(job: Job) -> None:
    attributes = mission.job(job)["customAttributes"]
    assert 0 <= attributes["stepsCompleted"] <= attributes["totalSteps"] == len(job.stages)


@given(job=jobs())
@any_job
def test_no_stage_goes_on_after_the_end(job: Job) -> None:
    stages = enterprise_json(job).get("progress", {"stages": []})["stages"]
    assert [each["name"] for each in stages] == [each.name for each in job.stages]
    states = {each["state"] for each in stages}
    assert states <= {"pending", "in_progress", "completed", "failed"}
    assert "in_progress" not in states or not job.status.ended


@given(job=jobs())
@any_job
def test_the_word_and_the_number_of_kubernetes_say_the_same(job: Job) -> None:
    document = kubernetes_json(job)
    assert WORDS[document["status_code"]] == document["status"]
    assert document["revision"].isdigit()
