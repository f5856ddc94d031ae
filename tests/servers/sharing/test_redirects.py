"""Where a sign-in may lead."""

import pytest

from milepost.servers.sharing.redirects import is_allowed, source

BASE = "https://gis.example.com:6443/arcgis"
MORE = ("https://maps.example.com", "com.example.field:/signed-in", "https://desk.example.com/app?mode=1")


@pytest.mark.parametrize(
    "uri",
    [
        "urn:ietf:wg:oauth:2.0:oob",
        "https://gis.example.com:6443",
        "https://gis.example.com:6443/arcgis/apps?x=1",
        "https://GIS.example.com:6443/",
        "http://localhost:3000/callback",
        "http://127.0.0.1:5000",
        "http://[::1]:5000/x",
        "https://maps.example.com",
        "https://maps.example.com/any/page?x=1",
        "https://MAPS.example.com:443/",
        "com.example.field:/signed-in",
        "https://desk.example.com/app?mode=1",
    ],
)
def test_allowed(uri: str) -> None:
    assert is_allowed(uri, BASE, MORE)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://www.arcgis.com",
        "https://gis.example.com",
        "https://gis.example.com:6444",
        "http://gis.example.com:6443",
        "//gis.example.com:6443",
        "/arcgis/rest",
        "https://gis.example.com:6443@evil.example",
        "https://evil.example/?https://gis.example.com:6443",
        "https://evil.example\\@gis.example.com:6443",
        "https://gis.example.com:6443\t.evil.example",
        "https://gis.example.com:6443\n",
        "https://gis.example.com:6443/#fragment",
        "http://localhost.evil.example",
        "http://localhost:x",
        "http://localhost:80;script-src *",
        "https://maps.example.com.evil.example/",
        "https://maps.example.com:8443/",
        "http://maps.example.com/",
        "https://desk.example.com/app",
        "https://desk.example.com/app?mode=1&x",
        "com.example.field:/elsewhere",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "https://",
        "https://ünï.example",
        "https://[",
        "https://localhost/" + "x" * 2048,
    ],
)
def test_not_allowed(uri: str) -> None:
    assert not is_allowed(uri, BASE, MORE)


def test_a_server_that_does_not_know_of_the_encryption_before_it() -> None:
    assert is_allowed("https://gis.example.com/apps", "http://gis.example.com/arcgis")


def test_what_a_policy_names() -> None:
    assert source("http://localhost:3000/callback?x=1") == "http://localhost:3000"
    assert source("com.example.field:/signed-in") == "com.example.field:"
