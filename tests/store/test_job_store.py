"""What every ``JobStore`` promises, whatever database it uses."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.jobs import ENDED, IllegalMove, Job, JobFilter, JobPage, Kept, Page, StaleAttempt, Status, fold
from milepost.jobs import events as ev
from milepost.store import JobStore, Recorded, StoreError, UnknownJob, keep, read
from tests.store.conftest import OpenStore
from tests.store.histories import REACHED, message, new_id, path_to, started, submitted

pytestmark = pytest.mark.anyio


async def begin(store: JobStore, *more: ev.Event, **fields: object) -> Job:
    return (await store.submit(new_id(), submitted(**fields), *more)).job


# -- what goes in comes out --------------------------------------------------------------------


async def test_a_submitted_job_is_there_at_once(store: JobStore) -> None:
    job_id = new_id()
    submission = await store.submit(job_id, submitted(inputs={"n": Kept(3)}, attributes={"a": [1]}))
    assert submission.created
    assert submission.job.status is Status.SUBMITTED
    assert submission.job.inputs["n"].value == 3
    assert store.seen(job_id) == await store.get(job_id) == submission.job


async def test_a_job_may_begin_with_several_events(store: JobStore) -> None:
    job = await begin(store, ev.Waiting(at=1000, reason="busy"))
    assert (job.status, job.sequence) == (Status.WAITING, 2)


async def test_a_submission_must_begin_a_job(store: JobStore) -> None:
    with pytest.raises(ValueError, match="begins with a Submitted"):
        await store.submit(new_id(), message())


async def test_appended_events_lead_to_the_job_they_fold_to(store: JobStore) -> None:
    job = await begin(store)
    after = await store.append(job.id, started(), message("one"), message("two"))
    history = await store.history(job.id)
    assert [each.sequence for each in history] == [1, 2, 3, 4]
    assert fold(job.id, [each.event for each in history]) == after == await store.get(job.id)
    assert [each.text for each in after.messages] == ["one", "two"]


async def test_history_can_be_read_from_a_place_on(store: JobStore) -> None:
    job = await begin(store, started(), message("one"), message("two"))
    assert [each.sequence for each in await store.history(job.id, after=2)] == [3, 4]
    assert await store.history(job.id, after=99) == []


async def test_text_survives_whatever_it_holds(store: JobStore) -> None:
    text = "Ünï \N{GRINNING FACE} '; DROP TABLE jobs; -- \x00 \n \\ \" end"
    job = await begin(store, started(), message(text), owner=text, key=text)
    assert (await store.history(job.id))[2].event == message(text)
    assert (await store.find(JobFilter(owner=text), Page())).jobs == [await store.get(job.id)]


@pytest.mark.parametrize("call", ["get", "history", "append"])
async def test_an_unknown_job_is_said_to_be_unknown(store: JobStore, call: str) -> None:
    unknown = new_id()
    with pytest.raises(UnknownJob, match=unknown):
        await getattr(store, call)(unknown, *([message()] if call == "append" else []))
    assert store.seen(unknown) is None


# -- all or none -------------------------------------------------------------------------------


async def test_a_refused_event_leaves_nothing(store: JobStore) -> None:
    job = await begin(store, started(), message())
    with pytest.raises(IllegalMove):
        await store.append(job.id, message("kept out"), ev.Cancelled(at=1), payloads={"p": b"1"})
    with pytest.raises(StaleAttempt):
        await store.append(job.id, message("kept out", attempt=2))
    assert await store.get(job.id) == job
    assert len(await store.history(job.id)) == 3
    with pytest.raises(LookupError):
        await store.payload(job.id, "p")


async def test_a_job_cannot_be_submitted_twice(store: JobStore) -> None:
    job = await begin(store)
    with pytest.raises(IllegalMove, match="submitted already"):
        await store.submit(job.id, submitted(owner="eve"))
    with pytest.raises(IllegalMove, match="submitted already"):
        await store.append(job.id, submitted(owner="eve"))
    assert (await store.get(job.id)).owner == "ann"


async def test_one_bad_change_does_not_take_the_others_of_its_batch_with_it(store: JobStore) -> None:
    job = await begin(store, started())
    results = await asyncio.gather(
        *(store.append(job.id, message(str(number))) for number in range(20)),
        store.append(job.id, ev.Paused(at=1, attempt=1)),
        store.append(new_id(), message()),
        store.submit(new_id(), submitted(priority=2**70)),  # no database has room for it
        *(store.submit(new_id(), submitted(key=str(number))) for number in range(20)),
        return_exceptions=True,
    )
    kinds = [type(each).__name__ for each in results]
    assert kinds == ["Job"] * 20 + ["IllegalMove", "UnknownJob", "StoreError"] + ["Submission"] * 20
    assert await store.count(JobFilter()) == 21
    assert len((await store.get(job.id)).messages) == 20


# -- idempotency keys --------------------------------------------------------------------------


async def test_the_same_owner_and_key_give_the_same_job(store: JobStore) -> None:
    first = await store.submit(new_id(), submitted(key="k"))
    again = await store.submit(new_id(), submitted(key="k", operation="clip"))
    assert (first.created, again.created) == (True, False)
    assert again.job == first.job
    assert (await store.submit(new_id(), submitted(key="k", owner="bob"))).created
    assert (await store.submit(new_id(), submitted(key="l"))).created
    assert (await store.submit(new_id(), submitted())).created
    assert (await store.submit(new_id(), submitted())).created


async def test_a_key_names_its_job_as_it_is_by_now(store: JobStore, open_store: OpenStore) -> None:
    job = await begin(store, *path_to(Status.CANCELLED), key="k")
    async with open_store() as reopened:
        again = await reopened.submit(new_id(), submitted(key="k"))
    assert (again.created, again.job) == (False, job)


async def test_fifty_submissions_at_once_with_one_key_make_one_job(store: JobStore) -> None:
    heard: list[str] = []
    store.listen(lambda job, _: heard.append(job.id))
    answers = await asyncio.gather(*(store.submit(new_id(), submitted(key="k")) for _ in range(50)))
    assert sum(each.created for each in answers) == 1
    assert len({each.job.id for each in answers}) == 1
    assert await store.count(JobFilter()) == 1
    assert len(heard) == 1


# -- values beside the job ---------------------------------------------------------------------


async def test_payloads_are_kept_beside_the_job(store: JobStore) -> None:
    big = {"features": [{"x": number} for number in range(2000)]}
    kept, payloads = keep({"small": [1, None], "big": big}, "inputs")
    job_id = new_id()
    job = (await store.submit(job_id, submitted(inputs=kept), payloads=payloads)).job
    assert job.inputs["big"].payload
    assert await read(store, job, job.inputs["big"]) == big
    assert await read(store, job, job.inputs["small"]) == [1, None]
    await store.append(job_id, started(), payloads={"steps/one": b"1"})
    assert await store.payload(job_id, "steps/one") == b"1"
    with pytest.raises(LookupError, match="no payload 'other'"):
        await store.payload(job_id, "other")


async def test_dropped_payloads_are_gone_and_the_job_is_not(store: JobStore) -> None:
    first, second = new_id(), new_id()
    for job_id in (first, second):
        await store.submit(job_id, submitted(), payloads={"p": b"1"})
    await store.drop_payloads(first)
    with pytest.raises(LookupError):
        await store.payload(first, "p")
    assert await store.payload(second, "p") == b"1"
    assert (await store.get(first)).id == first


async def test_a_payload_of_fifty_megabytes(store: JobStore) -> None:
    job_id, body = new_id(), bytes(range(256)) * (50 * 4096)
    await store.submit(job_id, submitted(), payloads={"p": body})
    assert await store.payload(job_id, "p") == body


# -- many at once ------------------------------------------------------------------------------


async def test_what_arrives_together_is_all_kept(store: JobStore, open_store: OpenStore) -> None:
    answers = await asyncio.gather(
        *(store.submit(new_id(), submitted(key=str(number)), started()) for number in range(600))
    )
    await asyncio.gather(*(store.append(each.job.id, message()) for each in answers for _ in range(3)))
    async with open_store() as reopened:
        assert await reopened.count(JobFilter()) == 600
        for each in answers[::50]:
            job = await reopened.get(each.job.id)
            assert len(job.messages) == 3
            assert job == await store.get(job.id)


async def test_events_of_one_caller_keep_their_order(store: JobStore) -> None:
    job = await begin(store, started())
    await asyncio.gather(*(store.append(job.id, message(str(number))) for number in range(500)))
    assert [each.text for each in (await store.get(job.id)).messages] == [str(n) for n in range(500)]


async def test_a_caller_who_no_longer_waits_changes_nothing(store: JobStore) -> None:
    job = await begin(store, started())
    other = new_id()
    tasks = [
        asyncio.ensure_future(store.append(job.id, message("said"))),
        asyncio.ensure_future(store.submit(other, submitted())),
    ]
    await asyncio.sleep(0)  # both have begun
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    assert [each.text for each in (await store.append(job.id, message("next"))).messages] == ["said", "next"]
    assert (await store.get(other)).id == other


# -- listeners ---------------------------------------------------------------------------------


async def test_a_listener_hears_each_event_once_and_in_order(store: JobStore) -> None:
    heard: list[tuple[str, int, Status]] = []

    def listener(job: Job, recorded: Sequence[Recorded]) -> None:
        assert job.sequence == recorded[-1].sequence
        assert store.seen(job.id) == job
        heard.extend((job.id, each.sequence, job.status) for each in recorded)

    store.listen(listener)
    job = await begin(store, ev.Waiting(at=1))
    await asyncio.gather(store.append(job.id, started(), message()), store.append(job.id, message()))
    with pytest.raises(IllegalMove):
        await store.append(job.id, ev.Cancelled(at=1))
    waiting, executing = Status.WAITING, Status.EXECUTING
    assert heard == [
        (job.id, number, status)
        for number, status in enumerate([waiting, waiting, executing, executing, executing], 1)
    ]


async def test_a_listener_that_fails_harms_nobody(store: JobStore) -> None:
    heard: list[str] = []

    def broken(job: Job, recorded: Sequence[Recorded]) -> None:
        raise RuntimeError("broken")

    store.listen(broken)
    store.listen(lambda job, _: heard.append(job.id))
    job = await begin(store)
    assert heard == [job.id]


# -- closing and opening again -----------------------------------------------------------------


async def test_everything_is_there_after_opening_again(open_store: OpenStore) -> None:
    async with open_store() as store:
        jobs = [await begin(store, *path_to(status)) for status in REACHED]
        await store.append(jobs[2].id, message(), payloads={"p": b"123"})
        before = {job.id: await store.get(job.id) for job in jobs}
        histories = {job.id: await store.history(job.id) for job in jobs}
    async with open_store() as store:
        assert store.seen(jobs[0].id) is None
        assert {job.id: await store.get(job.id) for job in jobs} == before
        assert {job.id: await store.history(job.id) for job in jobs} == histories
        assert await store.payload(jobs[2].id, "p") == b"123"
        assert store.seen(jobs[0].id) == before[jobs[0].id]


async def test_closing_finishes_what_was_accepted(open_store: OpenStore) -> None:
    async with open_store() as store:
        waiting = [asyncio.ensure_future(store.submit(new_id(), submitted())) for _ in range(300)]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*waiting)
    async with open_store() as store:
        assert await store.count(JobFilter()) == len(answers) == 300


async def test_a_closed_store_says_so(open_store: OpenStore) -> None:
    async with open_store() as store:
        job = await begin(store)
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.append(job.id, message())
    with pytest.raises(StoreError, match="closed"):
        await store.history(job.id)


# -- lists -------------------------------------------------------------------------------------

_times = st.none() | st.integers(0, 12) | st.sampled_from([-(2**80), 2**80])
_filters = st.builds(
    JobFilter,
    statuses=st.frozensets(st.sampled_from(Status), max_size=3),
    deleted=st.booleans(),
    owner=st.sampled_from(["", "ann", "bob", "eve"]),
    service=st.sampled_from(["", "A/B.GPServer", "C.GPServer", "A/B.v2.VideoServer"]),
    service_type=st.sampled_from(["", "GPServer", "VideoServer", "Server"]),
    operation=st.sampled_from(["", "buffer", "clip"]),
    worker=st.sampled_from(["", "here", "there"]),
    submitted_from=_times,
    submitted_to=_times,
    ended_to=_times | st.integers(2000, 6000),
)
# Jobs that ran on several machines, and some whose clock was set back.
_MOVED: Sequence[Sequence[ev.Event]] = [
    [started(), ev.Interrupted(at=1600, attempt=1, reason="gone", crash=True)],
    [
        started(),
        ev.Interrupted(at=1600, attempt=1, reason="gone", crash=True),
        ev.Started(at=1700, attempt=2, worker="there", pid=2),
        ev.Succeeded(at=2500, attempt=2, results={}),
    ],
    [started(), ev.Failed(at=0, error="early")],
    [ev.TimedOut(at=3, error="late")],
]
_pages = st.builds(Page, limit=st.integers(1, 8), offset=st.integers(0, 12), oldest_first=st.booleans())
_jobs = st.lists(
    st.tuples(
        st.builds(
            submitted,
            at=st.integers(0, 10),
            owner=st.sampled_from(["ann", "bob"]),
            service=st.sampled_from(["A/B.GPServer", "C.GPServer", "A/B.v2.VideoServer"]),
            operation=st.sampled_from(["buffer", "clip"]),
        ),
        st.sampled_from(REACHED).map(path_to) | st.sampled_from(_MOVED),
    ),
    max_size=25,
)


@given(jobs=_jobs, asked=st.lists(st.tuples(_filters, _pages), min_size=1, max_size=10))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_pages_hold_what_the_filter_matches(
    new_store: Callable[[], OpenStore],
    jobs: list[tuple[ev.Submitted, Sequence[ev.Event]]],
    asked: list[tuple[JobFilter, Page]],
) -> None:
    opened = new_store()
    async with opened() as store:
        answers = await asyncio.gather(*(store.submit(new_id(), first, *more) for first, more in jobs))
        stored = [each.job for each in answers]  # in the order of submission
        await _check_pages(store, stored, asked)
    async with opened() as store:  # with nothing at hand
        await _check_pages(store, stored, asked)


async def _check_pages(store: JobStore, stored: list[Job], asked: list[tuple[JobFilter, Page]]) -> None:
    for wanted, page in asked:
        expected = [job for job in stored if wanted.matches(job)]
        expected.sort(key=lambda job: job.submitted_at)
        if not page.oldest_first:
            expected.reverse()
        found = await store.find(wanted, page)
        assert list(found.jobs) == expected[page.offset : page.offset + page.limit]
        assert found.more == (len(expected) > page.offset + page.limit)
        assert await store.count(wanted) == len(expected)
    assert list(await store.unfinished()) == [job for job in stored if job.status not in ENDED]


async def test_a_list_by_the_type_of_the_service(store: JobStore) -> None:
    mission = await begin(store, service="Missions.MissionServer", at=2)
    await begin(store, service="MissionServer.GPServer", at=3)
    older = await begin(store, service="North/Missions.MissionServer", at=1)
    found = (await store.find(JobFilter(service_type="MissionServer"), Page())).jobs
    assert list(found) == [mission, older]


async def test_a_list_by_the_machine_of_the_last_attempt(store: JobStore) -> None:
    job = await begin(store, started())
    await begin(store)
    assert list((await store.find(JobFilter(worker="here"), Page())).jobs) == [job]
    gone = await store.append(
        job.id, ev.Interrupted(at=1600, attempt=1, reason="the machine is gone", crash=True)
    )
    assert await store.count(JobFilter(worker="here")) == 0
    assert (await store.get(job.id)).worker == gone.worker == ""
    again = await store.append(job.id, ev.Started(at=1700, attempt=2, worker="there", pid=2))
    assert list((await store.find(JobFilter(worker="there"), Page())).jobs) == [again]


async def test_what_goes_on_has_not_ended_by_any_time(store: JobStore) -> None:
    for status in REACHED:
        await begin(store, *path_to(status))
    ended = JobFilter(ended_to=2**60, deleted=True)
    assert await store.count(ended) == len(ENDED)
    assert await store.count(JobFilter(ended_to=3999, deleted=True)) == 0
    waiting = JobFilter(ended_to=2**60, statuses=frozenset({Status.WAITING}))
    assert await store.count(waiting) == 0
    assert await store.find(waiting, Page()) == JobPage(jobs=[], more=False)


async def test_a_long_job_is_listed_as_it_is(open_store: OpenStore) -> None:
    async with open_store() as store:
        job = await begin(store, started(), *(message(str(number)) for number in range(1000)))
    async with open_store() as store:
        for _ in range(2):
            assert list((await store.find(JobFilter(), Page())).jobs) == [job]
        job = await store.append(job.id, message("one more"))
        assert list((await store.find(JobFilter(), Page())).jobs) == [job] == [await store.get(job.id)]


async def test_jobs_of_equal_times_keep_the_order_of_submission(store: JobStore) -> None:
    jobs = [await begin(store, *path_to(status)) for status in REACHED]
    listed = (await store.find(JobFilter(deleted=True), Page(oldest_first=True))).jobs
    assert [job.id for job in listed] == [job.id for job in jobs]
    newest = (await store.find(JobFilter(deleted=True), Page())).jobs
    assert [job.id for job in newest] == [job.id for job in reversed(jobs)]


async def test_a_page_may_be_as_long_as_one_likes(store: JobStore) -> None:
    await asyncio.gather(*(store.submit(new_id(), submitted(at=number)) for number in range(1201)))
    page = await store.find(JobFilter(), Page(limit=100_000))
    assert [job.submitted_at for job in page.jobs] == list(range(1200, -1, -1))
    assert not page.more
    assert [job.submitted_at for job in await store.unfinished()] == sorted(
        job.submitted_at for job in page.jobs
    )


async def test_a_page_shows_jobs_as_they_matched_while_they_change(store: JobStore) -> None:
    wanted = JobFilter(statuses=frozenset({Status.SUBMITTED}))
    jobs = [await begin(store, at=number) for number in range(200)]

    async def change() -> None:
        for job in jobs:
            await store.append(job.id, started())

    changing = asyncio.ensure_future(change())
    while not changing.done():
        page = await store.find(wanted, Page(limit=300))
        assert {job.status for job in page.jobs} <= {Status.SUBMITTED}
    await changing
