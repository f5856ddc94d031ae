"""What is damaged or was not made by Milepost is refused, and nothing is half restored."""

import io
import sqlite3
import tarfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.backups import BackupError, check, listed, restore
from milepost.backups.archive import ABOUT, DATA, MANIFEST
from tests.backups.sites import back_up, make_site, tree


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    make_site(folder / "data", jobs=1)
    return back_up(folder / "data", folder / "backups")


@pytest.fixture(scope="module")
def whole(backup: Path) -> dict[str, bytes]:
    """What a restore of the whole backup gives."""
    target = backup.parent / "whole"
    restore(backup, target)
    return tree(target)


def refused(path: Path, place: Path, said: str = "") -> str:
    """The words with which a backup is refused; nothing is left of the attempt."""
    before = sorted(each.name for each in place.iterdir())
    with pytest.raises(BackupError) as caught:
        restore(path, place / "new")
    assert sorted(each.name for each in place.iterdir()) == before
    text = str(caught.value)
    assert said in text
    assert ";" in text, "the cause and the cure"
    return text


def rewritten(backup: Path, target: Path, change) -> Path:
    """A copy of a backup, each member as ``change`` gives it; None leaves it out."""
    with tarfile.open(backup) as old, tarfile.open(target, "w") as new:
        for member in old:
            source = old.extractfile(member)
            assert source is not None
            for each, content in change(member, source.read()):
                each.size = len(content)
                new.addfile(each, io.BytesIO(content))
    return target


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_bytes_are_refused_or_change_nothing(backup, whole, tmp_path_factory, data):
    content = bytearray(backup.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
    folder = tmp_path_factory.mktemp("damaged")
    damaged = folder / "damaged.tar"
    damaged.write_bytes(content)
    try:
        restore(damaged, folder / "new")
    except BackupError:
        assert [each.name for each in folder.iterdir()] == ["damaged.tar"]
    else:  # it was in the padding between two files
        restored = tree(folder / "new")
        assert restored.keys() == whole.keys()
        assert all(restored[name] == whole[name] for name in whole if not name.endswith(".sqlite"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 0.999))
def test_a_backup_that_was_cut_off_is_refused(backup, tmp_path_factory, share):
    content = backup.read_bytes()
    with tarfile.open(backup) as tar:
        last = next(each for each in tar if each.name == MANIFEST)
    end = last.offset_data + last.size  # zeros follow
    folder = tmp_path_factory.mktemp("cut")
    (folder / "cut.tar").write_bytes(content[: int(end * share)])
    refused(folder / "cut.tar", folder)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=3000))
def test_what_is_no_backup_is_refused(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "foreign.tar").write_bytes(content)
    refused(folder / "foreign.tar", folder)


@pytest.mark.parametrize(
    "name",
    [
        "data/../../outside",
        "/etc/passwd",
        "data//etc/passwd",
        "../outside",
        "data/jobs/../../x",
        "data/unknown.txt",
        "data/jobs/a\nb",
        "elsewhere/milepost.sqlite",
        "data/",
    ],
)
def test_paths_that_lead_elsewhere_are_refused(backup, tmp_path, name):
    def change(member, content):
        yield member, content
        if member.name == ABOUT:
            yield tarfile.TarInfo(name), b"evil"

    refused(rewritten(backup, tmp_path / "evil.tar", change), tmp_path, "leads out of the data folder")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE]
)
def test_links_and_devices_are_refused(backup, tmp_path, kind):
    def change(member, content):
        if member.name == MANIFEST:
            link = tarfile.TarInfo("data/jobs")
            link.type, link.linkname = kind, "/tmp"
            yield link, b""
        yield member, content

    refused(rewritten(backup, tmp_path / "evil.tar", change), tmp_path, "no plain file")


def test_a_file_that_is_missing_changed_added_or_doubled_is_refused(backup, tmp_path):
    def missing(member, content):
        if not member.name.endswith("map.txt"):
            yield member, content

    def changed(member, content):
        yield member, content.replace(b"a map", b"a lie")

    def added(member, content):
        yield member, content
        if member.name == ABOUT:
            yield tarfile.TarInfo("data/jobs/more"), b"more"

    def doubled(member, content):
        yield member, content
        if member.name.endswith("map.txt"):
            yield member, content

    def longer(member, content):
        yield member, content
        if member.name == MANIFEST:
            yield tarfile.TarInfo("data/jobs/more"), b"more"

    for change, said in (
        (missing, "is missing"),
        (changed, "is not what it was"),
        (added, "is not named in its manifest"),
        (doubled, "twice"),
        (longer, "follows its manifest"),
    ):
        refused(rewritten(backup, tmp_path / f"{change.__name__}.tar", change), tmp_path, said)


def test_a_backup_of_a_newer_release_is_refused(backup, tmp_path):
    def newer(member, content):
        if member.name == ABOUT:
            content = msgspec.json.encode({**msgspec.json.decode(content), "format": 2, "news": 1})
        yield member, content

    path = rewritten(backup, tmp_path / "newer.tar", newer)
    assert "with that release or a later one" in refused(path, tmp_path, "newer release")
    (found,) = [each for each in listed(tmp_path) if each.name == "newer"]
    assert found.about is None
    assert "newer release" in found.problem


def test_a_site_that_makes_no_sense_is_refused_although_its_sums_are_right(tmp_path):
    ids = make_site(tmp_path / "data")
    with sqlite3.connect(tmp_path / "data/milepost.sqlite") as connection:
        connection.execute("UPDATE jobs SET status = 5 WHERE id = ?", (ids[0],))
    connection.close()
    with pytest.raises(BackupError, match="do not lead to where it stands"):
        back_up(tmp_path / "data", tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_result_file_that_is_missing_is_noticed(tmp_path):
    make_site(tmp_path / "data")
    next((tmp_path / "data/jobs").rglob("map.txt")).unlink()
    with pytest.raises(BackupError, match=r"'map.txt' of job .* is missing"):
        back_up(tmp_path / "data", tmp_path / "backups")


def test_a_whole_backup_is_whole(backup):
    said = []
    about = check(backup, said.append)
    assert (about.jobs, about.keys, about.job) == (1, True, "")
    assert 0 < sum(said) <= backup.stat().st_size
    with tarfile.open(backup) as tar:
        names = tar.getnames()
    assert (names[0], names[-1]) == (ABOUT, MANIFEST)
    assert all(each.startswith(DATA) for each in names[1:-1])
    assert backup.stat().st_mode & 0o777 == 0o600
