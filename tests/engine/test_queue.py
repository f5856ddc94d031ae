"""Whose turn it is."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from milepost.engine.queue import Queue

_pushes = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=30
)  # owner and priority; the place in the list is the id


def drain(queue: Queue) -> list[str]:
    taken = []
    while (job_id := queue.pop()) is not None:
        taken.append(job_id)
    return taken


def filled(pushes: list[tuple[str, int]]) -> Queue:
    queue = Queue()
    for number, (owner, priority) in enumerate(pushes):
        queue.push(str(number), owner, priority)
    return queue


@given(_pushes)
def test_everyone_comes_exactly_once(pushes: list[tuple[str, int]]) -> None:
    queue = filled(pushes)
    assert len(queue) == len(pushes)
    assert sorted(drain(queue), key=int) == [str(number) for number in range(len(pushes))]
    assert len(queue) == 0


@given(_pushes)
def test_higher_priorities_come_first(pushes: list[tuple[str, int]]) -> None:
    priorities = [pushes[int(job_id)][1] for job_id in drain(filled(pushes))]
    assert priorities == sorted(priorities, reverse=True)


@given(_pushes)
def test_jobs_of_one_owner_and_priority_keep_their_order(pushes: list[tuple[str, int]]) -> None:
    lanes = defaultdict(list)
    for job_id in drain(filled(pushes)):
        lanes[pushes[int(job_id)]].append(int(job_id))
    assert all(lane == sorted(lane) for lane in lanes.values())


@given(_pushes)
def test_owners_take_turns(pushes: list[tuple[str, int]]) -> None:
    """Between two jobs of one owner, everybody else who waits at that priority has had one."""
    order = [pushes[int(job_id)] for job_id in drain(filled(pushes))]
    for place, (owner, priority) in enumerate(order):
        following = [p for p in range(place + 1, len(order)) if order[p] == (owner, priority)]
        if following:
            between = {who for who, _ in order[place + 1 : following[0]]}
            waiting = {who for who, level in order[following[0] :] if level == priority} - {owner}
            assert waiting <= between


@given(
    st.lists(
        st.one_of(
            st.tuples(
                st.just("push"), st.integers(0, 15), st.sampled_from("abc"), st.integers(0, 2), st.booleans()
            ),
            st.tuples(st.just("pop")),
            st.tuples(st.just("remove"), st.integers(0, 15)),
        )
    )
)
def test_against_a_plain_list(commands: list[tuple]) -> None:  # type: ignore[type-arg]
    queue = Queue()
    waiting: dict[str, tuple[str, int]] = {}
    for command in commands:
        match command:
            case ("push", number, owner, priority, front):
                queue.push(str(number), owner, priority, front=front)
                waiting.setdefault(str(number), (owner, priority))
            case ("pop",):
                taken = queue.pop()
                assert (taken is None) == (not waiting)
                if taken is not None:
                    _, priority = waiting.pop(taken)
                    assert all(priority >= other for _, other in waiting.values())
            case ("remove", number):
                assert queue.remove(str(number)) == (waiting.pop(str(number), None) is not None)
        assert len(queue) == len(waiting)
        assert all(job_id in queue for job_id in waiting)


def test_one_that_was_interrupted_comes_before_the_others_of_its_owner() -> None:
    queue = filled([("a", 0), ("a", 0), ("b", 0)])
    queue.push("again", "a", 0, front=True)
    assert drain(queue) == ["again", "2", "0", "1"]


def test_nobody_waits_twice() -> None:
    queue = filled([("a", 0)])
    queue.push("0", "a", 5)
    assert drain(queue) == ["0"]
