"""What the documents show of jobs that are not in their examples."""

from typing import Any

import pytest

from milepost.http import read_job_id
from milepost.jobs import Job, Kept, Level, apply, fold
from milepost.jobs import events as ev
from milepost.servers.enterprise import wire as enterprise
from milepost.servers.geoprocessing import admin_wire
from milepost.servers.mission import wire as mission
from milepost.servers.production import wire as production
from milepost.servers.video import wire as video

ID = "0123456789abcdef0123456789abcdef"
STARTED = ev.Started(at=2000, attempt=1, worker="node-1")
RECORDED = ev.RollbackRecorded(at=2001, attempt=1, function="os:remove", arguments=["a"])


def job_after(*events: ev.Event, **fields: Any) -> Job:
    known = {"at": 1000, "owner": "ada", "service": "A/B.GPServer", "operation": "work", "request": "r-1"}
    return fold(ID, [ev.Submitted(**known | fields), *events])


def said(text: str, level: Level = "info", code: int = 0) -> ev.MessageAdded:
    return ev.MessageAdded(at=2500, attempt=1, text=text, level=level, code=code)


def states(job: Job) -> list[str]:
    return [each["state"] for each in enterprise.job(job, results={})["progress"]["stages"]]


class TestIds:
    def test_each_dialect_spells_them_its_own_way(self) -> None:
        job = job_after()
        dashed = "01234567-89ab-cdef-0123-456789abcdef"
        assert enterprise.job_id(job) == mission.job_id(job) == video.job_id(job) == f"j{dashed}"
        assert production.job_id(job) == dashed.upper()
        assert admin_wire.kubernetes_job(job, base="", service_id="")["job_id"] == f"j{ID}"

    def test_jobs_of_the_system_begin_with_another_letter(self) -> None:
        job = job_after(attributes={"operationURI": "/arcgis/admin/system/containerregistries/a/edit"})
        assert enterprise.job_id(job) == "s01234567-89ab-cdef-0123-456789abcdef"
        assert enterprise.job(job, results={})["jobid"] == enterprise.job_id(job)
        assert read_job_id(enterprise.job_id(job)) == ID

    def test_lists_hold_them(self) -> None:
        job = job_after()
        assert enterprise.jobs([job]) == {"jobs": [enterprise.job_id(job)]}
        assert mission.jobs([job, job]) == {"asyncJobs": [mission.job_id(job)] * 2}
        assert video.jobs([]) == {"asyncJobs": []}


class TestEnterprise:
    def test_a_job_that_waits_has_a_start_already(self) -> None:
        document = enterprise.job(job_after(ev.Waiting(at=1500)), results={})
        assert (document["status"], document["starttime"], document["endtime"]) == ("SUBMITTED", 1000, 0)
        assert "result" not in document
        started = enterprise.job(job_after(ev.Waiting(at=1500), STARTED), results={})
        assert (started["status"], started["starttime"]) == ("EXECUTING", 2000)

    def test_a_failure_is_told_in_two_places(self) -> None:
        why = said("There is no data", "error", code=1590)
        job = job_after(STARTED, said("Begun"), why, ev.Failed(at=3000, error="there is no data"))
        document = enterprise.job(job, results={})
        assert document["status"] == "FAILED"
        assert document["messages"] == ["Begun", "There is no data"]
        assert document["result"] == {"status": "error", "messages": ["There is no data"], "code": 1590}

    def test_a_failure_without_a_code_is_an_error_of_the_server(self) -> None:
        document = enterprise.job(job_after(ev.TimedOut(at=3000, error="it took too long")), results={})
        assert document["status"] == "FAILED"
        assert document["result"] == {"status": "error", "messages": ["it took too long"], "code": 500}

    def test_a_job_whose_effects_are_being_undone_is_cancelling(self) -> None:
        undoing = ev.RollbackStarted(at=2002, attempt=1, outcome="failed", reason="no data")
        assert enterprise.job(job_after(STARTED, RECORDED, undoing), results={})["status"] == "CANCELLING"

    def test_stages_tell_which_of_them_failed(self) -> None:
        job = job_after(
            STARTED,
            ev.StagesPlanned(at=2000, attempt=1, names=["validating", "copying", "starting"]),
            ev.StageStarted(at=2001, attempt=1, name="validating"),
            ev.StageFinished(at=2002, attempt=1, name="validating"),
            ev.StageStarted(at=2003, attempt=1, name="copying"),
        )
        assert states(job) == ["completed", "in_progress", "pending"]
        assert states(apply(job, ev.TimedOut(at=3000, error="too long"))) == [
            "completed",
            "failed",
            "pending",
        ]

    def test_a_stage_that_a_success_left_behind_is_completed(self) -> None:
        left = ev.StageStarted(at=2001, attempt=1, name="cleaning")
        assert states(job_after(STARTED, left, ev.Succeeded(at=3000, attempt=1))) == ["completed"]

    def test_only_jobs_with_stages_show_progress(self) -> None:
        assert "progress" not in enterprise.job(job_after(STARTED), results={})

    def test_a_job_of_another_dialect_is_described_by_defaults(self) -> None:
        uri = "/arcgis/rest/services/A/B/GPServer/work/submitJob"
        defaults = {"operationURI": uri, "name": "work", "resource": "A/B.GPServer"}
        document = enterprise.job(job_after(), results={}, defaults=defaults)
        assert document["operationURI"] == uri
        assert (document["name"], document["resource"]) == ("work", {"name": "A/B.GPServer"})
        assert document["messages"] == []

    def test_what_the_job_says_of_itself_wins_over_defaults(self) -> None:
        job = job_after(attributes={"name": "editService"})
        assert enterprise.job(job, results={}, defaults={"name": "edit"})["name"] == "editService"

    def test_a_cancelled_job_always_has_messages(self) -> None:
        job = job_after(ev.CancelRequested(at=2000, by="ada"), ev.Cancelled(at=2001))
        assert enterprise.job(job, results={})["messages"] == []


