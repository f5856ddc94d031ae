"""What the pages of production jobs show beyond their JSON: the way up and forms."""

from milepost.http import Call, Field, Form
from milepost.jobs import MOVES, Job, Status
from milepost.operations import Service
from milepost.servers.crumbs import Crumbs, above_service, service_path
from milepost.servers.production import wire
from milepost.servers.production.products import Record


def jobs_path(call: Call, service: Service) -> str:
    """Path of the jobs of a service."""
    return f"{service_path(call, service.name)}/jobs"


def above_jobs(call: Call, service: Service) -> Crumbs:
    """The pages above the jobs of a service."""
    return [*above_service(call, service.name), (service.title, service_path(call, service.name))]


def below_jobs(call: Call, service: Service) -> Crumbs:
    """The pages above a job, and above what is done with jobs."""
    return [*above_jobs(call, service), ("Jobs", jobs_path(call, service))]


def query_form(path: str) -> Form:
    """The form that queries the jobs."""
    return Form(
        action=f"{path}/query",
        title="Query",
        method="get",
        fields=(
            Field(name="status", title="Status", help="Its number, such as 3 for a job at work."),
            Field(name="startDate", title="Start date", help="Submitted on or after, in UTC."),
            Field(name="endDate", title="End date", help="Ended on or before, in UTC."),
            Field(name="msgLevel", title="Message level", choices=tuple(wire.SHOWN)),
            Field(name="user", title="User"),
        ),
    )


def name_field(name: str) -> tuple[Field, ...]:
    """The field that names a product."""
    return (Field("productName", "Product", value=name, kind="hidden"),)


def extent_fields(record: Record) -> tuple[Field, ...]:
    """The form that finds the area of a sheet around a point."""
    return (
        *name_field(record.name),
        Field("productVersion", "Version", value=record.versions[0].name, kind="hidden"),
        Field(
            "inputGeometry",
            "Middle of the sheet",
            required=True,
            help='{"x": 1.55, "y": 42.55} in degrees, or with a spatialReference',
        ),
        Field("aoiLayer", "Layer with the areas", help="The area in which the point lies is taken"),
        Field("outSpatialReference", "Spatial reference", help="Such as 4326, which is taken if empty"),
    )


def job_forms(path: str, job: Job) -> list[Form]:
    """The buttons for what can be done with the job now."""
    field = Field(name="jobId", title="Job", value=wire.job_id(job), kind="hidden")
    names = ["delete"] if job.status.ended else ["cancel"]
    if Status.PAUSE_PENDING in MOVES[job.status] and not job.rolling_back:
        names.insert(0, "pause")
    if Status.RESUME_PENDING in MOVES[job.status] and not job.rolling_back:
        names.insert(0, "resume")
    return [Form(action=f"{path}/{name}", title=name.title(), fields=(field,)) for name in names]
