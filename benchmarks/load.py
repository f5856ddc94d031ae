"""The load client: a process of its own that keeps connections busy and counts the answers.

It speaks to plain sockets and parses no more than it must, so that it costs several times less than
the server it measures.
"""

import itertools
import multiprocessing
import os
import re
import select
import socket
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Self
from urllib.parse import urlsplit

WARM_UP = 0.05
"""Seconds at the start of each measurement that do not count."""

PATIENCE = 30.0
"""Seconds without any answer after which a measurement is given up."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Plan:
    """What to ask, over how many connections, for how long."""

    host: str
    port: int
    requests: tuple[bytes, ...]
    """Taken in turn by all connections together."""
    connections: int
    seconds: float
    expect: bytes
    """What each answer must contain."""


@dataclass(frozen=True)
class Answers:
    """What came back."""

    count: int
    seconds: float
    p50: float
    """Seconds that half of the answers took at most."""
    p95: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.count / self.seconds


def get(url: str, headers: dict[str, str] | None = None) -> bytes:
    """A request for ``url`` as it goes over the wire."""
    return _request("GET", url, headers or {}, b"")


def post(url: str, form: str, headers: dict[str, str] | None = None) -> bytes:
    """A form sent to ``url`` as it goes over the wire."""
    body = form.encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    return _request("POST", url, {**kind, **(headers or {})}, body)


def _request(method: str, url: str, headers: dict[str, str], body: bytes) -> bytes:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class LoadClient:
    """The client process, ready for one plan after another."""

    def __init__(self, core: int | None = None):
        """On a core of its own, if one is given and the system can do that."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, core), daemon=True)
        self._process.start()
        theirs.close()

    def run(
        self, address: str, requests: Sequence[bytes], *, connections: int, seconds: float, expect: bytes
    ) -> Answers:
        """Keep ``connections`` to ``address`` busy for a while.

        Raises:
            RuntimeError: an answer was not what was expected, or none came.
        """
        parts = urlsplit(address)
        assert parts.hostname is not None
        assert parts.port is not None
        self._pipe.send(Plan(parts.hostname, parts.port, tuple(requests), connections, seconds, expect))
        answer = self._pipe.recv()
        if isinstance(answer, str):
            raise RuntimeError(answer)
        assert isinstance(answer, Answers)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join()


def _serve(pipe: Connection, core: int | None) -> None:
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    while True:
        try:
            plan = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            pipe.send(_drive(plan))
        except (OSError, RuntimeError) as error:
            pipe.send(f"the load client failed: {error}")


class _Connection:
    """One connection with one request under way."""

    def __init__(self, plan: Plan):
        self.socket = socket.create_connection((plan.host, plan.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.since = 0.0
        self.received = b""

    def ask(self, request: bytes) -> None:
        self.received = b""
        self.since = time.perf_counter()
        self.socket.sendall(request)

    def hear(self) -> bytes | None:
        """The answer once it is complete."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed the connection")
        self.received = data = self.received + data if self.received else data
        end = data.find(b"\r\n\r\n")
        length = _LENGTH.search(data, 0, end + 2) if end > 0 else None
        if end > 0 and length is None:
            raise RuntimeError(f"an answer without a length: {data[:200]!r}")
        complete = length is not None and len(data) >= end + 4 + int(length[1])
        return data if complete else None


def _drive(plan: Plan) -> Answers:
    requests = itertools.cycle(plan.requests)
    connections: dict[int, _Connection] = {}
    times: list[float] = []
    count = 0
    with select.epoll() as poll:
        try:
            for _ in range(plan.connections):
                each = _Connection(plan)
                connections[each.socket.fileno()] = each
                poll.register(each.socket, select.EPOLLIN)
            begin = time.perf_counter() + WARM_UP
            end = begin + plan.seconds
            for each in connections.values():
                each.ask(next(requests))
            under_way = len(connections)
            while under_way:
                ready = poll.poll(PATIENCE)
                if not ready:
                    raise RuntimeError(f"no answer within {PATIENCE:g} s")
                for number, _ in ready:
                    each = connections[number]
                    answer = each.hear()
                    if answer is None:
                        continue
                    if not answer.startswith(b"HTTP/1.1 200") or plan.expect not in answer:
                        raise RuntimeError(f"an answer without {plan.expect!r}: {answer[:600]!r}")
                    now = time.perf_counter()
                    count += begin <= now < end
                    if each.since >= begin:
                        times.append(now - each.since)
                    if now < end or not times:
                        each.ask(next(requests))
                    else:  # what is under way is answered before the end, so that nothing spills over
                        under_way -= 1
        finally:
            for each in connections.values():
                each.socket.close()
    times.sort()
    return Answers(count, plan.seconds, statistics.median(times), times[int(len(times) * 0.95)])
