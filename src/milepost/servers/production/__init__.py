"""The jobs of a Topographic Production Server."""

from milepost.servers.production.server import TYPE, Production, job_path

__all__ = ["TYPE", "Production", "job_path"]
