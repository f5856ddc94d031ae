"""The documents' own examples: jobs with the same history are rendered to exactly the same JSON."""

import json
from pathlib import Path
from typing import Any, cast

from msgspec.structs import replace

from milepost.jobs import Job, Kept, Level, apply, fold
from milepost.jobs import events as ev
from milepost.servers.enterprise import wire as enterprise
from milepost.servers.geoprocessing import admin_wire
from milepost.servers.mission import wire as mission
from milepost.servers.production import wire as production
from milepost.servers.video import wire as video

VECTORS = Path(__file__).parent / "vectors"


def vector(name: str) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads((VECTORS / f"{name}.json").read_text()))


def assert_exactly(rendered: Any, wanted: Any) -> None:
    """Equal as JSON: True is not 1 then, nor is 1.0."""
    assert rendered == wanted
    assert json.dumps(rendered, sort_keys=True) == json.dumps(wanted, sort_keys=True)


def value_of(values: dict[str, Kept]) -> dict[str, Any]:
    return {name: kept.value for name, kept in values.items()}


def said(at: int, *texts: str, level: Level = "info", codes: list[int] | None = None) -> list[ev.Event]:
    return [
        ev.MessageAdded(at=at, attempt=1, text=text, level=level, code=code)
        for text, code in zip(texts, codes or [0] * len(texts), strict=True)
    ]


# -- enterprise ----------------------------------------------------------------------------------


def enterprise_job(
    job_id: str, start: int, request: str, attributes: dict[str, Any], *events: ev.Event
) -> Job:
    begin = ev.Submitted(
        at=start,
        owner="serviceAdmin",
        service="services",
        operation="edit",
        request=request,
        attributes=attributes,
    )
    return fold(job_id, [begin, ev.Started(at=start, attempt=1), *events])


def test_an_enterprise_job_at_work() -> None:
    job = enterprise_job(
        "2bcbcd4983a44cc1a03440e4a266e96d",
        1635961542583,
        "e158254a-45e1-46b3-aea6-7325397be414",
        {"operationURI": "/<context>/admin/services/FireWatchWeather.MapServer/edit"},
        ev.Progressed(at=1635961542589, attempt=1, fraction=0.1),
    )
    assert_exactly(enterprise.job(job, results={}), vector("enterprise_job_executing"))


def test_an_enterprise_job_that_is_done() -> None:
    wanted = vector("enterprise_job_completed")
    job = enterprise_job(
        "47c0c62671884053be06ae93de987b01",
        1635961389632,
        "85bb7121-116d-4f49-b0d1-347c02038c9a",
        {"operationURI": "/<context>/admin/services/FireWeatherWatch.MapServer/edit"},
        ev.Progressed(at=1635961402579, attempt=1, fraction=0.9),
        ev.Succeeded(at=1635961402584, attempt=1, results={"service": Kept(wanted["result"]["service"])}),
    )
    assert_exactly(enterprise.job(job, results=value_of(job.results)), wanted)


STORES = [
    "validating",
    "relational_store",
    "object_store",
    "spatio_temporal_index_store",
    "queue_store",
    "in_memory_store",
    "key_framework_components",
    "gis_services_and_other_components",
]


def test_an_enterprise_job_with_stages_and_a_clock_that_ran_ahead() -> None:
    events: list[ev.Event] = [ev.StagesPlanned(at=1758914989460, attempt=1, names=STORES)]
    for name in STORES:
        last = name == STORES[-1]
        events += [
            ev.StageStarted(at=1758914990000, attempt=1, name=name),
            ev.StageFinished(at=17589149904641 if last else 1758914990000, attempt=1, name=name),
        ]
    job = enterprise_job(
        "c28aabe5a5a54a3f8feeccd4e3e8be4c",
        1758914989459,
        "e158554a-45e1-46b3-aea6-7325197ae404",
        {
            "operationURI": "/<context>/admin/system/containerregistries/<registryID>/edit",
            "name": "editContainerRegistry",
            "resource": "default (id: eb375m8hmnhzqf6q61yjn)",
        },
        *events,
        ev.Succeeded(at=1758914997566, attempt=1, results={"credentialUpdateOnly": Kept(True)}),
    )
    assert_exactly(
        enterprise.job(job, results=value_of(job.results)), vector("enterprise_job_completed_with_stages")
    )


