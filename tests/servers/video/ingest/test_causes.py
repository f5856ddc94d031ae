"""Why a step failed is told in words that name files, and not where they lie on the server."""

import errno
from pathlib import Path

import pytest

from milepost.servers.video.ingest.steps import FULL, cause
from milepost.servers.video.ingest.watching import Died, Hung
from milepost.storage import StorageError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/srv/data/x/1.m4s"), FULL),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), FULL),
        (Died("av_interleaved_write_frame(): No space left on device"), FULL),
        (
            PermissionError(13, "Permission denied", "/srv/a/b.ts"),
            "b.ts cannot be read or written: Permission denied",
        ),
        (Died("file:/srv/data/a.ts: Input/output error"), "FFmpeg gave up: file:a.ts: Input/output error"),
        (
            Hung("it stood still"),
            "FFmpeg was stopped, since it stood still; try again, or send the file in another format",
        ),
        (KeyError("/srv/data/uploads/i12/file/a.ts"), "KeyError: 'a.ts'"),
        (ValueError("2/3 of it; see https://example.com/a/b"), "2/3 of it; see https://example.com/a/b"),
        (
            StorageError("the storage cannot be used: it is away", "s3://bucket"),
            "the storage cannot be used: it is away",
        ),
    ],
)
def test_a_cause_is_told_without_paths(error: Exception, said: str) -> None:
    assert cause(error) == said


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        (tmp_path / "a" / "flight.ts").read_bytes()
    assert cause(caught.value) == "flight.ts cannot be read or written: No such file or directory"
