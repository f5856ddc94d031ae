"""Reading the job resource of any dialect. Pure: JSON in, a ``JobView`` out.

The dialect is recognised by the keys of the JSON, not by the address: each dialect spells the
id of its job in a way of its own. Everything a server sends is taken as it comes; a value of
an unexpected type is as good as none.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urljoin

import msgspec

from milepost.client.values import items, mapping, moment, text
from milepost.client.views import (
    Dialect,
    JobView,
    Message,
    MessageLevel,
    Result,
    Stage,
    State,
    one_line,
    share,
)
from milepost.client.words import LEVELS, NUMBERED, STAGE_STATES, state_of

OGC_RESULTS: Final = "http://www.opengis.net/def/rel/ogc/1.0/results"
"""Relation of the link to the results of an OGC API - Processes job."""


class NotAJobError(ValueError):
    """The JSON is no job resource; the text says what it looks like instead."""


def read_job(body: Any, url: str = "") -> JobView:
    """The job that a server described.

    Args:
        body: the decoded JSON.
        url: the address it came from; the addresses of results are made from it.

    Raises:
        NotAJobError: it is something else.
    """
    if not isinstance(body, Mapping):
        raise NotAJobError("the answer is no JSON object")
    status = text(body.get("jobStatus") or body.get("status"))
    if body.get("jobsUrl"):
        raise NotAJobError(f"it is the receipt of a job: use its address, {text(body['jobsUrl'])}")
    if not status and "statusCode" not in body:
        if any(isinstance(body.get(key), list) for key in ("jobs", "asyncJobs")):
            raise NotAJobError("it is a list of jobs: use the address of one of them")
        raise NotAJobError("it has no status")
    reader = _recognise(body, status)
    if reader is None:
        raise NotAJobError("it has a status, but no job id")
    view = reader(body, status)
    return msgspec.structs.replace(
        view, results=tuple(Result(each.name, each.value, _absolute(each.url, url)) for each in view.results)
    )


def _recognise(body: Mapping[str, Any], status: str) -> "_Reader | None":
    esri_word = status.startswith("esriJob")
    if "job_id" in body:
        return _geoprocessing_admin
    if "jobid" in body:
        return _server if "totalsteps" in body or "operationResponse" in body else _enterprise
    if ("jobId" in body or "jobID" in body) and "jobStatus" in body:
        return _geoprocessing
    if ("jobId" in body or "jobID" in body) and esri_word:
        return _geoprocessing_admin
    if "jobID" in body:
        return _processes
    if "jobId" not in body:
        return None
    if "statusCode" in body:
        return _production
    attributes = mapping(body.get("customAttributes"))
    if "inputs" in body or "results" in body or "newLayerId" in attributes:
        return _video
    return _mission


_Reader = Callable[[Mapping[str, Any], str], JobView]


def _geoprocessing(body: Mapping[str, Any], status: str) -> JobView:
    """``GPServer/<task>/jobs/<id>``."""
    messages = _messages(body.get("messages"))
    progress = mapping(body.get("progress"))
    results = [
        Result(text(name), url=text(link.get("paramUrl")) or f"results/{text(name)}")
        for name, link in mapping(body.get("results")).items()
        if isinstance(link, Mapping)
    ]
    return _view(
        "geoprocessing",
        body.get("jobId", body.get("jobID")),
        status,
        messages=messages,
        fraction=share(progress.get("percent"), 100),
        doing=text(progress.get("message")),
        stages=_stages(body.get("stages")),
        results=results,
    )


def _enterprise(body: Mapping[str, Any], status: str) -> JobView:
    """``admin/jobs/<id>`` of an Enterprise deployment."""
    result = body.get("result")
    told = _messages(body.get("messages")) or _messages(mapping(result).get("messages"))
    stages = _stages(mapping(body.get("progress")).get("stages"))
    done = sum(stage.state == "finished" for stage in stages)
    return _view(
        "enterprise",
        body.get("jobid"),
        status,
        messages=told,
        stages=stages,
        fraction=share(done, len(stages)),
        results=_values(result),
        error=one_line(each.text for each in told) if state_of(status) in ("failed", "timed_out") else "",
        owner=text(body.get("username")),
        operation=text(body.get("name")) or text(body.get("operationURI")).rstrip("/").rpartition("/")[2],
        started_at=moment(body.get("starttime")),
        ended_at=moment(body.get("endtime")),
    )


def _server(body: Mapping[str, Any], status: str) -> JobView:
    """``admin/system/jobs/<id>`` of an ArcGIS Server: a failure hides in a completed job."""
    response = mapping(body.get("operationResponse"))
    failed = response.get("status") == "error"
    told = _messages(response.get("messages"), "error" if failed else "info")
    total = body.get("totalsteps")
    return _view(
        "server",
        body.get("jobid"),
        "FAILED" if failed and state_of(status) == "succeeded" else status,
        messages=told,
        fraction=share(body.get("currentstep"), total) if isinstance(total, int | float) else None,
        error=one_line(each.text for each in told) if failed else "",
        results=[] if failed else _values(response),
    )


def _geoprocessing_admin(body: Mapping[str, Any], status: str) -> JobView:
    """``admin/services/.../X.GPServer/jobs/<id>``, of Kubernetes (``job_id``) or of a Server."""
    address = text(body.get("url"))
    return _view(
        "geoprocessing-admin",
        body.get("job_id", body.get("jobId", body.get("jobID"))),
        status,
        results=[Result("job", url=address)] if address else [],
        owner=text(body.get("username", body.get("userName"))),
        started_at=moment(body.get("job_execution_start", body.get("submittedTime"))),
        ended_at=moment(body.get("job_execution_end", body.get("endTime"))),
    )


def _mission(body: Mapping[str, Any], status: str) -> JobView:
    """``jobs/<id>`` of a Mission Server."""
    attributes = mapping(body.get("customAttributes"))
    total = attributes.get("totalSteps")
    mission = attributes.get("missionId")
    return _view(
        "mission",
        body.get("jobId"),
        status,
        messages=_messages(body.get("messages"), codes=attributes.get("messageCodes")),
        fraction=share(attributes.get("stepsCompleted"), total) if isinstance(total, int | float) else None,
        results=[Result("missionId", text(mission))] if mission else [],
        owner=text(body.get("username")),
        operation=text(body.get("type")),
        started_at=moment(body.get("startTime")),
        ended_at=moment(body.get("endTime")),
    )


def _production(body: Mapping[str, Any], status: str) -> JobView:
    """``TopographicProductionServer/jobs/job/<id>``: the number of the status says more than its word."""
    grouped = mapping(body.get("messages"))
    messages = [
        message
        for group, texts in grouped.items()
        for message in _messages(texts, LEVELS.get(str(group).lower(), "info"))
    ]
    code = body.get("statusCode")
    state = NUMBERED.get(code) if isinstance(code, int) else None
    output = text(body.get("outputUrl"))
    done = share(body.get("percentComplete"))
    if done == 1 and body.get("percentComplete") != 1:
        # The documents' examples have a share, their word is percent.
        done = share(body.get("percentComplete"), 100)
    view = _view(
        "production",
        body.get("jobId"),
        status or text(code),
        messages=messages,
        fraction=done,
        results=[Result("output", url=output)] if output else [],
        owner=text(body.get("user")),
        operation=text(body.get("productName")),
        started_at=moment(body.get("submissionTime")),
        state=state,
    )
    return (
        msgspec.structs.replace(view, ended_at=moment(body.get("lastUpdatedTime"))) if view.finished else view
    )


def _video(body: Mapping[str, Any], status: str) -> JobView:
    """``jobs/job/<id>`` of a Video Server; how far it is tell only those of Milepost."""
    attributes = mapping(body.get("customAttributes"))
    progress = mapping(attributes.get("milepostProgress"))
    return _view(
        "video",
        body.get("jobId"),
        status,
        messages=_messages(body.get("messages"), codes=attributes.get("messageCodes")),
        fraction=share(progress.get("fraction")),
        doing=text(progress.get("text")),
        stages=_stages(progress.get("steps")),
        results=_values(body.get("results")),
        owner=text(body.get("username")),
        operation=text(body.get("type")),
    )


def _processes(body: Mapping[str, Any], status: str) -> JobView:
    """``jobs/<id>`` of OGC API - Processes."""
    state = state_of(status)
    told = text(body.get("message"))
    level: MessageLevel = "error" if state == "failed" else "info"
    links = [link for link in items(body.get("links")) if isinstance(link, Mapping)]
    addresses = [text(link.get("href")) for link in links if link.get("rel") == OGC_RESULTS]
    address = next((href for href in addresses if href), "results")
    return _view(
        "processes",
        body.get("jobID"),
        status,
        messages=[Message(told, level)] if told else [],
        fraction=share(body.get("progress"), 100),
        results=[Result("results", url=address)] if state == "succeeded" else [],
        operation=text(body.get("processID")),
        started_at=moment(body.get("started", body.get("created"))),
        ended_at=moment(body.get("finished")),
    )


def _view(
    dialect: Dialect,
    job_id: Any,
    status: str,
    *,
    messages: list[Message] | None = None,
    stages: list[Stage] | None = None,
    results: list[Result] | None = None,
    fraction: float | None = None,
    doing: str = "",
    error: str = "",
    owner: str = "",
    operation: str = "",
    started_at: int = 0,
    ended_at: int = 0,
    state: State | None = None,
) -> JobView:
    """A view in which everything that follows from something else is filled in."""
    state = state or state_of(status)
    told = tuple(messages or ())
    if state in ("failed", "timed_out") and not error:
        error = one_line(message.text for message in told if message.level == "error")
        error = error or (told[-1].text if told else "")
    return JobView(
        dialect=dialect,
        id=text(job_id),
        state=state,
        status=status,
        fraction=1.0 if state == "succeeded" else fraction,
        doing=doing,
        messages=told,
        stages=tuple(stages or ()),
        results=tuple(results or ()),
        error=one_line([error]),
        owner=owner,
        operation=operation,
        started_at=started_at,
        ended_at=ended_at,
    )


def _absolute(link: str, url: str) -> str:
    """The address that ``link`` means in the resource at ``url``; empty when it means none."""
    try:
        return urljoin(f"{url.rstrip('/')}/", link) if link else ""
    except ValueError:
        return ""


def _messages(value: Any, level: MessageLevel = "info", codes: Any = None) -> list[Message]:
    """Messages from texts, or from objects with a type and a description; ``codes`` run in parallel."""
    numbers = items(codes)
    found = []
    for place, each in enumerate(items(value)):
        number = numbers[place] if place < len(numbers) else 0
        said, weight = each, level
        if isinstance(each, Mapping):
            said = each.get("description", each.get("message"))
            kind = text(each.get("type")).removeprefix("esriJobMessageType").lower()
            weight = LEVELS.get(kind, level)
        if text(said).strip():
            found.append(Message(text(said), weight, number if isinstance(number, int) else 0))
    return found


def _stages(value: Any) -> list[Stage]:
    return [
        Stage(text(each.get("name")), STAGE_STATES.get(text(each.get("state")).lower(), "pending"))
        for each in items(value)
        if isinstance(each, Mapping)
    ]


def _values(value: Any) -> list[Result]:
    """The members of an object of results."""
    return [Result(text(name), each) for name, each in mapping(value).items()]
