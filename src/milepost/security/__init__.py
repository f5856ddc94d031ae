"""Who may come in: people and their passwords, tokens, and the certificate that protects both.

Synchronous, and safe to call from several threads. What hashes a password (``People.authenticate``,
``add``, ``set_password``, ``ensure_administrator``) is slow on purpose and belongs in a thread.
Everything refused is a ``SecurityError`` whose text can be shown.
"""

from milepost.security.certificates import CertificateError, ensure_certificate
from milepost.security.database import Database, DatabaseError, Records
from milepost.security.errors import SecurityError
from milepost.security.files import PrivateFileError
from milepost.security.passwords import PasswordError
from milepost.security.people import People, PeopleError, Person
from milepost.security.privileges import (
    ADMINISTRATORS,
    ANYBODY,
    PRIVILEGES_OF,
    SIGNED_IN,
    VISITORS,
    Access,
    Privilege,
    PrivilegeError,
    Role,
    read_privileges,
    read_role,
)
from milepost.security.seals import BrokenSeal, Seals
from milepost.security.tokens import (
    DEFAULT_MINUTES,
    LONGEST_MINUTES,
    SHORTEST_MINUTES,
    BindingError,
    InvalidToken,
    Tokens,
)
from milepost.security.vault import Vault, VaultError

__all__ = [
    "ADMINISTRATORS",
    "ANYBODY",
    "DEFAULT_MINUTES",
    "LONGEST_MINUTES",
    "PRIVILEGES_OF",
    "SHORTEST_MINUTES",
    "SIGNED_IN",
    "VISITORS",
    "Access",
    "BindingError",
    "BrokenSeal",
    "CertificateError",
    "Database",
    "DatabaseError",
    "InvalidToken",
    "PasswordError",
    "People",
    "PeopleError",
    "Person",
    "PrivateFileError",
    "Privilege",
    "PrivilegeError",
    "Records",
    "Role",
    "Seals",
    "SecurityError",
    "Tokens",
    "Vault",
    "VaultError",
    "ensure_certificate",
    "read_privileges",
    "read_role",
]
