"""The server, with resources more: jobs of every type can be paused there, and all that is unfinished is told.

The documents know pausing for production jobs only; the harness is to pause what it submits as any other client would.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from milepost import app, serving
from milepost.cli import main
from milepost.jobs import UNFINISHED, IllegalMove, JobFilter, Page


class PausingServer(app.Server):
    """Pauses and resumes jobs for whoever asks."""

    def routes(self, *given: Any) -> list[BaseRoute]:
        return [
            Route("/crash/unfinished", self._unfinished),
            Route("/crash/{act}/{job}", self._act, methods=["POST"]),
            *super().routes(*given),
        ]

    async def _act(self, request: Request) -> JSONResponse:
        """Pause, resume or look at a job: whether that could be, and how it is then."""
        act, job_id = request.path_params["act"], request.path_params["job"].removeprefix("j")
        done = True
        try:
            if act != "look":
                await {"pause": self.manager.pause, "resume": self.manager.resume}[act](job_id, "harness")
        except IllegalMove:
            done = False
        job = await self.manager.get(job_id)
        return JSONResponse({"done": done, "status": job.status.name, "sequence": job.sequence})

    async def _unfinished(self, _: Request) -> JSONResponse:
        """The status of each job that has not ended."""
        page = await self.manager.find(JobFilter(statuses=UNFINISHED), Page(limit=10_000))
        return JSONResponse({f"j{job.id}": job.status.name for job in page.jobs})


if __name__ == "__main__":
    serving.Server = PausingServer  # type: ignore[misc]
    main()
