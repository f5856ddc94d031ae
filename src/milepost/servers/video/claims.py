"""What is being done with uploads right now, so that no two requests decide about one at the same time."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from milepost.http import ServiceError
from milepost.servers.video import describing


class Claims:
    """Who has which upload. They are in memory, since one process has all the uploads of a site.

    Nobody waits: who comes second is refused, and asks again.
    """

    def __init__(self) -> None:
        """None yet."""
        self._alone: dict[str, str] = {}
        self._used: Counter[str] = Counter()

    def require_free(self, upload_id: str) -> None:
        """Nothing, unless somebody has an upload for themselves.

        Raises:
            ServiceError: 400, it says what is being done.
        """
        if doing := self._alone.get(upload_id):
            spelled = describing.upload_id(upload_id)
            raise ServiceError(
                400, f"The upload {spelled} is being {doing}: ask for it until that is done, then try again"
            )

    @contextmanager
    def use(self, upload_ids: Sequence[str]) -> Iterator[None]:
        """Have uploads beside others who use them.

        Raises:
            ServiceError: 400, somebody has one for themselves.
        """
        for each in upload_ids:
            self.require_free(each)
        self._used.update(upload_ids)
        try:
            yield
        finally:
            self._used -= Counter(upload_ids)

    @contextmanager
    def alone(self, upload_id: str, doing: str) -> Iterator[None]:
        """Have an upload for oneself.

        Args:
            upload_id: of the upload.
            doing: what is done with it, such as ``deleted``.

        Raises:
            ServiceError: 400, somebody has or uses it.
        """
        self.require_free(upload_id)
        if upload_id in self._used:
            raise ServiceError(400, "A job needs this upload: try again when the job has ended")
        self._alone[upload_id] = doing
        try:
            yield
        finally:
            del self._alone[upload_id]
