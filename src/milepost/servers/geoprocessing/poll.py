"""The resource that is asked for most: the state of one job, once a second by every client."""

from collections import OrderedDict
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from milepost.http import JSON_TYPE, Gate, ServiceError, encode, parse_query, read_job_id
from milepost.jobs import Job
from milepost.manager import JobManager
from milepost.operations import Operation
from milepost.servers.geoprocessing import wire
from milepost.servers.geoprocessing.access import belongs, may_see, service_name

_KEPT: Final = 10_000


class JobPoll:
    """Answers a plain poll from memory, and leaves everything else to the full resource.

    An answer is encoded once for each state of a job: jobs never change, they are replaced.
    """

    def __init__(self, manager: JobManager, gate: Gate, full: ASGIApp):
        """In front of ``full``, which knows every format, method and error."""
        self._manager = manager
        self._gate = gate
        self._full = full
        self._encoded: OrderedDict[tuple[str, bool, bool], tuple[Job, list[tuple[bytes, bytes]], bytes]] = (
            OrderedDict()
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = self._at_hand(scope)
        if found is None:
            await self._full(scope, receive, send)
            return
        headers, body = found
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _at_hand(self, scope: Scope) -> tuple[list[tuple[bytes, bytes]], bytes] | None:
        if scope["method"] != "GET":
            return None
        try:
            query = dict(parse_query(scope["query_string"]))
            form = query.get("f")
            if form not in ("json", "pjson") or not query.keys() <= {"f", "token", "returnMessages"}:
                return None
            with_messages = query.get("returnMessages", "true").lower() != "false"
            person = self._gate.person(scope, query.get("token", ""))
        except ServiceError:
            return None
        parts = scope["path_params"]
        job_id = read_job_id(parts["job"])
        job = self._manager.seen(job_id) if job_id else None
        service = service_name(parts.get("folder", ""), parts["service"])
        operation = self._manager.catalog.get(service, parts["task"])
        if job is None or person is None or operation is None:
            return None
        if not may_see(person, job) or not belongs(job, operation):
            return None
        return self._encode(job, operation, with_messages, form == "pjson")

    def _encode(
        self, job: Job, operation: Operation[..., Any], with_messages: bool, pretty: bool
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        key = (job.id, with_messages, pretty)
        known = self._encoded.get(key)
        if known is not None and known[0] is job:
            return known[1], known[2]
        body = encode(wire.job(job, operation, with_messages=with_messages), pretty=pretty)
        headers = [
            (b"content-type", JSON_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        self._encoded[key] = (job, headers, body)
        if len(self._encoded) > _KEPT:
            self._encoded.popitem(last=False)
        return headers, body
