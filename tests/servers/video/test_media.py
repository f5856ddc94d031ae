"""The files of layers, as players fetch them."""

from collections.abc import AsyncIterator

import httpx
import pytest

from milepost.servers.video.media import with_query
from milepost.servers.video.records import Layer
from milepost.storage import LocalStorage
from tests.servers.house import House
from tests.servers.video.made import SEGMENT, make_layer, make_service

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]

URL = "/video/rest/services/Films/VideoServer/0"
SEGMENT_URL = f"{URL}/content/hd/0.m4s"
SIZE = len(SEGMENT)


@pytest.fixture(scope="module")
async def layer(house: House) -> Layer:
    return make_layer(house.server, make_service(house.server, "Films", "ann"))


@pytest.fixture(scope="module")
async def nobody(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as client:
        yield client


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=5-9", slice(5, 10)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(SIZE - 7, None)),
        (f"bytes=-{SIZE * 3}", slice(0, None)),
        (f"bytes=10-{SIZE * 3}", slice(10, None)),
        ("BYTES=5-9", slice(5, 10)),
        ("Bytes = 5 - 9", slice(5, 10)),
    ],
)
async def test_a_part_of_a_file(layer: Layer, ann: httpx.AsyncClient, asked: str, part: slice) -> None:
    answer = await ann.get(SEGMENT_URL, headers={"Range": asked})
    begin, end, _ = part.indices(SIZE)
    assert answer.status_code == 206
    assert answer.content == SEGMENT[part]
    assert answer.headers["content-range"] == f"bytes {begin}-{end - 1}/{SIZE}"
    assert answer.headers["content-length"] == str(end - begin)


@pytest.mark.parametrize(
    "asked", ["bytes=9-5", "bytes=0-1,5-6", "lines=1-2", "bytes=", "bytes=x-1", "bytes=--1"]
)
async def test_a_range_that_makes_no_sense_is_ignored(
    layer: Layer, ann: httpx.AsyncClient, asked: str
) -> None:
    answer = await ann.get(SEGMENT_URL, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, SEGMENT)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={'9' * 18}-", "bytes=-0"])
async def test_a_range_beyond_the_end(layer: Layer, ann: httpx.AsyncClient, asked: str) -> None:
    answer = await ann.get(SEGMENT_URL, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


async def test_what_a_player_has_it_need_not_fetch_again(layer: Layer, ann: httpx.AsyncClient) -> None:
    first = await ann.get(SEGMENT_URL)
    tag, moment = first.headers["etag"], first.headers["last-modified"]
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["accept-ranges"] == "bytes"
    for headers in (
        {"If-None-Match": tag},
        {"If-None-Match": f'"other", W/{tag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": moment},
    ):
        again = await ann.get(SEGMENT_URL, headers=headers)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), headers
    for headers in (
        {"If-None-Match": '"other"'},
        {"If-None-Match": '"other"', "If-Modified-Since": moment},
        {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"If-Modified-Since": "no date"},
    ):
        assert (await ann.get(SEGMENT_URL, headers=headers)).status_code == 200, headers
    part = {"Range": "bytes=0-3"}
    for condition, status in (
        (tag, 206),
        (moment, 206),
        ('"other"', 200),
        (f"W/{tag}", 200),
        ("no date", 200),
    ):
        answer = await ann.get(SEGMENT_URL, headers={**part, "If-Range": condition})
        assert answer.status_code == status, condition


async def test_head_tells_the_same_without_the_content(layer: Layer, ann: httpx.AsyncClient) -> None:
    whole = await ann.get(SEGMENT_URL)
    head = await ann.head(SEGMENT_URL)
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(whole.headers)
    assert head.headers["content-length"] == str(SIZE)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("ABR.m3u8", "application/vnd.apple.mpegurl"),
        ("hd/index.m3u8", "application/vnd.apple.mpegurl"),
        ("hd/init.mp4", "video/mp4"),
        ("hd/0.m4s", "video/mp4"),
        ("poster.jpg", "image/jpeg"),
        ("preview/preview.json", "application/json;charset=UTF-8"),
        ("telemetry.geojson", "application/geo+json"),
        ("telemetry.csv", "text/csv; charset=utf-8"),
    ],
)
async def test_every_file_has_its_type(layer: Layer, ann: httpx.AsyncClient, path: str, kind: str) -> None:
    answer = await ann.get(f"{URL}/content/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "content/none.m3u8",
        "content/original/source.ts",
        "content/hd",
        "content/hd/..%2F..%2F..%2Ftoken.key",
        "content/%2Fetc%2Fpasswd.json",
        "content/..%2F..%2Fvideos.sqlite",
        "content/hd/.0.m4s",
        "content/hd/0.m4s%00.m4s",
        "content/" + "a" * 300 + ".m4s",
    ],
)
async def test_nothing_else_is_served(layer: Layer, ann: httpx.AsyncClient, path: str) -> None:
    assert (await ann.get(f"{URL}/{path}")).status_code == 404
    said = await ann.get(f"{URL}/{path}", params={"f": "json"})
    assert (said.status_code, said.json()["error"]["code"]) == (200, 404)


