"""The part of a portal that clients of services need: signing in, and the people."""

from milepost.servers.sharing.browser import BrowserSignIn
from milepost.servers.sharing.community import Community
from milepost.servers.sharing.credentials import Credentials
from milepost.servers.sharing.grants import Grants
from milepost.servers.sharing.members import Members
from milepost.servers.sharing.oauth import OAuth
from milepost.servers.sharing.portal import Portal
from milepost.servers.sharing.server import TOKEN_PARAMETERS, Sharing, authentication_info
from milepost.servers.sharing.wire import FederatedServer

__all__ = [
    "TOKEN_PARAMETERS",
    "BrowserSignIn",
    "Community",
    "Credentials",
    "FederatedServer",
    "Grants",
    "Members",
    "OAuth",
    "Portal",
    "Sharing",
    "authentication_info",
]
