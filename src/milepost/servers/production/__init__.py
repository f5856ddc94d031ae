"""The jobs of a Topographic Production Server."""

from milepost.servers.production.server import Production

__all__ = ["Production"]
