"""generateToken of the administrator API: that of ArcGIS Server, and ours beside that of Kubernetes."""

import time

import pytest

from tests.running import PASSWORD
from tests.servers.house import House, anyio_backend, house, opened
from tests.servers.talking import error_of, json_of

__all__ = ["anyio_backend", "house"]

pytestmark = pytest.mark.anyio

GENERATE = "/admin/generateToken"
GOOD = {"username": "root", "password": PASSWORD, "f": "json"}


async def test_with_kubernetes_it_answers_as_the_portal_does(house: House) -> None:
    async with house.client() as nobody:
        answer = json_of(await nobody.post(GENERATE, data=GOOD))
        assert answer.keys() == {"token", "expires", "ssl"}
        assert isinstance(answer["expires"], int)
        error = error_of(await nobody.post(GENERATE, data={**GOOD, "password": "wrong"}))
        assert (error["code"], error["details"]) == (400, ["Invalid username or password."])


async def test_that_of_a_server_has_its_own_shape(tmp_path) -> None:
    async with opened(tmp_path, gp_admin="server") as house, house.client() as nobody:
        answer = json_of(await nobody.post(GENERATE, data={**GOOD, "expiration": "90"}))
        assert answer.keys() == {"token", "expires"}
        assert isinstance(answer["expires"], str)
        assert 89 * 60 < int(answer["expires"]) / 1000 - time.time() <= 90 * 60
        assert json_of(await nobody.get("/admin/jobs", params={"f": "json", "token": answer["token"]}))
        for form, code, said in (
            ({"password": "wrong"}, 401, "Invalid username or password."),
            ({"username": "", "password": ""}, 400, "'username' must be specified. 'password' must be"),
            ({"client": "referer"}, 400, "'referer' must be specified."),
            ({"client": "x"}, 400, "Parameter 'client'"),
            ({"expiration": "soon"}, 400, "Parameter 'expiration'"),
            ({"password": "", "token": "x"}, 498, "not issued by this server"),
        ):
            refused = json_of(await nobody.post(GENERATE, data={**GOOD, **form}))
            assert refused.keys() == {"status", "messages", "code"}
            assert (refused["status"], refused["code"]) == ("error", code), form
            (message,) = refused["messages"]
            assert message.startswith("Failed to generate token. ")
            assert said in message
        refused = json_of(await nobody.get(GENERATE, params=GOOD))
        assert refused["code"] == 405
        assert "<form" in (await nobody.get(GENERATE)).text
