import sqlite3
import stat
import string
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.security import (
    Access,
    DatabaseError,
    PasswordError,
    People,
    PeopleError,
    PrivateFileError,
    Privilege,
    PrivilegeError,
    Role,
)

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
GOOD = "correct horse"
ALLOWED = string.ascii_letters + string.digits + "._@-"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_somebody_who_was_added_can_sign_in(people: People) -> None:
    added = people.add("ada", GOOD, "publisher", "Ada Lovelace")
    assert people.authenticate("ada", GOOD) == added
    assert people.get("ada") == added
    assert people.list() == (added,)
    assert (added.full_name, added.role) == ("Ada Lovelace", Role.PUBLISHER)


def test_a_wrong_password_and_an_unknown_name_are_refused_alike(people: People) -> None:
    people.add("ada", GOOD)
    assert people.authenticate("ada", GOOD + "!") is None
    assert people.authenticate("ada", "") is None
    assert people.authenticate("bob", GOOD) is None
    assert people.authenticate("", "") is None
    assert people.authenticate("\ud800\0", "\ud800" * 9) is None
    assert people.authenticate("ada", "x" * 10_000_000) is None


def test_usernames_are_the_same_in_any_case(people: People) -> None:
    people.add("Ada", GOOD)
    signed_in = people.authenticate("aDA", GOOD)
    assert signed_in is not None
    assert signed_in.username == "Ada"
    with pytest.raises(PeopleError, match="'ADA' already; choose another"):
        people.add("ADA", GOOD)


def test_a_full_name_is_the_username_when_it_is_not_given(people: People) -> None:
    assert people.add("ada", GOOD).full_name == "ada"
    for name in ("x" * 257, "Ada\nLovelace", "Ada \x1b[31m"):
        with pytest.raises(PeopleError, match="full name"):
            people.add("bob", GOOD, full_name=name)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.sampled_from(string.ascii_letters + string.digits), rest=st.text(alphabet=ALLOWED, max_size=127)
)
def test_every_username_of_allowed_characters_works(people: People, first: str, rest: str) -> None:
    username = first + rest
    people.add(username, GOOD)
    found = people.authenticate(username.swapcase(), GOOD)
    assert found is not None
    assert found.username == username
    people.remove(username)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=200).filter(
        lambda name: (
            not 0 < len(name) <= 128
            or not set(name) <= set(ALLOWED)
            or name[0] not in string.ascii_letters + string.digits
        )
    )
)
def test_every_other_username_is_refused_with_a_reason(people: People, username: str) -> None:
    with pytest.raises(PeopleError, match="cannot be a username; use 1 to 128"):
        people.add(username, GOOD)
    assert people.get(username) is None
    for change in (people.remove, lambda name: people.set_role(name, "administrator")):
        with pytest.raises(PeopleError, match="nobody named"):
            change(username)


def test_passwords_have_a_shortest_and_a_longest(people: People) -> None:
    people.add("a", "x" * 8)
    people.add("b", "ü" * 512)
    assert people.authenticate("b", "ü" * 512)
    with pytest.raises(PasswordError, match="at least 8 characters"):
        people.add("c", "x" * 7)
    with pytest.raises(PasswordError, match="at least 8 characters"):
        people.add("c", "e\u0301" * 7)
    with pytest.raises(PasswordError, match="longer than 1024 bytes"):
        people.add("c", "ü" * 512 + "x")
    with pytest.raises(PasswordError, match="not valid text"):
        people.set_password("a", "\ud800" * 8)
    assert people.get("c") is None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=300, max_size=340))
def test_any_text_can_be_a_password_and_only_itself_fits(people: People, text: str) -> None:
    password = text[:255]
    people.add("ada", password + "x")
    try:
        assert people.authenticate("ada", password + "x")
        assert people.authenticate("ada", password + "y") is None
        assert people.authenticate("ada", password) is None
    finally:
        people.remove("ada")


def test_an_accent_may_be_typed_in_two_ways(people: People) -> None:
    people.add("rene", "cafe\u0301 noir")
    assert people.authenticate("rene", "caf\u00e9 noir")


def test_a_new_password_replaces_the_old_one(people: People) -> None:
    before = people.add("ada", GOOD)
    after = people.set_password("ADA", "another one")
    assert after.password_version != before.password_version
    assert people.authenticate("ada", GOOD) is None
    assert people.authenticate("ada", "another one") == after
    with pytest.raises(PeopleError, match="nobody named 'bob'"):
        people.set_password("bob", GOOD)


def test_roles_can_be_changed_and_must_exist(people: People) -> None:
    people.add("ada", GOOD, "viewer")
    assert people.set_role("ada", "user").role is Role.USER
    with pytest.raises(PrivilegeError, match="no role 'king'; choose one of administrator, publisher, user"):
        people.set_role("ada", "king")
    with pytest.raises(PrivilegeError, match="no role ''"):
        people.add("bob", GOOD, "")


