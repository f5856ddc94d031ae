import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.client import Message, NotAJobError, Result, Stage, read_job

DATA = Path(__file__).parent / "data"


def vector(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return body


class TestDocumentedExamples:
    """The documents' own examples."""

    def test_an_enterprise_job_at_work(self) -> None:
        view = read_job(vector("enterprise_job_executing"))
        assert (view.dialect, view.state, view.operation) == ("enterprise", "running", "edit")
        assert view.id == "j2bcbcd49-83a4-4cc1-a034-40e4a266e96d"
        assert view.started_at == 1635961542583
        assert view.ended_at == 0
        assert view.fraction is None
        assert not view.finished

    def test_an_enterprise_job_that_is_done(self) -> None:
        view = read_job(vector("enterprise_job_completed"))
        assert view.state == "succeeded"
        assert view.finished
        assert [result.name for result in view.results] == ["service"]
        assert view.ended_at - view.started_at == 12952

    def test_an_enterprise_job_with_stages(self) -> None:
        view = read_job(vector("enterprise_job_completed_with_stages"))
        assert view.operation == "editContainerRegistry"
        assert view.stages[0] == Stage("validating", "finished")
        assert len(view.stages) == 8
        assert view.results == (Result("credentialUpdateOnly", True),)

    def test_a_geoprocessing_job_in_the_admin_api_of_kubernetes(self) -> None:
        view = read_job(vector("gp_admin_job_succeeded"))
        assert (view.dialect, view.state, view.status) == ("geoprocessing-admin", "succeeded", "Succeeded")
        assert view.started_at == 1637004590_000
        assert view.ended_at == 1637004594_000

    def test_a_mission_job(self) -> None:
        view = read_job(vector("mission_job_completed"))
        assert (view.dialect, view.state, view.operation) == ("mission", "succeeded", "addMission")
        assert view.messages[0] == Message("Started mission creation.", "info", 1500)
        assert view.messages[-1].code == 1510
        assert view.results == (Result("missionId", "d942d2bdb70c4104bcd1a76d4cf8a6b7"),)

    @pytest.mark.parametrize(
        ("place", "state", "fraction"), [(0, "running", 1 / 19), (1, "failed", None), (2, "queued", 0.0)]
    )
    def test_production_jobs(self, place: int, state: str, fraction: float | None) -> None:
        view = read_job(vector("production_query_by_date_info")["jobs"][place])
        assert (view.dialect, view.state) == ("production", state)
        assert view.fraction == (pytest.approx(fraction) if fraction is not None else None)

    def test_a_failed_production_job_says_why(self) -> None:
        view = read_job(vector("production_query_by_status")["jobs"][0])
        assert view.error == "ERROR 000824: The tool is not licensed. Failed."
        assert [message.level for message in view.messages] == ["error", "error"]
        assert view.ended_at > 0

    def test_a_video_job(self) -> None:
        view = read_job(vector("video_job_completed"))
        assert (view.dialect, view.state) == ("video", "succeeded")
        assert view.messages[6] == Message("Transcoding with GPU", "info", 159)
        assert Result("layerName", "Cheyenne_TS") in view.results


GP = {"jobId": "j1", "jobStatus": "esriJobExecuting"}


class TestGeoprocessing:
    def test_progress_while_executing(self) -> None:
        view = read_job(GP | {"progress": {"message": "Buffering", "percent": 40}})
        assert (view.fraction, view.doing) == (0.4, "Buffering")

    def test_results_are_found_beside_the_job(self) -> None:
        body = {
            "jobId": "j1",
            "jobStatus": "esriJobSucceeded",
            "results": {"Out": {"paramUrl": "results/Out"}},
        }
        view = read_job(body, "https://host/arcgis/rest/services/S/GPServer/t/jobs/j1/")
        assert view.results == (
            Result("Out", url="https://host/arcgis/rest/services/S/GPServer/t/jobs/j1/results/Out"),
        )

    def test_levels_of_messages(self) -> None:
        kinds = ("Informative", "Warning", "Error", "Abort", "Empty", "ProcessStart", "Unheard")
        said = [{"type": f"esriJobMessageType{kind}", "description": kind} for kind in kinds]
        levels = [message.level for message in read_job(GP | {"messages": said}).messages]
        assert levels == ["info", "warning", "error", "error", "info", "info", "info"]

    def test_a_failed_job_gives_its_errors_as_the_reason(self) -> None:
        said = [
            {"type": "esriJobMessageTypeInformative", "description": "Executing"},
            {"type": "esriJobMessageTypeError", "description": "ERROR 000732: no such dataset"},
        ]
        view = read_job({"jobId": "j1", "jobStatus": "esriJobFailed", "messages": said})
        assert view.error == "ERROR 000732: no such dataset"

    @pytest.mark.parametrize(
        ("word", "state"),
        [
            ("New", "queued"),
            ("Submitted", "queued"),
            ("Waiting", "queued"),
            ("Executing", "running"),
            ("Succeeded", "succeeded"),
            ("Failed", "failed"),
            ("TimedOut", "timed_out"),
            ("Cancelling", "cancelling"),
            ("Cancelled", "cancelled"),
            ("Deleting", "deleted"),
            ("Deleted", "deleted"),
            ("Dreaming", "unknown"),
        ],
    )
    def test_every_status(self, word: str, state: str) -> None:
        assert read_job({"jobId": "j1", "jobStatus": f"esriJob{word}"}).state == state


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("SUBMITTED", "queued"),
        ("EXECUTING", "running"),
        ("CANCELLING", "cancelling"),
        ("CANCELLED", "cancelled"),
        ("FAILED", "failed"),
        ("COMPLETED", "succeeded"),
        ("TIMED OUT", "timed_out"),
        ("TIME OUT", "timed_out"),
        ("UNAVAILABLE", "unknown"),
    ],
)
def test_every_status_of_enterprise_jobs(word: str, state: str) -> None:
    assert read_job({"jobid": "j1", "status": word}).state == state


