"""The URLs of a Video Server: its front page and its jobs; services, layers, uploads and administration join in."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Form, not_found
from milepost.jobs import Job, JobFilter
from milepost.servers.jobs_of_type import PAGING, JobsOfType, following
from milepost.servers.video import wire
from milepost.servers.video.administration import ADMIN, Administration
from milepost.servers.video.describing import VERSION
from milepost.servers.video.encoders import encoders
from milepost.servers.video.exports.keeping import Exports
from milepost.servers.video.exports.resources import ExportResources
from milepost.servers.video.ingest import problems
from milepost.servers.video.layers import LayerResources
from milepost.servers.video.library import ROOT, SERVICE, Library, may_see
from milepost.servers.video.media import Media, token_of_query
from milepost.servers.video.playing import Player, progress_exhibit, with_token
from milepost.servers.video.processing import Processing
from milepost.servers.video.services import ServiceResources
from milepost.servers.video.uploads import Uploads

TYPE: Final = "VideoServer"

_WORDS: Final = {
    "SUBMITTED": "Waiting for its turn",
    "EXECUTING": "Starting",
    "CANCELLING": "Being cancelled",
    "UNAVAILABLE": "Being deleted",
}
"""What a job does of which there is nothing more to tell."""


def job_path(job: Job) -> str:
    """Where a job is, below the context."""
    return f"{ROOT}/jobs/job/{wire.job_id(job)}"


class Video:
    """The video dialect over the jobs of one manager."""

    def __init__(
        self,
        library: Library,
        exports: Exports,
        authentication: Callable[[Call], dict[str, Any]],
        sign_in: Callable[[Call], Awaitable[Answer]],
        sign_in_parameters: tuple[str, ...],
    ):
        """The resources of a Video Server.

        Args:
            library: the video services of the site.
            exports: of their layers.
            authentication: gives what clients must know to sign in, for a call.
            sign_in: answers a name and a password with a token.
            sign_in_parameters: what that reads.
        """
        self._library = library
        self._authentication = authentication
        self._jobs = JobsOfType(library.manager, TYPE)
        self._services = ServiceResources(library)
        self._uploads = Uploads(library)
        self._media = Media(library)
        self._extensions = ExportResources(library, exports).extensions()
        self._layers = LayerResources(library, self._extensions)
        self._administration = Administration(
            library, self._services, self._uploads, authentication, sign_in, sign_in_parameters
        )

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._library.resources.at
        routes = [
            *at(ROOT, self.root, document="Catalog"),
            *at(ROOT + "/info", self.root, document="Info"),
            *at(ROOT + "/self", self.about, document="Self"),
        ]
        # The shorter path is an addition of this server.
        for one in (ROOT + "/jobs/job/{job}", ROOT + "/jobs/{job}"):
            routes += at(one + "/cancel", self.cancel, methods=("POST",), acts=True)
            routes += at(one, self.job, parameters=("progress",), document="Video job")
        return [
            *routes,
            *at(ROOT + "/jobs", self.jobs, parameters=PAGING, document="Video jobs"),
            *self._uploads.routes(),
            *self._services.routes(),
            *(route for each in self._extensions.values() for route in each.routes()),
            *Processing(self._library).routes(),
            *self._media.routes(),
            *Player(self._library.resources).routes(),
            *self._layers.routes(),
            *self._administration.routes(),
        ]

    async def root(self, call: Call) -> Answer:
        """Version, and how to sign in."""
        about = {"currentVersion": VERSION, "fullVersion": f"{VERSION}.0", **self._authentication(call)}
        root = call.home + ROOT
        links = {
            "Video services": f"{root}/services",
            "Uploads": f"{root}/uploads",
            "Jobs": f"{root}/jobs",
            "What this server can do": f"{root}/self",
            "Administration": call.home + ADMIN,
        }
        missing = await asyncio.to_thread(problems)
        return Answer(about, title="Video Server", links=links, notice=_notice(missing))

    async def about(self, call: Call) -> Answer:
        """What this server can do, and what it takes."""
        library = self._library
        store = {"id": "default", "type": "objectStore" if "://" in library.place else "folder"}
        missing = await asyncio.to_thread(problems)
        about = {
            "currentVersion": VERSION,
            "fullVersion": f"{VERSION}.0",
            "maxUploadSize": library.max_upload,
            "dataStores": [store],
            "defaultDataStoreId": store["id"],
            "elevationSources": [],
            "livestreamPorts": [],
            "supportsLivestream": False,
            **await asyncio.to_thread(encoders),
            "supportsPublishing": not missing,
            "missing": missing,
        }
        return Answer(about, title="This server", crumbs=_above_jobs(call), notice=_notice(missing))

    async def jobs(self, call: Call) -> Answer:
        """The jobs, newest first. Their pages are an addition of this server."""
        page = await self._jobs.page(call, JobFilter())
        links = {wire.job_id(each): f"{call.path}/job/{wire.job_id(each)}" for each in page.jobs}
        if page.more:
            links["Older"] = following(call)
        return Answer(wire.jobs(page.jobs), title="Jobs", crumbs=_above_jobs(call), links=links)

    async def job(self, call: Call) -> Answer:
        """The state of a job; ``progress`` asks for its steps with their times, also once it has ended."""
        progress = call.parameters.flag("progress", call.parameters.get("f", "html") == "html")
        job = await self._jobs.get(call, call.part("job"))
        try:
            # What the document names, where the work is described in another way.
            inputs = job.attributes.get("inputs") or await self._jobs.inputs(job)
            results = await self._jobs.results(call, job)
        except LookupError:
            raise not_found(f"Job {call.part('job')[:60]}") from None
        said = wire.job(job, inputs=inputs, results=results, progress=progress)
        page = Answer(said, title=wire.job_id(job), crumbs=_above_job(call))
        if not job.status.ended:
            text = said["customAttributes"].get(wire.PROGRESS, {}).get("text") or _WORDS[said["status"]]
            return msgspec.structs.replace(
                page,
                forms=[Form(action=f"{call.path}/cancel", title="Cancel")],
                exhibit=progress_exhibit(
                    call.home, with_token(call.path, token_of_query(call)), job.fraction or 0.0, text
                ),
            )
        return msgspec.structs.replace(page, links=await self._made(call, said), notice=_reason(said))

    async def cancel(self, call: Call) -> Answer:
        """Ask for the end of a job: an addition of this server."""
        job = await self._jobs.get(call, call.part("job"))
        answer: dict[str, object] = {"success": True}
        if await self._jobs.cancel(job, call.person.username) is None:
            answer = {"success": False, "message": "The job has ended and cannot be cancelled"}
        above = (wire.job_id(job), call.path.rpartition("/")[0])
        return Answer(answer, title="Cancel", crumbs=[*_above_job(call), above])

    async def _made(self, call: Call, said: Mapping[str, Any]) -> dict[str, str]:
        """The layer that a job made, and its service, as far as they are still there for who asks."""
        made = msgspec.json.decode(msgspec.json.encode(said["results"]))  # some may be JSON as it was kept
        if "layerId" not in made:
            return {}
        videos = self._library.videos
        service = await asyncio.to_thread(videos.service, made["serviceName"])
        if service is None or not may_see(call.person, service):
            return {}
        url = call.home + SERVICE.format(service=service.name)
        links = {"Its service": url}
        if await asyncio.to_thread(videos.layer, service.item, made["layerId"]):
            links = {f"Layer {made['layerName']}": f"{url}/{made['layerId']}", **links}
        return links


def _reason(said: Mapping[str, Any]) -> str:
    """Why a job failed; empty when it did not."""
    if said["status"] != "FAILED":
        return ""
    return f"This job failed: {said['messages'][-1]}" if said["messages"] else "This job failed."


def _notice(missing: list[str]) -> str:
    return f"No videos can be published here: {'; '.join(missing)}" if missing else ""


def _above_jobs(call: Call) -> list[tuple[str, str]]:
    return [("Video Server", call.home + ROOT)]


def _above_job(call: Call) -> list[tuple[str, str]]:
    return [*_above_jobs(call), ("Jobs", f"{call.home}{ROOT}/jobs")]
