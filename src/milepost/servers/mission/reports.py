"""Reports of a mission: forms whose questions are the fields of a layer."""

import re
import time
from typing import Any, Final

import msgspec

from milepost.features import Definition, FeatureError, Field, FieldType, GeometryType, Layer
from milepost.features.definition import check
from milepost.http import LONGEST_NAME, Parameters, object_of, required, wrong
from milepost.servers.mission.layers import WKID, drawing

ADD: Final = (
    "title",
    "serviceName",
    "source",
    "questions",
    "description",
    "tags",
    "displayField",
    "drawingInfo",
    "locale",
    "shareAsTemplate",
    "async",
)

_COLOR: Final = (168, 84, 0)
_SERVICE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_MOST_QUESTIONS: Final = 200

_TYPES: Final = {
    "textbox": (FieldType.TEXT, 255),
    "singlelinetext": (FieldType.TEXT, 255),
    "textarea": (FieldType.TEXT, 4000),
    "multilinetext": (FieldType.TEXT, 4000),
    "singlechoice": (FieldType.TEXT, 255),
    "singleselect": (FieldType.TEXT, 255),
    "radio": (FieldType.TEXT, 255),
    "dropdown": (FieldType.TEXT, 255),
    "button": (FieldType.TEXT, 255),
    "number": (FieldType.DOUBLE, 255),
    "date": (FieldType.MOMENT, 255),
    "datetime": (FieldType.MOMENT, 255),
}
"""The kinds of questions, by their names without ``esriQuestionType``, blanks and slashes."""

_DEFAULT: Final = (
    {"fieldName": "subject", "label": "Subject", "type": "esriQuestionTypeTextBox", "isRequired": True},
    {"fieldName": "notes", "label": "Notes", "type": "esriQuestionTypeTextArea"},
)
"""The questions when none are given."""


class _Question(msgspec.Struct, rename="camel"):
    type: str
    field_name: str = ""
    name: str = ""
    label: str = ""
    is_required: bool = False
    max_characters: int | None = None


class Report(msgspec.Struct, frozen=True):
    """What somebody wants a report to be."""

    title: str
    service: str
    """``Folder/Name`` of the feature service."""
    layer: Layer


def read_report(given: Parameters, mission_id: str) -> Report:
    """The report that the parameters of addReport mean.

    Raises:
        ServiceError: 400, one of them does not do.
    """
    title = required(given, "title", "what the report is to be called")
    if len(title) > LONGEST_NAME:
        raise wrong("title", f"it has {len(title)} characters; {LONGEST_NAME} are allowed")
    source = given.get("source", "user").strip().lower()
    if source == "sensor":
        raise wrong("source", "reports of sensors are not taken in by this server; use user")
    if source != "user":
        raise wrong("source", f"{source[:40]!r} is not user")
    name = given.get("serviceName").strip() or f"report_{mission_id[:8]}_{time.time_ns() // 1_000_000}"
    if not _SERVICE_NAME.fullmatch(name):
        raise wrong("serviceName", "use up to 80 letters, digits, _ and -")
    questions = _questions(given.get("questions"))
    fields = tuple(_field(each, number) for number, each in enumerate(questions))
    display = given.get("displayField").strip() or fields[0].name
    layer = Layer(
        name="report",
        title=title,
        description=given.get("description").strip()[:4000],
        geometry=GeometryType.POINT,
        fields=(
            *fields,
            Field(name="reported_by", alias="Reported by", length=128),
            Field(name="reported", alias="Reported", type=FieldType.MOMENT),
        ),
        time_field="reported",
        display_field=display,
        drawing=_drawing(given.get("drawingInfo")),
    )
    report = Report(title, f"Missions/{name}", layer)
    try:
        check(definition(report, "nobody", ()))
    except FeatureError as error:
        raise wrong("questions", str(error)) from None
    return report


def definition(report: Report, owner: str, editors: tuple[str, ...]) -> Definition:
    """The feature service of a report."""
    return Definition(
        owner=owner,
        editors=editors,
        wkid=WKID,
        private=True,
        description=report.layer.description or f"Report {report.title}",
        layers=(report.layer,),
    )


def _questions(text: str) -> list[_Question]:
    if not text.strip():
        return msgspec.convert(_DEFAULT, list[_Question])
    try:
        questions = msgspec.json.decode(text, type=list[_Question])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise wrong("questions", f"it must be a JSON array of questions ({error})") from None
    if not 0 < len(questions) <= _MOST_QUESTIONS:
        raise wrong("questions", f"there must be 1 to {_MOST_QUESTIONS} questions")
    return questions


def _field(question: _Question, number: int) -> Field:
    kind = re.sub(r"[^a-z]", "", question.type.lower()).removeprefix("esriquestiontype")
    if kind not in _TYPES:
        known = "TextBox, TextArea, SingleChoice, Dropdown, Number, Date and DateTime"
        raise wrong(
            "questions",
            f"question {number + 1}: there is no type {question.type[:60]!r}; after esriQuestionType there are {known}",
        )
    field_type, length = _TYPES[kind]
    if question.max_characters is not None and field_type is FieldType.TEXT:
        length = min(max(1, question.max_characters), 4000)
    name = question.field_name or question.name or f"field_{number}"
    return Field(
        name=name,
        alias=(question.label or name)[:250],
        type=field_type,
        length=length,
        nullable=not question.is_required,
    )


def _drawing(text: str) -> dict[str, Any]:
    if not text.strip():
        return drawing(_COLOR)
    return object_of("drawingInfo", text)