# -- geoprocessing, administered -----------------------------------------------------------------

BASE = "https://organization.example.com/<context>"

PUBLISHING = ev.Submitted(
    at=1637004585123,
    owner="serviceAdmin",
    service="System/PublishingTools.GPServer",
    operation="publish",
)
PUBLISHED = ev.Succeeded(at=1637004594789, attempt=1)


def test_a_geoprocessing_job_in_the_admin_api_of_kubernetes() -> None:
    job = fold("0550714f334d4114af9f7a5d05cb145e", [PUBLISHING, ev.Started(at=1637004590456, attempt=1)])
    # The revision counts events. The document's job had a long history, taken up here before its last one.
    job = apply(replace(job, sequence=1351727963), PUBLISHED)
    assert_exactly(
        admin_wire.kubernetes_job(job, base=BASE, service_id="sfbsgf2p3tqnjn3s0h1m8"),
        vector("gp_admin_job_succeeded"),
    )


def test_the_same_job_in_the_admin_api_of_a_server() -> None:
    started = ev.Started(at=1637004590456, attempt=1, worker="server.domain.com")
    job = fold("0550714f334d4114af9f7a5d05cb145e", [PUBLISHING, started, PUBLISHED])
    assert_exactly(
        admin_wire.server_job(job, base=BASE),
        {
            "jobId": "j0550714f334d4114af9f7a5d05cb145e",
            "submittedTime": 1637004585123,
            "endTime": 1637004594789,
            "status": "esriJobSucceeded",
            "username": "serviceAdmin",
            "machinename": "server.domain.com",
            "url": f"{BASE}/rest/services/System/PublishingTools/GPServer/jobs/j0550714f334d4114af9f7a5d05cb145e",
        },
    )


# -- mission -------------------------------------------------------------------------------------


def test_a_mission_job() -> None:
    wanted = vector("mission_job_completed")
    texts = iter(zip(wanted["messages"], wanted["customAttributes"]["messageCodes"], strict=True))
    at = 1590523221196

    def stage(kind: type[ev.StageStarted] | type[ev.StageFinished], name: str) -> list[ev.Event]:
        text, code = next(texts)
        return [kind(at=at, attempt=1, name=name), *said(at, text, codes=[code])]

    stages = ["tracks", "communications", "events", "map", "finish"]
    text, code = next(texts)
    events: list[ev.Event] = [
        ev.Submitted(
            at=at - 40,
            owner="admin",
            service="missions",
            operation="add",
            attributes={"type": "addMission"},
        ),
        ev.Started(at=at, attempt=1),
        ev.StagesPlanned(at=at, attempt=1, names=stages),
        *said(at, text, codes=[code]),
        ev.AttributeSet(at=at, attempt=1, name="missionId", value="d942d2bdb70c4104bcd1a76d4cf8a6b7"),
    ]
    for name in stages[:3]:  # side by side
        events += stage(ev.StageStarted, name)
    for name in stages[:3]:
        events += stage(ev.StageFinished, name)
    for name in stages[3:]:
        events += stage(ev.StageStarted, name) + stage(ev.StageFinished, name)
    job = fold(
        "522676d9983a48e2a51c5066966160f0",
        [
            *events,
            ev.Succeeded(at=1590523287507, attempt=1),
        ],
    )
    assert_exactly(mission.job(job), wanted)


# -- production ----------------------------------------------------------------------------------

AREA = "https://machine.domain.com/server/rest/services/SampleService/TopographicProductionServer/5"

