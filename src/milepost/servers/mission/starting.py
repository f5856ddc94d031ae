"""The jobs of a Mission Server as its clients start them: followed by their id, or waited for."""

from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from milepost.http import Answer, Call, ServiceError
from milepost.jobs import Job, Status
from milepost.manager import JobManager
from milepost.servers.mission import wire

ROOT: Final = "/mission/rest"

SERVICE: Final = "Mission.MissionServer"


class Starter:
    """Starts jobs for the person who calls."""

    def __init__(self, manager: JobManager):
        """With the jobs of ``manager``."""
        self._manager = manager

    async def start(
        self, call: Call, operation: str, values: dict[str, Any], *, kind: str, mission_id: str
    ) -> Job:
        """A new job.

        Args:
            call: of who wants it done.
            operation: of the built-in service.
            values: its inputs.
            kind: the operation as clients know it.
            mission_id: of the mission it works on.

        Raises:
            ServiceError: 400, the server has no such operation.
        """
        found = self._manager.catalog.get(SERVICE, operation)
        if found is None:
            raise ServiceError(400, "This server does not make missions: it runs without its own operations")
        submission = await self._manager.submit(
            found,
            values,
            owner=call.person.username,
            size=call.size,
            request=call.request_id,
            attributes={"type": kind, "missionId": mission_id},
        )
        return submission.job

    async def finished(self, job: Job) -> Job:
        """The job once it has succeeded.

        Raises:
            ServiceError: 500, it did not; its messages are the details.
        """
        job = await self._manager.finished(job.id)
        if job.status is not Status.SUCCEEDED:
            said = [each.text for each in job.account()]
            raise ServiceError(500, job.error or f"The operation was {job.status.name.lower()}", said)
        return job


def accepted(call: Call, job: Job) -> Answer | Response:
    """What is answered to who follows the job: its id; people are led to its page."""
    job_id = wire.job_id(job)
    if call.parameters.get("f", "html") == "html":
        return RedirectResponse(f"{call.base}{ROOT}/jobs/{job_id}", 303)
    return Answer({"success": True, "jobId": job_id})