def test_privileges_come_with_the_role_and_by_grant(people: People) -> None:
    ada = people.add("ada", GOOD, "viewer")
    assert Privilege.VIEW_CONTENT in ada.privileges
    assert Privilege.UPDATE_CONTENT not in ada.privileges
    granted = people.set_granted("ada", ["portal:admin:updateItems"])
    assert granted.granted == {Privilege.UPDATE_CONTENT}
    assert people.get("ADA") == granted
    assert granted.privileges == ada.privileges | {Privilege.UPDATE_CONTENT}
    assert people.set_granted("ada", []) == ada
    with pytest.raises(PrivilegeError, match=r"portal:admin:everything.*the privileges are portal:admin"):
        people.set_granted("ada", ["portal:admin:everything"])
    with pytest.raises(PeopleError, match="nobody named 'bob'"):
        people.set_granted("bob", [])


def test_one_privilege_or_role_is_enough_and_administrators_always_may(people: People) -> None:
    access = Access(privileges=frozenset({Privilege.SERVERS}), roles=frozenset({Role.PUBLISHER}))
    may = {role: people.add(role, GOOD, role).may_use(access) for role in Role}
    assert [role for role, allowed in may.items() if allowed] == [Role.ADMINISTRATOR, Role.PUBLISHER]
    assert people.set_granted("viewer", [Privilege.SERVERS]).may_use(access)


def test_somebody_gets_another_full_name(people: People) -> None:
    people.add("ada", GOOD, full_name="Ada")
    assert people.set_full_name("ada", "Ada Lovelace").full_name == "Ada Lovelace"
    assert people.set_full_name("ada", " ").full_name == "ada"
    with pytest.raises(PeopleError, match="printable"):
        people.set_full_name("ada", "a\nb")


def test_the_last_administrator_stays(people: People) -> None:
    people.add("ada", GOOD, "administrator")
    people.add("bob", GOOD)
    for change in (lambda: people.remove("ADA"), lambda: people.set_role("Ada", "user")):
        with pytest.raises(PeopleError, match="'ada' is the last administrator; make somebody else"):
            change()
    assert people.set_role("ada", "administrator").role is Role.ADMINISTRATOR
    people.set_role("bob", "administrator")
    people.remove("ada")
    assert [person.username for person in people.list()] == ["bob"]


def test_two_administrators_who_remove_each_other_do_not_both_succeed(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with People(path, hasher=QUICK) as one, People(path, hasher=QUICK) as two:
        for _ in range(20):
            for name in ("ada", "bob"):
                if one.get(name) is None:
                    one.add(name, GOOD, "administrator")
            together = threading.Barrier(2)

            def remove(people: People, name: str, together: threading.Barrier = together) -> bool:
                together.wait()
                try:
                    people.remove(name)
                except PeopleError:
                    return False
                return True

            with ThreadPoolExecutor(2) as threads:
                results = [threads.submit(remove, one, "ada"), threads.submit(remove, two, "bob")]
                assert sorted(result.result() for result in results) == [False, True]


def test_the_first_administrator_is_made_once(people: People) -> None:
    password = people.ensure_administrator("admin")
    assert password is not None
    found = people.authenticate("admin", password)
    assert found is not None
    assert found.role is Role.ADMINISTRATOR
    assert people.ensure_administrator("admin") is None
    assert people.ensure_administrator("other", GOOD) is None
    assert len(people.list()) == 1


def test_the_first_administrator_may_bring_a_password(people: People) -> None:
    with pytest.raises(PasswordError):
        people.ensure_administrator("admin", "short")
    assert people.ensure_administrator("admin", GOOD) is None
    assert people.authenticate("admin", GOOD)


def test_an_empty_password_for_the_first_administrator_is_none_at_all(people: People) -> None:
    password = people.ensure_administrator("admin", "")
    assert password
    assert people.authenticate("admin", "") is None
    assert people.authenticate("admin", password)


def test_processes_that_start_together_make_one_administrator(start, people: People) -> None:
    processes = [
        start(f"""
            print("ready", flush=True)
            sys.stdin.readline()
            print(people.ensure_administrator("admin{number}") or "")
        """)
        for number in range(3)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    passwords = [process.communicate(timeout=60)[0].strip() for process in processes]
    (admin,) = people.list()
    (password,) = filter(None, passwords)
    assert people.authenticate(admin.username, password)


def test_processes_that_open_a_new_file_together_all_succeed(start, tmp_path: Path) -> None:
    processes = [
        start(f"people.add('user{number}', 'long enough'); print(len(people.list()))") for number in range(4)
    ]
    for process in processes:
        _, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
    with People(tmp_path / "people.sqlite", hasher=QUICK) as people:
        assert len(people.list()) == 4


def test_what_another_process_does_is_seen_at_once(people: People, elsewhere) -> None:
    before = people.version()
    elsewhere("people.add('ada', 'correct horse', 'publisher')")
    assert people.authenticate("ada", GOOD)
    assert people.version() != before
    elsewhere("people.set_password('ada', 'another one')")
    assert people.authenticate("ada", GOOD) is None
    assert people.authenticate("ada", "another one")
    elsewhere("people.remove('ada')")
    assert people.authenticate("ada", "another one") is None
    assert people.list() == ()


def test_many_threads_and_another_process_write_at_the_same_time(people: People, start) -> None:
    other = start("for number in range(50): people.add(f'other{number}', 'long enough')")

    def work(number: int) -> None:
        name = f"thread{number}"
        people.add(name, GOOD)
        assert people.authenticate(name, GOOD)
        people.set_password(name, "another one")
        assert people.authenticate(name, "another one")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(50)))
    _, error = other.communicate(timeout=60)
    assert other.returncode == 0, error
    assert len(people.list()) == 100


