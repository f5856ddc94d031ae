"""The log on standard error: one JSON object a line for programs, or lines for people."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

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
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("uvicorn", "uvicorn.error", "asyncio", "pyogrio", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


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
