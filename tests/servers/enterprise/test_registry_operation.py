"""The work of a registry edit without a server: wherever it ends, undoing it gives the world before."""

from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from milepost.backups.contents import Contents
from milepost.jobs.events import AttemptEvent, RollbackRecorded
from milepost.operations import Run, site
from milepost.operations.run import Notebook, find_function
from milepost.security import Vault
from milepost.servers.enterprise.operations.registries import edit_container_registry
from milepost.servers.enterprise.registry.configuration import COMPONENTS, Change, Configuration
from milepost.servers.enterprise.registry.credentials import Credentials, docker_config
from tests.servers.enterprise.registry_peers import LOOPBACK, answering, everything_of

OLD = Credentials("alice", "old-Kennwort")
NEW = Credentials("alice", "new-Kennwort")

World = dict[str, tuple[int, bytes]]


class Died(BaseException):
    """As if the process had been killed."""


class DyingNotebook(Notebook):
    """Dies right after so many events were recorded."""

    def __init__(self, after: int):
        super().__init__()
        self._left = after

    def record(self, event: AttemptEvent) -> None:
        super().record(event)
        self._left -= 1
        if not self._left:
            raise Died


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """A registry with the new password in force."""

    def answer(request: BaseHTTPRequestHandler) -> tuple[int, Mapping[str, str], bytes]:
        if request.headers.get("Authorization") in (f"Basic {NEW.basic()}", f"Basic {OLD.basic()}"):
            return 200, {}, b"{}"
        return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b"{}"

    with answering(answer) as address:
        yield address


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(site.VARIABLE, str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def world(data: Path) -> World:
    system = data / "system"
    return {
        str(path.relative_to(system)): (
            path.stat().st_mode & 0o777,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in system.rglob("*")
        if "changes" not in path.parts and path.name != ".security.lock"
    }


def begin(data: Path, registry: str, *, edited: bool) -> tuple[str, World]:
    """A change that is to be made, and the world before: with or without an edit that came before."""
    configuration = Configuration(data)
    configuration.registry()
    for credentials in (OLD, NEW) if edited else (NEW,):
        change = configuration.add_change(
            Change(f"http://{registry}", "gis", credentials, credentials_only=False, networks=(LOOPBACK,))
        )
        if credentials is OLD:
            edit_container_registry(Run(), change)
            configuration.remove_change(change)
    return change, world(data)


@pytest.mark.parametrize("edited", [False, True])
def test_undone_at_the_very_end(data: Path, registry: str, edited: bool) -> None:
    change, before = begin(data, registry, edited=edited)
    run = Run()
    assert edit_container_registry(run, change).credentialUpdateOnly is False
    assert world(data) != before
    stored = Configuration(data).registry()
    assert (stored.registry_url, stored.username) == (f"http://{registry}", "alice")
    assert Vault(data / "secrets.key").decrypt("container registry", stored.password) == NEW.password
    for component in COMPONENTS:
        assert Configuration(data).pull_secret(component) == docker_config(registry, NEW)
    # A cancel may win even now.
    run.roll_back()
    assert world(data) == before


def test_undone_after_every_record(data: Path, registry: str) -> None:
    change, before = begin(data, registry, edited=True)
    records = 0
    while True:
        records += 1
        notebook = DyingNotebook(records)
        try:
            edit_container_registry(Run(notebook), change)
        except Died:
            recorded = [each for each in notebook.events if isinstance(each, RollbackRecorded)]
            for _ in range(2):  # the process that undoes may be killed too
                for each in reversed(recorded):
                    find_function(each.function)(*each.arguments)
            assert world(data) == before, records
        else:
            break
    # One before each component and the configuration, and one after each of them.
    assert records == 2 * (len(COMPONENTS) + 1) + 1


def test_what_is_recorded_holds_no_secret(data: Path, registry: str) -> None:
    change, _ = begin(data, registry, edited=True)
    run = Run()
    edit_container_registry(run, change)
    told = repr(run.notebook.events).encode()
    assert not [form for each in (OLD, NEW) for form in everything_of(each.password) if form in told]
    assert change.encode() in told


def test_without_its_change_it_says_where_to_ask(data: Path) -> None:
    for change in ("0" * 32, "../../etc", ""):
        with pytest.raises(RuntimeError, match=r"no such change .* edit it under /admin/system"):
            edit_container_registry(Run(), change)


def test_a_change_that_cannot_be_decrypted_fails_and_says_why(data: Path, registry: str) -> None:
    change, before = begin(data, registry, edited=True)
    (data / "secrets.key").unlink()
    with pytest.raises(RuntimeError, match="put the key back from a backup, or enter the secret again"):
        edit_container_registry(Run(), change)
    assert world(data) == before


def test_a_file_that_is_open_to_all_is_named(data: Path, registry: str) -> None:
    change, _ = begin(data, registry, edited=True)
    path = data / "system" / "components" / "queue_store" / "config.json"
    path.chmod(0o644)
    before = world(data)
    run = Run()
    with pytest.raises(RuntimeError, match=r"queue_store/config\.json holds secrets.*chmod 600"):
        edit_container_registry(run, change)
    run.roll_back()
    assert world(data) == before


def test_a_backup_without_keys_holds_no_password(data: Path, registry: str, tmp_path: Path) -> None:
    change, _ = begin(data, registry, edited=True)
    edit_container_registry(Run(), change)
    for keys in (False, True):
        kept = tmp_path / f"keys {keys}"
        kept.mkdir()
        Contents(data, kept, lambda: None).copy_folder("system", keys=keys)
        content = b"".join(path.read_bytes() for path in kept.rglob("*") if path.is_file())
        assert any(form in content for form in everything_of(NEW.password)) is keys
