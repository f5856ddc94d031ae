"""The health of the site, looked at as a job."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec

from milepost.backups.contents import JOBS, MISSIONS, PEOPLE, PRODUCTS
from milepost.operations import Run, Service, operation, site
from milepost.servers.enterprise import checks, stored
from milepost.servers.enterprise.checks import Check, Clock
from milepost.types import Range, RecordSet

HEALTH: Final = Service(
    name="System/Health.SystemServer",
    description="Health checks of the site.",
    min_instances=0,
    max_instances=1,
    max_usage_time=3600.0,
)

FREE_GIB: Final = 5.0
BACKUP_DAYS: Final = 7.0

_FIELDS: Final = ("name", "state", "seen", "advice")


class Report(NamedTuple):
    """What was found."""

    state: str
    """The worst of all: ``ok``, ``warning`` or ``failing``."""
    checks: RecordSet
    """One row for each check."""


@operation(service=HEALTH, name="run_health_check", retries=1)
def run_health_check(
    run: Run,
    instances: str = "",
    certificate: str = "",
    free_gib: Annotated[float, Range(0, 1e9)] = FREE_GIB,
    backup_days: Annotated[float, Range(0, 1e9)] = BACKUP_DAYS,
) -> Report:
    """Look at everything that the server needs to do its work.

    Args:
        run: of the job.
        instances: what came of starting an instance of each service, which only the server can do: a JSON
            object with the reason why not, or an empty text, by service. Empty when no server runs.
        certificate: file of the certificate that the server shows; empty without TLS.
        free_gib: GiB that should be free on the disk.
        backup_days: days that the newest backup may be old.
    """
    return look(
        run,
        site.data_folder(),
        instances=msgspec.json.decode(instances, type=dict[str, str]) if instances else None,
        certificate=Path(certificate) if certificate else None,
        free_gib=free_gib,
        backup_days=backup_days,
    )


def look(
    run: Run,
    data: Path,
    *,
    instances: dict[str, str] | None = None,
    certificate: Path | None = None,
    free_gib: float = FREE_GIB,
    backup_days: float = BACKUP_DAYS,
) -> Report:
    """The same, of any data folder; see ``run_health_check``."""
    since = Clock()
    todo: dict[str, Callable[[], Check]] = {
        "jobs_database": lambda: stored.database("jobs_database", data / JOBS, run.check),
        "people_database": lambda: stored.database("people_database", data / PEOPLE, run.check),
        "missions_database": lambda: stored.later_database("missions_database", data / MISSIONS, run.check),
        "products_database": lambda: stored.later_database("products_database", data / PRODUCTS, run.check),
        "videos_database": lambda: stored.videos(data, run.check),
        "feature_services": lambda: stored.features(data, run.check),
        "disk_space": lambda: checks.disk(data, free_gib),
        "instances": lambda: checks.instances(instances),
        "extras": checks.extras,
        "programs": checks.programs,
        "permissions": lambda: checks.permissions(data),
        "certificate": lambda: checks.certificate(certificate),
        "backups": lambda: checks.backups(data, backup_days),
        "clock": lambda: checks.clock(data, since),  # last, for its comparison to span the others
    }
    run.plan_stages(*todo)
    found: list[Check] = []
    for number, (name, check) in enumerate(todo.items(), 1):
        with run.stage(name):
            found.append(check())
        run.progress(number / len(todo))
        if found[-1].state != "ok":
            said = found[-1]
            run.message(f"{said.name}: {said.seen}. {said.advice}", level="warning")
    return Report(
        checks.worst(each.state for each in found),
        RecordSet(
            fields=[{"name": each, "type": "esriFieldTypeString", "alias": each} for each in _FIELDS],
            features=[{"attributes": msgspec.to_builtins(each)} for each in found],
        ),
    )
