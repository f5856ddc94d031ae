"""The JSON of geoprocessing services (GPServer): pure functions of services, tasks and jobs."""

from typing import Any, Final

from milepost.http import plain
from milepost.jobs import Job, Level, Status
from milepost.operations import Operation, Parameter, Service

CURRENT_VERSION: Final = 11.4
"""Release of the REST services whose documents these answers follow."""

MAXIMUM_RECORDS: Final = 1_000_000

STATUS: Final[dict[Status, str]] = {
    Status.NEW: "esriJobNew",
    Status.SUBMITTED: "esriJobSubmitted",
    Status.WAITING: "esriJobWaiting",
    Status.EXECUTING: "esriJobExecuting",
    Status.SUCCEEDED: "esriJobSucceeded",
    Status.FAILED: "esriJobFailed",
    Status.TIMED_OUT: "esriJobTimedOut",
    Status.CANCELLING: "esriJobCancelling",
    Status.CANCELLED: "esriJobCancelled",
    Status.DELETING: "esriJobDeleting",
    Status.DELETED: "esriJobDeleted",
    # Clients know no other words and poll for ever on an unknown one.
    Status.PAUSED: "esriJobExecuting",
    Status.RESUMED: "esriJobExecuting",
    Status.PAUSE_PENDING: "esriJobExecuting",
    Status.RESUME_PENDING: "esriJobExecuting",
}

MESSAGE_TYPE: Final[dict[Level, str]] = {
    "info": "esriJobMessageTypeInformative",
    "warning": "esriJobMessageTypeWarning",
    "error": "esriJobMessageTypeError",
    "empty": "esriJobMessageTypeEmpty",
    "abort": "esriJobMessageTypeAbort",
}

DATA_TYPE: Final = {
    "string": "GPString",
    "long": "GPLong",
    "double": "GPDouble",
    "boolean": "GPBoolean",
    "date": "GPDate",
    "linear_unit": "GPLinearUnit",
    "features": "GPFeatureRecordSetLayer",
    "records": "GPRecordSet",
    "raster": "GPRasterDataLayer",
    "file": "GPDataFile",
}


def service(about: Service, tasks: list[Operation[..., Any]]) -> dict[str, Any]:
    """The service resource."""
    return {
        "currentVersion": CURRENT_VERSION,
        "serviceDescription": about.description,
        "tasks": [each.name for each in tasks],
        "executionType": execution_type(about),
        # Empty, not left out: clients read it after every job.
        "resultMapServerName": "",
        "maximumRecords": MAXIMUM_RECORDS,
        "capabilities": "Uploads",
    }


def execution_type(about: Service) -> str:
    """How clients should run the tasks of a service."""
    return f"esriExecutionType{about.execution.capitalize()}"


def task(operation: Operation[..., Any]) -> dict[str, Any]:
    """The task resource."""
    return {
        "name": operation.name,
        "displayName": operation.name.replace("_", " ").capitalize(),
        "description": _quotable(operation.description),
        "category": "",
        "helpUrl": "",
        "executionType": execution_type(operation.service),
        "parameters": [parameter(each, output=False) for each in operation.inputs]
        + [parameter(each, output=True) for each in operation.outputs],
    }


def parameter(about: Parameter, *, output: bool) -> dict[str, Any]:
    """One parameter of a task."""
    kind = "Derived" if output else "Required" if about.required else "Optional"
    described: dict[str, Any] = {
        "name": about.name,
        "dataType": data_type(about),
        "displayName": about.title,
        "description": _quotable(about.doc),
        "direction": "esriGPParameterDirectionOutput" if output else "esriGPParameterDirectionInput",
        # There even when null: clients look for it.
        "defaultValue": about.default,
        "parameterType": f"esriGPParameterType{kind}",
        "category": "",
    }
    if about.choices:
        described["choiceList"] = list(about.choices)
    return described


def _quotable(text: str) -> str:
    """Text that the ArcGIS API for Python can put into the code that it generates from a task."""
    return text.replace("\\", "/").replace('"""', "'''")


def data_type(about: Parameter) -> str:
    """The name of a parameter's type."""
    name = DATA_TYPE[about.kind]
    return f"GPMultiValue:{name}" if about.multiple else name


def submitted(job: Job) -> dict[str, Any]:
    """The answer to submitJob. Whether the job waits or runs already, it was submitted."""
    return {"jobId": plain(job.id), "jobStatus": "esriJobSubmitted"}


def job(
    state: Job,
    operation: Operation[..., Any] | None,
    *,
    with_messages: bool = True,
    with_stages: bool = False,
) -> dict[str, Any]:
    """The job resource. A failed job is no error: the request for it succeeded.

    The documents know no stages here, so only those who ask for them get them.
    """
    answer: dict[str, Any] = {"jobId": plain(state.id), "jobStatus": STATUS[state.status]}
    if state.status is Status.EXECUTING and (state.fraction or state.progress_text):
        answer["progress"] = {
            "type": "default",
            "message": state.progress_text,
            "percent": round(state.fraction * 100),
        }
    if state.status is Status.SUCCEEDED:
        answer["results"] = {name: {"paramUrl": f"results/{name}"} for name in state.results}
        names = [each.name for each in operation.inputs] if operation else list(state.inputs)
        answer["inputs"] = {name: {"paramUrl": f"inputs/{name}"} for name in names}
    if with_messages:
        answer["messages"] = messages(state)
    if with_stages:
        answer["stages"] = [{"name": each.name, "state": each.state} for each in state.stages]
    return answer


def messages(state: Job) -> list[dict[str, str]]:
    """What the job said."""
    return [{"type": MESSAGE_TYPE[each.level], "description": each.text} for each in state.account()]


def value(about: Parameter, encoded: Any) -> dict[str, Any]:
    """One input or result with its value."""
    return {"paramName": about.name, "dataType": data_type(about), "value": encoded}


def file_value(about: Parameter, kept: dict[str, Any], url: str) -> dict[str, Any]:
    """The value of a result that is a file."""
    if about.kind == "raster":
        return {"url": url, "format": str(kept["file"]).rpartition(".")[2]}
    return {"url": url}
