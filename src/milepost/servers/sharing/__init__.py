"""Signing in: the part of a portal that clients of services need."""

from milepost.servers.sharing.server import Sharing, authentication_info

__all__ = ["Sharing", "authentication_info"]
