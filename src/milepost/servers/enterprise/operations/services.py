"""Changes of services: what is configured is written down, and then the server does as is configured.

Nothing else writes the configuration of a service while a job of these is under way; whoever submits
them sees to that.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from milepost.configuration import Configuration, ConfigurationError, Configurations, restore
from milepost.operations import Run, Service, operation, site
from milepost.servers.enterprise import service_wire

SERVICES: Final = Service(
    name="System/Services.SystemServer",
    description="Changes of services.",
    min_instances=1,
    max_instances=4,
    max_usage_time=0.0,  # a service is stopped once its jobs have ended, however long they take
)

CONFIGURING: Final = "configuring"
APPLYING: Final = "applying"

Change = Callable[[Configuration], Configuration]


class Edited(NamedTuple):
    """What came of an edit."""

    service: str
    """The whole JSON of the service, as text."""


class Done(NamedTuple):
    """What came of a change that is answered with a word."""

    status: str


@operation(service=SERVICES, retries=2)
def edit_service(
    run: Run, service: str, settings: str, state: Literal["STARTED", "STOPPED"], by: str
) -> Edited:
    """Give a service other settings, and have its instances replaced.

    Args:
        run: of the job.
        service: full name.
        settings: those that differ from what its code declares, as JSON.
        state: whether it is to be started.
        by: who wants it.
    """
    wanted = msgspec.json.decode(settings, type=dict[str, Any])

    def edit(before: Configuration) -> Configuration:
        return replace(before, settings=wanted, state=state)

    with _explained():
        [in_force] = _change(run, [service], edit, by)
    about = msgspec.convert(in_force, Service)
    return Edited(msgspec.json.encode(service_wire.service(about, state)).decode())


@operation(service=SERVICES, retries=2)
def start_service(run: Run, service: str, by: str) -> Done:
    """Have a service take jobs, also one that was deleted.

    Args:
        run: of the job.
        service: full name.
        by: who wants it.
    """

    def start(before: Configuration) -> Configuration:
        # One that is made anew is as its code declares it.
        return replace(
            before, state="STARTED", deleted=False, settings={} if before.deleted else before.settings
        )

    with _explained():
        _change(run, [service], start, by)
    return Done("success")


@operation(service=SERVICES, retries=2)
def stop_service(run: Run, service: str, by: str) -> Done:
    """Have a service take no jobs any more, and wait for the end of those at work.

    Args:
        run: of the job.
        service: full name.
        by: who wants it.
    """

    def stop(before: Configuration) -> Configuration:
        return replace(before, state="STOPPED")

    with _explained():
        _change(run, [service], stop, by)
    return Done("success")


@operation(service=SERVICES, retries=2)
def delete_services(run: Run, services: list[str], by: str) -> Done:
    """Have services gone, once their jobs at work have ended; those that wait are cancelled.

    Args:
        run: of the job.
        services: full names.
        by: who wants it.
    """

    def delete(before: Configuration) -> Configuration:
        return replace(before, state="STOPPED", deleted=True)

    with _explained():
        _change(run, services, delete, by)
    return Done("success")


def _change(run: Run, services: list[str], change: Change, by: str) -> list[dict[str, Any]]:
    """Configure services and have that done; the settings in force of each."""
    run.plan_stages(CONFIGURING, APPLYING)
    with run.stage(CONFIGURING):
        for name in services:
            before = run.step(f"before {name}", _text, name)
            run.on_rollback(restore, name, before)
            revision = run.step(f"configure {name}", _configure, name, change, by)
            run.message(f"Revision {revision} of {name} is configured.")
    in_force = []
    with run.stage(APPLYING):
        for name in services:
            in_force.append(run.reconfigure(name))
            run.message(f"{name} is as it is configured.")
    return in_force


def _text(service: str) -> str | None:
    return _configurations().text(service)


def _configure(service: str, change: Change, by: str) -> int:
    """Write what is wanted of a service; the revision that it is."""
    configurations = _configurations()
    before = configurations.read(service)
    wanted = replace(change(before), revision=before.revision + 1, changed_at=_now(), changed_by=by)
    configurations.write(wanted)
    return wanted.revision


def _configurations() -> Configurations:
    return Configurations(site.data_folder())


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ConfigurationError as error:
        raise RuntimeError(str(error)) from None


def _now() -> int:
    return time.time_ns() // 1_000_000
