"""The log on standard error: one JSON object a line for programs, or lines for people."""

import asyncio
import atexit
import logging
import sys
import threading
from collections.abc import MutableMapping
from typing import Any, ClassVar

import msgspec
import structlog


def configure_log(form: str) -> None:
    """Log what happens from now on, ours and that of libraries.

    Our own lines do not pass through the standard library: several are written for each job, and
    there they would cost more than the job does.

    Args:
        form: ``text`` or ``json``.
    """
    renderer = _json if form == "json" else _text
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
    atexit.register(_Lines.flush)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("uvicorn", "uvicorn.error", "asyncio", "pyogrio", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class _Lines:
    """Writes lines; those of one turn of the event loop together, since each write may wait for other threads."""

    _waiting: ClassVar[list[str]] = []
    _lock: ClassVar = threading.Lock()

    def __init__(self, *_: Any):
        """As structlog makes loggers; all write to the same place."""

    def msg(self, line: str) -> None:
        """Write a line."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        with self._lock:
            self._waiting.append(line)
            first = len(self._waiting) == 1
        if loop is None:
            self.flush()
        elif first:
            loop.call_soon(self.flush)

    debug = info = warning = error = critical = exception = msg

    @classmethod
    def flush(cls) -> None:
        """Write what waits."""
        with cls._lock:
            if cls._waiting:
                sys.stderr.write("\n".join([*cls._waiting, ""]))
                sys.stderr.flush()
                cls._waiting.clear()


def _json(_: Any, __: str, line: MutableMapping[str, Any]) -> str:
    return msgspec.json.encode(line, enc_hook=str).decode()


def _text(_: Any, __: str, line: MutableMapping[str, Any]) -> str:
    facts = dict(line)
    said = f"{facts.pop('timestamp')} {facts.pop('level'):<8} {_plain(facts.pop('event'))}"
    # Exceptions come as text already, without the values of local variables: those could be tokens.
    traceback = facts.pop("exception", "")
    told = [said, *(f"{name}={_plain(value)}" for name, value in facts.items())]
    return "  ".join(told) + (f"\n{traceback}" if traceback else "")


def _plain(value: Any) -> str:
    """A value on one line, whatever a client put into it."""
    text = str(value)
    return text if text.isprintable() and text else repr(text)
