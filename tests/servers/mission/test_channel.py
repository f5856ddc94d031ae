"""The channel of a mission, over a real server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from milepost.security import People, Role
from tests.running import PASSWORD, RunningServer, plain_client

pytestmark = pytest.mark.timeout(120)

JSON = {"f": "json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("channel") / "data") as server:
        with People(server.data / "people.sqlite") as people:
            people.add("pat", PASSWORD, Role.PUBLISHER)
            people.add("vera", PASSWORD, Role.VIEWER)
        yield server


class Flood:
    """A mission of pat's, and where its channel is."""

    def __init__(self, server: RunningServer):
        self.server = server
        self.token = server.sign_in("pat")
        made = self.post("/mission/rest/services/createMission", title="Flood")
        self.path = f"/mission/rest/services/{made['missionId']}/MissionServer"
        self.connection = self.post(f"{self.path}/connectionInfo")
        self.layers = f"/rest/services/Missions/mission_{made['missionId']}/FeatureServer"

    def post(self, path: str, **form: str) -> dict[str, Any]:
        with plain_client() as client:
            answer = client.post(self.server.address + path, data={**form, "token": self.token, **JSON})
        said: dict[str, Any] = answer.json()
        assert "error" not in said, said
        return said

    def features(self, layer: int) -> list[dict[str, Any]]:
        found = self.post(f"{self.layers}/{layer}/query", where="1=1", outFields="*")["features"]
        return list(found)

    @asynccontextmanager
    async def join(self, token: str = "") -> AsyncIterator[ClientConnection]:
        url = f"{self.connection['url']}?token={token or self.connection['token']}"
        async with connect(url, proxy=None) as socket:
            assert (await said(socket))["type"] == "joined"
            yield socket


@pytest.fixture(scope="module")
def flood(server: RunningServer) -> Flood:
    return Flood(server)


async def said(socket: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 30))
    return message


async def closing(socket: ClientConnection) -> tuple[int, str]:
    """Why the server ended a connection."""
    try:
        while True:
            await asyncio.wait_for(socket.recv(), 30)
    except ConnectionClosed as ended:
        return (ended.rcvd.code, ended.rcvd.reason) if ended.rcvd else (0, "")


def test_a_position_is_kept_and_told_to_the_others(flood: Flood, server: RunningServer) -> None:
    async def story() -> dict[str, Any]:
        async with flood.join() as pat, flood.join(server.sign_in()) as admin:
            assert await said(pat) == {"type": "presence", "user": "admin", "present": True}
            await pat.send(
                '{"type": "position", "x": 1.5, "y": 42.5, "speed": 2, "time": 1790000000000, "id": "1"}'
            )
            accepted = await said(pat)
            assert (accepted["type"], accepted["id"]) == ("accepted", "1")
            told = await said(admin)
            assert told.pop("objectId") == accepted["objectId"]
        return told

    assert asyncio.run(story()) == {
        "type": "position",
        "from": "pat",
        "x": 1.5,
        "y": 42.5,
        "speed": 2.0,
        "time": 1_790_000_000_000,
    }
    [track] = flood.features(0)
    assert track["geometry"] == {"x": 1.5, "y": 42.5}
    assert track["attributes"]["user_name"] == "pat"
    assert track["attributes"]["location_timestamp"] == 1_790_000_000_000


def test_what_is_said_to_some_is_not_told_to_others(flood: Flood, server: RunningServer) -> None:
    async def story() -> None:
        async with flood.join() as pat, flood.join(server.sign_in()) as admin:
            await said(pat)
            await pat.send('{"type": "chat", "message": "To myself", "recipients": ["pat"]}')
            assert (await said(pat))["type"] == "accepted"
            await pat.send('{"type": "chat", "message": "Hello", "recipients": ["Admin"]}')
            assert (await said(admin))["message"] == "Hello"

    asyncio.run(story())
    assert [each["attributes"]["message"] for each in flood.features(1)] == ["To myself", "Hello"]


def test_what_is_no_message_is_refused_and_the_channel_stays(flood: Flood) -> None:
    async def story() -> None:
        async with flood.join() as pat:
            for wrong in (
                "",
                "{",
                '{"type": "shout"}',
                '{"type": "position", "x": 500, "y": 0}',
                '{"type":"chat"}',
            ):
                await pat.send(wrong)
                assert (await said(pat))["type"] == "error"
            await pat.send('{"type": "chat", "message": "Still here"}')
            assert (await said(pat))["type"] == "accepted"

    asyncio.run(story())


