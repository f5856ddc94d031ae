"""Numbers as the words of a sheet have them."""


def grouped(number: float) -> str:
    """A number with its digits before the point in groups of three, as in ``1 000`` and ``2.5``."""
    return f"{number:,.10g}".replace(",", "\N{NO-BREAK SPACE}")