@pytest.mark.parametrize("status", [enterprise.status, mission.status, video.status])
def test_a_job_that_is_tried_again_was_not_submitted_again(status: Any) -> None:
    assert status(job_after(ev.Waiting(at=1500))) == "SUBMITTED"
    assert status(job_after(STARTED, ev.Interrupted(at=3000, attempt=1, reason="killed"))) == "EXECUTING"


class TestGeoprocessingAdministered:
    def test_times_that_have_not_come_are_zero(self) -> None:
        document = admin_wire.kubernetes_job(job_after(), base="https://e.com/arcgis", service_id="s1")
        times = [document[f"job_{key}"] for key in ("created", "execution_start", "execution_end")]
        assert times == [1, 0, 0]
        assert (document["status"], document["status_code"], document["service_id"]) == ("Submitted", 1, "s1")
        assert admin_wire.server_job(job_after(), base="")["endTime"] == 0

    def test_every_change_is_another_revision(self) -> None:
        before, after = job_after(), job_after(STARTED)
        assert [
            admin_wire.kubernetes_job(each, base="", service_id="")["revision"] for each in (before, after)
        ] == ["1", "2"]

    def test_a_paused_job_is_shown_as_executing(self) -> None:
        job = job_after(STARTED, ev.PauseRequested(at=3000, by="ada"), ev.Paused(at=3001, attempt=1))
        document = admin_wire.kubernetes_job(job, base="", service_id="")
        assert (document["status"], document["status_code"]) == ("Executing", 3)

    def test_a_job_is_found_among_the_services(self) -> None:
        job = job_after(service="Tools.GPServer")
        wanted = f"https://e.com/arcgis/rest/services/Tools/GPServer/jobs/j{ID}"
        assert admin_wire.server_job(job, base="https://e.com/arcgis")["url"] == wanted

    def test_nobody_is_null(self) -> None:
        assert admin_wire.server_job(job_after(owner=""), base="")["username"] is None


class TestMission:
    def test_before_the_mission_has_an_id(self) -> None:
        document = mission.job(job_after(STARTED))
        assert document["customAttributes"] == {
            "stepsCompleted": 0,
            "isCancelled": False,
            "messageCodes": [],
            "totalSteps": 0,
        }
        assert (document["type"], document["endTime"]) == ("work", 0)

    def test_steps_are_the_stages_that_are_finished_and_those_that_are_planned(self) -> None:
        job = job_after(
            STARTED,
            ev.StagesPlanned(at=2000, attempt=1, names=["tracks", "map", "finish"]),
            ev.StageStarted(at=2001, attempt=1, name="tracks"),
            ev.StageFinished(at=2002, attempt=1, name="tracks"),
            ev.StageStarted(at=2003, attempt=1, name="map"),
        )
        attributes = mission.job(job)["customAttributes"]
        assert (attributes["stepsCompleted"], attributes["totalSteps"]) == (1, 3)
        failed = apply(job, ev.StageFailed(at=2004, attempt=1, name="map"))
        assert mission.job(failed)["customAttributes"]["stepsCompleted"] == 1

    def test_a_cancel_shows_from_the_moment_it_is_asked_for(self) -> None:
        cancelling = [STARTED, ev.CancelRequested(at=3000, by="ada")]
        for events in (cancelling, [*cancelling, ev.Cancelled(at=3001)]):
            assert mission.job(job_after(*events))["customAttributes"]["isCancelled"] is True

    def test_a_message_without_a_code_has_code_zero(self) -> None:
        document = mission.job(job_after(STARTED, said("Begun", code=1500), said("Hm")))
        assert document["messages"] == ["Begun", "Hm"]
        assert document["customAttributes"]["messageCodes"] == [1500, 0]


