"""Videos that several tests use, made once."""

import pytest

from milepost.operations import Run
from tests.servers.video.ingest.filming import film, ingest


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """Three seconds of H.264 with sound in a transport stream."""
    return film(tmp_path_factory.mktemp("clip") / "clip.ts")


@pytest.fixture(scope="session")
def layer(tmp_path_factory):
    """The folder of a layer of two rungs with sound, its facts, and the run that made it."""
    folder = tmp_path_factory.mktemp("layer")
    source = film(folder / "source.ts", size="960x540", rate="30000/1001", seconds=4.5)
    run = Run()
    facts = ingest(source, folder / "layer", "fhd", "hd", "sd", "native", run=run)
    return folder / "layer", facts, run
