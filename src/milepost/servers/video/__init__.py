"""The jobs of a Video Server."""

from milepost.servers.video.server import Video

__all__ = ["Video"]