def test_only_who_may_see_the_mission_gets_in(flood: Flood, server: RunningServer) -> None:
    async def ended(query: str, *messages: str, path: str = "") -> tuple[int, str]:
        async with connect(f"{path or flood.connection['url']}{query}", proxy=None) as socket:
            for each in messages:
                await socket.send(each)
            return await closing(socket)

    vera = server.sign_in("vera")
    assert asyncio.run(ended(f"?token={vera}")) == (1008, "there is no such mission")
    assert asyncio.run(ended("?token=garbage"))[0] == 1008
    assert asyncio.run(ended("", '{"type": "chat", "message": "?"}'))[1].startswith("Token Required")
    first = json.dumps({"type": "authenticate", "token": vera})
    assert asyncio.run(ended("", first)) == (1008, "there is no such mission")
    nowhere = flood.connection["url"].replace(flood.connection["missionId"], "0" * 32)
    assert asyncio.run(ended(f"?token={flood.token}", path=nowhere)) == (1008, "there is no such mission")


def test_too_large_and_too_many_messages_end_the_connection(flood: Flood) -> None:
    async def story(messages: list[str]) -> tuple[int, str]:
        async with flood.join() as pat:
            for each in messages:
                await pat.send(each)
            return await closing(pat)

    assert asyncio.run(story(["x" * 70_000]))[0] == 1009
    assert asyncio.run(story(["{"] * 500))[0] == 1013


def test_the_end_of_the_mission_is_that_of_its_channel(server: RunningServer) -> None:
    mission = Flood(server)

    async def story() -> tuple[int, str]:
        async with mission.join() as pat:
            gone = await asyncio.to_thread(
                lambda: mission.post(f"{mission.path}/delete", **{"async": "false"})
            )
            assert gone == {"success": True}
            await pat.send('{"type": "position", "x": 1, "y": 1}')
            return await closing(pat)

    assert asyncio.run(story()) == (1008, "there is no such mission")


def test_the_server_stops_although_somebody_is_connected(tmp_path: Path) -> None:
    with RunningServer(tmp_path / "data") as server:
        token = server.sign_in()
        form = {"title": "Flood", "token": token, **JSON}
        with plain_client() as client:
            made = client.post(f"{server.address}/mission/rest/services/createMission", data=form)
        url = f"{server.address}/mission/rest/services/{made.json()['missionId']}/MissionServer/channel"

        async def story() -> tuple[int, str]:
            async with connect(f"ws{url.removeprefix('http')}?token={token}", proxy=None) as socket:
                await said(socket)
                stopping = asyncio.create_task(asyncio.to_thread(server.stop))
                ended = await closing(socket)
                assert await stopping == 0
                return ended

        assert asyncio.run(story())[0] in (1001, 1012)


def test_members_see_the_mission_and_speak_in_its_channel_until_they_are_let_go(
    server: RunningServer,
) -> None:
    flood = Flood(server)
    group = flood.post(flood.path)["groupId"]
    vera = server.sign_in("vera")

    def as_vera(path: str) -> dict[str, Any]:
        form = {"token": vera, **JSON}
        with plain_client() as client:
            answer: dict[str, Any] = client.post(server.address + path, data=form).json()
        return answer

    assert as_vera(flood.path)["error"]["code"] == 404
    members = f"/sharing/rest/community/groups/{group}"
    assert as_vera(f"{members}/users")["error"]["code"] == 404
    assert flood.post(f"{members}/addUsers", users="VERA, nobody") == {"notAdded": ["nobody"]}
    assert flood.post(f"{members}/addUsers", users="vera") == {"notAdded": []}
    assert flood.post(f"{members}/users") == {"owner": "pat", "admins": ["pat"], "users": ["vera"]}
    assert as_vera(flood.path)["groupId"] == group
    assert as_vera(f"{flood.layers}/0/query?where=1=1")["features"] == []
    assert as_vera(f"{members}/addUsers?users=vera")["error"]["code"] == 403

    async def speaking() -> tuple[int, str]:
        async with flood.join(vera) as channel:
            flood.post(f"{members}/removeUsers", users="vera")
            await channel.send('{"type": "position", "x": 1, "y": 2, "time": 1790000000000, "id": "1"}')
            return await closing(channel)

    async def listening() -> tuple[int, str]:
        async with flood.join(vera) as channel, flood.join() as pat:
            flood.post(f"{members}/removeUsers", users="vera")
            end = asyncio.create_task(closing(channel))
            while not end.done():
                await pat.send('{"type": "position", "x": 1, "y": 2, "time": 1790000000000, "id": "1"}')
                while (await said(pat))["type"] != "accepted":
                    pass
                await asyncio.wait({end}, timeout=0.1)  # no faster than clients may
            return await end

    assert asyncio.run(speaking()) == (1008, "there is no such mission")
    flood.post(f"{members}/addUsers", users="vera")
    assert asyncio.run(listening()) == (1008, "there is no such mission")
    assert flood.post(f"{members}/removeUsers", users="vera") == {"notRemoved": ["vera"]}
    assert as_vera(flood.path)["error"]["code"] == 404
    assert as_vera(f"{flood.layers}/0/query?where=1=1")["error"]["code"] in (403, 404)
