"""A Mission Server: missions, the work of making them, and its jobs."""

from milepost.servers.mission.channel import Channels
from milepost.servers.mission.records import Missions
from milepost.servers.mission.server import TYPE, Mission, job_path
from milepost.servers.mission.starting import ROOT

__all__ = ["ROOT", "TYPE", "Channels", "Mission", "Missions", "job_path"]
