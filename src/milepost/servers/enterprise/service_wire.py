"""The JSON of services as administrators see and edit them: pure functions of their settings.

``docs/reference/services.md`` says what each property means here.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final, get_args

import msgspec
from msgspec.structs import replace

from milepost.configuration import State
from milepost.operations import InputError, Service
from milepost.servers.administering import deployment_id, service_id

MOST_INSTANCES: Final = 1000
"""Instances of one service at most: each is a process."""

PROVIDER: Final = "Milepost"
"""What runs the instances of every service."""

_LONGEST: Final = 10_000
"""Characters of a description."""

_LONGEST_TIME: Final = 366 * 24 * 3600.0
"""Seconds that any limit may be."""

_HOUR: Final = 3600

Read = Callable[[Any], Any]
"""Gives the value of a setting from that of a property, or raises ValueError saying what it should be."""


def service(about: Service, state: State) -> dict[str, Any]:
    """The whole JSON of a service."""
    return {
        "serviceName": about.title,
        "type": about.type,
        "folderName": about.folder,
        "description": about.description,
        "id": service_id(about.name),
        "deploymentId": deployment_id(about.name),
        "configuredState": state,
        **{name: tell(about) for name, (_, tell, _) in _EDITABLE.items() if name != "description"},
        **_FIXED,
        "capabilities": _capabilities(about),
        "properties": {
            "serviceId": service_id(about.name),
            "executionType": about.execution,
            **{name: str(tell(about)) for name, (_, tell, _) in _EDITABLE_PROPERTIES.items()},
        },
    }


def read_service(text: str, about: Service, state: State) -> tuple[Service, State]:
    """A service as the JSON of a client wants it; what that does not name stays as it is.

    Args:
        text: the JSON.
        about: the service as it is.
        state: as it is.

    Raises:
        InputError: names every property that cannot be so.
    """
    given = read_object("service", text)
    present = service(about, state)
    problems: list[str] = []
    changed: dict[str, Any] = {}
    nested = given.get("properties", {})
    if not isinstance(nested, dict):
        problems.append(_problem("properties", "it must be an object"))
        nested = {}
    _read_all(given, _EDITABLE, "", changed, problems)
    _read_all(nested, _EDITABLE_PROPERTIES, "properties.", changed, problems)
    for name, value in given.items():
        if name not in ("configuredState", "properties", *_EDITABLE):
            problems += _unchangeable(name, value, present)
    for name, value in nested.items():
        if name not in _EDITABLE_PROPERTIES:
            problems += _unchangeable(f"properties.{name}", value, present["properties"], name)
    wanted_state = given.get("configuredState", state)
    if wanted_state not in get_args(State):
        problems.append(_problem("configuredState", "it must be STARTED or STOPPED"))
    if problems:
        raise InputError(problems)
    return _changed(about, changed, "minInstancesPerNode"), wanted_state


def scaling(about: Service) -> dict[str, Any]:
    """How many instances there may be, and what each may use."""
    return {
        "scalingSpec": [
            {
                "deploymentType": about.type,
                "deploymentId": deployment_id(about.name),
                "replicas": {
                    "min": about.min_instances,
                    "max": about.max_instances,
                    "scalingMode": "manual" if about.min_instances == about.max_instances else "auto",
                },
                "resources": {
                    "memoryMin": "0",
                    "memoryMax": _quantity(about.memory_limit),
                    "cpuMin": "0",
                    "cpuMax": "0",
                },
            }
        ]
    }


def read_scaling(text: str, about: Service) -> Service:
    """A service scaled as the JSON of a client wants it; what that does not name stays as it is.

    Raises:
        InputError: names every property that cannot be so.
    """
    given = read_object("serviceScalingSpec", text)
    specs = given.get("scalingSpec")
    if given.keys() != {"scalingSpec"} or not isinstance(specs, list) or len(specs) != 1:
        raise InputError(["Parameter 'serviceScalingSpec': it must hold a scalingSpec with one member"])
    [spec] = specs
    if not isinstance(spec, dict):
        raise InputError([_scaling_problem("scalingSpec", "its member must be an object")])
    present = scaling(about)["scalingSpec"][0]
    problems: list[str] = []
    changed: dict[str, Any] = {}
    for part, editable in _EDITABLE_SCALING.items():
        values = spec.get(part, {})
        if not isinstance(values, dict):
            problems.append(_scaling_problem(part, "it must be an object"))
            continue
        for name, value in values.items():
            if name in editable:
                setting, read = editable[name]
                try:
                    changed[setting] = read(value)
                except ValueError as error:
                    problems.append(_scaling_problem(f"{part}.{name}", str(error)))
            # The mode follows from the numbers.
            elif name != "scalingMode" and present[part].get(name) != value:
                problems.append(_scaling_problem(f"{part}.{name}", "it cannot be changed here"))
    for name, value in spec.items():
        if name not in _EDITABLE_SCALING and present.get(name) != value:
            problems.append(_scaling_problem(name, "it cannot be changed"))
    if problems:
        raise InputError(problems)
    return _changed(about, changed, "replicas", "serviceScalingSpec")


def read_object(parameter: str, text: str) -> dict[str, Any]:
    """The JSON object that a parameter holds.

    Raises:
        InputError: it holds something else.
    """
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError([f"Parameter '{parameter}': it is not valid JSON: {error}"]) from None
    if not isinstance(value, dict):
        raise InputError([f"Parameter '{parameter}': it must be a JSON object"])
    return value


# -- single properties ---------------------------------------------------------------------------


def _read_all(
    given: Mapping[str, Any],
    editable: Mapping[str, tuple[str, Callable[[Service], Any], Read]],
    prefix: str,
    changed: dict[str, Any],
    problems: list[str],
) -> None:
    for name, (setting, _, read) in editable.items():
        if name in given:
            try:
                changed[setting] = read(given[name])
            except ValueError as error:
                problems.append(_problem(prefix + name, str(error)))


def _unchangeable(shown: str, value: Any, present: Mapping[str, Any], name: str = "") -> list[str]:
    name = name or shown
    if name not in present:
        return [_problem(shown, "there is no such property")]
    if value == present[name]:
        return []
    now = msgspec.json.encode(present[name]).decode()
    return [_problem(shown, f"it cannot be changed here and is always {now}")]


def _changed(about: Service, settings: dict[str, Any], instances: str, parameter: str = "service") -> Service:
    least = settings.get("min_instances", about.min_instances)
    most = settings.get("max_instances", about.max_instances)
    if least > most:
        raise InputError(
            [
                f"Parameter '{parameter}': {instances}: at least {least} instances and at most {most} do not go together"
            ]
        )
    try:
        return replace(about, **settings)
    except ValueError as error:
        raise InputError([f"Parameter '{parameter}': {error}"]) from None


def _problem(name: str, text: str) -> str:
    return f"Parameter 'service': {name}: {text}"


def _scaling_problem(name: str, text: str) -> str:
    return f"Parameter 'serviceScalingSpec': {name}: {text}"


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError(f"it must be a text of at most {_LONGEST} characters")
    return value


def _number(value: Any) -> float:
    """A number, also one that is written as a text, as the documents do inside of properties."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError("it must be a number")
    return value


