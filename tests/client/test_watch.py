"""Watching jobs of a real HTTP server that follows a script."""

import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from tests.client.peer import Answer, Asked, Drop, Peer
from tests.client.test_dialects import ANY_JSON, ANY_OBJECT, vector

from milepost.client import (
    Address,
    BadAnswerError,
    ClientError,
    JobView,
    JsonDisplay,
    LiveDisplay,
    LostError,
    Note,
    Pace,
    PlainDisplay,
    ServerError,
    Session,
    SignInError,
    UnreachableError,
    cancel,
    follow,
    watch,
)

QUICK = Pace(first=0.001, longest=0.001, patience=5)
JOB = "/arcgis/rest/services/Analysis/Proximity/GPServer/buffer/jobs/j1"


def gp(status: str, **more: Any) -> dict[str, Any]:
    return {"jobId": "j1", "jobStatus": f"esriJob{status}", **more}


def seen(peer: Peer, path: str = JOB, pace: Pace = QUICK) -> list[JobView | Note]:
    address = Address(peer.url + path)
    with Session(address) as session:
        return list(watch(session, address, pace))


def states(found: list[JobView | Note]) -> list[str]:
    return [each.state if isinstance(each, JobView) else "note" for each in found]


def test_each_change_is_seen_once_and_the_end_ends_it(peer: Peer) -> None:
    progress = gp("Executing", progress={"percent": 50, "message": "half"})
    peer.script(JOB, gp("Submitted"), gp("Executing"), gp("Executing"), progress, gp("Succeeded"))
    found = seen(peer)
    assert states(found) == ["queued", "running", "running", "succeeded"]
    assert peer.times(JOB) == 5


@pytest.mark.parametrize(
    ("path", "body", "state"),
    [
        ("/k8s/admin/jobs/j1", vector("enterprise_job_completed"), "succeeded"),
        ("/k8s/admin/services/System/P.GPServer/jobs/j1", vector("gp_admin_job_succeeded"), "succeeded"),
        ("/mission/rest/jobs/j1", vector("mission_job_completed"), "succeeded"),
        ("/video/rest/jobs/job/j1", vector("video_job_completed"), "succeeded"),
        (
            "/s/TopographicProductionServer/jobs/job/X",
            vector("production_query_by_status")["jobs"][0],
            "failed",
        ),
        ("/ogc/jobs/a", {"jobID": "a", "status": "dismissed", "type": "process"}, "cancelled"),
    ],
)
def test_a_job_of_any_dialect_is_followed(peer: Peer, path: str, body: Any, state: str) -> None:
    peer.script(path, body)
    assert states(seen(peer, path)) == [state]


def test_production_is_asked_for_all_messages(peer: Peer) -> None:
    path = "/TopographicProductionServer/jobs/job/X"
    job = vector("production_query_by_date_info")["jobs"][1]
    told = {**job, "messages": {"errors": job["messages"]["errors"]}}
    peer.script(path, lambda asked: job if asked.query.get("msgLevel") == "info" else told)
    (view,) = seen(peer, path)
    assert isinstance(view, JobView)
    assert [message.text for message in view.messages][:2] == ["Submitted.", "Executing..."]


def test_stages_of_a_geoprocessing_job_are_asked_for_where_there_are_some(peer: Peer) -> None:
    def answer(asked: Asked) -> Any:
        stages = [{"name": "reading", "state": "finished"}]
        return gp("Succeeded") | ({"stages": stages} if asked.query.get("milepost:stages") == "true" else {})

    peer.script(JOB, answer)
    (view,) = seen(peer)
    assert isinstance(view, JobView)
    assert [stage.name for stage in view.stages] == ["reading"]


def test_a_server_that_fails_for_a_moment_is_borne(peer: Peer) -> None:
    peer.script(
        JOB,
        gp("Executing"),
        Drop,
        Answer(b"<html>Bad gateway</html>", 502, {"Content-Type": "text/html"}),
        Answer({"error": {"code": 500, "message": "Busy", "details": []}}),
        Answer(b"<html>Starting</html>", 200, {"Content-Type": "text/html"}),
        gp("Succeeded"),
    )
    found = seen(peer)
    assert states(found) == ["running", "note", "note", "note", "note", "succeeded", "note"]


def test_a_server_that_stays_away_is_given_up(peer: Peer) -> None:
    peer.script(JOB, gp("Executing"), Drop)
    with pytest.raises(LostError, match="gave up after 0 s"):
        seen(peer, pace=Pace(first=0.001, longest=0.001, patience=0))


