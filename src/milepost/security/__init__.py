"""Who may come in: people and their passwords, tokens, and the certificate that protects both.

Synchronous, and safe to call from several threads. What hashes a password (``People.authenticate``,
``add``, ``set_password``, ``ensure_administrator``) is slow on purpose and belongs in a thread.
Everything refused is a ``SecurityError`` whose text can be shown.
"""

from milepost.security.certificates import CertificateError, ensure_certificate
from milepost.security.database import DatabaseError
from milepost.security.errors import SecurityError
from milepost.security.files import PrivateFileError
from milepost.security.passwords import PasswordError
from milepost.security.people import People, PeopleError, Person, Role
from milepost.security.tokens import (
    DEFAULT_MINUTES,
    LONGEST_MINUTES,
    SHORTEST_MINUTES,
    BindingError,
    InvalidToken,
    Tokens,
)

__all__ = [
    "DEFAULT_MINUTES",
    "LONGEST_MINUTES",
    "SHORTEST_MINUTES",
    "BindingError",
    "CertificateError",
    "DatabaseError",
    "InvalidToken",
    "PasswordError",
    "People",
    "PeopleError",
    "Person",
    "PrivateFileError",
    "Role",
    "SecurityError",
    "Tokens",
    "ensure_certificate",
]
