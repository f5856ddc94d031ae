"""The resource that is asked for most: the state of one job, once a second by every client."""

import re
from collections import OrderedDict
from functools import lru_cache
from typing import Any, Final

import msgspec
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from milepost.http import (
    JSON_HEADERS,
    JSON_TYPE,
    Gate,
    ServiceError,
    encode,
    from_another_site,
    logged_path,
    parse_query,
    read_job_id,
)
from milepost.jobs import Job
from milepost.manager import JobManager
from milepost.operations import Operation
from milepost.servers.geoprocessing import wire
from milepost.servers.geoprocessing.access import belongs, may_see, service_name

log = structlog.get_logger("milepost.http")

_KEPT: Final = 10_000
_LONGEST_KEPT: Final = 16 * 1024
"""Bytes of an answer that is kept; a longer one is encoded for each poll."""
_LONGEST_QUERY: Final = 4096

_Headers = list[tuple[bytes, bytes]]


class JobPoll:
    """Answers a plain poll from memory, and leaves everything else to the whole server.

    It stands in front of middleware and routes, which cost more than the answer does. An answer
    is encoded once for each state of a job: jobs never change, they are replaced.
    """

    def __init__(self, manager: JobManager, gate: Gate, task: str, server: ASGIApp):
        """In front of ``server``, which knows every format, method and error.

        Args:
            manager: knows the jobs.
            gate: knows who asks.
            task: a regular expression of the paths of tasks, with the groups folder, service and task.
            server: takes what is not answered here.
        """
        self._manager = manager
        self._gate = gate
        self._server = server
        self._path = re.compile(task + "/jobs/([^/]+)")
        self._encoded: OrderedDict[tuple[str, bool, bool, bool], tuple[Job, _Headers, bytes]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            found = self._at_hand(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        except Exception:
            log.exception("poll failed", path=logged_path(scope))
            found = None  # the server meets the same error and answers it
        if found is None:
            await self._server(scope, receive, send)
            return
        headers, body = found
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _at_hand(self, scope: Scope) -> tuple[_Headers, bytes] | None:
        match = self._path.fullmatch(scope["path"])
        asked = _asked(scope["query_string"]) if match else None
        # A browser that asks for a page of another site needs headers that are added further in.
        if match is None or asked is None or from_another_site(scope):
            return None
        try:
            person = self._gate.person(scope, asked.token)
        except ServiceError:
            return None
        folder, service, task, spelled = match.groups()
        job_id = read_job_id(spelled)
        job = self._manager.seen(job_id) if job_id else None
        operation = self._manager.catalog.get(service_name(folder or "", service), task)
        if job is None or person is None or operation is None:
            return None
        if operation.service.name not in self._manager.catalog.services:
            return None
        if not may_see(person, job) or not belongs(job, operation):
            return None
        return self._encode(job, operation, asked)

    def _encode(self, job: Job, operation: Operation[..., Any], asked: "_Asked") -> tuple[_Headers, bytes]:
        key = (job.id, asked.messages, asked.stages, asked.pretty)
        known = self._encoded.get(key)
        if known is not None and known[0] is job:
            return known[1], known[2]
        answer = wire.job(job, operation, with_messages=asked.messages, with_stages=asked.stages)
        body = encode(answer, pretty=asked.pretty)
        headers = [
            (b"content-type", JSON_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            *((name.lower().encode(), value.encode()) for name, value in JSON_HEADERS.items()),
        ]
        if len(body) > _LONGEST_KEPT:
            self._encoded.pop(key, None)
            return headers, body
        self._encoded[key] = (job, headers, body)
        if len(self._encoded) > _KEPT:
            self._encoded.popitem(last=False)
        return headers, body


class _Asked(msgspec.Struct, frozen=True):
    """What the query of a plain poll says."""

    token: str
    messages: bool
    stages: bool
    pretty: bool


def _asked(query: bytes) -> _Asked | None:
    return _read(query) if len(query) <= _LONGEST_QUERY else None


@lru_cache(maxsize=_KEPT)
def _read(query: bytes) -> _Asked | None:
    """What a query says, None when it is more than a plain poll. Whoever polls sends the same one again."""
    try:
        pairs = dict(parse_query(query))
    except ServiceError:
        return None
    form, messages = pairs.pop("f", ""), pairs.pop("returnMessages", "true").lower()
    token, stages = pairs.pop("token", ""), pairs.pop("milepost:stages", "false").lower()
    if form not in ("json", "pjson") or not {messages, stages} <= {"true", "false"} or pairs:
        return None
    return _Asked(token=token, messages=messages == "true", stages=stages == "true", pretty=form == "pjson")