def test_a_process_killed_while_writing_leaves_the_file_whole(people: People, start) -> None:
    process = start("""
        number = 0
        while True:
            people.add(f"user{number}", "long enough")
            print(number, flush=True)
            number += 1
    """)
    for _ in range(20):
        last = int(process.stdout.readline())
    process.kill()
    process.wait()
    names = {person.username for person in people.list()}
    assert {f"user{number}" for number in range(last + 1)} <= names
    people.add("afterwards", GOOD)


def test_a_change_made_here_is_counted(people: People) -> None:
    before = people.changes
    people.add("ada", GOOD)
    assert people.changes == before + 1
    with pytest.raises(PeopleError):
        people.add("ada", GOOD)
    assert people.changes == before + 1


def test_hashes_of_other_parameters_are_renewed_at_the_next_sign_in(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"

    def kept() -> str:
        with sqlite3.connect(path) as database:
            (text,) = database.execute("SELECT password_hash FROM people").fetchone()
        database.close()
        return text

    with People(path, hasher=QUICK) as people:
        added = people.add("ada", GOOD)
    assert "m=8,t=1" in kept()
    with People(path, hasher=PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)) as people:
        assert people.authenticate("ada", "wrong password") is None
        assert "m=8,t=1" in kept()
        assert people.authenticate("ada", GOOD) == added
        assert "m=16,t=2" in kept()
        assert people.authenticate("ada", GOOD) == added


def test_what_is_kept_by_default_is_expensive_to_guess_and_no_password(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with People(path) as people:
        people.add("ada", GOOD)
        assert people.authenticate("ada", GOOD)
        assert people.authenticate("bob", GOOD) is None
    everything = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"$argon2id$v=19$m=65536,t=3,p=4$" in everything
    assert GOOD.encode() not in everything


def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with People(folder / "people.sqlite", hasher=QUICK) as people:
        people.add("ada", GOOD)
        assert mode(folder) == 0o700
        assert {file.name for file in folder.iterdir()} >= {"people.sqlite", "people.sqlite-wal"}
        assert {mode(file) for file in folder.iterdir()} == {0o600}


def test_a_file_that_anybody_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    People(path, hasher=QUICK).close()
    path.chmod(0o644)
    with pytest.raises(PrivateFileError, match=r"mode 644\); run: chmod 600 '.*people.sqlite'"):
        People(path, hasher=QUICK)
    path.chmod(0o660)
    People(path, hasher=QUICK).close()


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    path.write_bytes(b"not a database, but dear to somebody" * 100)
    path.chmod(0o600)
    with pytest.raises(DatabaseError, match="damaged or not Milepost's"):
        People(path, hasher=QUICK)
    assert path.read_bytes().startswith(b"not a database")


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    People(path, hasher=QUICK).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(DatabaseError, match=r"newer version of Milepost \(format 99"):
        People(path, hasher=QUICK)


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(PrivateFileError, match="data cannot be used"):
        People(tmp_path / "data" / "people.sqlite")


def test_a_damaged_hash_is_named_and_can_be_replaced(people: People, tmp_path: Path) -> None:
    people.add("ada", GOOD)
    for damage in ("", "nonsense", "$argon2id$v=19$m=8,t=1,p=1$????"):
        database = sqlite3.connect(tmp_path / "people.sqlite", isolation_level=None)
        database.execute("UPDATE people SET password_hash = ?", (damage,))
        database.close()
        with pytest.raises(PasswordError, match="set a new one"):
            people.authenticate("ada", GOOD)
    people.set_password("ada", GOOD)
    assert people.authenticate("ada", GOOD)
