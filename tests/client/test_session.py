"""Requests, tokens and errors against a real HTTP server."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from tests.client.peer import Answer, Asked, Peer, running_peer

from milepost.client import Address, BadAnswerError, ServerError, Session, SignInError, UnreachableError
from milepost.security import ensure_certificate

INFO = "/arcgis/rest/info"
GENERATE = "/arcgis/sharing/rest/generateToken"
RESOURCE = "/arcgis/rest/services"


def address(peer: Peer, path: str = RESOURCE) -> Address:
    return Address(peer.url + path)


def guarded(good: str) -> Any:
    """A resource that wants the token ``good``."""

    def answer(asked: Asked) -> Any:
        given = asked.headers.get("x-esri-authorization", "")
        if not given:
            return {"error": {"code": 499, "message": "Token Required", "details": []}}
        if given != f"Bearer {good}":
            return {"error": {"code": 498, "message": "Invalid Token", "details": []}}
        return {"well": "come"}

    return answer


class TestAddress:
    @pytest.mark.parametrize(
        ("pasted", "server"),
        [
            ("http://h:6080/arcgis/rest/services/A/B/GPServer/t/jobs/j1", "http://h:6080/arcgis"),
            ("https://h/arcgis/admin/jobs/j1", "https://h/arcgis"),
            ("https://h/ctx/ogc/jobs/1", "https://h/ctx"),
            ("https://h/jobs/1", "https://h"),
            ("https://h/arcgis", "https://h/arcgis"),
            ("https://h/arcgis/", "https://h/arcgis"),
        ],
    )
    def test_the_server_is_found_in_it(self, pasted: str, server: str) -> None:
        assert Address(pasted).server == server

    def test_token_format_and_fragment_are_taken_out(self) -> None:
        pasted = Address("http://h/jobs/1/?f=html&token=secret&key=7#top")
        assert str(pasted) == "http://h/jobs/1?key=7"
        assert pasted.token == "secret"

    @pytest.mark.parametrize(
        "pasted",
        [
            *("", "j1", "ftp://h/x", "http://", "http://h:x/", "http://[", "http://u:p@h/", "http://h\x00/"),
            *("http://a..b/", f"http://{'a' * 80}.b/", "http://h:99999/"),
        ],
    )
    def test_what_is_no_address_is_refused(self, pasted: str) -> None:
        with pytest.raises(ValueError, match="address"):
            Address(pasted)


class TestTokens:
    def test_a_given_token_goes_into_a_header_and_not_into_the_address(self, peer: Peer) -> None:
        peer.script(RESOURCE, guarded("abc"))
        with Session(address(peer), token="abc") as session:
            assert session.get(peer.url + RESOURCE) == {"well": "come"}
        assert "token" not in peer.asked[0].query

    def test_user_and_password_become_a_token_where_the_server_says(self, peer: Peer) -> None:
        peer.script(INFO, {"authInfo": {"tokenServicesUrl": peer.url + "/portal/generateToken"}})
        peer.script("/portal/generateToken", {"token": "abc", "expires": 4e12, "ssl": False})
        peer.script(RESOURCE, guarded("abc"))
        with Session(address(peer), user="ann", password="secret") as session:
            session.get(peer.url + RESOURCE)
            session.get(peer.url + RESOURCE)
        asked = next(each for each in peer.asked if each.path == "/portal/generateToken")
        assert asked.method == "POST"
        assert (asked.form["username"], asked.form["password"]) == ("ann", "secret")
        assert asked.form["referer"] == asked.headers["referer"]
        assert peer.times("/portal/generateToken") == 1

    def test_a_server_that_does_not_say_is_asked_at_the_usual_place(self, peer: Peer) -> None:
        peer.script(GENERATE, {"token": "abc", "expires": 0})
        peer.script(RESOURCE, guarded("abc"))
        with Session(address(peer), user="ann", password="secret") as session:
            assert session.get(peer.url + RESOURCE)

    def test_a_token_that_ran_out_is_renewed(self, peer: Peer) -> None:
        peer.script(GENERATE, {"token": "old"}, {"token": "new"})
        peer.script(RESOURCE, guarded("new"))
        with Session(address(peer), user="ann", password="secret") as session:
            assert session.get(peer.url + RESOURCE)
        assert peer.times(GENERATE) == 2

    def test_a_wrong_password_is_told(self, peer: Peer) -> None:
        details = ["Invalid username or password."]
        peer.script(
            GENERATE, {"error": {"code": 400, "message": "Unable to generate token.", "details": details}}
        )
        with (
            Session(address(peer), user="ann", password="wrong") as session,
            pytest.raises(SignInError, match=r"cannot sign in as ann.*Invalid username or password"),
        ):
            session.get(peer.url + RESOURCE)

    @pytest.mark.parametrize("answer", [{"token": 7}, {}, [], {"token": "a\r\nX: y"}, {"token": "ü"}])
    def test_an_answer_without_a_token_is_told(self, peer: Peer, answer: Any) -> None:
        peer.script(GENERATE, answer)
        with (
            Session(address(peer), user="ann", password="secret") as session,
            pytest.raises(BadAnswerError, match="without a token"),
        ):
            session.get(peer.url + RESOURCE)

    def test_a_token_goes_to_no_other_server(self, peer: Peer) -> None:
        with running_peer() as other:
            other.script("/x", {})
            with Session(address(peer), token="abc") as session:
                session.get(other.url + "/x")
            assert "x-esri-authorization" not in other.asked[0].headers

    @pytest.mark.parametrize(
        ("token", "cure"), [("", "wants a sign-in"), ("bad", "does not accept the token")]
    )
    def test_what_is_missing_is_told(self, peer: Peer, token: str, cure: str) -> None:
        peer.script(RESOURCE, guarded("good"))
        with Session(address(peer), token=token) as session, pytest.raises(SignInError, match=cure):
            session.get(peer.url + RESOURCE)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            Answer({"error": {"code": 400, "message": "Bad", "details": ["a", "b"]}}),
            ServerError,
            "400: Bad; a; b",
        ),
        (Answer({"error": {"code": 404, "message": "Gone", "details": None}}), ServerError, "404: Gone"),
        (
            Answer({"status": "error", "messages": ["No such job"], "code": 404}),
            ServerError,
            "404: No such job",
        ),
        (Answer({"type": "x", "title": "No such job", "status": 404}, 404), ServerError, "No such job"),
        (Answer({"error": {"code": 403, "message": "No"}}), SignInError, "403 No"),
        (Answer(b"<html>", 404), BadAnswerError, "did not answer with JSON .HTTP 404"),
        (
            Answer(b"", 302, {"Location": "https://elsewhere/login"}),
            BadAnswerError,
            "redirects to https://else",
        ),
        (Answer(b"", 503, {"Content-Type": "text/html"}), UnreachableError, "HTTP 503"),
        (Answer(b"{}", 200, {"Content-Encoding": "gzip"}), BadAnswerError, "garbled"),
        (Answer(b"[" * 100_000), BadAnswerError, "did not answer with JSON"),
        (Answer({"error": {}}), ServerError, "no reason given"),
    ],
)
def test_errors_are_told_in_one_line(peer: Peer, answer: Answer, kind: type[Exception], words: str) -> None:
    peer.script(RESOURCE, answer)
    with Session(address(peer)) as session, pytest.raises(kind, match=words) as raised:
        session.get(peer.url + RESOURCE)
    assert "\n" not in str(raised.value)


def test_a_host_that_is_not_there_is_told() -> None:
    with running_peer() as gone:
        home = address(gone)
    with Session(home) as session, pytest.raises(UnreachableError, match=r"cannot be reached: .*refused"):
        session.get(home.url)


def test_a_name_that_cannot_be_looked_up_is_told() -> None:
    home = Address("http://host.invalid/")
    with Session(home) as session, pytest.raises(UnreachableError, match=r"host\.invalid cannot be reached"):
        session.get(home.url)


class TestTls:
    @pytest.fixture
    def secured(self, tmp_path: Path) -> Any:
        files = ensure_certificate(tmp_path, ["127.0.0.1"])
        with running_peer(files) as peer:
            peer.script(RESOURCE, {"well": "come"})
            yield peer, files[0]

    def test_a_self_made_certificate_is_refused_with_the_cure(self, secured: Any) -> None:
        peer, _ = secured
        with (
            Session(address(peer)) as session,
            pytest.raises(BadAnswerError, match=r"--cacert .* --insecure"),
        ):
            session.get(peer.url + RESOURCE)

    def test_it_is_trusted_when_named(self, secured: Any) -> None:
        peer, certificate = secured
        with Session(address(peer), verify=ssl.create_default_context(cafile=str(certificate))) as session:
            assert session.get(peer.url + RESOURCE)

    def test_https_to_a_server_without_tls_is_told(self, peer: Peer) -> None:
        home = Address(peer.url.replace("http:", "https:") + RESOURCE)
        with Session(home) as session, pytest.raises(BadAnswerError, match="does not speak TLS"):
            session.get(home.url)

    def test_http_to_a_server_with_tls_is_told(self, secured: Any) -> None:
        peer, _ = secured
        home = Address(peer.url.replace("https:", "http:") + RESOURCE)
        with Session(home) as session, pytest.raises(UnreachableError, match=r"use https://"):
            session.get(home.url)

    def test_a_password_is_not_sent_from_https_to_http(self, secured: Any) -> None:
        peer, _ = secured
        peer.script(INFO, {"authInfo": {"tokenServicesUrl": "http://127.0.0.1/generateToken"}})
        with (
            Session(address(peer), user="ann", password="secret", verify=False) as session,
            pytest.raises(BadAnswerError, match="not encrypted"),
        ):
            session.get(peer.url + RESOURCE)
