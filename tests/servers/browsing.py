"""Pages, as a browser would understand them, and what must be true of every one."""

from html.parser import HTMLParser

import httpx


class Page(HTMLParser):
    """What stands on a page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]

    @property
    def text(self) -> str:
        return "".join(self.words)


def page_of(answer: httpx.Response, status: int = 200) -> Page:
    """The page in an answer, which is one that people can use and that nothing foreign runs on."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    # Nothing runs, or on the page of a video the player that comes from here.
    allowed = [each.strip() for each in policy.split(";") if each.strip().startswith("script")]
    assert allowed in ([], ["script-src 'self'"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    page = Page(answer.text)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == len(page.all("title")) == len(page.all("main")) == 1
    assert all(str(each["src"]).startswith("/arcgis/video/player/") for each in page.all("script"))
    assert allowed or not page.all("script", "img")
    ids = [each["id"] for tag, each in page.tags if "id" in each]
    assert len(ids) == len(set(ids))
    labelled = {each["for"] for each in page.all("label")}
    for field in page.all("input", "select", "textarea"):
        assert field.get("type") == "hidden" or field["id"] in labelled
    assert "Traceback" not in page.text
    return page
