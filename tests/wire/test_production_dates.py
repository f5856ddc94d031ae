"""Every way in which clients of topographic production write a date."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.servers.production.dates import first_moment, last_moment, written

DAY = 1600646400000
"""2020-09-21T00:00:00Z."""
AT = DAY + ((15 * 60 + 48) * 60 + 22) * 1000
"""2020-09-21T15:48:22Z."""


@pytest.mark.parametrize(
    "text",
    [
        "2020-09-21T15:48:22Z",
        "2020-09-21T15:48:22",
        "2020-09-21 15:48:22",
        "2020-09-21T15:48:22+00:00",
        "2020-09-21T17:48:22+02:00",
        "2020-09-21T17:48:22+0200",
        "2020-09-21T10:18:22-05:30",
        "2020-09-22T00:48:22+09:00",
        " 2020-09-21T15:48:22Z ",
        str(datetime(2020, 9, 21, 17, 48, 22, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_a_time_means_one_second(text: str) -> None:
    assert (first_moment(text), last_moment(text)) == (AT, AT + 999)
    assert written(first_moment(text)) == written(last_moment(text)) == "2020-09-21T15:48:22Z"


@pytest.mark.parametrize("text", ["2020-09-21", "09-21-2020"])
def test_a_date_means_a_whole_day(text: str) -> None:
    assert (first_moment(text), last_moment(text)) == (DAY, DAY + 24 * 60 * 60 * 1000 - 1)
    assert written(first_moment(text)) == "2020-09-21T00:00:00Z"
    assert written(last_moment(text)) == "2020-09-21T23:59:59Z"


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2020-09-21T15:48:22.5Z", 500),
        ("2020-09-21T15:48:22.019Z", 19),
        (str(datetime(2020, 9, 21, 15, 48, 22, 999999, tzinfo=UTC)), 999),
    ],
)
def test_a_time_may_be_more_exact(text: str, milliseconds: int) -> None:
    assert first_moment(text) == last_moment(text) == AT + milliseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "1600646400000",
        "2020",
        "2020-09",
        "20-09-21",
        "2020/09/21",
        "09/21/2020",
        "21.09.2020",
        "13-21-2020",
        "21-09-2020",
        "2020-13-01",
        "2020-02-30",
        "02-30-2020",
        "0000-01-01",
        "2020-09-21T24:00:00Z",
        "2020-09-21T15:60:00Z",
        "2020-09-21T15:48:60Z",
        "2020-09-21T15:48Z",
        "2020-09-21Z",
        "2020-09-21T",
        "2020-09-21T15:48:22 02:00",
        "2020-09-21T15:48:22+2",
        "2020-09-21T15:48:22+24:00",
        "2020-09-21T15:48:22+01:99",
        "2020-09-21T15:48:22.Z",
        "2020-09-21T15:48:22Zulu",
        "09-21-2020T15:48:22Z",
        "2020-09-21T15:48:22Z\n2020",
        "٢٠٢٠-٠٩-٢١",
    ],
)
def test_what_is_no_date_is_refused_with_those_that_are(text: str) -> None:
    for read in (first_moment, last_moment):
        with pytest.raises(ValueError, match=r"is no date: write YYYY-MM-DDThh:mm:ssZ, such as 2020-09-21"):
            read(text)


def test_a_refusal_says_what_is_wrong_with_a_date_that_looks_like_one() -> None:
    with pytest.raises(ValueError, match=r"'13-21-2020' is no date: .*month must be in 1\.\.12"):
        first_moment("13-21-2020")


def test_a_refusal_repeats_only_the_begin_of_what_was_sent() -> None:
    with pytest.raises(ValueError, match=r"^'(x){40}' is no date"):
        first_moment("x" * 10_000)


OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moment=st.datetimes(), zone=OFFSETS)
def test_every_time_comes_back_in_every_spelling(moment: datetime, zone: timezone) -> None:
    moment = moment.replace(microsecond=0, tzinfo=zone)
    at = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    for text in (moment.isoformat(), str(moment)):
        assert (first_moment(text), last_moment(text)) == (at, at + 999)


@given(st.integers(0, 253402300799999))
def test_what_is_written_can_be_read(at: int) -> None:
    assert first_moment(written(at)) <= at <= last_moment(written(at))


@given(st.integers())
def test_any_time_at_all_can_be_written(at: int) -> None:
    assert first_moment(written(at)) % 1000 == 0


@given(st.text() | st.text(alphabet="0123456789-:TZ +.", min_size=8, max_size=26))
def test_any_text_is_read_or_refused_as_a_date(text: str) -> None:
    try:
        first = first_moment(text)
    except ValueError:
        with pytest.raises(ValueError, match="is no date"):
            last_moment(text)
    else:
        assert first <= last_moment(text)
