"""Why a server did not answer as hoped. Each text names the cause and, where there is one, the cure."""

from typing import Final


class ClientError(Exception):
    """Base of all errors of the client; the text is one line for people."""


class UnreachableError(ClientError):
    """No usable answer came; the same request may succeed later."""

    def __init__(self, text: str, *, retry_after: float = 0.0):
        super().__init__(text)
        self.retry_after: Final = retry_after
        """Seconds the server asked to be left alone; 0 when it did not."""


class BadAnswerError(ClientError):
    """The answer is not what the protocol says, or the connection cannot be trusted. Asking again is no use."""


class ServerError(ClientError):
    """The server answered with an error of its own."""

    def __init__(self, code: int, message: str, details: list[str]):
        said = "; ".join(dict.fromkeys(text for text in [message, *details] if text)) or "no reason given"
        super().__init__(f"the server answered with error {code}: {said}")
        self.code: Final = code
        self.message: Final = message
        self.details: Final = details

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.code >= 500


class SignInError(ClientError):
    """The server wants a sign-in, or does not accept the one it got."""


class LostError(ClientError):
    """A job that was being watched can no longer be followed."""
