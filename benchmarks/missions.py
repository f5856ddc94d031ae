"""How long missions take that five people make at the same time, against their layers made by hand."""

import asyncio
import statistics
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

from benchmarks.figures import Figure, Report, ratio
from benchmarks.options import Options
from benchmarks.processes import Milepost
from milepost.features import FeatureServices
from milepost.security import People, Role
from milepost.servers.mission.layers import definition

PEOPLE = 5
PASSWORD = "five-make-missions"


def run(options: Options, folder: Path) -> Report:
    """Measure."""
    with Milepost(folder / "missions") as milepost:
        names = [f"maker{number}" for number in range(PEOPLE)]
        with People(folder / "missions" / "people.sqlite") as people:
            for name in names:
                people.add(name, PASSWORD, Role.PUBLISHER)
        made = asyncio.run(_make(milepost.address, names, options.missions))
        jobs = httpx.get(
            f"{milepost.address}/rest/jobs",
            params={"f": "json", "num": 1000, "operation": "create_mission"},
            headers=milepost.headers,
            trust_env=False,
        ).json()["jobs"]
    worked = [(each["ended"] - each["started"]) / 1000 for each in jobs]
    by_hand = [_by_hand(folder / "by-hand") for _ in worked]
    answers = sorted(made)
    return Report(
        [
            Figure(
                "a mission, from its start to its end, p50",
                _seconds(statistics.median(worked)),
                _seconds(statistics.median(by_hand)),
                ratio(sorted(worked), sorted(by_hand)),
            ),
            Figure("a mission, from its start to its end, p95", _seconds(_p95(worked))),
            Figure(
                "the answer to who waits for it, queue included, p50", _seconds(statistics.median(answers))
            ),
            Figure(
                "the answer to who waits for it, queue included, p95",
                _seconds(_p95(answers)),
                aim="all whole",
                reached=len(answers) == len(worked),
            ),
        ],
        f"{len(answers)} missions asked for at one instant by {PEOPLE} people, four at work at a time. Each was"
        " looked at afterwards: it has its owner, its title and three layers. The floor is the GeoPackage of the"
        " layers alone, made in this process, one after the other.",
    )


async def _make(address: str, names: list[str], count: int) -> list[float]:
    limits = httpx.Limits(max_connections=count + PEOPLE)
    async with httpx.AsyncClient(base_url=address, timeout=600, trust_env=False, limits=limits) as client:
        tokens = {}
        for name in names:
            form = {"username": name, "password": PASSWORD, "f": "json", "expiration": "600"}
            tokens[name] = (await client.post("/sharing/rest/generateToken", data=form)).json()["token"]

        async def one(name: str, number: int) -> float:
            form: dict[str, Any] = {"token": tokens[name], "f": "json"}
            begun = time.perf_counter()
            answer = await client.post(
                "/mission/rest/services/createMission", data={**form, "title": f"{name} {number}"}
            )
            seconds = time.perf_counter() - begun
            mission_id = answer.json()["missionId"]
            path = f"/mission/rest/services/{mission_id}/MissionServer"
            mission = (await client.get(path, params=form)).json()
            path = f"/rest/services/Missions/mission_{mission_id}/FeatureServer"
            layers = (await client.get(path, params=form)).json()["layers"]
            assert (mission["owner"], mission["title"], len(layers)) == (name, f"{name} {number}", 3)
            return seconds

        asked = (one(names[number % PEOPLE], number) for number in range(count))
        return await asyncio.gather(*asked)


def _by_hand(folder: Path) -> float:
    begun = time.perf_counter()
    FeatureServices(folder).create(f"Missions/m{uuid.uuid4().hex}", definition("maker", "By hand"))
    return time.perf_counter() - begun


def _p95(samples: list[float]) -> float:
    return sorted(samples)[int(len(samples) * 0.95)]


def _seconds(value: float) -> str:
    return f"{value * 1000:,.0f} ms"
