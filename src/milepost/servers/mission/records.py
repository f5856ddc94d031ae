"""The missions of a site, in an SQLite file that the server and its jobs share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

import msgspec

from milepost.security import Records

CAPABILITIES: Final = ("EVENTS", "CHAT", "PRESENCE", "TRACK", "TASK", "REPORT")
"""What a mission may offer. The documents list five, their examples use the sixth."""

WORLD: Final = (-180.0, -90.0, 180.0, 90.0)

_MIGRATIONS: Final = (
    """
    CREATE TABLE missions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL COLLATE NOCASE,
        group_id TEXT NOT NULL UNIQUE,
        layers_item TEXT NOT NULL UNIQUE,
        map_item TEXT NOT NULL UNIQUE,
        withdrawn INTEGER NOT NULL DEFAULT 0,
        record BLOB NOT NULL
    )
    """,
    "CREATE TABLE maps (mission TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID",
    """
    CREATE TABLE members (
        mission TEXT NOT NULL, username TEXT NOT NULL COLLATE NOCASE, PRIMARY KEY (mission, username)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX missions_of_members ON members (username)",
    "CREATE INDEX missions_of_owners ON missions (owner)",
)

_SEEN: Final = (
    "withdrawn = 0 AND (? = '' OR owner = ? OR id IN (SELECT mission FROM members WHERE username = ?))"
)
_ONE: Final = "SELECT record FROM missions WHERE withdrawn = 0 AND (id = ? OR group_id = ? OR layers_item = ? OR map_item = ?)"


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody wants a mission to be."""

    title: str
    summary: str = ""
    description: str = ""
    license: str = ""
    tags: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = CAPABILITIES
    extent: tuple[float, float, float, float] = WORLD
    """West, south, east and north, in degrees."""
    locale: str = "en"
    app_id: str = ""
    base_map: dict[str, Any] = {}
    """Esri's ``baseMap``; empty for none."""
    map_description: str = ""


class LayerOfMission(msgspec.Struct, frozen=True):
    """A layer that a channel of a mission leads to."""

    item: str
    service: str
    """Of the feature service, ``Folder/Name``."""
    layer: int
    name: str


class Channel(msgspec.Struct, frozen=True):
    """A part of what goes on in a mission, and its layers."""

    name: str
    message: str
    """Id under which its messages go."""
    layers: tuple[LayerOfMission, ...]


