"""Reading many parameters at once."""

import re

import pytest

from milepost.http import Parameters, Reader, ServiceError


def test_everything_that_is_wrong_is_told_at_once() -> None:
    sent = {
        "title": "t" * 251,
        "note": "\x00",
        "locale": "?",
        "words": "[1]",
        "flag": "maybe",
        "number": "11",
        "object": "[]",
    }
    reader = Reader(Parameters([], list(sent.items())))
    assert reader.text("title") == reader.text("note") == reader.required("name", "what it is called") == ""
    assert reader.matching("locale", re.compile("[a-z]+"), "a language tag") == ""
    assert reader.words("words") == []
    assert reader.flag("flag") is None
    assert reader.number("number", 10) is None
    assert reader.object("object", '{"a": 1}') == {}
    with pytest.raises(ServiceError) as caught:
        reader.end()
    assert caught.value.code == 400
    assert list(caught.value.details) == [
        "Parameter 'title': it has 251 characters; 250 are allowed",
        "Parameter 'note': it holds control characters, which no text has",
        "Parameter 'name' is required: what it is called",
        "Parameter 'locale': '?' is not a language tag",
        "Parameter 'words': it must be words with commas between them",
        "Parameter 'flag': 'maybe' is neither true nor false",
        "Parameter 'number': '11' is no whole number from 0 to 10",
        "Parameter 'object': it must be a JSON object such as {\"a\": 1}",
    ]
    assert caught.value.message == "; ".join(caught.value.details)


def test_an_inner_object_goes_before_what_is_around_it() -> None:
    inner = '{"name": "inner", "note": null, "flag": true, "number": 3, "words": ["a", " b "]}'
    reader = Reader(Parameters([], [("given", inner), ("name", "outer"), ("note", " kept ")]), "given")
    assert (reader.text("name"), reader.text("note"), reader.required("name")) == ("inner", "kept", "inner")
    assert (reader.flag("flag"), reader.number("number", 3), reader.words("words")) == (True, 3, ["a", "b"])
    reader.end()


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (
            '{"name": "a" "note": "b"}',
            "it must be a JSON object, and it is not valid JSON: expected ',' or '}' (byte 13)",
        ),
        (
            '{"name": "a"',
            "it must be a JSON object, and it is not valid JSON: it ends too early, after 12 bytes",
        ),
        ('["name"]', "it must be a JSON object"),
    ],
)
def test_of_an_object_that_cannot_be_read_nothing_is_called_missing(sent: str, why: str) -> None:
    with pytest.raises(ServiceError) as caught:
        Reader(Parameters([], [("given", sent)]), "given").required("name")
    assert (caught.value.code, caught.value.message) == (400, f"Parameter 'given': {why}")


def test_an_object_in_another_one_must_be_one_too() -> None:
    with pytest.raises(ServiceError, match="Parameter 'inner': it must be a JSON object"):
        Reader(Parameters([], [("outer", '{"inner": [1]}')]), "outer", "inner")


def test_what_is_sent_empty_is_known_from_what_is_not_sent() -> None:
    reader = Reader(
        Parameters([("a", ""), ("b", "")], [("given", '{"b": "kept", "c": " ", "d": null}')]), "given"
    )
    assert [name for name in "abcde" if reader.emptied(name)] == ["a", "c"]


def test_what_is_not_given_is_empty() -> None:
    reader = Reader(Parameters([], []))
    assert (reader.text("a"), reader.words("a"), reader.object("a")) == ("", [], {})
    assert reader.flag("a") is reader.number("a", 1) is None
    reader.end()
