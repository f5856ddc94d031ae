"""The geoprocessing service (GPServer) over HTTP, and its toolbox."""

from milepost.servers.geoprocessing.administration import Administration
from milepost.servers.geoprocessing.server import Geoprocessing

__all__ = ["Administration", "Geoprocessing"]
