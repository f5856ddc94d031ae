"""A small client: submits and watches jobs of any dialect, on this server or another."""

from milepost.client.address import Address
from milepost.client.dialects import NotAJobError, read_job
from milepost.client.display import Display, JsonDisplay, PlainDisplay, duration, title_of
from milepost.client.errors import (
    BadAnswerError,
    ClientError,
    LostError,
    ServerError,
    SignInError,
    UnreachableError,
)
from milepost.client.follow import follow
from milepost.client.live import LiveDisplay
from milepost.client.results import fetch_results, summary
from milepost.client.session import Session, Token
from milepost.client.views import Dialect, JobView, Message, Result, Stage, State, clean, one_line
from milepost.client.watch import Note, Pace, cancel, look, pause, resume, watch

__all__ = [
    "Address",
    "BadAnswerError",
    "ClientError",
    "Dialect",
    "Display",
    "JobView",
    "JsonDisplay",
    "LiveDisplay",
    "LostError",
    "Message",
    "NotAJobError",
    "Note",
    "Pace",
    "PlainDisplay",
    "Result",
    "ServerError",
    "Session",
    "SignInError",
    "Stage",
    "State",
    "Token",
    "UnreachableError",
    "cancel",
    "clean",
    "duration",
    "fetch_results",
    "follow",
    "look",
    "one_line",
    "pause",
    "read_job",
    "resume",
    "summary",
    "title_of",
    "watch",
]
