"""Which values stay with a job's events and which are kept beside them as payloads."""

from typing import Any, Final

import msgspec

from milepost.jobs import Job, Kept
from milepost.store.protocol import JobStore

INLINE_LIMIT: Final = 4096
"""Bytes of JSON up to which a value travels with its job."""


def keep(values: dict[str, Any], prefix: str) -> tuple[dict[str, Kept], dict[str, bytes]]:
    """Split values into what events hold and what is stored beside them.

    Args:
        values: JSON values by name.
        prefix: what the names of the payloads begin with, such as ``inputs``.
    """
    return keep_encoded({name: msgspec.json.encode(value) for name, value in values.items()}, prefix)


def keep_encoded(values: dict[str, bytes], prefix: str) -> tuple[dict[str, Kept], dict[str, bytes]]:
    """The same as ``keep``, of values that are JSON text already."""
    kept: dict[str, Kept] = {}
    payloads: dict[str, bytes] = {}
    for name, encoded in values.items():
        if len(encoded) <= INLINE_LIMIT:
            kept[name] = Kept(msgspec.json.decode(encoded))
        else:
            payload = f"{prefix}/{name}"
            kept[name] = Kept(payload=payload, size=len(encoded))
            payloads[payload] = encoded
    return kept, payloads


async def read(store: JobStore, job: Job, kept: Kept) -> Any:
    """The value itself, from the job or from the payloads beside it.

    Raises:
        LookupError: the payload is gone, as after a deletion.
    """
    return msgspec.json.decode(await read_encoded(store, job, kept)) if kept.payload else kept.value


async def read_encoded(store: JobStore, job: Job, kept: Kept) -> bytes:
    """The same as ``read``, as JSON text; a large value is not decoded for it."""
    return await store.payload(job.id, kept.payload) if kept.payload else msgspec.json.encode(kept.value)