class TestVideo:
    def test_before_the_files_are_made(self) -> None:
        document = video.job(job_after(STARTED), inputs={"fileIds": "i1"}, results={"layerId": 0})
        assert (document["results"], document["inputs"]) == ({}, {"fileIds": "i1"})
        assert document["customAttributes"] == {"messageCodes": [], "savingToStorage": False}

    def test_how_far_it_is_stands_beside_what_the_document_shows(self) -> None:
        begun = (
            STARTED,
            ev.StagesPlanned(at=2000, attempt=1, names=["Probing Audio", "Transcoding"]),
            ev.StageStarted(at=2100, attempt=1, name="Probing Audio"),
            ev.StageFinished(at=2200, attempt=1, name="Probing Audio"),
            ev.StageStarted(at=2300, attempt=1, name="Transcoding"),
        )
        told = self.progress(job_after(*begun))
        assert told == {
            "fraction": 0.0,
            "text": "Transcoding",
            "steps": [
                {"name": "Probing Audio", "state": "finished", "started": 2100, "ended": 2200},
                {"name": "Transcoding", "state": "started", "started": 2300, "ended": None},
            ],
        }
        words = "Transcoding with CPU: 2 minutes left"
        told = self.progress(job_after(*begun, ev.Progressed(at=2400, attempt=1, fraction=0.5, text=words)))
        assert (told["fraction"], told["text"]) == (0.5, words)

    def test_of_a_job_that_has_ended_it_is_told_when_asked_for(self) -> None:
        done = job_after(
            STARTED,
            ev.StageStarted(at=2100, attempt=1, name="Probing Audio"),
            ev.StageFinished(at=2200, attempt=1, name="Probing Audio"),
            ev.Progressed(at=2400, attempt=1, fraction=0.97, text="soon"),
            ev.Succeeded(at=2500, attempt=1, results={}),
        )
        plain = video.job(done, inputs={}, results={})
        assert plain["customAttributes"] == {"messageCodes": [], "savingToStorage": False}
        told = self.progress(done, progress=True)
        assert (told["fraction"], told["text"]) == (1.0, "")
        assert [(each["started"], each["ended"]) for each in told["steps"]] == [(2100, 2200)]

    @staticmethod
    def progress(job: Job, **asked: bool) -> dict[str, Any]:
        document = video.job(job, inputs={}, results={}, **asked)
        told: dict[str, Any] = document["customAttributes"]["milepostProgress"]
        return told


class TestProduction:
    def test_messages_are_shown_down_to_the_level_that_is_asked_for(self) -> None:
        job = job_after(
            STARTED, said("Begun"), said("Hm", "warning"), said("No", "error"), said("Out", "abort")
        )
        everything = {"informative": ["Begun"], "warnings": ["Hm"], "errors": ["No", "Out"]}
        assert production.messages(job, "info") == everything
        assert production.messages(job, "warn") == {"warnings": ["Hm"], "errors": ["No", "Out"]}
        assert production.messages(job, "error") == production.messages(job) == {"errors": ["No", "Out"]}

    def test_a_version_is_a_name_also_when_more_was_sent(self) -> None:
        inputs = {
            "productVersion": {"name": "Test", "excludedOperations": [3]},
            "outputType": {"outputType": "pdf", "outputFiles": ["Raster"]},
        }
        document = production.job(job_after(), inputs=inputs)
        assert (document["productVersion"], document["outputType"]) == ("Test", "PDF")

    def test_an_area_that_the_client_drew_has_no_id(self) -> None:
        document = production.job(job_after(), inputs={"customAoi": [{}]})
        assert (document["aoiFeatureId"], document["aoiLayer"]) == (None, "")

    def test_the_share_stays_where_it_was_while_a_job_holds_still(self) -> None:
        job = job_after(
            STARTED,
            ev.Progressed(at=2500, attempt=1, fraction=0.25),
            ev.PauseRequested(at=3000, by="ada"),
            ev.Paused(at=3001, attempt=1),
        )
        document = production.job(job, inputs={})
        assert (document["status"], document["statusCode"]) == ("Paused", 100)
        assert document["percentComplete"] == 0.25

    def test_a_product_is_found_once_it_is_made(self) -> None:
        url = "https://e.com/map.pdf"
        assert production.job(job_after(STARTED), inputs={}, output_url=url)["outputUrl"] == ""
        done = production.job(
            job_after(STARTED, ev.Succeeded(at=3000, attempt=1, results={"product": Kept("map.pdf")})),
            inputs={},
            output_url=url,
        )
        assert (done["outputUrl"], done["percentComplete"]) == (url, 1)
        assert (done["submissionTime"], done["lastUpdatedTime"]) == (
            "1970-01-01T00:00:01Z",
            "1970-01-01T00:00:03Z",
        )
