"""Files that clients send ahead of a job, or with it."""

import asyncio
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Form, Resources, not_found, save_upload, told_when_full, wrong
from milepost.manager import JobManager
from milepost.servers.geoprocessing import pages
from milepost.servers.geoprocessing.access import TYPE, find_service

MAX_UPLOAD: Final = 2 * 2**30
"""Bytes an uploaded file may have."""


class Uploads:
    """The uploads of geoprocessing services. Everybody has their own."""

    def __init__(self, manager: JobManager, resources: Resources):
        """With what all dialects share."""
        self._manager = manager
        self._resources = resources

    def routes(self, service: str) -> list[BaseRoute]:
        """The routes below the path of a service."""
        at = self._resources.at
        return [
            *at(
                service + "/uploads/upload",
                self.upload,
                acts=True,
                max_file=MAX_UPLOAD,
                parameters=("file", "description"),
                document="Upload",
            ),
            *at(service + "/uploads/{upload}", self.item, document="Upload item"),
            *at(
                service + "/uploads/{upload}/delete",
                self.delete,
                methods=("POST",),
                acts=True,
                document="Delete upload",
            ),
        ]

    async def upload(self, call: Call) -> Answer:
        """Take a file for later jobs."""
        about = find_service(self._manager, call)
        sent = call.parameters.files("file")
        if not sent:
            raise wrong("file", "send the file as multipart/form-data")
        upload_id = await self.save(call, sent[-1], call.parameters.get("description")[:1000])
        return Answer(
            {"success": True, "item": self._about(call, upload_id)},
            title="Upload",
            crumbs=pages.below_service(call, about),
            links={"Item": f"{call.path.rpartition('/')[0]}/{upload_id}"},
        )

    async def item(self, call: Call) -> Answer:
        """What is known about an upload."""
        about = find_service(self._manager, call)
        return Answer(
            self._about(call, call.part("upload")),
            title="Upload",
            crumbs=pages.below_service(call, about),
            forms=[Form(action=f"{call.path}/delete", title="Delete")],
        )

    async def delete(self, call: Call) -> Answer:
        """Remove an upload."""
        about = find_service(self._manager, call)
        item = self._about(call, call.part("upload"))
        await asyncio.to_thread(self._manager.remove_upload, item["itemID"])
        return Answer({"success": True}, title="Delete", crumbs=pages.below_service(call, about))

    def _about(self, call: Call, upload_id: str) -> dict[str, Any]:
        found = self._manager.upload(upload_id)
        # Those of other servers are not there: they know what still needs them.
        if found is None or found.owner != call.person.username or found.service_type != TYPE:
            raise not_found(f"Upload {upload_id[:60]}")
        return {
            "itemID": found.id,
            "itemName": found.name,
            "description": found.description,
            "date": found.uploaded_at,
            "size": found.size,
            "committed": True,
        }

    async def save(self, call: Call, sent: UploadFile, description: str = "") -> str:
        """Keep a file for the caller; the id of the upload."""
        upload_id, path = self._manager.start_upload(sent.filename or "")
        try:
            await save_upload(sent, path)
            with told_when_full():
                await asyncio.to_thread(
                    self._manager.finish_upload,
                    upload_id,
                    path,
                    owner=call.person.username,
                    service_type=TYPE,
                    description=description,
                )
        except BaseException:
            self._manager.remove_upload(upload_id)
            raise
        return upload_id