def test_an_address_where_nothing_listens_is_told_at_once(peer: Peer) -> None:
    peer.script(JOB, Drop)
    with pytest.raises(UnreachableError, match="cannot be reached"):
        seen(peer)
    assert peer.times(JOB) == 1


def test_a_status_that_says_nothing_is_given_up(peer: Peer) -> None:
    peer.script("/admin/jobs/j1", {"jobid": "j1", "status": "UNAVAILABLE"})
    with pytest.raises(LostError, match="UNAVAILABLE"):
        seen(peer, "/admin/jobs/j1", Pace(first=0.001, longest=0.001, patience=0))


def test_a_status_that_is_unavailable_for_a_moment_is_borne(peer: Peer) -> None:
    job = {"jobid": "j1"}
    peer.script(
        "/admin/jobs/j1",
        job | {"status": "UNAVAILABLE"},
        job | {"status": "EXECUTING"},
        job | {"status": "COMPLETED"},
    )
    assert states(seen(peer, "/admin/jobs/j1")) == ["unknown", "note", "running", "note", "succeeded"]


def test_a_job_that_is_deleted_while_it_is_watched_ends_the_watching(peer: Peer) -> None:
    peer.script(
        JOB, gp("Executing"), Answer({"error": {"code": 404, "message": "No such job", "details": []}})
    )
    with pytest.raises(LostError, match="no longer knows the job, which was running"):
        seen(peer)


def test_deleted_is_an_end(peer: Peer) -> None:
    peer.script(JOB, gp("Deleting"))
    assert states(seen(peer)) == ["deleted"]


def test_a_dead_token_ends_the_watching(peer: Peer) -> None:
    dead = Answer({"error": {"code": 498, "message": "Invalid Token", "details": []}})
    peer.script(JOB, gp("Executing"), dead)
    with pytest.raises(SignInError, match="498 Invalid Token"):
        seen(peer)


def test_a_server_that_asks_to_be_left_alone_is(peer: Peer) -> None:
    rests: list[float] = []
    busy = Answer(b"", 503, {"Retry-After": "3", "Content-Type": "text/plain"})
    peer.script(JOB, gp("Executing"), busy, gp("Succeeded"))
    seen(peer, pace=Pace(first=0.001, longest=0.001, patience=5, sleep=rests.append))
    assert rests == [0.001, 3.0]


def test_waits_grow_to_the_longest(peer: Peer) -> None:
    rests: list[float] = []
    peer.script(JOB, *[gp("Executing")] * 12, gp("Succeeded"))
    seen(peer, pace=Pace(sleep=rests.append))
    assert rests[0] == 0.2
    assert rests == sorted(rests)
    assert rests[-1] == 2.0


@pytest.mark.parametrize("body", [{"jobs": []}, {}, [], "x", {"status": "ok"}])
def test_what_is_no_job_is_told(peer: Peer, body: Any) -> None:
    peer.script(JOB, Answer(body))
    with pytest.raises(BadAnswerError, match="is not the address of a job"):
        seen(peer)


class TestCancel:
    @pytest.mark.parametrize(
        ("path", "body", "method", "where"),
        [
            (JOB, gp("Executing"), "POST", JOB + "/cancel"),
            ("/admin/jobs/j1", {"jobid": "j1", "status": "EXECUTING"}, "POST", "/admin/jobs/j1/cancel"),
            ("/rest/jobs/j1", {"jobId": "j1", "status": "EXECUTING"}, "POST", "/rest/jobs/j1/cancel"),
            (
                "/T/jobs/job/X",
                {"jobId": "X", "statusCode": 3, "status": "InProgress"},
                "POST",
                "/T/jobs/cancel",
            ),
            ("/ogc/jobs/a", {"jobID": "a", "status": "running"}, "DELETE", "/ogc/jobs/a"),
        ],
    )
    def test_each_dialect_is_asked_in_its_own_way(
        self, peer: Peer, path: str, body: Any, method: str, where: str
    ) -> None:
        peer.script(path, body)
        if where != path:
            peer.script(where, {"success": True})
        address = Address(peer.url + path)
        with Session(address) as session:
            cancel(session, address)
        last = peer.asked[-1]
        assert (last.method, last.path) == (method, where)
        if method == "POST" and body.get("jobId") == "X":
            assert last.form["jobId"] == "X"

    def test_a_refusal_is_told(self, peer: Peer) -> None:
        peer.script("/T/jobs/job/X", {"jobId": "X", "statusCode": 3, "status": "InProgress"})
        peer.script(
            "/T/jobs/cancel", {"success": False, "items": [{"success": False, "message": "Too late"}]}
        )
        address = Address(peer.url + "/T/jobs/job/X")
        with Session(address) as session, pytest.raises(ServerError, match="Too late"):
            cancel(session, address)


