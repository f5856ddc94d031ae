"""Seals: made for one purpose, under one key, for a while."""

from pathlib import Path

import msgspec
import pytest

from milepost.security import BrokenSeal, People, Seals, Tokens


class Note(msgspec.Struct, frozen=True):
    text: str
    number: int = 0


class Other(msgspec.Struct, frozen=True):
    other: str


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seals(tmp_path: Path, clock: Clock) -> Seals:
    return Seals(tmp_path / "token.key", clock=clock)


def test_what_was_sealed_comes_back(seals: Seals, tmp_path: Path, clock: Clock) -> None:
    sealed = seals.seal("notes", Note("ü & <b>", 7), 60)
    assert sealed.isascii()
    assert seals.unseal("notes", sealed, Note) == Note("ü & <b>", 7)
    # By another process too.
    assert Seals(tmp_path / "token.key", clock=clock).unseal("notes", sealed, Note).number == 7


def test_nothing_else_does(seals: Seals, clock: Clock) -> None:
    sealed = seals.seal("notes", Note("a"), 60)
    head, body, signature = sealed.split(".")
    for broken in ("", "x", "ü", f"{head}.{body}.", f"{head}.{body}x.{signature}", "x" * 100_000):
        with pytest.raises(BrokenSeal):
            seals.unseal("notes", broken, Note)
    with pytest.raises(BrokenSeal):
        seals.unseal("other notes", sealed, Note)
    with pytest.raises(BrokenSeal):
        seals.unseal("notes", sealed, Other)
    clock.now += 60
    with pytest.raises(BrokenSeal, match="too long ago"):
        seals.unseal("notes", sealed, Note)


def test_neither_passes_for_a_token_nor_a_token_for_it(seals: Seals, people: People, tmp_path: Path) -> None:
    ada = people.add("ada", "correct horse")
    tokens = Tokens(tmp_path / "token.key", people)
    with pytest.raises(BrokenSeal):
        seals.unseal("notes", tokens.issue(ada)[0], Note)
    before = seals.seal("notes", Note("a"), 60)
    tokens.rotate()
    with pytest.raises(BrokenSeal):
        seals.unseal("notes", before, Note)


def test_a_mark_is_the_same_for_the_same_and_for_nothing_else(seals: Seals) -> None:
    mark = seals.mark("forms", "session")
    assert mark == seals.mark("forms", "session")
    assert len({mark, seals.mark("forms", "sessions"), seals.mark("form", "session")}) == 3
