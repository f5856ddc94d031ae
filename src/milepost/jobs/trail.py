"""A sequence that only grows, for what a job says: thousands of messages must not be copied at each one."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class Trail(Sequence[T], Generic[T]):
    """An immutable sequence whose extended copy shares what is common to both.

    ``with_one`` costs the same however long the trail is, as long as each trail is extended once;
    one that is extended a second time is copied.
    """

    __slots__ = ("_items", "_length")

    def __init__(self, items: Sequence[T] = ()) -> None:
        """With a copy of ``items``."""
        self._items = list(items)
        self._length = len(self._items)

    def with_one(self, item: T) -> "Trail[T]":
        """This trail and one thing more."""
        longer: Trail[T] = Trail.__new__(Trail)
        # What another trail has appended lies behind the end of this one, and is not ours to overwrite.
        longer._items = self._items if len(self._items) == self._length else self._items[: self._length]
        longer._items.append(item)
        longer._length = self._length + 1
        return longer

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        items = self._items
        for place in range(self._length):
            yield items[place]

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...

    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        if isinstance(place, slice):
            return tuple(self._items[: self._length][place])
        if not -self._length <= place < self._length:
            raise IndexError("there is no message of that number")
        return self._items[place % self._length]

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Trail({self._items[: self._length]!r})"
