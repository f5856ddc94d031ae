"""The work of a Mission Server: missions are made, changed and deleted, whole or not at all."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from milepost.features import Draft, FeatureServices, delete_service
from milepost.operations import Run, Service, operation, site
from milepost.servers.mission.layers import GROUPS, definition, web_map
from milepost.servers.mission.records import (
    Channel,
    LayerOfMission,
    Mission,
    Missions,
    Plan,
    item_id,
    service_name,
)
from milepost.servers.mission.reports import Report
from milepost.servers.mission.reports import definition as report_definition

MISSION: Final = Service(
    name="Mission.MissionServer",
    description="Missions: layers and maps for people who work together in the field.",
    min_instances=0,
    max_instances=4,
    max_usage_time=600.0,
)

CREATED: Final = ("tracks", "communications", "events", "map", "mission")
"""The steps by which a mission is made."""


def remove_mission(data: str, mission_id: str) -> None:
    """Let a mission and its map be gone; there need not be any."""
    with Missions(Path(data)) as missions:
        missions.remove(mission_id)


@operation(service=MISSION, retries=2)
def create_mission(run: Run, mission_id: str, username: str, plan: str) -> str:
    """Make a mission: its layers, its map, and itself.

    Args:
        run: of the job.
        mission_id: of the mission that is to be.
        username: of its owner.
        plan: what it is to be, as JSON.
    """
    data = site.data_folder()
    wanted = msgspec.json.decode(plan, type=Plan)
    mission = _planned(mission_id, username, wanted)
    draft = Draft(FeatureServices(data), mission.service, definition(username, wanted.title))
    if not run.has_done("begun"):
        run.plan_stages(*CREATED)
        run.message("Started mission creation.", code=1500)
        run.on_rollback(delete_service, str(data), mission.service)
        run.step("begun", draft.begin)
    _make_layers(run, draft)
    with Missions(data) as missions:
        if not run.has_done("map"):
            run.on_rollback(remove_mission, str(data), mission_id)
            with run.stage("map"):
                run.message("Creating map for visualization.", code=1507)
                missions.put_map(mission_id, web_map(mission))
                run.message("Created map for visualization.", code=1508)
            run.step("map", _done)
        with run.stage("mission"):
            run.message("Finishing mission creation.", code=1509)
            draft.publish()
            missions.add(mission)
            run.message(f"Finished creating mission {mission_id}.", code=1510)
    return mission_id


def _make_layers(run: Run, draft: Draft) -> None:
    """Make all groups of layers at the same time. What an earlier attempt has made is left alone."""
    left = [(number, group) for number, group in enumerate(GROUPS) if not run.has_done(group.name)]
    if not left:
        return
    with ExitStack() as stages, ThreadPoolExecutor(len(left)) as threads:
        begun = []
        for number, group in left:
            stage = ExitStack()
            stage.enter_context(run.stage(group.name))
            stages.push(stage)
            run.message(f"Creating {group.name} layers for {group.purpose}.", code=group.code)
            begun.append((group, stage, threads.submit(draft.add_layer, number)))
        for group, stage, made in begun:
            made.result()
            run.message(f"Created {group.name} layers for {group.purpose}.", code=group.code + 1)
            stage.close()
            # Kept last: what a later attempt passes over has also been told.
            run.step(group.name, _done)


def _done() -> None:
    """A step whose work was done before it."""


def _planned(mission_id: str, owner: str, plan: Plan) -> Mission:
    item, service = item_id(mission_id, "layers"), service_name(mission_id)
    return Mission(
        id=mission_id,
        owner=owner,
        created=time.time_ns() // 1_000_000,
        plan=plan,
        channels=tuple(
            Channel(
                group.channel,
                item_id(mission_id, group.channel),
                (LayerOfMission(item, service, number, group.title),),
            )
            for number, group in enumerate(GROUPS)
        ),
    )


def settle_deletion(data: str, mission_id: str, services: list[str]) -> None:
    """After a deletion that was cut off: the mission is back as it was, or gone with all that it had."""
    with Missions(Path(data)) as missions:
        if not missions.bring_back(mission_id):
            _delete_services(Path(data), services)


@operation(service=MISSION, retries=2)
def delete_mission(run: Run, mission_id: str) -> None:
    """Delete a mission: itself, its map, its layers and its reports.

    Args:
        run: of the job.
        mission_id: of the mission.
    """
    data = site.data_folder()
    with Missions(data) as missions:
        if not run.has_done("withdrawn"):
            run.plan_stages("mission", "layers")
            run.message(f"Started deleting mission {mission_id}.", code=1600)
        services = run.step("withdrawn", _withdraw, run, missions, mission_id)
        if not run.has_done("mission"):
            with run.stage("mission"):
                run.message("Deleting mission and map.", code=1601)
                # From here on it is gone, and what is left of it goes too, whatever happens.
                missions.remove(mission_id)
                run.message("Deleted mission and map.", code=1602)
            run.step("mission", _done)
    with run.stage("layers"):
        run.message("Deleting layers.", code=1603)
        _delete_services(data, services)
        run.message("Deleted layers.", code=1604)
    run.message(f"Finished deleting mission {mission_id}.", code=1610)


def _withdraw(run: Run, missions: Missions, mission_id: str) -> list[str]:
    """Show the mission to nobody any more; the names of its feature services."""
    mission = missions.get(mission_id) or missions.withdrawn(mission_id)
    if mission is None:
        raise ValueError(f"there is no mission {mission_id} any more")
    services = [mission.service, *(each.service for each in mission.reports)]
    run.on_rollback(settle_deletion, str(site.data_folder()), mission_id, services)
    missions.withdraw(mission_id)
    return services


def _delete_services(data: Path, names: list[str]) -> None:
    for name in names:
        FeatureServices(data).delete(name)


@operation(service=MISSION, retries=2)
def add_report(run: Run, mission_id: str, report: str) -> str:
    """Add a report to a mission: a layer of its own, whose fields are the questions.

    Args:
        run: of the job.
        mission_id: of the mission.
        report: what it is to be, as JSON.
    """
    data = site.data_folder()
    wanted = msgspec.json.decode(report, type=Report)
    with Missions(data) as missions:
        mission = missions.get(mission_id)
        if mission is None:
            raise ValueError(f"there is no mission {mission_id} any more")
        about = report_definition(wanted, mission.owner, mission.members)
        draft = Draft(FeatureServices(data), wanted.service, about)
        if not run.has_done("begun"):
            run.plan_stages("layer", "report")
            run.message("Started adding a report.", code=1700)
            run.on_rollback(remove_report, str(data), mission_id, wanted.service)
            run.step("begun", draft.begin)
        with run.stage("layer"):
            run.message("Creating the layer of the report.", code=1701)
            draft.add_layer(0)
            draft.publish()
            run.message("Created the layer of the report.", code=1702)
        with run.stage("report"):
            layer = LayerOfMission(item_id(mission_id, wanted.service), wanted.service, 0, wanted.title)
            if missions.change(mission_id, lambda each: _with_report(each, layer)) is None:
                raise ValueError(f"there is no mission {mission_id} any more")
        run.message(f"Finished adding report {wanted.title}.", code=1710)
    return wanted.service


def remove_report(data: str, mission_id: str, service: str) -> None:
    """Let a report of a mission and its layer be gone; there need not be any."""
    with Missions(Path(data)) as missions:
        missions.change(mission_id, lambda each: _without_report(each, service))
    delete_service(data, service)


def _with_report(mission: Mission, layer: LayerOfMission) -> Mission:
    kept = _without_report(mission, layer.service).reports
    return msgspec.structs.replace(mission, reports=(*kept, layer))


def _without_report(mission: Mission, service: str) -> Mission:
    left = tuple(each for each in mission.reports if each.service != service)
    return msgspec.structs.replace(mission, reports=left)
