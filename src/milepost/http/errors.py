"""Errors as clients of GIS servers expect them: an object in the body of an answer that says 200."""

from collections.abc import Sequence
from typing import Any, Final

from milepost.operations import InputError
from milepost.security import Access, Role

_LONGEST: Final = 500
"""Characters of a problem that are told: what a client sent may be part of it."""


class ServiceError(Exception):
    """A request cannot be answered; the client learns the code, the message and the details."""

    def __init__(self, code: int, message: str, details: Sequence[str] = ()):
        """``code``: 400 bad input or state, 403 not allowed, 404 not found, 498 and 499 tokens, 500."""
        super().__init__(message)
        self.code: Final = code
        self.message: Final = message
        self.details: Final = tuple(details)


def bad_input(error: InputError) -> ServiceError:
    """The error of inputs that were refused: the message names every one of them."""
    problems = [each if len(each) <= _LONGEST else each[:_LONGEST] + "..." for each in error.problems]
    return ServiceError(400, "; ".join(problems), problems)


def not_found(what: str) -> ServiceError:
    """The error of something that is not there, or that the client may not know of."""
    return ServiceError(404, f"{what} not found")


def no_job_id(text: str) -> ServiceError:
    """The error of a path or a parameter that holds something else than the id of a job."""
    return ServiceError(400, "Invalid URL", [f"{text[:60]!r} is no job id: a UUID, which may begin with j"])


def token_required() -> ServiceError:
    """The error of a request without a token. Clients look for these very words."""
    return ServiceError(499, "Token Required", ["Sign in with generateToken and send the token."])


def invalid_token(reason: str) -> ServiceError:
    """The error of a token that proves nothing. Clients look for these very words."""
    return ServiceError(498, "Invalid Token", [reason])


def not_permitted(access: Access) -> ServiceError:
    """The error of somebody who may not use a resource: it says who may."""
    roles = [f"the role {role}" for role in sorted({*access.roles, Role.ADMINISTRATOR})]
    privileges = [f"{each.printed} ({each})" for each in sorted(access.privileges)]
    return ServiceError(
        403,
        "You do not have permissions to access this resource or perform this operation.",
        [f"One of these is needed: {', '.join([*privileges, *roles])}"],
    )


def envelope(error: ServiceError) -> dict[str, Any]:
    """The error object of the REST services."""
    return {"error": {"code": error.code, "message": error.message, "details": list(error.details)}}
