"""Signing in: the part of a portal that clients of services need."""

from milepost.servers.sharing.browser import BrowserSignIn
from milepost.servers.sharing.server import Sharing, authentication_info

__all__ = ["BrowserSignIn", "Sharing", "authentication_info"]
