"""Stored folders in an object storage that speaks S3.

The objects of a folder lie below ``folders/NAME/``. Once all are there, an empty object ``complete/NAME`` says
so: it comes last and goes first.
"""

import configparser
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from milepost.storage.protocol import Entry, StorageError, Tick, checked, files_below, usable

_PIECE: Final = 1 << 22
"""Bytes of one request that reads."""
_PART: Final = 8 * 2**20
"""Bytes of one request that writes a part of a large file."""
_RETRIES: Final = 3

_CREDENTIALS: Final = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


class ObjectStorage:
    """Folders below a prefix of one bucket."""

    def __init__(self, bucket: str, prefix: str, place: str):
        """Reach the bucket with what the environment says, as the AWS tools read it.

        Args:
            bucket: its name.
            prefix: what the keys of all objects begin with; may be empty.
            place: how it is configured.

        Raises:
            StorageError: obstore is not installed, or the environment does not make sense.
        """
        try:
            from obstore.store import S3Store
        except ImportError:
            raise StorageError(
                "an object storage needs obstore: pip install 'milepost[video]'", place
            ) from None
        self.place = place
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
        options: dict[str, Any] = {"connect_timeout": "5s", "timeout": "120s"}
        if endpoint.startswith("http://"):
            options["allow_http"] = True
        with _explained(place):
            self._store: S3Store = S3Store(
                bucket,
                prefix=prefix or None,
                client_options=options,  # type: ignore[arg-type]
                retry_config={"max_retries": _RETRIES},
                **_configured(endpoint),
            )

    def put(self, folder: Path, name: str, tick: Tick) -> None:
        """See ``Storage``."""
        import obstore

        done = f"complete/{checked(name)}"
        with _explained(self.place):
            if self._is_there(done):
                return
            for path, key in files_below(folder):
                parts = _parts(path, tick)
                # Many files are small, and need only one request each.
                content = parts if path.stat().st_size > _PART else b"".join(parts)
                obstore.put(self._store, f"folders/{checked(name, key)}", content, chunk_size=_PART)
            obstore.put(self._store, done, b"")

    def write(self, name: str, path: str, content: bytes) -> None:
        """See ``Storage``."""
        import obstore

        with _explained(self.place):
            obstore.put(self._store, f"folders/{checked(name, path)}", content)

    def remove(self, name: str, path: str) -> None:
        """See ``Storage``."""
        import obstore

        with _explained(self.place), suppress(FileNotFoundError):
            obstore.delete(self._store, f"folders/{checked(name, path)}")

    def fetch(self, name: str, path: str, target: Path, tick: Tick) -> None:
        """See ``Storage``."""
        import obstore

        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = f"folders/{checked(name, path)}"
        with _explained(self.place), target.open("wb") as file:
            try:
                size = obstore.head(self._store, key)["size"]
            except FileNotFoundError:
                raise StorageError(f"there is no file {path} in {name} any more") from None
            for begin in range(0, size, _PIECE):
                piece = obstore.get_range(self._store, key, start=begin, end=min(size, begin + _PIECE))
                file.write(piece)
                tick(len(piece))

    def paths(self, name: str) -> list[str]:
        """See ``Storage``."""
        before = f"folders/{checked(name)}/"
        return [each.removeprefix(before) for each in self._keys(before)]

    def names(self) -> list[str]:
        """See ``Storage``."""
        return [each.removeprefix("complete/") for each in self._keys("complete/")]

    def delete(self, name: str) -> None:
        """See ``Storage``."""
        import obstore

        done = f"complete/{checked(name)}"
        with _explained(self.place):
            if self._is_there(done):
                obstore.delete(self._store, done)
            keys = self._keys(f"folders/{name}/")
            if keys:
                obstore.delete(self._store, keys)

    async def look(self, name: str, path: str) -> Entry | None:
        """See ``Storage``."""
        import obstore

        if not usable(name, path):
            return None
        with _explained(self.place):
            try:
                found = await obstore.head_async(self._store, f"folders/{name}/{path}")
            except FileNotFoundError:
                return None
        tag = (found["e_tag"] or "").strip('"') or f"{found['size']:x}"
        return Entry(found["size"], tag, found["last_modified"].timestamp())

    async def read(self, name: str, path: str, begin: int, end: int) -> AsyncGenerator[bytes, None]:
        """See ``Storage``. One request a piece: none of them lasts as long as a slow reader does."""
        import obstore

        key = f"folders/{checked(name, path)}"
        for start in range(begin, end, _PIECE):
            with _explained(self.place):
                piece = await obstore.get_range_async(
                    self._store, key, start=start, end=min(end, start + _PIECE)
                )
            yield bytes(piece)

    def _is_there(self, key: str) -> bool:
        import obstore

        try:
            obstore.head(self._store, key)
        except FileNotFoundError:
            return False
        return True

    def _keys(self, before: str) -> list[str]:
        import obstore

        with _explained(self.place):
            return sorted(each["path"] for page in obstore.list(self._store, before) for each in page)


def _parts(path: Path, tick: Tick) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PART):
            tick(len(piece))
            yield piece


def _configured(endpoint: str) -> dict[str, Any]:
    """What obstore does not read from the environment by itself."""
    found: dict[str, Any] = {}
    if endpoint:
        found["endpoint"] = endpoint
    if not (os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")):
        found["region"] = "us-east-1"
    if not os.environ.get("AWS_ACCESS_KEY_ID"):
        found |= _from_file()
    return found


def _from_file() -> dict[str, str]:
    """Credentials from the file that the AWS tools keep them in; empty without one.

    Raises:
        StorageError: it cannot be read, or has no such profile.
    """
    named = os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
    path = Path(named or "~/.aws/credentials").expanduser()
    if not named and not path.is_file():
        return {}
    profile = os.environ.get("AWS_PROFILE") or "default"
    parser = configparser.RawConfigParser()
    try:
        with path.open() as file:
            parser.read_file(file)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        # What the parser says may quote a line with a secret.
        reason = error.strerror if isinstance(error, OSError) else "it is no INI file"
        raise StorageError(f"the credentials of the storage cannot be read: {reason}", str(path)) from None
    if not parser.has_section(profile):
        raise StorageError(
            f"the credentials of the storage have no profile {profile!r}; name one in AWS_PROFILE", str(path)
        )
    return {name: parser[profile][name] for name in _CREDENTIALS if parser.has_option(profile, name)}


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn what obstore raises into words. What a storage answers is not told: it may repeat credentials."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        cause = _cause(error)
        if not cause:
            raise
        raise StorageError(f"the storage cannot be used: {cause}", place) from None


def _cause(error: Exception) -> str:
    """What an error of obstore means; empty for one of something else."""
    kind = type(error)
    if not kind.__module__.startswith("obstore") and not isinstance(error, OSError):
        return ""
    if isinstance(error, PermissionError) or kind.__name__ in (
        "PermissionDeniedError",
        "UnauthenticatedError",
    ):
        return "it refuses the credentials; see AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile"
    if isinstance(error, FileNotFoundError):
        return "the bucket, or an object that should be there, is not"
    said = str(error)
    if "HTTP error" in said or "error sending request" in said:
        return "it does not answer; see AWS_ENDPOINT_URL and that it can be reached from here"
    if "NoSuchBucket" in said:
        return "there is no such bucket"
    return f"it answered with an error ({kind.__name__}); its own log tells more"
