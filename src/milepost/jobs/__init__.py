"""What a job is: statuses and their legal moves, events, and the fold of events. Pure, no I/O."""

from milepost.jobs.events import Kept, Level, Outcome
from milepost.jobs.job import IllegalMove, Job, JobError, Message, Rollback, Stage, StaleAttempt, apply, fold
from milepost.jobs.query import JobFilter, JobPage, Page
from milepost.jobs.status import ENDED, MOVES, QUEUED, UNFINISHED, Status

__all__ = [
    "ENDED",
    "MOVES",
    "QUEUED",
    "UNFINISHED",
    "IllegalMove",
    "Job",
    "JobError",
    "JobFilter",
    "JobPage",
    "Kept",
    "Level",
    "Message",
    "Outcome",
    "Page",
    "Rollback",
    "Stage",
    "StaleAttempt",
    "Status",
    "apply",
    "fold",
]
