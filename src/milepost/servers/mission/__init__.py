"""The jobs of a Mission Server."""

from milepost.servers.mission.server import ROOT, TYPE, Mission, job_path

__all__ = ["ROOT", "TYPE", "Mission", "job_path"]
