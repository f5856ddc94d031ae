"""The geoprocessing service (GPServer) over HTTP, and its toolbox."""

from milepost.servers.geoprocessing.access import TYPE
from milepost.servers.geoprocessing.administration import Administration
from milepost.servers.geoprocessing.server import Geoprocessing, job_path

__all__ = ["TYPE", "Administration", "Geoprocessing", "job_path"]
