"""People: who may sign in, and what role they have. Kept in an SQLite file of their own."""

import re
import secrets
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from argon2 import PasswordHasher

from milepost.security.database import DatabaseError, Records
from milepost.security.errors import SecurityError
from milepost.security.passwords import Passwords, generate
from milepost.security.privileges import PRIVILEGES_OF, Access, Privilege, Role, read_privileges, read_role

LONGEST_USERNAME: Final = 128
LONGEST_FULL_NAME: Final = 256

_USERNAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
_MIGRATIONS: Final = (
    """
    CREATE TABLE people (
        username TEXT PRIMARY KEY COLLATE NOCASE,
        full_name TEXT NOT NULL,
        role TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        password_version INTEGER NOT NULL,
        password_hash TEXT NOT NULL
    )
    """,
    "ALTER TABLE people ADD COLUMN granted TEXT NOT NULL DEFAULT ''",
    "CREATE TABLE ended_sessions (session TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID",
)
_COLUMNS: Final = "username, full_name, role, created_at, password_version, granted"
_EVERYBODY: Final = f"SELECT {_COLUMNS} FROM people ORDER BY username"  # noqa: S608 - made of constants
_ONE: Final = f"SELECT {_COLUMNS}, password_hash FROM people WHERE username = ?"  # noqa: S608


class PeopleError(SecurityError):
    """Something that cannot be done with people; the text names the cause and the cure."""


class Person(msgspec.Struct, frozen=True):
    """Somebody who may sign in."""

    username: str
    """As it was written when the person was added; compared without regard to case."""
    full_name: str
    role: Role
    created_at: int
    """UTC milliseconds since the epoch."""
    password_version: int
    """Drawn at random with every new password: what was issued under another one is void."""
    granted: frozenset[Privilege] = frozenset()
    """Privileges beyond those of the role."""

    @property
    def privileges(self) -> frozenset[Privilege]:
        """All that the person has, by role and by grant."""
        return PRIVILEGES_OF[self.role] | self.granted

    def may_use(self, access: Access) -> bool:
        """Whether a resource is for this person."""
        return access.admits(self.role, self.privileges)


class People(Records):
    """The people of one server, in an SQLite file that several processes may use at once.

    Every method may be called from any thread. What another process changes is seen by the
    next call. Methods that take a password need a noticeable fraction of a second and 64 MiB,
    and wait for each other beyond four; servers call them in a thread.
    """

    def __init__(self, path: Path, *, hasher: PasswordHasher | None = None) -> None:
        """Open the file, or make it, readable by its owner only.

        Args:
            path: the file, such as ``DATA/people.sqlite``.
            hasher: how expensive guessing passwords is; hashes made with other parameters are
                renewed when their owner signs in.

        Raises:
            DatabaseError: the file is damaged, or was made by a newer version.
            PrivateFileError: the file cannot be used, or every user of the machine can read it.
        """
        super().__init__(path, _MIGRATIONS)
        self._passwords = Passwords(hasher)

    @property
    def changes(self) -> int:
        """How many changes were made through this object; costs nothing to ask."""
        return self._database.changes

    def version(self) -> int:
        """A number that is another one after any process changed anything; costs microseconds."""
        return self._database.version()

    def list(self) -> tuple[Person, ...]:
        """Everybody, by username."""
        return tuple(_person(row) for row in self._database.read(_EVERYBODY))

    def get(self, username: str) -> Person | None:
        """The person of that name, or None."""
        found = self._find(username)
        return found and found[0]

    def add(self, username: str, password: str, role: Role | str = Role.USER, full_name: str = "") -> Person:
        """Let somebody in.

        Args:
            username: ASCII letters, digits and ``. _ @ -``, beginning with a letter or digit.
            password: 8 characters to 1024 bytes.
            role: one of ``Role``.
            full_name: for display; the username when empty.

        Raises:
            PeopleError: a name is not acceptable, or is taken.
            PrivilegeError: there is no such role.
            PasswordError: the password is not acceptable.
        """
        person = _new_person(username, role, full_name)
        password_hash = self._passwords.hash(password)
        with self._database.change() as database:
            _insert(database, person, password_hash)
        return person

    def set_password(self, username: str, password: str) -> Person:
        """Give somebody a new password; all tokens issued under the old one become void.

        Raises:
            PeopleError: there is no such person.
            PasswordError: the password is not acceptable.
        """
        if self.get(username) is None:
            raise _unknown(username)
        password_hash = self._passwords.hash(password)
        with self._database.change() as database:
            database.execute(
                "UPDATE people SET password_hash = ?, password_version = ? WHERE username = ?",
                (password_hash, _new_version(), username),
            )
            return _one(database, username)

    def set_role(self, username: str, role: Role | str) -> Person:
        """Give somebody another role; tokens already issued carry it from then on.

        Raises:
            PeopleError: there is no such person, or it is the last administrator.
            PrivilegeError: there is no such role.
        """
        new_role = read_role(role)
        with self._database.change() as database:
            person = _one(database, username)
            if new_role is not Role.ADMINISTRATOR:
                _refuse_last_administrator(database, person)
            database.execute("UPDATE people SET role = ? WHERE username = ?", (new_role, username))
            return _one(database, username)

    def set_granted(self, username: str, privileges: Iterable[Privilege | str]) -> Person:
        """Give somebody these privileges beyond those of the role, and no others.

        Raises:
            PeopleError: there is no such person.
            PrivilegeError: there is no such privilege.
        """
        granted = read_privileges(privileges)
        with self._database.change() as database:
            person = _one(database, username)
            database.execute(
                "UPDATE people SET granted = ? WHERE username = ?", (_written(granted), person.username)
            )
            return _one(database, username)

    def set_full_name(self, username: str, full_name: str) -> Person:
        """Let somebody be displayed under another name; the username when empty.

        Raises:
            PeopleError: there is no such person, or the name is not acceptable.
        """
        with self._database.change() as database:
            person = _one(database, username)
            name = _full_name(full_name, person.username)
            database.execute("UPDATE people SET full_name = ? WHERE username = ?", (name, person.username))
            return _one(database, username)

    def remove(self, username: str) -> None:
        """Let somebody in no longer; all tokens of the person become void, also if the name returns.

        Raises:
            PeopleError: there is no such person, or it is the last administrator.
        """
        with self._database.change() as database:
            _refuse_last_administrator(database, _one(database, username))
            database.execute("DELETE FROM people WHERE username = ?", (username,))

    def end_session(self, session: str, now: float, until: float) -> None:
        """Make a session void, and forget those whose tokens have expired anyway.

        Args:
            session: as its tokens name it.
            now: UTC seconds since the epoch.
            until: when all of its tokens will have expired.
        """
        with self._database.change() as database:
            database.execute("DELETE FROM ended_sessions WHERE until < ?", (int(now),))
            database.execute("INSERT OR IGNORE INTO ended_sessions VALUES (?, ?)", (session, int(until)))

    def has_ended(self, session: str) -> bool:
        """Whether a session was made void."""
        return bool(self._database.read("SELECT 1 FROM ended_sessions WHERE session = ?", session))

    def authenticate(self, username: str, password: str) -> Person | None:
        """The person, if the password is right; None, after the same time, if either is unknown.

        Raises:
            PasswordError: the password kept for the person is damaged.
        """
        found = self._find(username)
        if not self._passwords.fits(password, found and found[1]) or found is None:
            return None
        person, kept = found
        if self._passwords.dated(kept):
            renewed = self._passwords.hash(password)
            # A password that was changed meanwhile stays as it is. Nor may a full disk keep
            # anybody out: the next time will do.
            with suppress(DatabaseError), self._database.change() as database:
                database.execute(
                    "UPDATE people SET password_hash = ? WHERE username = ? AND password_hash = ?",
                    (renewed, username, kept),
                )
        return person

    def ensure_administrator(self, username: str, password: str | None = None) -> str | None:
        """Add a first administrator when there is nobody at all; otherwise do nothing.

        Args:
            username: of the administrator.
            password: one is generated when it is None or empty.

        Returns:
            The password that was generated because none was given, to be shown once. None when
            one was given, or when there was somebody already.

        Raises:
            PeopleError: the username is not acceptable.
            PasswordError: the password is not acceptable.
        """
        if self._database.read(_EVERYBODY):
            return None
        person = _new_person(username, Role.ADMINISTRATOR, "")
        chosen = password or generate()
        password_hash = self._passwords.hash(chosen)
        with self._database.change() as database:
            # Another process may have been faster while the password was hashed.
            if database.execute(_EVERYBODY).fetchall():
                return None
            _insert(database, person, password_hash)
        return None if password else chosen

    def _find(self, username: str) -> tuple[Person, str] | None:
        """The person and the kept hash of the password."""
        if not _acceptable(username):
            return None
        rows = self._database.read(_ONE, username)
        return (_person(rows[0]), rows[0][6]) if rows else None


