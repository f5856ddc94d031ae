"""What the pages of geoprocessing resources show beyond their JSON: the way up, links and forms."""

from typing import Any

import msgspec

from milepost.http import Call, Field, Form
from milepost.jobs import Job
from milepost.operations import Operation, Service
from milepost.servers.crumbs import Crumbs, above_service, service_path


def above_task(call: Call, operation: Operation[..., Any]) -> Crumbs:
    """The pages above a task."""
    return below_service(call, operation.service)


def below_service(call: Call, about: Service) -> Crumbs:
    """The pages above what belongs to a service."""
    return [*above_service(call, about.name), (about.title, service_path(call, about.name))]


def above_job(call: Call, operation: Operation[..., Any]) -> Crumbs:
    """The pages above a job."""
    path = f"{service_path(call, operation.service.name)}/{operation.name}"
    return [*above_task(call, operation), (operation.name, path)]


def below_job(call: Call, operation: Operation[..., Any]) -> Crumbs:
    """The pages above what belongs to a job."""
    job = call.part("job")
    path = f"{service_path(call, operation.service.name)}/{operation.name}/jobs/{job}"
    return [*above_job(call, operation), (f"Job {job}", path)]


def job_links(path: str, job: Job) -> dict[str, str]:
    """Where to go from a job."""
    links = {}
    for title, kind, kept in (("Result", "results", job.results), ("Input", "inputs", job.inputs)):
        if kept:
            links[f"{title}s"] = f"{path}/{kind}"
            links |= {f"{title} {name}": f"{path}/{kind}/{name}" for name in kept}
    return {**links, "Log": f"{path}/log"}


def cancel_form(path: str) -> Form:
    """The button that cancels a job."""
    return Form(action=f"{path}/cancel", title="Cancel")


def upload_form(service: str) -> Form:
    """The form that sends a file for later jobs."""
    return Form(
        action=f"{service}/uploads/upload",
        title="Upload file",
        fields=(
            Field(name="file", title="File", kind="file", required=True),
            Field(name="description", title="Description"),
        ),
    )


def submit_form(path: str, operation: Operation[..., Any]) -> Form:
    """The form that submits a job."""
    fields = []
    for each in operation.inputs:
        default = each.default
        text = (
            ""
            if default is None
            else default
            if isinstance(default, str)
            else msgspec.json.encode(default).decode()
        )
        kind = "file" if each.kind in ("raster", "file") else "text"
        if each.kind in ("features", "records") or each.multiple:
            kind = "long"
        fields.append(
            Field(
                name=each.name,
                title=each.title,
                value=text,
                help=each.doc,
                kind=kind,
                choices=tuple(map(str, each.choices)),
                required=each.required,
            )
        )
    return Form(action=f"{path}/submitJob", title="Submit job", fields=tuple(fields))
