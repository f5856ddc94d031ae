"""Writes docs/reference/resources.md from the routes: ``python -m tests.docs.resources_page``."""

import asyncio
import tempfile
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from string import ascii_uppercase

from milepost.app import Server
from milepost.http import Resource
from milepost.operations import load_catalog
from milepost.security import Access, Privilege, Role
from milepost.settings import Settings

PAGE = Path(__file__).parents[2] / "docs/reference/resources.md"

INTRODUCTION = """\
# Resources

<!-- Written by python -m tests.docs.resources_page; a test keeps it true. -->

Every resource of a server, below its context, which is `/arcgis` unless `--context` says otherwise.
A part in brackets is optional: services lie in a folder or in none.

Every resource takes the parameter `f` (`html`, which is the default, `json` or `pjson`) and, where
it is not open to everybody, a token: as the parameter `token` in the body or the query, as
`X-Esri-Authorization: Bearer` or `Authorization: Bearer` header, or as the cookie `agstoken`.
Parameters come in the query or in a body that is a form, multipart or a JSON object. What changes something
below `/admin` takes it by POST only; GET is there for the page with its form.

*Who* says what somebody needs: one matching privilege or role is enough, and administrators always
may. The jobs of others are shown to those who administer them only, whatever this column says.
*Document* is the page of the ArcGIS documentation that says what the resource must be like;
resources without one are additions of Milepost.
"""

SECTIONS = (
    ("/rest/services", "Services"),
    ("/rest", "Directory"),
    ("/admin", "Administration"),
    ("/portaladmin", "Administration"),
    ("/mission", "Mission Server"),
    ("/video", "Video Server"),
    ("/sharing", "Portal"),
    ("/log", "Signing in with a browser"),
)

TYPES = {
    "GPServer": "Geoprocessing services",
    "TopographicProductionServer": "Topographic production services",
    "FeatureServer": "Feature services",
}

ORDER = ("Directory", *TYPES.values(), "Administration", "Mission Server", "Video Server", "Portal")


def section_of(pattern: str) -> str:
    """The heading that a resource stands under."""
    for kind, title in TYPES.items():
        if pattern.startswith("/rest/services/") and kind in pattern:
            return title
    title = next(title for start, title in SECTIONS if pattern.startswith(start))
    return "Directory" if title == "Services" else title


async def resources_of(flavour: str) -> list[Resource]:
    """The resources of a server with a flavour of the admin API, each once."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Settings(data=Path(folder), gp_admin=flavour, toolbox=False), load_catalog([]), [])
        found = {each.pattern: each for each in server.routes() if isinstance(each, Resource)}
        await server.store.close()
        server.people.close()
        server.missions.close()
    return list(found.values())


class Legend:
    """Rules with several privileges, which get letters, since many resources share few of them."""

    def __init__(self) -> None:
        self._letters: dict[Access, str] = {}

    def who(self, access: Access) -> str:
        """Who may use a resource, in words or by the letter of the rule."""
        if access.without_token:
            return "everybody"
        if access.roles == frozenset(Role):
            return "signed in"
        if not access.roles and len(access.privileges) < 2:
            return ", ".join(f"`{each}`" for each in access.privileges) or "administrators"
        return f"rule {self._letters.setdefault(access, ascii_uppercase[len(self._letters)])}"

    def lines(self) -> str:
        """What the letters mean."""
        return "\n".join(
            f"| {letter} | {', '.join(sorted(access.roles)) or '-'} | {_named(access.privileges)} |"
            for access, letter in self._letters.items()
        )


def _named(privileges: Iterable[Privilege]) -> str:
    return "<br>".join(f"{each.printed} (`{each}`)" for each in sorted(privileges))


def row(resource: Resource, access: str) -> str:
    """The line of a resource in a table."""
    names = ", ".join(each if each.startswith("(") else f"`{each}`" for each in resource.parameters)
    cells = (
        f"`{resource.pattern}`",
        " ".join(resource.takes),
        resource.summary.replace("``", "`"),
        names,
        access,
        resource.document,
    )
    return "| " + " | ".join(cells) + " |"


def rows(
    kubernetes: Iterable[Resource], server: Iterable[Resource], legend: Legend
) -> list[tuple[str, str, str]]:
    """Section, path and line of every resource, of both flavours where they differ."""
    first = {each.pattern: each for each in kubernetes}
    second = {each.pattern: each for each in server}
    found = []
    for pattern in sorted({*first, *second}):
        one, other = first.get(pattern), second.get(pattern)
        about = one or other
        assert about is not None
        if one and other and one.access != other.access:
            access = f"{legend.who(one.access)}; with `--gp-admin server`: {legend.who(other.access)}"
        elif one is None:
            access = f"{legend.who(about.access)}; only with `--gp-admin server`"
        else:
            access = legend.who(about.access)
        found.append((section_of(pattern), pattern, row(about, access)))
    return found


async def page() -> str:
    """The page."""
    legend = Legend()
    found = rows(await resources_of("kubernetes"), await resources_of("server"), legend)
    places = {title: number for number, title in enumerate(ORDER)}
    found.sort(key=lambda each: (places.get(each[0], len(places)), each[1]))
    parts = [INTRODUCTION + f"\n| rule | roles | privileges |\n|---|---|---|\n{legend.lines()}\n"]
    for title, members in groupby(found, key=lambda each: each[0]):
        lines = "\n".join(line for _, _, line in members)
        head = "| resource | methods | what | parameters | who | document |\n|---|---|---|---|---|---|"
        parts.append(f"## {title}\n\n{head}\n{lines}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(asyncio.run(page()))
