"""The URLs of exports: asking for a clip or for frames of a layer, and fetching them until they expire."""

import asyncio
from typing import Any, Final

import msgspec
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Form, ServiceError
from milepost.jobs import Job, Status
from milepost.servers.video import describing, wire
from milepost.servers.video.exports.keeping import Exports, name_of
from milepost.servers.video.exports.parameters import (
    CLIP,
    FRAMESET,
    clip_fields,
    frameset_fields,
    read_clip,
    read_frameset,
)
from milepost.servers.video.exports.plans import FRAMES, NOTHING_THERE, Frames, Plan
from milepost.servers.video.extending import Extension
from milepost.servers.video.ingest import problems
from milepost.servers.video.library import LAYER, ROOT, Library, below_layer, unreadable
from milepost.servers.video.media import answer_file, original_of
from milepost.servers.video.records import Layer, Service
from milepost.storage import StorageError

SERVICE: Final = "VideoExports.VideoServer"

_CLIP_TYPES: Final = {"mov": "video/quicktime", "ts": "video/mp2t", "mp4": "video/mp4"}


class ExportResources:
    """Clips and framesets of the layers that somebody sees."""

    def __init__(self, library: Library, exports: Exports):
        """Of the layers of a library."""
        self._library = library
        self._exports = exports

    def extensions(self) -> dict[str, Extension]:
        """What can be done with a layer, by the name of the flag that says so."""
        return {
            "ExportClip": Extension(
                self._clip_routes,
                lambda path, layer: Form(f"{path}/clip", "Export clip", clip_fields(layer.facts)),
            ),
            "ExportFrameset": Extension(
                self._frameset_routes,
                lambda path, _: Form(f"{path}/frameset", "Export frameset", frameset_fields()),
            ),
        }

    def _clip_routes(self) -> list[BaseRoute]:
        at = self._library.resources.at
        return [
            *at(f"{LAYER}/clip", self.clip, methods=("POST",), acts=True, parameters=CLIP, document="Clip"),
            *at(f"{LAYER}/clips/{{export}}/{{file}}", self.clip_file, methods=("GET",), media=True),
        ]

    def _frameset_routes(self) -> list[BaseRoute]:
        at = self._library.resources.at
        return [
            *at(
                f"{LAYER}/frameset",
                self.frameset,
                methods=("POST",),
                acts=True,
                parameters=FRAMESET,
                document="Frameset",
            ),
            *at(f"{LAYER}/framesets/{{export}}", self.exported_frameset),
            *at(f"{LAYER}/framesets/{{export}}/{{file}}", self.frame, methods=("GET",), media=True),
        ]

    async def clip(self, call: Call) -> Answer | Response:
        """Cut a part out of a layer, as a file that is kept for as long as is asked."""
        service, layer = await self._library.layer(call)
        if not layer.export_clip:
            raise ServiceError(403, "The owner of this layer lets no clips be exported")
        cut, seconds, name = read_clip(call.parameters, layer)
        plan = self._plan(call, service, layer, seconds, "clips")
        plan = msgspec.structs.replace(plan, cut=cut, name=name)
        inputs = {"timeRange": {"start": cut.start, "end": cut.end}, "quality": cut.quality}
        job = await self._start(call, "export_clip", "Export Clip", plan, {**inputs, "format": cut.format})
        if _follows(call):
            return accepted(call, job)
        made = await self._finished(job)
        results = {name: made[name] for name in ("created", "expiration", "url")}
        links = {f"{name}.{cut.format}": made["url"]}
        return Answer(
            {"success": True, "results": results},
            title="Clip",
            crumbs=below_layer(call, service, layer),
            links=links,
        )

    async def clip_file(self, call: Call) -> Response:
        """A clip that was exported, until it expires."""
        file = call.part("file")
        kind = _CLIP_TYPES.get(file.rpartition(".")[2], "")
        return await self._file(call, file, kind, {"Content-Disposition": f'attachment; filename="{file}"'})

    async def frameset(self, call: Call) -> Answer | Response:
        """Take frames out of a layer, with the corners of what they show."""
        service, layer = await self._library.layer(call)
        if not layer.export_frameset:
            raise ServiceError(403, "The owner of this layer lets no frames be exported")
        if not describing.exports_frames(layer):
            raise ServiceError(
                400,
                "Frames are exported with the corners of what they show, and this layer has no telemetry that tells them",
            )
        times, seconds = read_frameset(call.parameters, layer)
        plan = self._plan(call, service, layer, seconds, "framesets")
        plan = msgspec.structs.replace(plan, times=times)
        inputs = {"timestamps": ",".join(f"{each:g}" for each in times)}
        job = await self._start(call, "export_frameset", "Export Frameset", plan, inputs)
        if _follows(call):
            return accepted(call, job)
        made = await self._finished(job)
        return await self._frameset(call, service, layer, made["framesetId"])

    async def exported_frameset(self, call: Call) -> Answer:
        """A frameset that was exported, until it expires: each frame with its corners."""
        service, layer = await self._library.layer(call)
        return await self._frameset(call, service, layer, call.part("export"))

    async def frame(self, call: Call) -> Response:
        """A frame that was exported, until it expires."""
        file = call.part("file")
        return await self._file(call, file, "image/jpeg" if file.endswith(".jpg") else "")

    async def _frameset(self, call: Call, service: Service, layer: Layer, export: str) -> Answer:
        content = await self._content(layer, export, FRAMES)
        found = msgspec.json.decode(content, type=Frames)
        url = f"{call.base}{LAYER}/framesets/{export}".format(service=service.name, layer=layer.id)
        said = {
            "expires": found.expires,
            "framesetId": export,
            "created": found.created,
            "serviceName": service.name,
            "results": {
                "total": len(found.frames),
                "frames": [
                    {"timestamp": each.timestamp, "url": f"{url}/{each.file}", "corners": each.corners}
                    for each in found.frames
                ],
            },
        }
        return Answer(said, title="Frameset", crumbs=below_layer(call, service, layer))

    async def _content(self, layer: Layer, export: str, path: str) -> bytes:
        name = name_of(layer.key, export)
        about = await self._exports.storage.look(name, path) if name else None
        if about is None:
            raise _gone()
        try:
            pieces = [each async for each in self._exports.storage.read(name, path, 0, about.size)]
        except StorageError as error:
            raise unreadable(error) from None
        return b"".join(pieces)

    async def _file(
        self, call: Call, file: str, kind: str, headers: dict[str, str] | None = None
    ) -> Response:
        _, layer = await self._library.layer(call)
        name = name_of(layer.key, call.part("export"))
        if not name or not kind:
            raise _gone()
        return await answer_file(call, self._exports.storage, name, file, kind, headers)

    def _plan(self, call: Call, service: Service, layer: Layer, seconds: int, kind: str) -> Plan:
        return Plan(
            item=service.item,
            layer=layer.id,
            key=layer.key,
            storage=layer.storage,
            original=original_of(layer),
            seconds=seconds,
            url=call.base + f"{LAYER}/{kind}".format(service=service.name, layer=layer.id),
            service=service.name,
        )

    async def _start(self, call: Call, operation: str, kind: str, plan: Plan, inputs: dict[str, Any]) -> Job:
        manager = self._library.manager
        found = manager.catalog.get(SERVICE, operation)
        if found is None:
            raise ServiceError(500, "This server exports nothing: it runs without its own operations")
        if missing := await asyncio.to_thread(problems):
            raise ServiceError(500, f"This server exports nothing: {'; '.join(missing)}", missing)
        service_url = plan.url.rpartition("/")[0].rpartition("/")[0]
        submission = await manager.submit(
            found,
            {"plan": msgspec.json.encode(plan).decode()},
            owner=call.person.username,
            size=call.size,
            request=call.request_id,
            attributes={"type": kind, "inputs": {"serviceUrl": service_url, "layerId": plan.layer, **inputs}},
        )
        return submission.job

    async def _finished(self, job: Job) -> dict[str, Any]:
        """The results of a job once it has succeeded.

        Raises:
            ServiceError: it did not; its messages are the details. 400 when there is no picture where one was asked
                for, which the file alone tells; else 500.
        """
        job = await self._library.manager.finished(job.id)
        if job.status is not Status.SUCCEEDED:
            account = job.account()
            said = [each.text for each in account]
            code = 400 if any(each.code == NOTHING_THERE for each in account) else 500
            raise ServiceError(code, job.error or f"The operation was {job.status.name.lower()}", said)
        return {name: await self._library.manager.value(job, kept) for name, kept in job.results.items()}


def accepted(call: Call, job: Job) -> Answer | Response:
    """What is answered to who follows the job: its id; people are led to its page."""
    job_id = wire.job_id(job)
    if call.parameters.get("f", "html") == "html":
        return RedirectResponse(f"{call.base}{ROOT}/jobs/job/{job_id}", 303)
    return Answer({"success": True, "jobId": job_id})


def _gone() -> ServiceError:
    return ServiceError(404, "There is no such export: it has expired, or there never was one")


def _follows(call: Call) -> bool:
    """Whether the job is followed instead of waited for."""
    return call.parameters.flag("async", call.parameters.get("f", "html") == "html")