NOT_LICENSED = ["ERROR 000824: The tool is not licensed.", "Failed."]


def product_job(job_id: str, owner: str, at: int, *events: ev.Event) -> Job:
    begin = ev.Submitted(
        at=at,
        owner=owner,
        service="SampleService/TopographicProductionServer",
        operation="generateProduct",
        inputs={
            "productName": Kept("MTM50"),
            "productVersion": Kept("Test"),
            "aoiLayer": Kept(AREA),
            "aoiFeatureId": Kept(120733),
            "outputType": Kept("pdf"),
        },
    )
    return fold(job_id.replace("-", "").lower(), [begin, *events])


def unlicensed_job(job_id: str, owner: str, at: int) -> Job:
    return product_job(
        job_id,
        owner,
        at,
        ev.Started(at=at, attempt=1),
        *said(at, "Submitted.", "Executing..."),
        *said(at, *NOT_LICENSED, level="error"),
        ev.Failed(at=at, error="The tool is not licensed."),
    )


def query(jobs: list[Job], level: production.MessageLevel = "error") -> dict[str, Any]:
    return production.query(production.job(job, inputs=value_of(job.inputs), level=level) for job in jobs)


def test_production_jobs_of_a_day_with_all_their_messages() -> None:
    at = 1600703302250  # 2020-09-21T15:48:22.250Z
    started = "Start Time: Monday, September 21, 2020 03:48:22 PM"
    running = product_job(
        "5F9E1EE1-CB27-48E6-8B11-FEF9B9B281CA",
        "user1",
        at,
        ev.Started(at=at, attempt=1),
        *said(at, "Submitted.", "Executing...", started, "Starting to generate product MTM50.", started),
        *said(at, "Executing Import Template and Extract Features", started),
        ev.Progressed(at=at, attempt=1, fraction=1 / 19),
    )
    failed = unlicensed_job("38913E2C-B655-4085-B59F-4A5B0D20224E", "user2", 1600703354000)
    pending = product_job(
        "91CAF47B-A26F-4F43-ABC7-78DDC3EDBF7A", "user3", 1600705039999, ev.Waiting(at=1600705039999)
    )
    assert_exactly(query([running, failed, pending], "info"), vector("production_query_by_date_info"))


def test_failed_production_jobs_with_their_errors_alone() -> None:
    jobs = [
        unlicensed_job("7187043F-C096-4610-9DA9-15469A71DA79", "user1", 1600705772000),
        unlicensed_job("4F7D692F-5BD4-4276-9B6B-88818F8B5B39", "user2", 1600705779500),
        unlicensed_job("36A6CA20-9095-42FF-A4C7-FE3C6AEE8988", "user3", 1600705784999),
    ]
    assert_exactly(query(jobs), vector("production_query_by_status"))


# -- video ---------------------------------------------------------------------------------------


def test_a_video_job() -> None:
    wanted = vector("video_job_completed")
    begin = ev.Submitted(
        at=1759416304952,
        owner="portaladmin",
        service="Cheyenne_TS",
        operation="publish",
        inputs={name: Kept(value) for name, value in wanted["inputs"].items()},
        attributes={"type": "Publish Streaming Service"},
    )
    job = fold(
        "1b81346f1460482a94f072b78ee843e5",
        [
            begin,
            ev.Started(at=1759416305000, attempt=1),
            ev.AttributeSet(at=1759416305000, attempt=1, name="newLayerId", value=0),
            *said(1759416306000, *wanted["messages"], codes=wanted["customAttributes"]["messageCodes"]),
            ev.AttributeSet(at=1759416307000, attempt=1, name="savingToStorage", value=True),
            ev.Succeeded(
                at=1759416308000,
                attempt=1,
                results={name: Kept(value) for name, value in wanted["results"].items()},
            ),
        ],
    )
    assert_exactly(video.job(job, inputs=value_of(job.inputs), results=value_of(job.results)), wanted)
