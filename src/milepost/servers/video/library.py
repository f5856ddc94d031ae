"""The video services of a site as the resources of a Video Server see them: who may see what, and where it lies."""

import asyncio
import re
from pathlib import Path
from typing import Any, Final

import structlog

from milepost.http import Call, Resources, ServiceError, not_found
from milepost.manager import JobManager
from milepost.security import Person, Role, SecurityError
from milepost.servers.video import describing
from milepost.servers.video.arrivals import Arrivals
from milepost.servers.video.exports.keeping import Exports
from milepost.servers.video.records import LAST_ID, Layer, Service
from milepost.servers.video.videos import Videos
from milepost.storage import Storage, StorageError, open_storage, read_place

log = structlog.get_logger("milepost.video")

ROOT: Final = "/video/rest"
SERVICES: Final = f"{ROOT}/services"
SERVICE: Final = f"{SERVICES}/{{service}}/VideoServer"
LAYER: Final = f"{SERVICE}/{{layer}}"


class Library:
    """Finds services and layers for the person who asks, and the storages where their files lie."""

    def __init__(
        self,
        videos: Videos,
        manager: JobManager,
        resources: Resources,
        data: Path,
        arrivals: Arrivals,
        *,
        place: str = "",
        max_upload: int,
    ):
        """Of one site.

        Args:
            videos: the records.
            manager: of the jobs.
            resources: what all dialects share.
            data: the data folder.
            arrivals: the uploads, and those that are on their way.
            place: the storage of new layers, as it is configured; empty for the data folder.
            max_upload: bytes that an uploaded file may have.

        Raises:
            StorageError: there is no such kind of storage.
        """
        self.videos: Final = videos
        self.manager: Final = manager
        self.resources: Final = resources
        self.arrivals: Final = arrivals
        self.place: Final = read_place(place)
        self.max_upload: Final = max_upload
        self._data = data

    async def service(self, call: Call) -> Service:
        """The service that the path names.

        Raises:
            ServiceError: 404; whether there is one is told only to those who may see it.
        """
        name = call.part("service").strip()
        found = await asyncio.to_thread(self.videos.service, name)
        if found is None or not may_see(call.person, found):
            raise not_found(f"Video service {name[:60]}")
        return found

    async def item(self, call: Call, item: str) -> dict[str, Any] | None:
        """The service with the id of an item, as the portal tells it; None if there is none for who calls."""
        found = await asyncio.to_thread(self.videos.service_of_item, item)
        if found is None or not may_see(call.person, found):
            return None
        layers = await asyncio.to_thread(self.videos.layers, found.item)
        return describing.item(found, layers, call.base + SERVICE.format(service=found.name))

    async def layer(self, call: Call) -> tuple[Service, Layer]:
        """The layer that the path names, and its service.

        Raises:
            ServiceError: 404.
        """
        service = await self.service(call)
        text = call.part("layer").strip()
        # The documents write 01 as well as 1.
        number = int(text) if re.fullmatch(r"[0-9]{1,10}", text) else -1
        found = None
        if 0 <= number <= LAST_ID:
            found = await asyncio.to_thread(self.videos.layer, service.item, number)
        if found is None:
            raise not_found(f"Layer {text[:20]} of {service.name}")
        return service, found

    def storage(self, place: str) -> Storage:
        """The storage at a place.

        Raises:
            StorageError: it cannot be used.
        """
        return storage_at(place, self._data)

    async def content(self, layer: Layer, path: str) -> bytes | None:
        """A file of a layer as a whole, for small ones; None when there is none.

        Raises:
            ServiceError: 500, the storage cannot be read.
        """
        try:
            storage = self.storage(layer.storage)
            about = await storage.look(layer.key, path)
            if about is None:
                return None
            pieces = [each async for each in storage.read(layer.key, path, 0, about.size)]
        except StorageError as error:
            raise unreadable(error) from None
        return b"".join(pieces)

    async def sweep(self) -> None:
        """Remove the files of layers that are gone. What cannot be removed now is left for the next time."""
        try:
            await asyncio.to_thread(remove_deleted, self.videos, self._data)
        except SecurityError as error:
            log.error("what is left of deleted layers cannot be read", reason=str(error))


def storage_at(place: str, data: Path) -> Storage:
    """The storage of layers at a place of a site.

    Raises:
        StorageError: it cannot be used.
    """
    return open_storage(place, data / "videos")


def remove_deleted(videos: Videos, data: Path) -> None:
    """Remove the files of all layers that are gone, as far as their storages answer. The rest is left for the next time.

    Raises:
        SecurityError: the records cannot be read.
    """
    silent: set[str] = set()
    for key, place in videos.removals():
        if place in silent:
            continue
        try:
            remove_files(videos, data, key, place)
        except StorageError as error:
            silent.add(place)
            log.warning(
                "files of deleted layers are still there", layer=key, reason=str(error), place=error.place
            )


def remove_files(videos: Videos, data: Path, key: str, place: str) -> None:
    """Remove the files of a layer that is gone, with all that was exported of it, and take note of that.

    Args:
        videos: the records.
        data: the data folder.
        key: of the layer.
        place: where it lies.

    Raises:
        StorageError: that cannot be done now; they are still among the ``removals``.
    """
    storage_at(place, data).delete(key)
    Exports(data).discard_all(key)
    videos.removed(key, place)


def unreadable(error: StorageError) -> ServiceError:
    """The error of a storage that cannot be used now: its log tells why."""
    log.error("a video cannot be read or written", reason=str(error), place=error.place)
    return ServiceError(500, "The storage of the videos cannot be used now; try again later")


def may_see(person: Person, service: Service) -> bool:
    """Whether a service is there for somebody."""
    return service.access == "org" or may_change(person, service)


def may_change(person: Person, service: Service) -> bool:
    """Whether somebody may change or delete a service and its layers."""
    return person.role is Role.ADMINISTRATOR or service.owner.lower() == person.username.lower()


def require_owner(person: Person, service: Service) -> None:
    """Nothing, if somebody may change a service.

    Raises:
        ServiceError: 403.
    """
    if not may_change(person, service):
        raise ServiceError(
            403,
            "You do not have permissions to access this resource or perform this operation.",
            ["A video service is changed by its owner and by administrators"],
        )


def whose(person: Person) -> str:
    """Of whom somebody sees what there is; empty for everybody's."""
    return "" if person.role is Role.ADMINISTRATOR else person.username


def above_services(call: Call) -> list[tuple[str, str]]:
    """The page above all services."""
    return [("Video Server", call.home + ROOT)]


def above_service(call: Call) -> list[tuple[str, str]]:
    """The pages above a service."""
    return [*above_services(call), ("Video services", call.home + SERVICES)]


def above_layer(call: Call, service: Service) -> list[tuple[str, str]]:
    """The pages above a layer."""
    return [*above_service(call), (service.name, call.home + SERVICE.format(service=service.name))]


def below_layer(call: Call, service: Service, layer: Layer) -> list[tuple[str, str]]:
    """The pages above what belongs to a layer."""
    path = LAYER.format(service=service.name, layer=layer.id)
    return [*above_layer(call, service), (layer.name, call.home + path)]