def _person(row: tuple[Any, ...]) -> Person:
    return Person(row[0], row[1], Role(row[2]), row[3], row[4], read_privileges(row[5].split()))


def _new_person(username: str, role: Role | str, full_name: str) -> Person:
    if not _acceptable(username):
        raise PeopleError(
            f"{username[:LONGEST_USERNAME]!r} cannot be a username; use 1 to {LONGEST_USERNAME} ASCII letters,"
            " digits and . _ @ -, beginning with a letter or digit"
        )
    name = _full_name(full_name, username)
    return Person(username, name, read_role(role), time.time_ns() // 1_000_000, _new_version())


def _full_name(given: str, username: str) -> str:
    name = given.strip() or username
    if len(name) > LONGEST_FULL_NAME or not name.isprintable():
        raise PeopleError(f"the full name must be at most {LONGEST_FULL_NAME} printable characters")
    return name


def _written(granted: Iterable[Privilege]) -> str:
    return " ".join(sorted(granted))


def _acceptable(username: str) -> bool:
    return len(username) <= LONGEST_USERNAME and _USERNAME.fullmatch(username) is not None


def _new_version() -> int:
    return secrets.randbits(53)  # what JSON numbers hold exactly


def _unknown(username: str) -> PeopleError:
    return PeopleError(
        f"there is nobody named {username[:LONGEST_USERNAME]!r}; list the people to see who is"
    )


def _one(database: sqlite3.Connection, username: str) -> Person:
    rows = database.execute(_ONE, (username,)).fetchall() if _acceptable(username) else ()
    if not rows:
        raise _unknown(username)
    return _person(rows[0])


def _insert(database: sqlite3.Connection, person: Person, password_hash: str) -> None:
    if database.execute(_ONE, (person.username,)).fetchall():
        raise PeopleError(f"there is somebody named {person.username!r} already; choose another username")
    database.execute(
        f"INSERT INTO people ({_COLUMNS}, password_hash) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (
            person.username,
            person.full_name,
            person.role,
            person.created_at,
            person.password_version,
            _written(person.granted),
            password_hash,
        ),
    )


def _refuse_last_administrator(database: sqlite3.Connection, person: Person) -> None:
    if person.role is not Role.ADMINISTRATOR:
        return
    others = "SELECT 1 FROM people WHERE role = ? AND username <> ?"
    if not database.execute(others, (Role.ADMINISTRATOR, person.username)).fetchall():
        raise PeopleError(
            f"{person.username!r} is the last administrator; make somebody else an administrator first"
        )
