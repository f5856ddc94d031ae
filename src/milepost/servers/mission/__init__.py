"""The jobs of a Mission Server."""

from milepost.servers.mission.server import Mission

__all__ = ["Mission"]
