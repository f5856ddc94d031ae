"""Signing in with a browser: a form, and a cookie that holds the token."""

import asyncio
from contextlib import suppress
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from milepost.http import COOKIE_NAME, Answer, Call, Field, Form, Resources, ServiceError, from_elsewhere
from milepost.security import InvalidToken, Tokens
from milepost.servers.sharing.credentials import Credentials

SESSION_MINUTES: Final = 12 * 60


class BrowserSignIn:
    """``/login`` and ``/logout``."""

    def __init__(self, credentials: Credentials, tokens: Tokens, resources: Resources):
        """``credentials`` finds out who signs in."""
        self._credentials = credentials
        self._tokens = tokens
        self._resources = resources

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at("/login", self.login, parameters=("username", "password", "next")),
            *at("/logout", self.logout, methods=["POST"], acts=True),
        ]

    async def login(self, call: Call) -> Answer | Response:
        """Ask for a name and a password, and keep the token for the session."""
        if call.parameters.get("f", "html") != "html":
            raise ServiceError(
                400, "This page is for people; programs sign in with sharing/rest/generateToken"
            )
        home = call.path.removesuffix("/login")
        onward = _own_path(call.parameters.get("next"), home)
        message = ""
        if call.method == "POST":
            if from_elsewhere(call.scope, call.base):
                raise ServiceError(403, "Sign in on this page itself; another page sent the form")
            try:
                token, _ = await self._credentials.token(call, SESSION_MINUTES)
            except ServiceError as error:
                message = error.details[0] if error.details else error.message
            else:
                response = RedirectResponse(onward, 303)
                response.set_cookie(
                    COOKIE_NAME,
                    token,
                    path=home or "/",
                    httponly=True,
                    secure=call.base.startswith("https:"),
                    # Never sent by pages of other sites, so these cannot act in somebody's name.
                    samesite="strict",
                )
                return response
        form = Form(
            action=call.path,
            title="Sign in",
            fields=(
                Field(
                    name="username",
                    title="Username",
                    value=call.parameters.get("username")[:128],
                    required=True,
                    autocomplete="username",
                ),
                Field(
                    name="password",
                    title="Password",
                    kind="password",
                    required=True,
                    autocomplete="current-password",
                ),
                Field(name="next", title="", value=onward, kind="hidden"),
            ),
        )
        return Answer(None, title="Sign in to Milepost", forms=[form], notice=message)

    async def logout(self, call: Call) -> Response:
        """End the session: its token is void, and forgotten."""
        token = Request(call.scope).cookies.get(COOKIE_NAME, "")
        with suppress(InvalidToken):
            await asyncio.to_thread(self._tokens.revoke, token)
        home = call.path.removesuffix("/logout")
        response = RedirectResponse(f"{home}/login", 303)
        response.delete_cookie(COOKIE_NAME, path=home or "/", httponly=True, samesite="strict")
        return response


def _own_path(wanted: str, home: str) -> str:
    """Where to go after the sign-in: a path of this server, never somebody else's address.

    Without parameters: whoever made the link to the sign-in could do something with them in the name of
    the person who follows it.
    """
    wanted = wanted.partition("?")[0]
    plain = wanted.startswith(f"{home}/") and not wanted.startswith("//")
    return wanted if plain and "\\" not in wanted and wanted.isprintable() else f"{home}/rest/services"
