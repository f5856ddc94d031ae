"""The command that shows it work."""

import click


@click.command()
def demo() -> None:
    """Show it work."""