def test_a_failed_enterprise_job_tells_what_its_messages_or_its_result_say() -> None:
    failed = {"jobid": "j1", "status": "FAILED"}
    assert read_job(failed | {"messages": ["No such pod."]}).error == "No such pod."
    assert read_job(failed | {"messages": [], "result": {"messages": ["Denied."]}}).error == "Denied."


def test_stages_give_the_share_that_is_done() -> None:
    stages = [{"name": "validating", "state": "completed"}, {"name": "storing", "state": "in_progress"}]
    view = read_job({"jobid": "j1", "status": "EXECUTING", "progress": {"stages": stages}})
    assert view.fraction == 0.5
    assert [stage.state for stage in view.stages] == ["finished", "started"]


def test_a_failure_that_hides_in_a_completed_server_job_is_a_failure() -> None:
    body = {
        "jobid": "j1",
        "status": "COMPLETED",
        "totalsteps": 4,
        "currentstep": 2,
        "operationResponse": {"status": "error", "messages": ["Site exists."]},
    }
    view = read_job(body)
    assert (view.dialect, view.state, view.error) == ("server", "failed", "Site exists.")


def test_a_geoprocessing_job_in_the_admin_api_of_a_server() -> None:
    body = {"jobId": "j1", "submittedTime": 1523033824000, "endTime": 0, "status": "esriJobSubmitted"}
    view = read_job(body | {"username": None, "url": "https://host/job"})
    assert (view.dialect, view.state, view.owner) == ("geoprocessing-admin", "queued", "")


@pytest.mark.parametrize(
    ("code", "state"),
    [(100, "paused"), (101, "running"), (102, "running"), (103, "queued"), (8, "cancelled")],
)
def test_the_number_of_a_production_status_counts(code: int, state: str) -> None:
    assert read_job({"jobId": "X", "status": "InProgress", "statusCode": code, "messages": {}}).state == state


def test_a_percentage_of_production_is_read_as_a_share_or_as_percent() -> None:
    job = {"jobId": "X", "status": "InProgress", "statusCode": 3}
    assert read_job(job | {"percentComplete": 0.25}).fraction == 0.25
    assert read_job(job | {"percentComplete": 25}).fraction == 0.25