def _count(least: int, most: int) -> Read:
    def read(value: Any) -> int:
        number = _number(value)
        if number != int(number) or not least <= number <= most:
            raise ValueError(f"it must be a whole number from {least} to {most}")
        return int(number)

    return read


def _time(unit: float = 1.0) -> Read:
    most = _LONGEST_TIME / unit

    def read(value: Any) -> float:
        number = _number(value)
        if not 0 <= number <= most:
            raise ValueError(f"it must be a number from 0 to {most:g}")
        return number * unit

    return read


def _time_of_day(value: Any) -> str:
    try:
        replace(_ANY, recycle_start=value)
    except ValueError:
        raise ValueError("it must be a time of day such as 03:30, or empty") from None
    return str(value)


def _plain(number: float) -> float:
    """Whole numbers without a fraction, as clients expect them."""
    return int(number) if number == int(number) else number


_UNITS: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9}


def _read_quantity(value: Any) -> int:
    text = str(value).strip()
    unit = next((each for each in _UNITS if text.endswith(each)), "")
    try:
        number = _number(text.removesuffix(unit))
    except ValueError:
        number = -1
    if not 0 <= number * _UNITS.get(unit, 1) < 2**60:
        raise ValueError("it must be an amount of memory such as 512Mi or 2Gi, or 0 for no limit")
    return int(number * _UNITS.get(unit, 1))


def _quantity(size: int) -> str:
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return str(size)


def _capabilities(about: Service) -> str:
    return "Uploads" if about.type == "GPServer" else ""


_ANY: Final = Service(name="Any.GPServer")

_EDITABLE: Final[dict[str, tuple[str, Callable[[Service], Any], Read]]] = {
    "description": ("description", lambda each: each.description, _text),
    "minInstancesPerNode": ("min_instances", lambda each: each.min_instances, _count(0, MOST_INSTANCES)),
    "maxInstancesPerNode": ("max_instances", lambda each: each.max_instances, _count(1, MOST_INSTANCES)),
    "maxStartupTime": ("max_startup_time", lambda each: _plain(each.max_startup_time), _time()),
    "maxUsageTime": ("max_usage_time", lambda each: _plain(each.max_usage_time), _time()),
    "maxWaitTime": ("max_wait_time", lambda each: _plain(each.max_wait_time), _time()),
    "maxIdleTime": ("max_idle_time", lambda each: _plain(each.max_idle_time), _time()),
    "recycleInterval": (
        "recycle_interval",
        lambda each: _plain(each.recycle_interval / _HOUR),
        _time(_HOUR),
    ),
    "recycleStartTime": ("recycle_start", lambda each: each.recycle_start, _time_of_day),
}
"""Properties that can be changed: the setting, how it is told, and how it is read."""

_EDITABLE_PROPERTIES: Final[dict[str, tuple[str, Callable[[Service], Any], Read]]] = {
    "graceTime": ("grace_time", lambda each: _plain(each.grace_time), _time()),
    "rollbackTime": ("rollback_time", lambda each: _plain(each.rollback_time), _time()),
    "memoryLimit": ("memory_limit", lambda each: each.memory_limit, _count(0, 2**60)),
}
"""Those of Milepost's own, among the properties of the type of service."""

_EDITABLE_SCALING: Final[dict[str, dict[str, tuple[str, Read]]]] = {
    "replicas": {
        "min": ("min_instances", _count(0, MOST_INSTANCES)),
        "max": ("max_instances", _count(1, MOST_INSTANCES)),
    },
    "resources": {"memoryMax": ("memory_limit", _read_quantity)},
}

_FIXED: Final[dict[str, Any]] = {
    "provider": PROVIDER,
    "private": False,
    "isDefault": False,
    "clusterName": "default",
    "instancesPerContainer": 1,
    "isolationLevel": "HIGH",
    "loadBalancing": "ROUND_ROBIN",
    "keepAliveInterval": -1,
    "allowedUploadFileTypes": "",
    "maxUploadFileSize": 0,
    "datasets": [],
    "frameworkProperties": {},
    "extensions": [],
    "portalProperties": {"isHosted": False, "portalItems": []},
}
"""What is so for every service here."""
