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
    kept: dict[str, Kept] = {}
    payloads: dict[str, bytes] = {}
    for name, value in values.items():
        encoded = msgspec.json.encode(value)
        if len(encoded) <= INLINE_LIMIT:
            kept[name] = Kept(value)
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
    if not kept.payload:
        return kept.value
    return msgspec.json.decode(await store.payload(job.id, kept.payload))
