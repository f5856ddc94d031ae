"""Flights that were filmed once for all tests of telemetry."""

from pathlib import Path

import pytest

from milepost.servers.video.flight import make_clip
from milepost.servers.video.telemetry import ingest


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    """Film a flight, small and short; the same one only once."""
    made = {}

    def film(**asked):
        key = repr(sorted(asked.items()))
        if key not in made:
            path = tmp_path_factory.mktemp("flight") / "flight.ts"
            given = {"seconds": 2, "width": 160, "height": 90, "audio": False, **asked}
            made[key] = (path, make_clip(path, **given))
        return made[key]

    return film


@pytest.fixture
def read(tmp_path):
    """Read the telemetry of a video: what was found, and its samples."""

    def read(path: Path, side_files=()):
        found = ingest.read(path, side_files, workspace=tmp_path)
        return (None, []) if found is None else (found, list(found.samples()))

    return read