def followed(peer: Peer, display: Any, path: str = JOB) -> JobView:
    address = Address(peer.url + path)
    with Session(address) as session:
        return follow(session, address, display, QUICK)


HISTORY = (
    gp("Submitted"),
    gp(
        "Executing",
        progress={"percent": 30, "message": "Buffering"},
        messages=[{"type": "esriJobMessageTypeWarning", "description": "2 features have no geometry"}],
    ),
    gp("Succeeded", results={"result": {"paramUrl": "results/result"}}),
)
RESULT = {
    "paramName": "result",
    "dataType": "GPFeatureRecordSetLayer",
    "value": {"geometryType": "esriGeometryPolygon", "features": [{}, {}]},
}


class TestDisplays:
    def play(self, peer: Peer, display: Any) -> JobView:
        peer.script(JOB, *HISTORY)
        peer.script(JOB + "/results/result", RESULT)
        return followed(peer, display)

    def test_plain_lines(self, peer: Peer) -> None:
        lines: list[str] = []
        self.play(peer, PlainDisplay(lines.append, "buffer", submitted=True))
        text = "\n".join(lines)
        for part in (
            "buffer  job j1",
            "waiting for its turn (esriJobSubmitted)",
            "running (esriJobExecuting)",
            "WARNING: 2 features have no geometry",
            "30%  Buffering",
            "succeeded in",
            "result: 2 polygon features",
            f"result: {peer.url}{JOB}/results/result",
        ):
            assert part in text

    def test_json_lines(self, peer: Peer) -> None:
        lines: list[str] = []
        self.play(peer, JsonDisplay(lines.append, "U"))
        bodies = [json.loads(line) for line in lines]
        assert [body["state"] for body in bodies] == ["queued", "running", "succeeded"]
        assert [body["finished"] for body in bodies] == [False, False, True]
        assert [len(body["messages"]) for body in bodies] == [0, 1, 0]
        assert bodies[-1]["results"][0]["value"]["geometryType"] == "esriGeometryPolygon"

    def test_live(self, peer: Peer) -> None:
        out = io.StringIO()
        console = Console(file=out, force_terminal=True, width=100, highlight=False)
        self.play(peer, LiveDisplay(console, "buffer", submitted=True))
        text = out.getvalue()
        assert "2 features have no geometry" in text
        assert "succeeded" in text
        assert "2 polygon features" in text

    def test_a_result_that_cannot_be_had_leaves_its_address(self, peer: Peer) -> None:
        peer.script(JOB, *HISTORY)
        lines: list[str] = []
        view = followed(peer, PlainDisplay(lines.append, "buffer"))
        assert view.results[0].value is None
        assert "/results/result" in lines[-1]


def any_display(kind: int) -> Any:
    if kind == 0:
        return PlainDisplay(lambda line: None, "job")
    if kind == 1:
        return JsonDisplay(lambda line: None, "U")
    return LiveDisplay(Console(file=io.StringIO(), force_terminal=True, width=60), "job")


_ANY_ANSWER = st.builds(
    Answer,
    ANY_OBJECT | ANY_JSON | st.binary(max_size=40) | ANY_OBJECT.map(lambda body: body | gp("Executing")),
    st.sampled_from([200, 200, 200, 200, 201, 204, 301, 400, 401, 404, 410, 429, 500, 503]),
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=80,
)
@given(
    answers=st.lists(_ANY_ANSWER, min_size=1, max_size=3),
    result=_ANY_ANSWER,
    start=st.booleans(),
    kind=st.integers(0, 2),
)
def test_whatever_a_server_answers_ends_in_a_view_or_in_words(
    peer: Peer, answers: list[Answer], result: Answer, start: bool, kind: int
) -> None:
    def anything(asked: Asked) -> Any:
        return result

    first = [Answer(gp("Executing"))] if start else []
    peer.script(JOB, *first, *answers, gp("Succeeded", results={"a": {"paramUrl": "results/a"}}))
    peer.script(JOB + "/results/a", anything)
    said = "a view"
    try:
        followed(peer, any_display(kind))
    except ClientError as error:
        said = str(error)
    assert said
    assert "\n" not in said
