"""The commands about jobs, against a server that follows a script."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cli.conftest import Run
from tests.client.peer import Answer, Asked, Drop, Peer
from tests.client.test_dialects import ANY_JSON, ANY_OBJECT

from milepost.cli import main

TASK = "/arcgis/rest/services/Analysis/Proximity/GPServer/buffer"
JOB = f"{TASK}/jobs/j1"


def gp(status: str, **more: Any) -> dict[str, Any]:
    return {"jobId": "j1", "jobStatus": f"esriJob{status}", **more}


class TestWatch:
    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (gp("Succeeded"), 0),
            (gp("Failed"), 1),
            (gp("TimedOut"), 1),
            (gp("Cancelled"), 3),
            (gp("Deleted"), 4),
            ({"error": {"code": 404, "message": "No such job", "details": []}}, 4),
            ({"error": {"code": 499, "message": "Token Required", "details": []}}, 4),
            (Drop, 4),
            (Answer(b"<html>"), 4),
        ],
    )
    def test_the_exit_code_tells_how_it_ended(self, peer: Peer, run: Run, answer: Any, code: int) -> None:
        result = run("watch", peer.script(JOB, answer), code=code)
        if code == 4 and answer != gp("Deleted"):
            assert result.stderr.startswith("Error: ")
            assert result.stderr.count("\n") == 1

    def test_lines_for_people(self, peer: Peer, run: Run) -> None:
        said = [{"type": "esriJobMessageTypeError", "description": "ERROR 000732: no such dataset"}]
        result = run("watch", peer.script(JOB, gp("Executing"), gp("Failed", messages=said)), code=1)
        assert "buffer  job j1" in result.stdout
        assert "ERROR: ERROR 000732: no such dataset" in result.stdout
        assert "failed: ERROR 000732: no such dataset" in result.stdout

    def test_a_line_of_json_for_each_change(self, peer: Peer, run: Run) -> None:
        result = run("watch", "--json", peer.script(JOB, gp("Submitted"), gp("Executing"), gp("Succeeded")))
        bodies = [json.loads(line) for line in result.stdout.splitlines()]
        assert [body["state"] for body in bodies] == ["queued", "running", "succeeded"]

    @pytest.mark.parametrize("url", ["", "j1", "ftp://host/x"])
    def test_an_address_that_is_none_is_a_mistake_of_usage(self, run: Run, url: str) -> None:
        assert "http" in run("watch", url, code=2).stderr

    def test_an_option_can_be_an_environment_variable(self, peer: Peer, run: Run) -> None:
        run("watch", peer.script(JOB, gp("Succeeded")), env={"MILEPOST_TOKEN": "abc"})
        assert peer.asked[0].headers["x-esri-authorization"] == "Bearer abc"

    def test_a_password_is_read_from_the_input(self, peer: Peer, run: Run) -> None:
        peer.script("/arcgis/sharing/rest/generateToken", {"token": "abc"})
        url = peer.script(JOB, gp("Succeeded"))
        run("watch", url, "--user", "ann", "--password-stdin", input="secret\n")
        (signed_in,) = [asked for asked in peer.asked if asked.method == "POST"]
        assert signed_in.form["password"] == "secret"

    def test_a_password_is_never_an_argument(self, run: Run) -> None:
        for command in ("watch", "submit", "cancel", "pause", "resume", "token", "jobs"):
            text = run(command, "--help").stdout
            assert "--password " not in text
            assert "--password-stdin" in text

    def test_without_a_password_it_says_how_to_give_one(self, peer: Peer, run: Run) -> None:
        result = run("watch", peer.script(JOB, gp("Succeeded")), "--user", "ann", code=2)
        assert "MILEPOST_PASSWORD" in result.stderr


class TestSubmit:
    def test_values_are_sent_and_the_address_of_the_job_is_printed(
        self, peer: Peer, run: Run, tmp_path: Path
    ) -> None:
        (tmp_path / "roads.json").write_text('{"features": []}')
        peer.script(f"{TASK}/submitJob", gp("Submitted"))
        result = run(
            *("submit", peer.url + TASK, f"features=@{tmp_path}/roads.json"),
            *("distance=100 Meters", "note=a=b", "at=@@home"),
        )
        assert result.stdout == f"{peer.url}{JOB}\n"
        assert peer.asked[0].form == {
            "features": '{"features": []}',
            "distance": "100 Meters",
            "note": "a=b",
            "at": "@home",
            "f": "json",
        }

    def test_it_can_be_followed_at_once(self, peer: Peer, run: Run) -> None:
        peer.script(f"{TASK}/submitJob", gp("Submitted"))
        peer.script(JOB, gp("Executing"), gp("Cancelled"))
        assert "cancelled" in run("submit", f"{peer.url}{TASK}/submitJob", "--watch", code=3).stdout

    def test_a_file_is_uploaded_first(self, peer: Peer, run: Run, tmp_path: Path) -> None:
        (tmp_path / "dem.tif").write_bytes(b"\x00raster")
        upload = "/arcgis/rest/services/Analysis/Proximity/GPServer/uploads/upload"
        peer.script(upload, {"success": True, "item": {"itemID": "i7"}})
        peer.script(f"{TASK}/submitJob", gp("Submitted"))
        result = run("submit", peer.url + TASK, "--file", f"dem={tmp_path}/dem.tif", "--json")
        assert json.loads(result.stdout)["jobId"] == "j1"
        assert b"\x00raster" in peer.asked[0].body
        assert b'filename="dem.tif"' in peer.asked[0].body
        assert json.loads(peer.asked[1].form["dem"]) == {"itemID": "i7"}

    def test_a_key_makes_it_one_submission(self, peer: Peer, run: Run) -> None:
        peer.script(f"{TASK}/submitJob", gp("Submitted"))
        run("submit", peer.url + TASK, "--key", "nightly-7")
        assert peer.asked[0].headers["idempotency-key"] == "nightly-7"

    def test_a_refusal_names_the_parameter(self, peer: Peer, run: Run) -> None:
        details = ["Parameter 'distance' is required"]
        peer.script(
            f"{TASK}/submitJob", {"error": {"code": 400, "message": "Unable to submit", "details": details}}
        )
        assert "Parameter 'distance' is required" in run("submit", peer.url + TASK, code=4).stderr

    @pytest.mark.parametrize("value", ["distance", "=7", "f=html", "token=x", "a=@/no/such/file"])
    def test_a_value_that_is_none_is_a_mistake_of_usage(self, run: Run, value: str) -> None:
        run("submit", "http://127.0.0.1:1/GPServer/t", value, code=2)

    @pytest.mark.parametrize("answer", [{}, [], {"jobId": 7}, {"jobId": ""}, "x", None])
    def test_an_answer_without_a_job_is_told(self, peer: Peer, run: Run, answer: Any) -> None:
        peer.script(f"{TASK}/submitJob", Answer(answer))
        assert "did not start a job" in run("submit", peer.url + TASK, code=4).stderr


class TestCancel:
    def test_it_waits_until_the_job_has_stopped(self, peer: Peer, run: Run) -> None:
        peer.script(JOB, gp("Executing"), gp("Cancelling"), gp("Cancelled"))
        peer.script(f"{JOB}/cancel", gp("Cancelling"))
        assert "cancelled" in run("cancel", peer.url + JOB).stdout

    def test_a_job_that_ends_in_another_way_is_told(self, peer: Peer, run: Run) -> None:
        peer.script(JOB, gp("Executing"), gp("Succeeded"))
        peer.script(f"{JOB}/cancel", gp("Cancelling"))
        run("cancel", peer.url + JOB, code=1)

    def test_a_job_that_has_ended_cannot_be_cancelled(self, peer: Peer, run: Run) -> None:
        peer.script(JOB, gp("Succeeded"))
        assert "it is succeeded already" in run("cancel", peer.url + JOB, code=1).stderr
        assert peer.times(f"{JOB}/cancel") == 0

    def test_it_need_not_wait(self, peer: Peer, run: Run) -> None:
        peer.script(JOB, gp("Executing"))
        peer.script(f"{JOB}/cancel", gp("Cancelling"))
        assert json.loads(run("cancel", "--no-wait", "--json", peer.url + JOB).stdout)["accepted"] is True


class TestPause:
    SHEET = "/arcgis/rest/services/S/TopographicProductionServer/jobs"

    def script(self, peer: Peer, code: int) -> str:
        return peer.script(f"{self.SHEET}/job/X", {"jobId": "X", "statusCode": code, "status": "InProgress"})

    @pytest.mark.parametrize("act", ["pause", "resume"])
    def test_the_server_is_asked(self, peer: Peer, run: Run, act: str) -> None:
        url = self.script(peer, 3)
        peer.script(f"{self.SHEET}/{act}", {"success": True})
        assert run(act, url).stdout == f"The server {act}s X.\n"
        assert peer.asked[-1].form["jobId"] == "X"
        assert json.loads(run(act, url, "--json").stdout) == {"jobId": "X", "url": url, "accepted": True}

    def test_a_refusal_is_told(self, peer: Peer, run: Run) -> None:
        url = self.script(peer, 100)
        refusal = {"id": "X", "success": False, "message": "The job is paused already"}
        peer.script(f"{self.SHEET}/pause", {"success": False, "items": [refusal]})
        assert "The job is paused already" in run("pause", url, code=4).stderr

    def test_a_job_that_has_ended_is_told(self, peer: Peer, run: Run) -> None:
        url = self.script(peer, 4)
        assert "can no longer be resumed; it is succeeded already" in run("resume", url, code=1).stderr
        assert peer.times(f"{self.SHEET}/resume") == 0

    def test_other_jobs_cannot_be_paused(self, peer: Peer, run: Run) -> None:
        peer.script(JOB, gp("Executing"))
        assert "no topographic production job" in run("pause", peer.url + JOB, code=4).stderr


class TestJobs:
    LISTED = "/arcgis/rest/jobs"

    def test_a_list_in_lines(self, peer: Peer, run: Run) -> None:
        one = {
            "jobId": "j1",
            "jobStatus": "executing",
            "service": "Analysis/Proximity.GPServer",
            "operation": "buffer",
            "owner": "ann",
            "submitted": 1767225600000,
            "progress": 0.5,
            "url": "http://host/job",
        }
        peer.script(self.LISTED, {"jobs": [one, {}], "more": True})
        result = run("jobs", "--server", f"{peer.url}/arcgis", "--status", "executing", "--status", "failed")
        head, row, empty = result.stdout.splitlines()
        assert head.split("\t")[0] == "status"
        assert row.split("\t")[1:4] == ["buffer", "Analysis/Proximity.GPServer", "ann"]
        assert row.endswith("50%\thttp://host/job")
        assert not empty.strip()
        assert "More follow: --start 3" in result.stderr

    def test_filters_are_passed_on(self, peer: Peer, run: Run) -> None:
        peer.script(self.LISTED, {"jobs": [], "more": False})
        run("jobs", "--server", f"{peer.url}/arcgis", "--owner", "ann", "--num", "5", "--json")
        assert peer.asked[0].query == {"owner": "ann", "start": "1", "num": "5", "f": "json"}

    def test_another_server_is_told(self, peer: Peer, run: Run) -> None:
        assert run("jobs", "--server", f"{peer.url}/arcgis", code=4).stderr.startswith("Error: ")


class TestToken:
    def test_it_is_printed(self, peer: Peer, run: Run) -> None:
        peer.script("/arcgis/sharing/rest/generateToken", {"token": "abc", "expires": 7})
        result = run(
            *("token", "--server", f"{peer.url}/arcgis", "--user", "ann", "--expiration", "5"),
            env={"MILEPOST_PASSWORD": "secret"},
        )
        assert result.stdout == "abc\n"
        assert peer.asked[-1].form["expiration"] == "5"

    def test_it_needs_a_name(self, run: Run) -> None:
        assert "--user" in run("token", code=2).stderr


_COMMANDS = (
    ("watch", JOB, "--patience", "0"),
    ("watch", JOB, "--patience", "0", "--json"),
    ("submit", TASK),
    ("cancel", JOB, "--patience", "0"),
    ("pause", JOB),
    ("jobs", "--server", "/arcgis"),
    ("token", "--server", "/arcgis", "--user", "ann"),
)


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=60)
@given(answer=ANY_OBJECT | ANY_JSON | st.just({"jobs": [{}]}), command=st.sampled_from(_COMMANDS))
def test_whatever_a_server_answers_no_command_ends_in_a_traceback(
    peer: Peer, answer: Any, command: tuple[str, ...]
) -> None:
    def anything(asked: Asked) -> Any:
        return Answer(answer)

    for path in (JOB, f"{TASK}/submitJob", f"{JOB}/cancel", "/arcgis/rest/jobs", "/arcgis/rest/info"):
        peer.script(path, anything)
    peer.script("/arcgis/sharing/rest/generateToken", anything)
    arguments = [peer.url + part if part.startswith("/") else part for part in command]
    result = CliRunner().invoke(main, arguments, env={"MILEPOST_PASSWORD": "secret"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code in (0, 1, 3, 4)
