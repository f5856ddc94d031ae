import json
import stat
import string
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.security import BindingError, InvalidToken, People, Person, PrivateFileError, Role, Tokens

GOOD = "correct horse"
MINUTE = 60.0


class Clock:
    """A clock that is set by hand. Seconds since the epoch."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ada(people: People) -> Person:
    people.add("root", GOOD, "administrator")
    return people.add("ada", GOOD, "publisher")


@pytest.fixture
def tokens(tmp_path: Path, people: People, clock: Clock) -> Iterator[Tokens]:
    return Tokens(tmp_path / "token.key", people, clock=clock)


def key_of(folder: Path) -> bytes:
    return bytes.fromhex((folder / "token.key").read_text())


def test_a_token_says_whose_it_is(tokens: Tokens, ada: Person, clock: Clock) -> None:
    token, expires = tokens.issue(ada)
    assert expires == (clock.now + 60 * MINUTE) * 1000
    assert tokens.verify(token) == ada
    assert tokens.verify(token) == ada
    assert token.isascii()


def test_with_the_clock_of_the_machine_too(tmp_path: Path, people: People, ada: Person) -> None:
    tokens = Tokens(tmp_path / "token.key", people)
    assert tokens.verify(tokens.issue(ada)[0]) == ada


@pytest.mark.parametrize(
    ("asked", "given"), [(0, 1), (-5, 1), (1, 1), (90, 90), (20160, 20160), (20161, 20160), (10**30, 20160)]
)
def test_lifetimes_have_bounds(tokens: Tokens, ada: Person, clock: Clock, asked: int, given: int) -> None:
    assert tokens.issue(ada, asked)[1] == (clock.now + given * MINUTE) * 1000


@pytest.mark.parametrize("seen_before", [False, True])
def test_a_token_expires_after_a_grace_of_ten_minutes(
    tokens: Tokens, ada: Person, clock: Clock, seen_before: bool
) -> None:
    token, _ = tokens.issue(ada, 60)
    if seen_before:
        tokens.verify(token)
    clock.now += 60 * MINUTE + 599
    assert tokens.verify(token) == ada
    clock.now += 1
    with pytest.raises(InvalidToken, match="expired"):
        tokens.verify(token)


@pytest.fixture
def shared_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tokens, str]]:
    folder = tmp_path_factory.mktemp("shared")
    with People(folder / "people.sqlite") as people:
        tokens = Tokens(folder / "token.key", people)
        yield tokens, tokens.issue(people.add("ada", GOOD), ip="192.0.2.7")[0]


def test_any_other_character_at_any_place_is_refused(shared_token: tuple[Tokens, str]) -> None:
    tokens, token = shared_token
    for place, right in enumerate(token):
        # All 64 at the end, where base64 has bits to spare; a few are enough elsewhere.
        letters = string.ascii_letters + string.digits + "-_.=+/ \n"
        for wrong in letters if place > len(token) - 3 else "A_.":
            if wrong != right:
                with pytest.raises(InvalidToken):
                    tokens.verify(token[:place] + wrong + token[place + 1 :], ip="192.0.2.7")
    assert tokens.verify(token, ip="192.0.2.7").username == "ada"


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_refused(shared_token: tuple[Tokens, str], data: st.DataObject) -> None:
    tokens, token = shared_token
    start = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(start, len(token)))
    changed = token[:start] + data.draw(st.text(max_size=5)) + token[end:]
    if changed != token:
        with pytest.raises(InvalidToken):
            tokens.verify(changed, ip="192.0.2.7")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.characters(), max_size=60) | st.lists(st.text(max_size=40)).map(".".join))
def test_anything_else_is_refused(shared_token: tuple[Tokens, str], text: str) -> None:
    with pytest.raises(InvalidToken):
        shared_token[0].verify(text)


def test_other_ways_to_forge_are_refused(tokens: Tokens, ada: Person, tmp_path: Path) -> None:
    token, expires = tokens.issue(ada)
    key = key_of(tmp_path)
    claims = {"sub": "ada", "ver": ada.password_version, "exp": expires // 1000, "sid": "one"}
    assert tokens.verify(jwt.encode(claims, key, "HS256")) == ada
    header, payload, signature = token.split(".")
    unsigned = urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode().rstrip("=")
    nested = urlsafe_b64encode(b"[" * 2900).decode().rstrip("=")
    for forged in (
        jwt.encode(claims, None, "none"),
        jwt.encode(claims, b"x" * 32, "HS256"),
        jwt.encode(claims, key * 2, "HS512"),
        jwt.encode({**claims, "ver": 0}, key, "HS256"),
        jwt.encode({**claims, "sid": 1}, key, "HS256"),
        jwt.encode({**claims, "ver": None}, key, "HS256"),
        jwt.encode({**claims, "ver": "1"}, key, "HS256"),
        jwt.encode({**claims, "exp": "soon"}, key, "HS256"),
        jwt.encode({**claims, "exp": 1e400}, key, "HS256"),
        jwt.encode({**claims, "sub": ["ada"]}, key, "HS256"),
        jwt.encode({**claims, "sub": "\ud800"}, key, "HS256"),
        jwt.encode({"sub": "ada"}, key, "HS256"),
        f"{unsigned}.{payload}.",
        f"{unsigned}.{payload}.{signature}",
        f"{header}.{payload}.{signature}=",
        f"{header}.{payload}.{signature}.{signature}",
        f"{nested}.{payload}.{signature}",
        f"{header}.{payload}",
        f" {token}",
        token + "\n",
        token * 100,
    ):
        with pytest.raises(InvalidToken):
            tokens.verify(forged)


def test_a_token_may_belong_to_somebody_of_the_longest_name(tokens: Tokens, people: People) -> None:
    person = people.add("x" * 128, GOOD)
    token, _ = tokens.issue(person, referer="ß" * 5000, ip="2001:db8::1")
    assert tokens.verify(token, ip="2001:db8::1") == person


def test_a_new_password_revokes_at_once(tokens: Tokens, people: People, ada: Person) -> None:
    token, _ = tokens.issue(ada)
    tokens.verify(token)
    changed = people.set_password("ada", "another one")
    with pytest.raises(InvalidToken, match="password was changed"):
        tokens.verify(token)
    assert tokens.verify(tokens.issue(changed)[0]) == changed
    with pytest.raises(InvalidToken):
        tokens.verify(tokens.issue(ada)[0])


def test_removal_revokes_at_once_and_for_good(tokens: Tokens, people: People, ada: Person) -> None:
    token, _ = tokens.issue(ada)
    tokens.verify(token)
    people.remove("ada")
    with pytest.raises(InvalidToken, match="not known here"):
        tokens.verify(token)
    people.add("ada", GOOD)
    with pytest.raises(InvalidToken):
        tokens.verify(token)


def test_a_new_role_counts_at_once(tokens: Tokens, people: People, ada: Person) -> None:
    token, _ = tokens.issue(ada)
    assert tokens.verify(token).role is Role.PUBLISHER
    people.set_role("ada", "viewer")
    assert tokens.verify(token).role is Role.VIEWER


@pytest.mark.parametrize(
    "change",
    [
        "people.set_password('ada', 'another one')",
        "people.remove('ada')",
        "Tokens(folder / 'token.key', people).rotate()",
        "(folder / 'token.key').unlink(); Tokens(folder / 'token.key', people)",
    ],
)
def test_another_process_revokes_within_a_second(
    tokens: Tokens, ada: Person, clock: Clock, elsewhere, change: str
) -> None:
    token, _ = tokens.issue(ada)
    assert tokens.verify(token) == ada
    elsewhere(change)
    clock.now += 1
    with pytest.raises(InvalidToken):
        tokens.verify(token)


def test_a_clock_that_is_set_back_does_not_delay_revocation(
    tokens: Tokens, ada: Person, clock: Clock, elsewhere
) -> None:
    token, _ = tokens.issue(ada)
    tokens.verify(token)
    elsewhere("people.remove('ada')")
    clock.now -= 3600
    with pytest.raises(InvalidToken):
        tokens.verify(token)


def test_another_process_issues_tokens_that_count_here(tokens: Tokens, ada: Person, elsewhere) -> None:
    token = elsewhere("print(Tokens(folder / 'token.key', people).issue(people.get('ada'))[0])").strip()
    assert tokens.verify(token) == ada
    under_a_new_key = elsewhere("""
        tokens = Tokens(folder / 'token.key', people)
        tokens.rotate()
        print(tokens.issue(people.get('ada'))[0])
    """).strip()
    assert tokens.verify(under_a_new_key) == ada
    with pytest.raises(InvalidToken):
        tokens.verify(token)


def test_after_rotation_nothing_issued_before_counts(tokens: Tokens, ada: Person, tmp_path: Path) -> None:
    token, _ = tokens.issue(ada)
    tokens.verify(token)
    before = key_of(tmp_path)
    tokens.rotate()
    assert key_of(tmp_path) != before
    with pytest.raises(InvalidToken, match="signing key was changed"):
        tokens.verify(token)
    assert tokens.verify(tokens.issue(ada)[0]) == ada


def test_revocation_is_never_missed_by_threads_that_verify(
    tokens: Tokens, people: People, ada: Person
) -> None:
    person = ada
    for number in range(8):
        token, _ = tokens.issue(person)
        stop = threading.Event()

        def poll(token: str = token, stop: threading.Event = stop) -> None:
            while not stop.is_set():
                try:
                    tokens.verify(token)
                except InvalidToken:
                    return

        with ThreadPoolExecutor(2) as threads:
            polls = [threads.submit(poll) for _ in range(2)]
            try:
                person = people.set_password("ada", f"password number {number}")
                with pytest.raises(InvalidToken):
                    tokens.verify(token)
            finally:
                stop.set()
            for done in polls:
                done.result()
        with pytest.raises(InvalidToken):
            tokens.verify(token)


def test_more_tokens_than_are_remembered_all_count(tokens: Tokens, ada: Person, monkeypatch) -> None:
    monkeypatch.setattr("milepost.security.tokens._REMEMBERED", 3)
    issued = [tokens.issue(ada, minutes)[0] for minutes in range(1, 11)]
    for _ in range(2):
        assert [tokens.verify(token) for token in issued] == [ada] * 10


def test_a_token_bound_to_an_address_is_taken_from_no_other(tokens: Tokens, ada: Person) -> None:
    token, _ = tokens.issue(ada, ip="192.0.2.7")
    assert tokens.verify(token, ip="192.0.2.7") == ada
    assert tokens.verify(token, ip="::ffff:192.0.2.7") == ada
    for other in ("192.0.2.8", "", None, "testclient"):
        with pytest.raises(InvalidToken, match="address"):
            tokens.verify(token, ip=other)
    token, _ = tokens.issue(ada, ip="2001:DB8:0::1")
    assert tokens.verify(token, ip="2001:db8::1") == ada


def test_an_address_to_bind_to_must_be_one(tokens: Tokens, ada: Person) -> None:
    with pytest.raises(BindingError, match="'ip' must be an IPv4 or IPv6 address"):
        tokens.issue(ada, ip="here")
    assert tokens.verify(tokens.issue(ada, ip="", referer="")[0], ip="192.0.2.1", referer="x") == ada


def test_a_referer_does_not_matter_by_default(tokens: Tokens, ada: Person) -> None:
    token, _ = tokens.issue(ada, referer="https://app.example.org")
    for referer in ("https://app.example.org/", "https://elsewhere.example.org", "http", None):
        assert tokens.verify(token, referer=referer) == ada


@pytest.mark.parametrize(
    ("bound", "same", "other"),
    [
        (
            "https://App.example.org/map/index.html?x=1",
            ["https://app.example.org/", "https://app.example.org:443/other", "HTTPS://APP.EXAMPLE.ORG"],
            [
                "http://app.example.org/",
                "https://app.example.org:8443/",
                "https://app.example.org.evil.example/",
                "https://evil.example/https://app.example.org/",
                "https://app.example.org@evil.example/",
                "app.example.org",
            ],
        ),
        ("@esri/arcgis-rest-js", ["@esri/arcgis-rest-js"], ["http", "@esri/arcgis-rest-js/2"]),
        ("http", ["http"], ["https", "http://x"]),
        ("http://[", ["http://["], ["http://[::1]", "\ud800", "y" * 100_000]),
    ],
)
def test_a_strict_server_refuses_another_referer_but_not_a_missing_one(
    tmp_path: Path, people: People, ada: Person, bound: str, same: list[str], other: list[str]
) -> None:
    tokens = Tokens(tmp_path / "token.key", people, strict_referer=True)
    token, _ = tokens.issue(ada, referer=bound)
    for referer in (bound, *same, "", None):
        assert tokens.verify(token, referer=referer) == ada
    for referer in other:
        with pytest.raises(InvalidToken, match="another page or program"):
            tokens.verify(token, referer=referer)
    assert tokens.verify(tokens.issue(ada)[0], referer="anything") == ada


def test_an_exchanged_token_is_no_stronger_than_the_one_given(
    tokens: Tokens, people: People, ada: Person, clock: Clock
) -> None:
    token, expires = tokens.issue(ada, 60, ip="192.0.2.7")
    clock.now += 30 * MINUTE
    with pytest.raises(InvalidToken):
        tokens.exchange(token, ip="192.0.2.8")
    exchanged, until = tokens.exchange(token, 20160, ip="192.0.2.7")
    assert until == expires
    assert tokens.verify(exchanged, ip="192.0.2.7") == ada
    with pytest.raises(InvalidToken):
        tokens.verify(exchanged, ip="192.0.2.8")
    _, sooner = tokens.exchange(token, 5, ip="192.0.2.7")
    assert sooner == (clock.now + 5 * MINUTE) * 1000
    people.set_password("ada", "another one")
    for each in (token, exchanged):
        with pytest.raises(InvalidToken):
            tokens.exchange(each, ip="192.0.2.7")


def test_the_key_is_readable_by_its_owner_only_and_stays(
    tokens: Tokens, people: People, ada: Person, tmp_path: Path, clock: Clock
) -> None:
    path = tmp_path / "token.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token, _ = tokens.issue(ada)
    assert Tokens(path, people, clock=clock).verify(token) == ada
    tokens.rotate()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".token")]


def test_a_key_that_anybody_can_read_or_that_is_damaged_is_refused(tmp_path: Path, people: People) -> None:
    path = tmp_path / "token.key"
    Tokens(path, people)
    path.chmod(0o604)
    with pytest.raises(PrivateFileError, match="every user of this machine"):
        Tokens(path, people)
    path.chmod(0o600)
    for damage in (b"", b"abcd", b"\xff" * 64, b"z" * 64):
        path.write_bytes(damage)
        with pytest.raises(PrivateFileError, match="damaged: a key is at least 64"):
            Tokens(path, people)


def test_processes_that_start_together_share_one_key(start, people: People, ada: Person, tmp_path) -> None:
    processes = [
        start("""
            print("ready", flush=True)
            sys.stdin.readline()
            print(Tokens(folder / "token.key", people).issue(people.get("ada"))[0])
        """)
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    issued = [process.communicate(timeout=60)[0].strip() for process in processes]
    tokens = Tokens(tmp_path / "token.key", people)
    assert [tokens.verify(token) for token in issued] == [ada] * 3


def test_refusals_hold_neither_token_nor_key(tokens: Tokens, ada: Person, tmp_path: Path) -> None:
    token, _ = tokens.issue(ada)
    with pytest.raises(InvalidToken) as refused:
        tokens.verify(token[:-1] + ("A" if token[-1] != "A" else "B"))
    text = str(refused.value)
    assert token[:20] not in text
    assert key_of(tmp_path).hex() not in text
    payload = urlsafe_b64decode(token.split(".")[1] + "==")
    assert set(json.loads(payload)) == {"sub", "ver", "exp", "sid"}


def test_a_full_disk_leaves_the_old_key(
    tokens: Tokens, people: People, ada: Person, elsewhere, tmp_path: Path
) -> None:
    token, _ = tokens.issue(ada)
    refusal = elsewhere("""
        import resource
        tokens = Tokens(folder / "token.key", people)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        try:
            tokens.rotate()
        except PrivateFileError as error:
            print(error)
    """)
    assert "token.key cannot be used: File too large" in refusal
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".token")]
    assert Tokens(tmp_path / "token.key", people).verify(token) == ada


def test_a_session_ends_with_all_its_tokens(
    tokens: Tokens, ada: Person, people: People, clock: Clock
) -> None:
    first, _ = tokens.issue(ada)
    exchanged, _ = tokens.exchange(first)
    other, _ = tokens.issue(ada)
    tokens.revoke(exchanged)
    for token in (first, exchanged):
        with pytest.raises(InvalidToken, match="session"):
            tokens.verify(token)
        with pytest.raises(InvalidToken, match="session"):
            tokens.exchange(token)
    assert tokens.verify(other) == ada
    tokens.revoke(first)  # once more changes nothing
    with pytest.raises(InvalidToken):
        tokens.revoke("no.such.token")
    mine, _ = tokens.issue(ada, session="mine")
    tokens.end_session("mine")
    with pytest.raises(InvalidToken):
        tokens.verify(mine)
    # It is remembered for as long as a token of it can last, and no longer.
    clock.now += 15 * 24 * 60 * MINUTE
    tokens.revoke(tokens.issue(ada)[0])
    assert not people.has_ended("mine")


def test_a_session_that_another_process_ended(
    tokens: Tokens, ada: Person, clock: Clock, elsewhere: Callable[[str], str]
) -> None:
    token, _ = tokens.issue(ada)
    assert tokens.verify(token) == ada
    elsewhere(f'Tokens(folder / "token.key", people).revoke({token!r})')
    clock.now += 1
    with pytest.raises(InvalidToken, match="session"):
        tokens.verify(token)