async def test_a_token_goes_wherever_a_player_can_put_it(
    layer: Layer, house: House, ann: httpx.AsyncClient, nobody: httpx.AsyncClient
) -> None:
    token = ann.headers["X-Esri-Authorization"].removeprefix("Bearer ")
    for ways in (
        {"headers": {"Authorization": f"Bearer {token}"}},
        {"params": {"token": token}},
        {"headers": {"Cookie": f"agstoken={token}"}},
    ):
        assert (await nobody.get(SEGMENT_URL, **ways)).content == SEGMENT
    none = await nobody.get(SEGMENT_URL)
    assert (none.status_code, none.json()["error"]["code"]) == (401, 499)
    bad = await nobody.get(SEGMENT_URL, params={"token": "bad"})
    assert (bad.status_code, bad.json()["error"]["code"]) == (401, 498)
    assert (await nobody.get(SEGMENT_URL, params={"f": "json"})).json()["error"]["code"] == 499


async def test_playlists_that_came_with_a_token_in_the_url_hand_it_on(
    layer: Layer, ann: httpx.AsyncClient, nobody: httpx.AsyncClient
) -> None:
    token = ann.headers["X-Esri-Authorization"].removeprefix("Bearer ")
    url = f"http://gis.example.com/arcgis{URL}/content/ABR.m3u8"
    followed = []
    waiting = [httpx.URL(url).copy_with(params={"token": token})]
    while waiting:
        here = waiting.pop()
        answer = await nobody.get(here)
        if answer.status_code == 404:  # this layer names a rendition that it does not have
            continue
        followed.append(here.path.rpartition("/content/")[2])
        assert answer.status_code == 200, here
        if here.path.endswith(".m3u8"):
            assert answer.headers["cache-control"] == "no-store"
            named = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
            named += [part.partition('"')[0] for part in answer.text.split('URI="')[1:]]
            assert not any("://" in each for each in named)
            waiting += [here.join(each) for each in named]
    assert sorted(followed) == ["ABR.m3u8", "hd/0.m4s", "hd/index.m3u8", "hd/init.mp4"]
    plain = (await ann.get(url)).text
    assert token not in plain


def test_only_relative_uris_get_the_query() -> None:
    playlist = (
        '#EXTM3U\r\n#EXT-X-MEDIA:URI="a/i.m3u8",NAME="x"\n\n#EXTINF:4,\n0.m4s\n1.m4s?x=1\n'
        'https://other.example.com/2.m4s\n//other.example.com/3.m4s\n#EXT-X-MAP:URI="https://o/i.mp4"\nlast.m4s'
    )
    assert with_query(playlist, "token=t") == (
        '#EXTM3U\r\n#EXT-X-MEDIA:URI="a/i.m3u8?token=t",NAME="x"\n\n#EXTINF:4,\n0.m4s?token=t\n1.m4s?x=1&token=t\n'
        'https://other.example.com/2.m4s\n//other.example.com/3.m4s\n#EXT-X-MAP:URI="https://o/i.mp4"\n'
        "last.m4s?token=t\n"
    )


async def test_pages_of_other_sites_may_play_it(layer: Layer, ann: httpx.AsyncClient) -> None:
    origin = {"Origin": "https://maps.example.com"}
    answer = await ann.get(SEGMENT_URL, headers={**origin, "Range": "bytes=0-1"})
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = answer.headers["access-control-expose-headers"]
    assert {"Content-Range", "ETag"} <= {each.strip() for each in exposed.split(",")}
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range, authorization"}
    allowed = await ann.options(SEGMENT_URL, headers={**origin, **asked})
    assert allowed.status_code == 200
    assert "range" in allowed.headers["access-control-allow-headers"]


async def test_of_others_there_is_nothing(
    layer: Layer, bob: httpx.AsyncClient, root: httpx.AsyncClient
) -> None:
    assert (await bob.get(SEGMENT_URL)).status_code == 404
    assert (await bob.get(f"{URL}/original")).status_code == 404
    assert (await root.get(SEGMENT_URL)).content == SEGMENT


async def test_the_name_of_the_original_is_that_of_the_upload(layer: Layer, ann: httpx.AsyncClient) -> None:
    answer = await ann.get(f"{URL}/original", headers={"Range": "bytes=0-0"})
    assert (answer.status_code, answer.content) == (206, b"G")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''Fl%C3%BCge%201.ts"


async def test_the_original_is_found_without_looking_through_the_folder(
    layer: Layer, house: House, ann: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = house.server.settings.data / "videos" / layer.key / "original"
    (folder / "beside.csv").write_text("time\n")
    listed: list[str] = []
    paths = LocalStorage.paths
    monkeypatch.setattr(LocalStorage, "paths", lambda *of: listed.append(of[1]) or paths(*of))
    answer = await ann.get(f"{URL}/original", headers={"Range": "bytes=0-0"})
    assert (answer.content, listed) == (b"G", [])


async def test_what_the_disk_lost_is_an_error_in_words(house: House, ann: httpx.AsyncClient) -> None:
    lost = make_layer(house.server, make_service(house.server, "Lost", "ann"))
    (house.server.settings.data / "videos" / lost.key / "hd" / "0.m4s").unlink()
    url = "/video/rest/services/Lost/VideoServer/0/content/hd/0.m4s"
    assert (await ann.get(url)).status_code == 404
