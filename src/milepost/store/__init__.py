"""Where jobs live: events, the folded row, payloads and files."""

from milepost.store.files import FileStore, JobFiles, Upload, no_upload, result_of_url, safe_name
from milepost.store.protocol import JobStore, Listener, Recorded, StoreError, Submission, UnknownJob
from milepost.store.sqlite import SQLiteStore
from milepost.store.values import keep, keep_encoded, read, read_encoded

__all__ = [
    "FileStore",
    "JobFiles",
    "JobStore",
    "Listener",
    "Recorded",
    "SQLiteStore",
    "StoreError",
    "Submission",
    "UnknownJob",
    "Upload",
    "keep",
    "keep_encoded",
    "no_upload",
    "read",
    "read_encoded",
    "result_of_url",
    "safe_name",
]
