from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from click.testing import CliRunner, Result
from tests.client.peer import Peer, running_peer

from milepost.cli import main


@pytest.fixture
def peer() -> Iterator[Peer]:
    with running_peer() as running:
        yield running


class Run(Protocol):
    def __call__(self, *arguments: str | Path, code: int = 0, **more: Any) -> Result: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command of the command line and checks how it ended."""
    for name in ("USER", "PASSWORD", "TOKEN", "SERVER", "DATA", "CACERT", "INSECURE", "PATIENCE"):
        monkeypatch.delenv(f"MILEPOST_{name}", raising=False)

    def run(*arguments: str | Path, code: int = 0, **more: Any) -> Result:
        result = CliRunner().invoke(main, [str(each) for each in arguments], **more)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run
