"""The jobs of a Video Server."""

from milepost.servers.video.server import ROOT, TYPE, Video, job_path

__all__ = ["ROOT", "TYPE", "Video", "job_path"]
