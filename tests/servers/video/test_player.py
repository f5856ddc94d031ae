"""The player of videos: whose files they are, how they are sent, and what its markup says without them."""

import hashlib
from importlib.resources import files

import httpx
import pytest

from milepost.http import Answer, render
from milepost.servers.video.playing import PATH, Playable, exhibit, version
from tests.servers.browsing import Page

PLAYER = files("milepost.servers.video") / "player"


def test_what_is_not_ours_is_what_its_makers_sent() -> None:
    for line in (PLAYER / "CHECKSUMS").read_text().splitlines():
        expected, name = line.split()
        assert hashlib.sha256((PLAYER / name).read_bytes()).hexdigest() == expected
    assert "Apache License, Version 2.0" in (PLAYER / "hls.LICENSE").read_text()


@pytest.mark.anyio
async def test_its_files_may_be_kept_for_ever(root: httpx.AsyncClient) -> None:
    for name, kind in (("player.js", "javascript"), ("hls.min.mjs", "javascript"), ("player.css", "css")):
        answer = await root.get(PATH.format(version=version(), file=name))
        assert answer.content == (PLAYER / name).read_bytes()
        assert answer.headers["content-type"] == f"text/{kind}; charset=utf-8"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("release", "name"), [("0" * 16, "player.js"), (version(), "CHECKSUMS"), (version(), "..")]
)
async def test_there_is_nothing_else(root: httpx.AsyncClient, release: str, name: str) -> None:
    answer = await root.get(PATH.format(version=release, file=name), params={"f": "json"})
    assert answer.json()["error"]["code"] == 404


def test_the_page_needs_no_scripts_to_be_of_use() -> None:
    layer = Playable(
        title='<i>"Flood"</i>',
        master="/x/content/ABR.m3u8",
        poster="/x/content/poster.jpg",
        original="/x/content/original/a.ts",
        duration=3725.4,
        telemetry={"CSV": "/x/content/telemetry.csv"},
    )
    answer = render(Answer({}, title=layer.title, exhibit=exhibit("", layer)), "html", "/x", "")
    page = Page(bytes(answer.body).decode())
    (video,) = page.all("video")
    assert (video["src"], video["poster"]) == (layer.master, layer.poster)
    assert "controls" in video
    assert video["aria-label"] == layer.title
    assert {"/x/content/original/a.ts", "/x/content/telemetry.csv"} < {each["href"] for each in page.all("a")}
    assert "1:02:05" in page.text
    labelled = {each["for"] for each in page.all("label")}
    assert all(each["id"] in labelled for each in page.all("input", "select"))
    assert not page.all("i")


def test_only_scripts_of_this_server_run_on_its_page() -> None:
    layer = Playable(title="a", master="/m", poster="/p", original="/o", duration=1)
    answer = render(Answer({}, exhibit=exhibit("/arcgis", layer)), "html", "/x", "")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    page = Page(bytes(answer.body).decode())
    assert [each["src"] for each in page.all("script")] == [f"/arcgis/video/player/{version()}/player.js"]
    plain = render(Answer({}), "html", "/x", "").headers["content-security-policy"]
    assert "script" not in plain
