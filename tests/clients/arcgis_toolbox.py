"""Somebody at a notebook runs tools: the package ``arcgis``."""

from io import BytesIO
from typing import Any

from arcgis.auth import EsriGenTokenAuth, EsriSession
from arcgis.features import FeatureSet
from arcgis.geoprocessing import DataFile, LinearUnit, import_toolbox
from arcgis.geoprocessing._uploads import Uploads
from stories import GIVEN, refusal, tell, until

SERVICES = f"{GIVEN['server']}/rest/services"

# A session without a portal; arcgis_portal.py has tools with one.
session = EsriSession(
    auth=EsriGenTokenAuth(
        token_url=f"{GIVEN['server']}/sharing/rest/generateToken",
        referer="http",
        username="ann",
        password=GIVEN["password"],
        session=EsriSession(),
    )
)
tests = import_toolbox(f"{SERVICES}/Tests/Every/GPServer", gis=session)


def tools_are_functions() -> Any:
    return {"names": dir(tests), "help": tests.everything.__doc__}


def tool_with_every_kind_of_value() -> Any:
    sent = FeatureSet.from_dict(GIVEN["points"])
    got = tests.everything(
        text="Zürich",
        whole=3,
        number=2.5,
        flag=True,
        distance=LinearUnit(2, "Kilometers"),
        features=sent,
        texts=["a", "b"],
        colour="red",
        gis=session,
    )
    return {
        "fields": got._fields,
        "text": got.text_back,
        "whole": got.whole_back,
        "number": got.number_back,
        "flag": got.flag_back,
        "distance": [got.distance_back.distance, got.distance_back.units],
        "features": got.features_back.to_dict(),
        "texts": got.texts_back,
        "colour": got.colour_back,
    }


def only_result_comes_alone() -> Any:
    return tests.parcels(count=3, gis=session).to_dict()


def result_file_is_downloaded() -> Any:
    file = tests.page(content="<p>hello</p>", gis=session)
    return session.get(file.url).text


def file_goes_up_and_comes_down() -> Any:
    uploads = Uploads(f"{SERVICES}/Tests/Every/GPServer/uploads", gis=session)
    upload = uploads.upload(BytesIO(b"name,height\nRigi,1798\n"), description="hills", file_name="hills.csv")
    about = upload.properties
    copies = tests.copy_files(table=DataFile(item_id=about["itemID"]), gis=session)
    return {
        "name": about["itemName"],
        "copy": session.get(copies.table_copy.url).text,
        "image": type(copies.image_copy).__name__,
        "deleted": upload.delete(),
    }


def synchronous_tool() -> Any:
    return import_toolbox(f"{SERVICES}/AtOnce/GPServer", gis=session).add(a=40, b=2, gis=session)


def tool_that_fails() -> Any:
    return refusal(lambda: tests.fail(reason="the bridge is out", gis=session))


def tool_with_wrong_input() -> Any:
    return refusal(lambda: tests.everything(text="x", whole=1000, gis=session))


def cancelled_tool() -> Any:
    job = tests.slow(seconds=600, say="at work", gis=session, future=True)
    until(lambda: job.status == "esriJobExecuting")
    messages = until(lambda: [each["description"] for each in job.messages])
    answer = job.cancel()
    until(lambda: job.status != "esriJobCancelling")
    return {"answer": answer, "status": job.status, "messages": messages}


def job_without_waiting() -> Any:
    job = tests.parcels(count=1, gis=session, future=True)
    features = job.result()
    return {"status": job.status, "done": job.done(), "features": len(features.features)}


def buffer_of_the_toolbox() -> Any:
    tools = import_toolbox(f"{SERVICES}/Analysis/Proximity/GPServer", gis=session)
    polygons = tools.buffer(
        features=FeatureSet.from_dict(GIVEN["points"]), distance=LinearUnit(1, "Kilometers"), gis=session
    )
    return polygons.to_dict()


tell(
    tools_are_functions,
    tool_with_every_kind_of_value,
    only_result_comes_alone,
    result_file_is_downloaded,
    file_goes_up_and_comes_down,
    synchronous_tool,
    tool_that_fails,
    tool_with_wrong_input,
    cancelled_tool,
    job_without_waiting,
    buffer_of_the_toolbox,
)
