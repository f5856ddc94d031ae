"""What administrators ask for when they edit the registry, checked before anything is done."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from milepost.operations import InputError
from milepost.servers.enterprise.registry.address import read_registry_url, read_repository
from milepost.servers.enterprise.registry.configuration import NAME, Change, Registry
from milepost.servers.enterprise.registry.credentials import Credentials

CONCEALED: Final = "{crypt}********"
"""What is shown instead of a password."""

_FILE_NAME: Final = "milepost-container-registry"
"""What the file with the credentials is called."""

_LONGEST: Final = {"username": 255, "password": 16_384}
_CHANGEABLE: Final = ("registryUrl", "registryRepository", "username", "password")


def shown(registry: Registry) -> dict[str, Any]:
    """The registry as its resource shows it, without a secret."""
    return {
        "registryUrl": registry.registry_url,
        "registryRepository": registry.registry_repository,
        "password": CONCEALED if registry.password else "",
        "isImagePullSecretSystemManaged": True,
        "name": NAME,
        "id": registry.id,
        "imagePullSecretName": _FILE_NAME,
        "username": registry.username,
    }


def read_change(text: str, registry: Registry, networks: Sequence[str]) -> Change:
    """The change that somebody asks for.

    Args:
        text: the JSON of the registry as it is to be.
        registry: as it is.
        networks: where private addresses are allowed.

    Raises:
        InputError: names everything that does not fit; what was sent is not repeated.
    """
    try:
        asked = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InputError([f"Parameter 'containerRegistryJson': it is no JSON: {error}"]) from None
    if not isinstance(asked, dict):
        raise InputError(["Parameter 'containerRegistryJson': it must be a JSON object"])
    now = shown(registry)
    problems = [
        f"'{name}' cannot be changed; leave it out, or send it as it is"
        if name in now
        else f"'{name[:40]}' is no property of a container registry"
        for name, value in asked.items()
        if name not in _CHANGEABLE and (name not in now or value != now[name])
    ]
    credentials = _credentials(asked, problems)
    url, repository = _place(asked, registry, problems)
    if problems:
        raise InputError([f"Parameter 'containerRegistryJson': {each}" for each in problems])
    same = (url, repository) == (registry.registry_url, registry.registry_repository)
    return Change(url, repository, credentials, same, tuple(networks))


def _credentials(asked: Mapping[str, Any], problems: list[str]) -> Credentials:
    given = {}
    for name, longest in _LONGEST.items():
        value = asked.get(name)
        given[name] = value if isinstance(value, str) else ""
        if value is None or value == "":
            problems.append(f"'{name}' must be specified, in every edit")
        elif not isinstance(value, str):
            problems.append(f"'{name}' must be a text")
        elif len(value) > longest:
            problems.append(f"'{name}' is longer than {longest} characters")
        elif not _is_unicode(value):
            problems.append(f"'{name}' holds half of a surrogate pair, which is no character")
    if re.search(r"[:\x00-\x1f\x7f]", given["username"]):
        problems.append("'username' holds a colon or a control character, which no registry takes")
    if given["password"] == CONCEALED:
        problems.append("'password' is what is shown instead of it; send the password itself")
    return Credentials(**given)


def _place(asked: Mapping[str, Any], registry: Registry, problems: list[str]) -> tuple[str, str]:
    """URL and repository; as they are where nothing is said of them."""
    url = asked.get("registryUrl", registry.registry_url)
    repository = asked.get("registryRepository", registry.registry_repository)
    for name, value in (("registryUrl", url), ("registryRepository", repository)):
        if not isinstance(value, str):
            problems.append(f"'{name}' must be a text")
    if not (isinstance(url, str) and isinstance(repository, str)):
        return "", ""
    url = url.strip()
    if not url:
        problems.append("'registryUrl' must be specified; no registry is configured yet")
        return "", ""
    try:
        read_registry_url(url)
    except ValueError as error:
        problems.append(f"'registryUrl': {error}")
    try:
        repository = read_repository(repository)
    except ValueError as error:
        problems.append(f"'registryRepository': {error}")
    return url, repository


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
