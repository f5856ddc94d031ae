"""The jobs, the services and the system of ArcGIS Enterprise's administrator API."""

from milepost.servers.enterprise.registry.edits import RegistryEdits
from milepost.servers.enterprise.registry.network import read_networks
from milepost.servers.enterprise.server import Enterprise

__all__ = ["Enterprise", "RegistryEdits", "read_networks"]
