"""The root of everything that this room refuses."""


class SecurityError(Exception):
    """Something was refused; the text names the cause and the cure, and holds no secret."""
