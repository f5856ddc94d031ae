"""A Video Server: video services with layers that are played, the work of making them, and its jobs."""

from milepost.servers.video.arrivals import Arrivals
from milepost.servers.video.exports.keeping import Exports
from milepost.servers.video.inbox import Inbox
from milepost.servers.video.library import ROOT, Library
from milepost.servers.video.server import TYPE, Video, job_path
from milepost.servers.video.upkeep import Upkeep
from milepost.servers.video.videos import Videos

__all__ = [
    "ROOT",
    "TYPE",
    "Arrivals",
    "Exports",
    "Inbox",
    "Library",
    "Upkeep",
    "Video",
    "Videos",
    "job_path",
]
