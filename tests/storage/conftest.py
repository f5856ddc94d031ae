"""An S3 server in a thread of this process, and a storage of each kind."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

from milepost.storage import Storage, open_storage

SECRET = "a-secret-that-nobody-may-read"

_numbers = itertools.count()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server, which the environment names too."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", address)
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path_factory.mktemp("none") / "credentials"))
        yield address
    server.stop()


@pytest.fixture
def bucket(s3: str) -> str:
    """The name of a new bucket."""
    import httpx

    name = f"videos-{next(_numbers)}"
    httpx.put(f"{s3}/{name}", trust_env=False).raise_for_status()
    return name


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return open_storage("", tmp_path / "videos")
    return open_storage(f"s3://{request.getfixturevalue('bucket')}/site/a", tmp_path / "videos")


def store_of(bucket: str, address: str) -> S3Store:
    """The bucket as another client sees it."""
    return S3Store(bucket, endpoint=address, region="us-east-1", client_options={"allow_http": True})


def keys(store: S3Store) -> list[str]:
    return sorted(each["path"] for page in obstore.list(store) for each in page)
