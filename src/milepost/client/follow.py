"""Watching a job on a display, from the first look to the results."""

from collections.abc import Callable

import msgspec

from milepost.client.address import Address
from milepost.client.display import Display
from milepost.client.results import fetch_results
from milepost.client.session import Session
from milepost.client.views import JobView, new_messages
from milepost.client.watch import Note, Pace, watch


def follow(
    session: Session,
    address: Address,
    display: Display,
    pace: Pace | None = None,
    on_change: Callable[[JobView], None] | None = None,
) -> JobView:
    """Show the job at ``address`` until it is finished; returns how it ended, with its results.

    Args:
        session: a session with its server.
        address: the job resource, of any dialect.
        display: where it is shown; closed at the end.
        pace: how often to ask.
        on_change: called with each view once it is shown.

    Raises:
        LostError: the job is gone, or nothing was heard of it for too long.
        ClientError: the server cannot be reached or does not answer with a job.
    """
    last: JobView | None = None
    try:
        for each in watch(session, address, pace):
            if isinstance(each, Note):
                display.note(each.text)
                continue
            display.show(each, new_messages(last, each))
            last = each
            if on_change is not None:
                on_change(each)
        assert last is not None, "watch ends with the job or raises"
        last = msgspec.structs.replace(last, results=fetch_results(session, last))
        display.finish(last)
    finally:
        display.close()
    return last
