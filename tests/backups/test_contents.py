"""What goes into a backup, and what does not."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from milepost.backups import BackupError, listed, make, new_name, restore, usable_name
from milepost.backups.folder import backups_folder, discard_partial, partial_path
from milepost.features import Definition, FeatureServices, Field, GeometryType, Layer, Selection
from milepost.operations import Run, Stop
from milepost.servers.mission.records import Mission, Missions, Plan, new_id
from milepost.servers.production import Products
from milepost.servers.video.records import Layer as VideoLayer
from milepost.servers.video.records import Service
from milepost.servers.video.videos import Videos
from tests.backups.sites import back_up, make_site, tree
from tests.servers.video.made import FACTS


def test_a_feature_service_is_there_again_with_its_features(tmp_path: Path) -> None:
    make_site(tmp_path / "data")
    definition = Definition(
        owner="ann", layers=(Layer(name="tracks", geometry=GeometryType.POINT, fields=(Field(name="who"),)),)
    )
    service = FeatureServices(tmp_path / "data").create("Missions/tracks", definition)
    service.add(0, [{"attributes": {"who": "ann"}, "geometry": {"x": 8.5, "y": 47.4}}])
    restore(back_up(tmp_path / "data", tmp_path / "backups"), tmp_path / "new")
    found = FeatureServices(tmp_path / "new").open("Missions/tracks")
    assert found.definition == definition
    rows = found.layer("tracks").features(Selection(where="who = 'ann'"), limit=10).rows
    assert len(rows) == 1


def test_the_products_of_map_sheets_are_there_again(tmp_path: Path) -> None:
    make_site(tmp_path / "data")
    with Products(tmp_path / "data") as products:
        products.change("MTM50", lambda each: replace(each, description="Ours"))
        backup = back_up(tmp_path / "data", tmp_path / "backups")
    restore(backup, tmp_path / "new")
    with Products(tmp_path / "new") as products:
        found = products.get("MTM50")
        assert found is not None
        assert found.description == "Ours"


def test_a_mission_is_there_again(tmp_path: Path) -> None:
    make_site(tmp_path / "data")
    mission = Mission(id=new_id(), owner="ann", created=1, plan=Plan(title="Flood"), channels=())
    with Missions(tmp_path / "data") as missions:
        missions.add(mission)
        backup = back_up(tmp_path / "data", tmp_path / "backups")
    restore(backup, tmp_path / "new")
    with Missions(tmp_path / "new") as missions:
        assert missions.get(mission.id) == mission


def test_a_video_is_there_again_with_its_files(tmp_path: Path) -> None:
    data, key, lost = tmp_path / "data", "5c1e" * 8, "0" * 32
    make_site(data)
    for name in (f"{key}/hd/0.m4s", f"{key}/hd/.0.m4s.fresh", f".made-{lost}/ABR.m3u8", f".gone-{lost}/a"):
        (data / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        (data / "videos" / name).write_text("film")
    with Videos(data) as videos:
        item = "a" * 32
        videos.add(Service(name="Flights", item=item, owner="ann", created=1))
        for layer_key, storage in ((key, ""), ("1" * 32, "s3://elsewhere"), (lost, "")):
            number = videos.reserve(item, layer_key, None)
            about = {"storage": storage, "name": "x", "created": 1, "owner": "ann", "facts": FACTS}
            videos.finish(item, VideoLayer(id=number, key=layer_key, **about))
        kept = videos.layers(item)
        run = Run()
        make(run, data, tmp_path / "backups", new_name())
    said = [each.text for each in run.notebook.events if getattr(each, "level", "") == "warning"]
    assert said == [f"The files of video layers are missing: {lost}"]
    [backup] = (tmp_path / "backups").glob("*.tar*")
    restore(backup, tmp_path / "new")
    with Videos(tmp_path / "new") as videos:
        assert videos.layers(item) == kept
    folder = tmp_path / "new" / "videos"
    assert [str(each.relative_to(folder)) for each in sorted(folder.rglob("*")) if each.is_file()] == [
        f"{key}/hd/0.m4s"
    ]


def test_databases_are_copied_with_what_has_not_reached_their_file_yet(tmp_path: Path) -> None:
    make_site(tmp_path / "data")
    path = tmp_path / "data/features/a.FeatureServer/features.gpkg"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES ('only in the log')")
        assert path.with_name("features.gpkg-wal").stat().st_size > 0
        backup = back_up(tmp_path / "data", tmp_path / "backups")
    restore(backup, tmp_path / "new")
    copied = tmp_path / "new/features/a.FeatureServer"
    assert [each.name for each in copied.iterdir()] == ["features.gpkg"]
    with closing(sqlite3.connect(copied / "features.gpkg")) as connection:
        assert connection.execute("SELECT a FROM t").fetchall() == [("only in the log",)]


def test_what_is_being_made_or_is_nobodys_stays_out(tmp_path: Path) -> None:
    data = tmp_path / "data"
    make_site(data)
    wanted = tree(data).keys()
    for name in (
        "features/.a.FeatureServer.0123.new/features.gpkg",
        "system/.config.json.0123",
        "uploads/i0123/file/half.csv",
        f"jobs/00/{'0' * 32}/log.txt",  # of no job
        f"scratch/{'0' * 32}/work.txt",
        "backups/old.tar",
        "server.log",
        "mine.txt",
    ):
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    restore(back_up(data, tmp_path / "backups"), tmp_path / "new")
    assert tree(tmp_path / "new").keys() == wanted


def test_links_are_left_out_and_told(tmp_path: Path) -> None:
    data = tmp_path / "data"
    make_site(data)
    (data / "system" / "passwords").symlink_to("/etc/passwd")
    (data / "system" / "etc").symlink_to("/etc")
    run = Run()
    make(run, data, tmp_path / "backups", "one")
    (said,) = [each.text for each in run.notebook.events if getattr(each, "level", "") == "warning"]
    assert "system/passwords" in said
    assert "system/etc" in said
    restore(tmp_path / "backups/one.tar", tmp_path / "new")
    assert not (tmp_path / "new/system/passwords").exists()


class Stopping(Run):
    """A run that is asked to stop after so many looks."""

    def __init__(self, looks: int, workspace: Path):
        super().__init__(workspace=workspace)
        self.looks = looks

    def check(self) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise Stop("enough")
        super().check()


def test_a_stop_at_any_look_leaves_nothing(tmp_path: Path) -> None:
    make_site(tmp_path / "data")
    before = tree(tmp_path / "data")
    looks = 0
    while True:
        looks += 3
        run = Stopping(looks, tmp_path / "workspace")
        try:
            make(run, tmp_path / "data", tmp_path / "backups", "one")
        except Stop:
            assert not (tmp_path / "backups").is_dir() or not list((tmp_path / "backups").iterdir())
            assert not list((tmp_path / "workspace").iterdir())
            assert tree(tmp_path / "data") == before
        else:
            break
    assert looks > 20
    assert [each.name for each in listed(tmp_path / "backups")] == ["one"]


def test_too_little_room_is_told_before_anything_is_written(tmp_path: Path) -> None:
    make_site(tmp_path / "data")
    log = next((tmp_path / "data/jobs").rglob("log.txt"))
    with log.open("r+b") as file:
        file.truncate(2**43)  # eight terabytes of nothing
    with pytest.raises(BackupError, match=r"are free; make room"):
        back_up(tmp_path / "data", tmp_path / "backups")
    assert not list((tmp_path / "backups").iterdir())


def test_names_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_name(new_name())
    assert new_name() != new_name()
    assert not any(map(usable_name, ["", "..", ".x", "a/b", "a.tar", "a" * 101, "a\n"]))
    monkeypatch.setenv("MILEPOST_BACKUPS", "somewhere")
    with pytest.raises(BackupError, match="the whole path"):
        backups_folder(tmp_path)
    monkeypatch.setenv("MILEPOST_BACKUPS", str(tmp_path))
    assert backups_folder(Path("data")) == tmp_path
    monkeypatch.delenv("MILEPOST_BACKUPS")
    assert backups_folder(tmp_path) == tmp_path / "backups"


def test_a_rollback_removes_what_is_not_whole_and_may_run_twice(tmp_path: Path) -> None:
    partial_path(tmp_path, "one").write_text("half")
    (tmp_path / "one.tar").write_text("whole")
    for _ in range(2):
        discard_partial(str(tmp_path), "one")
    assert [each.name for each in tmp_path.iterdir()] == ["one.tar"]
