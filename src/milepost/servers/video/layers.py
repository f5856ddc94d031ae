"""The URLs of a layer: what is known of it, where the camera was, and what its owner may change."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import structlog
from msgspec.structs import replace
from starlette.datastructures import UploadFile
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Field, Form, ServiceError, not_found, wrong
from milepost.servers.video import describing, posters
from milepost.servers.video.extending import Extension
from milepost.servers.video.facts import COVERAGE, MASTER, PREVIEW
from milepost.servers.video.library import (
    LAYER,
    Library,
    above_layer,
    below_layer,
    may_change,
    require_owner,
    unreadable,
)
from milepost.servers.video.media import token_of_query
from milepost.servers.video.parameters import CHANGE, LayerChange, change_fields, read_change
from milepost.servers.video.playing import Playable, exhibit
from milepost.servers.video.processing import process_form
from milepost.servers.video.query import QUERY, answer_query, query_fields
from milepost.servers.video.records import Layer
from milepost.servers.video.telemetry import Track, part_of_coverage
from milepost.storage import StorageError

log = structlog.get_logger("milepost.video")

TELEMETRY_FILE: Final = "telemetry.json"

_SENT: Final = "poster-"
"""What the names of pictures begin with that somebody sent."""


class LayerResources:
    """The layers of video services."""

    def __init__(self, library: Library, extensions: Mapping[str, Extension]):
        """Those of a library.

        Args:
            library: of the site.
            extensions: what else can be done with a layer, by the name of the flag that says so.
        """
        self._library = library
        self._extensions = extensions
        # One picture after the other: some take a hundred times the memory that their file has.
        self._looking = asyncio.Lock()

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._library.resources.at
        return [
            *at(f"{LAYER}/coverage", self.coverage, parameters=("type",), document="Coverage"),
            *at(f"{LAYER}/telemetry", self.telemetry, document="Coverage Telemetry"),
            *at(f"{LAYER}/query", self.query, parameters=QUERY, document="Query"),
            *at(
                f"{LAYER}/updateLayer",
                self.update,
                methods=("POST",),
                acts=True,
                parameters=CHANGE,
                document="Update Layer",
            ),
            *at(
                f"{LAYER}/update/poster",
                self.poster,
                methods=("POST",),
                acts=True,
                max_file=posters.LARGEST,
                parameters=("file", "poster", "image", "url"),
                document="Poster",
            ),
            *at(f"{LAYER}/delete", self.delete, methods=("POST",), acts=True),
            *at(LAYER, self.layer, document="Layer"),
        ]

    async def layer(self, call: Call) -> Answer:
        """A layer: where it is played, what it shows, and what can be done with it."""
        service, layer = await self._library.layer(call)
        path = LAYER.format(service=service.name, layer=layer.id)
        said = describing.layer(service, layer, call.base + path, supports=self._extensions)
        home = call.home + path
        links = {"Original file": f"{home}/original"}
        forms = []
        if layer.facts.telemetry:
            links |= {"Coverage": f"{home}/coverage", "Telemetry": f"{home}/telemetry"}
            forms.append(Form(f"{home}/query", "Query", query_fields(), method="get"))
        if layer.facts.previews:
            links["Previews"] = f"{home}/content/preview/preview.json"
        for flag, extension in self._extensions.items():
            if said.get(f"supports{flag}"):
                forms.append(extension.form(home, layer))
        if may_change(call.person, service):
            fields = change_fields(layer.name, layer.description, layer.copyright)
            forms.append(Form(f"{home}/updateLayer", "Update layer", fields))
            picture = (Field("file", "Picture", kind="file", help="JPEG or PNG"), Field("url", "Or its URL"))
            forms.append(Form(f"{home}/update/poster", "Update poster", picture))
            forms.append(process_form(home))
            forms.append(Form(f"{home}/delete", "Delete layer"))
        return Answer(
            said,
            title=layer.name,
            crumbs=above_layer(call, service),
            links=links,
            forms=forms,
            exhibit=exhibit(call.home, _playable(layer, home).carrying(token_of_query(call))),
        )

    async def coverage(self, call: Call) -> Answer:
        """What the camera saw, and where it was."""
        service, layer = await self._library.layer(call)
        content = await self._library.content(layer, COVERAGE) if layer.facts.telemetry else None
        if content is None:
            raise not_found(f"Coverage of {layer.name[:60]}")
        try:
            said = part_of_coverage(msgspec.json.decode(content), call.parameters.get("type").strip())
        except ValueError as error:
            raise wrong("type", str(error)) from None
        return Answer(said, title="Coverage", crumbs=below_layer(call, service, layer))

    async def telemetry(self, call: Call) -> Answer:
        """What the camera and its aircraft told, from one moment to the next."""
        service, layer = await self._library.layer(call)
        content = await self._library.content(layer, TELEMETRY_FILE) if layer.facts.telemetry else None
        if content is None:
            raise not_found(f"Telemetry of {layer.name[:60]}")
        return Answer(msgspec.Raw(content), title="Telemetry", crumbs=below_layer(call, service, layer))

    async def query(self, call: Call) -> Answer:
        """Whether and when a layer shows a place."""
        service, layer = await self._library.layer(call)
        content = await self._library.content(layer, TELEMETRY_FILE) if layer.facts.telemetry else None

        def answer() -> dict[str, Any]:
            track = None if content is None else msgspec.json.decode(content, type=Track)
            return answer_query(call.parameters, service, layer, track)

        said = await asyncio.to_thread(answer)
        return Answer(said, title="Query", crumbs=below_layer(call, service, layer))

    async def update(self, call: Call) -> Answer:
        """Change what a layer is called, what is said of it, and what may be exported."""
        service, layer = await self._library.layer(call)
        require_owner(call.person, service)
        wanted = read_change(call.parameters)
        if wanted.export_frameset and not layer.facts.telemetry:
            raise wrong(
                "supportsFrameset",
                "the layer has no telemetry, which says where the corners of its frames are",
            )
        changed = await asyncio.to_thread(
            self._library.videos.change_layer, service.item, layer.id, lambda each: _changed(each, wanted)
        )
        if changed is None:
            raise not_found(f"Layer {layer.id}")
        log.info("layer changed", service=service.name, layer=layer.id, by=call.person.username)
        return Answer({"success": True}, title="Update layer", crumbs=below_layer(call, service, changed))

    async def poster(self, call: Call) -> Answer:
        """Give a layer another picture: a file, or the address of one."""
        service, layer = await self._library.layer(call)
        require_owner(call.person, service)
        given = call.parameters
        sent = [each for name in ("file", "poster", "image") for each in given.files(name)]
        url = given.get("url").strip()
        if bool(sent) == bool(url):
            raise ServiceError(400, "Send a picture as 'file', or its address as 'url', and not both")
        if url:
            path = posters.check_url(url)
        else:
            async with self._looking:
                path = await self._keep_picture(layer, sent[-1])
        replaced: list[str] = []

        def change(each: Layer) -> Layer:
            replaced.append(each.poster)
            return replace(each, poster=path)

        changed = await asyncio.to_thread(self._library.videos.change_layer, service.item, layer.id, change)
        # Of a layer that was deleted meanwhile, the new picture would be left.
        await self._discard_picture(layer, path if changed is None else replaced[0])
        if changed is None:
            raise not_found(f"Layer {layer.id}")
        return Answer({"success": True}, title="Update poster", crumbs=below_layer(call, service, changed))

    async def delete(self, call: Call) -> Answer:
        """Delete a layer."""
        service, layer = await self._library.layer(call)
        require_owner(call.person, service)
        await asyncio.to_thread(self._library.videos.remove_layer, service.item, layer.id)
        log.info("layer deleted", service=service.name, layer=layer.id, by=call.person.username)
        await self._library.sweep()
        return Answer({"success": True}, title="Delete layer", crumbs=above_layer(call, service))

    async def _keep_picture(self, layer: Layer, sent: UploadFile) -> str:
        """The path of a picture that was sent, once it is in the folder of the layer."""
        content = await sent.read(posters.LARGEST + 1)
        suffix = await asyncio.to_thread(posters.check_picture, content)
        path = f"{_SENT}{uuid.uuid4().hex[:8]}.{suffix}"
        try:
            storage = self._library.storage(layer.storage)
            await asyncio.to_thread(storage.write, layer.key, path, content)
        except StorageError as error:
            raise unreadable(error) from None
        return path

    async def _discard_picture(self, layer: Layer, path: str) -> None:
        """Remove a picture that somebody sent; those that were published, or are elsewhere, stay."""
        if not path.startswith(_SENT):
            return
        try:
            storage = self._library.storage(layer.storage)
            await asyncio.to_thread(storage.remove, layer.key, path)
        except StorageError as error:
            # It goes with the layer.
            about = {"layer": layer.key, "picture": path, "place": error.place}
            log.warning("a picture is still there", reason=str(error), **about)


def _playable(layer: Layer, home: str) -> Playable:
    """What the player on the page of a layer must know; ``home`` is the path of the layer."""
    facts = layer.facts
    return Playable(
        title=layer.name,
        master=f"{home}/content/{MASTER}",
        poster=describing.poster(layer, home),
        original=f"{home}/original",
        duration=facts.duration,
        previews=f"{home}/content/{PREVIEW}" if facts.previews else "",
        coverage=f"{home}/coverage" if facts.telemetry else "",
        telemetry={
            "GeoJSON": f"{home}/content/telemetry.geojson",
            "CSV": f"{home}/content/telemetry.csv",
        }
        if facts.telemetry
        else {},
        clock="MISP time" if facts.time_system == "MISP" else "UTC",
        extent=facts.extent,
    )


def _changed(layer: Layer, wanted: LayerChange) -> Layer:
    given = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None}
    return replace(layer, **given)
