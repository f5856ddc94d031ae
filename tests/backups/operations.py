"""Operations for the tests of backups: some make files, one can be held, and a backup can be held in each stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from milepost import Run, Service, operation
from milepost.servers.enterprise.operations.backup import Made, create_backup
from milepost.types import DataFile

WORK = Service(name="Backups/Work.GPServer", min_instances=1, max_instances=3, grace_time=0.5)
HELD = Service(
    name="Backups/Held.GPServer", min_instances=0, max_instances=1, max_usage_time=0, grace_time=0.5
)


def hold(run: Run, gate: Path) -> None:
    """Say that the gate was reached, and wait until it is open."""
    gate.with_suffix(".reached").touch()
    while not gate.exists():
        run.check()
        time.sleep(0.005)


@operation(service=WORK)
def produce(run: Run, text: str) -> DataFile:
    """A file with a text."""
    path = run.workspace / "text.txt"
    path.write_text(text)
    return DataFile(path)


def leave(workspace: str, text: str) -> str:
    path = Path(workspace) / "deep" / "left.txt"
    path.parent.mkdir()
    path.write_text(text)
    return "deep/left.txt"


@operation(service=WORK)
def in_two_steps(run: Run, text: str, gate: str) -> str:
    """What a finished step left in the workspace, read once the gate is open."""
    left = run.step("leave", leave, str(run.workspace), text)
    hold(run, Path(gate))
    return (run.workspace / left).read_text()


@operation(service=HELD)
def held_backup(run: Run, backup: str, stage: str, at: str, gate: str) -> Made:
    """A backup that is held at the begin or the end of a stage, as long as the gate is shut."""
    real = run.stage

    @contextmanager
    def held_stage(name: str) -> Iterator[None]:
        with real(name):
            if (name, at) == (stage, "begin"):
                hold(run, Path(gate))
            yield
            if (name, at) == (stage, "end"):
                hold(run, Path(gate))

    run.stage = held_stage  # type: ignore[method-assign]
    return create_backup(run, backup)
