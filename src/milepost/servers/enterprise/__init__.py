"""The jobs of an Enterprise deployment, as its administrators see them under ``/admin/jobs``."""

from milepost.servers.enterprise.server import Enterprise

__all__ = ["Enterprise"]