def test_a_video_job_of_milepost_tells_how_far_it_is() -> None:
    steps = [{"name": "Probing Audio", "state": "finished"}, {"name": "Transcoding", "state": "started"}]
    progress = {"fraction": 0.5, "text": "Transcoding with CPU: 2 minutes left", "steps": steps}
    job = {"jobId": "j1", "status": "EXECUTING", "inputs": {}, "results": {}}
    view = read_job(job | {"customAttributes": {"milepostProgress": progress}})
    assert (view.fraction, view.doing) == (0.5, "Transcoding with CPU: 2 minutes left")
    assert view.stages == (Stage("Probing Audio", "finished"), Stage("Transcoding", "started"))
    assert read_job(job).fraction is None


def test_a_video_job_may_be_in_progress_in_two_words() -> None:
    assert read_job({"jobId": "j1", "status": "In Progress", "inputs": {}, "results": {}}).state == "running"


PROCESS = {"jobID": "a", "processID": "buffer", "type": "process", "status": "running", "progress": 30}


class TestProcesses:
    def test_at_work(self) -> None:
        view = read_job(PROCESS | {"message": "Half way", "started": "2026-01-01T00:00:00Z"})
        assert (view.dialect, view.state, view.fraction) == ("processes", "running", 0.3)
        assert view.messages == (Message("Half way"),)
        assert view.started_at == 1767225600000

    def test_results_are_linked_or_in_the_usual_place(self) -> None:
        done = PROCESS | {"status": "successful"}
        assert read_job(done, "https://host/jobs/a").results[0].url == "https://host/jobs/a/results"
        link = {"rel": "http://www.opengis.net/def/rel/ogc/1.0/results", "href": "/other/a"}
        assert (
            read_job(done | {"links": [link]}, "https://host/jobs/a").results[0].url == "https://host/other/a"
        )

    def test_dismissed_is_cancelled(self) -> None:
        assert read_job(PROCESS | {"status": "dismissed"}).state == "cancelled"

    def test_a_failure_says_why(self) -> None:
        assert read_job(PROCESS | {"status": "failed", "message": "No disk"}).error == "No disk"


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ([], "no JSON object"),
        ({}, "no status"),
        ({"jobs": ["j1"]}, "list of jobs"),
        ({"asyncJobs": []}, "list of jobs"),
        ({"status": "success"}, "no job id"),
        ({"jobsUrl": "https://host/j1", "jobID": "j1", "jobStatus": "SUBMITTED"}, "https://host/j1"),
    ],
)
def test_what_is_no_job_is_named(body: Any, hint: str) -> None:
    with pytest.raises(NotAJobError, match=hint):
        read_job(body)


def test_what_could_disturb_a_terminal_is_taken_out() -> None:
    nasty = "\x1b[2Jgone\r\x07 \u202etxt.exe \x9b31m"
    view = read_job(GP | {"messages": [{"type": "x", "description": nasty}]})
    assert not set(view.messages[0].text) & set("\x1b\r\x07\u202e\x9b")
    assert "gone" in view.messages[0].text


_KEYS = [
    *("jobId", "jobID", "jobid", "job_id", "jobStatus", "status", "statusCode", "messages", "progress"),
    *("results", "result", "inputs", "links", "customAttributes", "operationResponse", "totalsteps"),
    *("currentstep", "percentComplete", "starttime", "startTime", "job_created", "created", "message"),
    *("percent", "stages", "name", "state", "url", "outputUrl", "description", "type", "messageCodes"),
    *("totalSteps", "stepsCompleted", "paramUrl", "href", "rel", "error", "code", "jobsUrl", "jobs"),
]
_WORDS = ["esriJobExecuting", "COMPLETED", "failed", "esriJobFailed", "x", "\ud800", "http://[", "2026-13-01"]
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(_KEYS) | st.text(), inner),
    max_leaves=30,
)
ANY_OBJECT = st.dictionaries(st.sampled_from(_KEYS), ANY_JSON)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANY_OBJECT)
def test_any_object_is_a_job_or_is_refused_in_words(body: dict[str, Any]) -> None:
    refusal = ""
    view = None
    try:
        view = read_job(body, "https://host/jobs/j1")
    except NotAJobError as error:
        refusal = str(error)
    assert (view is None) == bool(refusal)
    if view is not None:
        assert view.fraction is None or 0 <= view.fraction <= 1
        assert msgspec.to_builtins(view)["state"]
