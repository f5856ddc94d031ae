"""OAuth 2: programs send people here to sign in, and never see the password."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Literal
from urllib.parse import urlencode

import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from milepost.http import (
    JSON_HEADERS,
    JSON_TYPE,
    Answer,
    Call,
    Field,
    Form,
    Resources,
    ServiceError,
    chosen_format,
    client_ip,
    encode,
)
from milepost.security import DEFAULT_MINUTES, LONGEST_MINUTES, BrokenSeal, Tokens
from milepost.servers.sharing import redirects
from milepost.servers.sharing.credentials import Credentials
from milepost.servers.sharing.grants import Asked, Grants, Refused, digest

log = structlog.get_logger("milepost.security")

AUTHORIZE: Final = "/sharing/rest/oauth2/authorize"
SIGN_IN: Final = "/sharing/oauth2/signin"
APPROVAL: Final = "/sharing/oauth2/approval"
TOKEN: Final = "/sharing/rest/oauth2/token"  # noqa: S105 - a path

FAILED: Final = "OAUTH_0015"
"""What clients look for in the page when the name or the password is wrong."""

LONGEST_STATE: Final = 4096

_ANSWERS: Final[dict[str, Literal["token", "code"]]] = {"token": "token", "code": "code"}


class OAuth:
    """The pages between a program and a person, and the token for the code they end in."""

    def __init__(
        self,
        credentials: Credentials,
        tokens: Tokens,
        grants: Grants,
        resources: Resources,
        redirect_uris: Sequence[str] = (),
    ) -> None:
        """With what all who sign people in share.

        Args:
            credentials: finds out who signs in.
            tokens: issues the tokens.
            grants: knows what was begun, and the codes.
            resources: what all dialects share.
            redirect_uris: where else than to this server and to programs on the person's own machine a
                sign-in may lead: origins, or whole URIs.
        """
        self._credentials = credentials
        self._tokens = tokens
        self._grants = grants
        self._resources = resources
        self._redirect_uris = redirect_uris

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        program = ("client_id", "response_type", "redirect_uri", "state", "expiration")
        asked = (*program, "code_challenge", "code_challenge_method")
        signed = ("oauth_state", "username", "password")
        exchanged = ("grant_type", "client_id", "code", "redirect_uri", "code_verifier", "refresh_token")
        return [
            *at(AUTHORIZE, self.authorize, parameters=asked, document="Authorize"),
            # One client asks below /rest.
            *at(SIGN_IN, self.sign_in, methods=["POST"], parameters=signed),
            *at("/sharing/rest/oauth2/signin", self.sign_in, methods=["POST"], parameters=signed),
            *at(APPROVAL, self.approval, methods=["GET"], parameters=("code",)),
            *at(
                "/sharing/rest/oauth2/revokeToken",
                self.revoke,
                methods=["POST"],
                parameters=("auth_token", "client_id"),
                document="Revoke token",
            ),
            *at(TOKEN, self.token, methods=["POST"], parameters=exchanged, document="Token"),
        ]

    async def authorize(self, call: Call) -> Answer:
        """The page where a person signs in for a program."""
        asked = self._asked(call)
        oauth_state = self._grants.begin(asked)
        return _sign_in_page(call, asked, oauth_state, {"oauth_state": oauth_state})

    async def sign_in(self, call: Call) -> Answer | Response:
        """Lead the person back to the program, with a token or a code; or to the form again."""
        oauth_state = call.parameters.get("oauth_state")
        try:
            asked = self._grants.begun(oauth_state)
        except BrokenSeal:
            text = "The sign-in took too long, or was not begun here. Go back to the program and begin again."
            about = {"code": FAILED, "messages": [text]}
            return Answer(None, title="Sign in", notice=text, variables={"oAuthInfo": about})
        try:
            person = await self._credentials.person(call)
        except ServiceError as error:
            messages = list(error.details) or [error.message]
            return _sign_in_page(call, asked, oauth_state, {"code": FAILED, "messages": messages})
        log.info("signed in", username=person.username, ip=client_ip(call.scope), client=asked.client[:80])
        if asked.answer == "code":
            answer = {"code": self._grants.code(person, asked)}
        else:
            token, _ = self._tokens.issue(person, asked.minutes)
            answer = {
                "access_token": token,
                "expires_in": str(asked.minutes * 60),
                "username": person.username,
                "ssl": str(call.base.startswith("https:")).lower(),
            }
        if asked.state:
            answer["state"] = asked.state
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return RedirectResponse(_back(call, asked, urlencode(answer)), 302, headers)

    async def approval(self, call: Call) -> Answer:
        """Where programs without an address of their own let people be led to."""
        code = call.parameters.get("code")
        if not code:
            return Answer(None, title="You are signed in and can close this page")
        if not self._grants.is_code(code):
            raise ServiceError(400, "Invalid code", ["Go back to the program and begin again."])
        return Answer(
            {"code": code},
            title="Copy this code to the program that asks for it",
            # Programs that sign in without a browser read it there.
            window_title=f"SUCCESS code={code}",
            variables={"oAuthInfo": {}},
        )

    async def token(self, call: Call) -> Response:
        """A token for a code or for a refresh token."""
        given = call.parameters
        client = given.get("client_id")
        try:
            match given.get("grant_type"):
                case "authorization_code":
                    answer = self._grants.redeem(
                        given.get("code"),
                        client=client,
                        redirect=given.get("redirect_uri"),
                        verifier=given.get("code_verifier"),
                    )
                case "refresh_token":
                    answer = self._grants.refresh(given.get("refresh_token"), client=client)
                case _:
                    raise Refused(
                        "unsupported_grant_type",
                        "Invalid grant_type: use authorization_code or refresh_token.",
                    )
        except Refused as refused:
            log.warning("token refused", error=refused.error, reason=str(refused), ip=client_ip(call.scope))
            said = {"error": refused.error, "error_description": str(refused), "message": str(refused)}
            answer = {"error": {"code": 400, **said, "details": []}}
        else:
            answer["ssl"] = call.base.startswith("https:")
        # Programs want JSON here, whether they say so or not.
        return Response(encode(answer, pretty=False), media_type=JSON_TYPE, headers=JSON_HEADERS)

    async def revoke(self, call: Call) -> Answer:
        """Make a token void, and all that belong to the same sign-in. For one that is no good it is done already."""
        await asyncio.to_thread(self._grants.revoke, call.parameters.get("auth_token"))
        return Answer({"success": True}, title="Sign out")

    def _asked(self, call: Call) -> Asked:
        given = call.parameters
        client, redirect, state = (given.get(name) for name in ("client_id", "redirect_uri", "state"))
        if not client or len(client) > 256:
            raise ServiceError(400, "Invalid client_id", ["Give the program a name of 1 to 256 characters."])
        if not redirects.is_allowed(redirect, call.base, self._redirect_uris):
            raise ServiceError(
                400,
                "Invalid redirect_uri",
                ["A sign-in leads to this server, to the person's own machine, or where its settings allow."],
            )
        if len(state) > LONGEST_STATE:
            raise ServiceError(400, f"Invalid state: it is longer than {LONGEST_STATE} characters")
        kind = given.get("response_type")
        if kind not in _ANSWERS:
            raise ServiceError(400, "Invalid response_type: use token or code")
        answer = _ANSWERS[kind]
        usual = DEFAULT_MINUTES if answer == "token" else LONGEST_MINUTES
        minutes = given.number("expiration", usual, least=-1, most=2**31)
        # One client asks for -1, and means as long as can be had.
        minutes = (
            min(minutes, LONGEST_MINUTES) if minutes > 0 else (usual if minutes == 0 else LONGEST_MINUTES)
        )
        challenge = given.get("code_challenge")
        match given.get("code_challenge_method") or "plain":
            case "S256":
                pass
            case "plain":
                # The code can be read by whoever sees it, so it holds no verifier.
                challenge = digest(challenge) if challenge else ""
            case _:
                raise ServiceError(400, "Invalid code_challenge_method: use S256 or plain")
        if len(challenge) > 128:
            raise ServiceError(400, "Invalid code_challenge: it is longer than 128 characters")
        return Asked(client, redirect, answer, minutes, state, challenge)


def _sign_in_page(call: Call, asked: Asked, oauth_state: str, about: dict[str, Any]) -> Answer:
    """The form; ``about`` is what clients without a browser read out of the page."""
    out_of_band = asked.redirect == redirects.OUT_OF_BAND
    place = "shown a code to copy" if out_of_band else f"led to {redirects.source(asked.redirect)}"
    form = Form(
        action=call.home + SIGN_IN,
        title="Sign in",
        fields=(
            Field(name="oauth_state", title="", value=oauth_state, kind="hidden"),
            Field(
                name="username",
                title="Username",
                value=call.parameters.get("username")[:128],
                help=f"For {asked.client[:80]}. Afterwards you are {place}.",
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
        ),
    )
    for_people = chosen_format(call.parameters.get("f")) == "html"
    return Answer(
        None if for_people else about,
        title="Sign in to Milepost",
        forms=[form],
        notice=" ".join(about.get("messages", ())),
        variables={"oAuthInfo": about},
        leads_to="" if out_of_band else redirects.source(asked.redirect),
    )


def _back(call: Call, asked: Asked, answer: str) -> str:
    """The URL that tells the program how it ended: after a ``#``, a token never reaches a server's log."""
    uri = call.base + APPROVAL if asked.redirect == redirects.OUT_OF_BAND else asked.redirect
    if asked.answer == "token":
        return f"{uri}#{answer}"
    return f"{uri}{'&' if '?' in uri else '?'}{answer}"
