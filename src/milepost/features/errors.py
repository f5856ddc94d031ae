"""What can go wrong with feature services. Every text is fit for whoever asked."""

import errno
import sqlite3


class FeatureError(ValueError):
    """A request cannot be done; the text names the cause and the cure."""


class NoSuchServiceError(FeatureError):
    """There is no feature service of that name."""


class ServiceExistsError(FeatureError):
    """There is a feature service of that name already."""


class WhereError(FeatureError):
    """A where clause is not understood, or says what may not be said."""


class TooSlowError(FeatureError):
    """A query took longer than the server gives to one."""


def is_full(error: Exception) -> bool:
    """Whether an error says that a disk has no room."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorname", "") in ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