class Mission(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mission."""

    id: str
    owner: str
    created: int
    """UTC milliseconds since 1970."""
    plan: Plan
    channels: tuple[Channel, ...]
    reports: tuple[LayerOfMission, ...] = ()
    members: tuple[str, ...] = ()

    @property
    def group_id(self) -> str:
        """The portal group of the members."""
        return item_id(self.id, "group")

    @property
    def folder_id(self) -> str:
        """The folder of the owner's content that holds the items; it is named as the mission is."""
        return self.id

    @property
    def map_item(self) -> str:
        """The portal item of the web map."""
        return item_id(self.id, "map")

    @property
    def layers_item(self) -> str:
        """The portal item of the layers."""
        return item_id(self.id, "layers")

    @property
    def service(self) -> str:
        """The feature service with the layers of the mission."""
        return service_name(self.id)

    def is_for(self, username: str) -> bool:
        """Whether somebody is the owner or a member."""
        return username.lower() in (self.owner.lower(), *(each.lower() for each in self.members))


def new_id() -> str:
    """The id of a mission that is to be."""
    return uuid4().hex


def item_id(mission: str, what: str) -> str:
    """The id of something that belongs to a mission: the same whenever it is asked for."""
    return uuid5(UUID(mission), what).hex


def service_name(mission: str) -> str:
    """The feature service of a mission."""
    return f"Missions/mission_{mission}"


class Missions(Records):
    """All missions of a site. Every method may be called from any thread and process."""

    def __init__(self, data: Path):
        """Below the data folder of the site.

        Raises:
            SecurityError: the file cannot be used.
        """
        super().__init__(data / "missions.sqlite", _MIGRATIONS)

    def get(self, any_id: str) -> Mission | None:
        """The mission with an id, or to which the group, the map or the layers with that id belong."""
        rows = self._database.read(_ONE, any_id, any_id, any_id, any_id)
        return _decoded(rows[0]) if rows else None

    def page(self, username: str, *, start: int, limit: int) -> tuple[list[Mission], int]:
        """Missions of which somebody is owner or member, newest first, and how many there are.

        Args:
            username: whose; empty for those of everybody.
            start: the number of the first one, from 1.
            limit: how many at most.
        """
        whose = (username, username, username)
        rows = self._database.read(
            f"SELECT record FROM missions WHERE {_SEEN} ORDER BY number DESC LIMIT ? OFFSET ?",  # noqa: S608
            *whose,
            limit,
            start - 1,
        )
        total = self._database.read(f"SELECT count(*) FROM missions WHERE {_SEEN}", *whose)  # noqa: S608
        return [_decoded(row) for row in rows], total[0][0]

    def add(self, mission: Mission) -> None:
        """Let a mission be; one that is there already stays as it is."""
        with self._database.change() as connection:
            connection.execute(
                "INSERT INTO missions (id, owner, group_id, layers_item, map_item, record)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
                (
                    mission.id,
                    mission.owner,
                    mission.group_id,
                    mission.layers_item,
                    mission.map_item,
                    msgspec.json.encode(mission),
                ),
            )

    def remove(self, mission_id: str) -> None:
        """Let a mission, its map and its members be gone; there need not be one."""
        with self._database.change() as connection:
            for table, column in (("missions", "id"), ("maps", "mission"), ("members", "mission")):
                connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (mission_id,))  # noqa: S608

    def put_map(self, mission_id: str, content: dict[str, Any]) -> None:
        """Keep the web map of a mission."""
        with self._database.change() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO maps VALUES (?, ?)", (mission_id, msgspec.json.encode(content))
            )

    def map(self, mission_id: str) -> dict[str, Any]:
        """The web map of a mission, with paths in place of URLs; empty without one."""
        rows = self._database.read("SELECT content FROM maps WHERE mission = ?", mission_id)
        return msgspec.json.decode(rows[0][0], type=dict[str, Any]) if rows else {}

    def withdraw(self, mission_id: str) -> bool:
        """Show a mission to nobody any more, while it can still come back; whether there is one."""
        with self._database.change() as connection:
            done = connection.execute("UPDATE missions SET withdrawn = 1 WHERE id = ?", (mission_id,))
            return done.rowcount > 0

    def bring_back(self, mission_id: str) -> bool:
        """Show a mission again that was withdrawn; whether there is one."""
        with self._database.change() as connection:
            done = connection.execute("UPDATE missions SET withdrawn = 0 WHERE id = ?", (mission_id,))
            return done.rowcount > 0

    def withdrawn(self, mission_id: str) -> Mission | None:
        """A mission that was withdrawn."""
        rows = self._database.read("SELECT record FROM missions WHERE id = ? AND withdrawn = 1", mission_id)
        return _decoded(rows[0]) if rows else None

    def change(self, mission_id: str, change: Callable[[Mission], Mission]) -> Mission | None:
        """Replace a mission by what ``change`` makes of it; None when there is none."""
        with self._database.change() as connection:
            row = connection.execute(
                "SELECT record FROM missions WHERE id = ? AND withdrawn = 0", (mission_id,)
            ).fetchone()
            if row is None:
                return None
            changed = change(_decoded(row))
            connection.execute(
                "UPDATE missions SET record = ? WHERE id = ?", (msgspec.json.encode(changed), mission_id)
            )
            connection.execute("DELETE FROM members WHERE mission = ?", (mission_id,))
            connection.executemany(
                "INSERT OR IGNORE INTO members VALUES (?, ?)",
                [(mission_id, each) for each in changed.members],
            )
        return changed


def _decoded(row: Sequence[Any]) -> Mission:
    return msgspec.json.decode(row[0], type=Mission)
