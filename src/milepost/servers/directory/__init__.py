"""The way in: which services there are, how to sign in, which jobs exist, and whether all is well."""

from milepost.servers.directory.server import Directory

__all__ = ["Directory"]
