"""Finding operations: in files, in modules, and in installed packages through entry points."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from milepost.operations.definition import Operation, Service

ENTRY_POINT_GROUP: Final = "milepost.operations"
"""Packages name modules with operations under this entry point group."""


class LoadError(Exception):
    """A source of operations cannot be loaded; the text names it and the cause."""


class Catalog:
    """All operations that are known, by service and name."""

    def __init__(self, operations: Iterable[Operation[..., Any]] = ()):
        """A catalog of ``operations``.

        Raises:
            LoadError: two operations of one service share a name, or a service is declared twice, differently.
        """
        self.services: Final[dict[str, Service]] = {}
        """The services on offer, with the settings that are in force."""
        self._operations: Final[dict[tuple[str, str], Operation[..., Any]]] = {}
        for each in operations:
            self._add(each)
        for each in self:
            each.service = self.services[each.service.name]
        self.declared: Final[dict[str, Service]] = dict(self.services)
        """All services as the code declares them."""

    def _add(self, found: Operation[..., Any]) -> None:
        service = found.declared_in
        known = self.services.setdefault(service.name, service)
        if known != service and known == Service(name=service.name):
            self.services[service.name] = service
        elif known != service and service != Service(name=service.name):
            raise LoadError(f"service {service.name} is declared twice with different settings")
        other = self._operations.setdefault((service.name, found.name), found)
        if other is not found:
            raise LoadError(
                f"service {service.name} has two operations named {found.name!r}, "
                f"in {_file_of(other)} and {_file_of(found)}"
            )

    def configure(self, service: Service, *, offered: bool) -> None:
        """Have other settings in force for a service that is declared; or not offer it any more."""
        self.services.pop(service.name, None)
        if offered:
            self.services[service.name] = service
        for each in self.of(service.name):
            each.service = service

    def __iter__(self) -> Iterator[Operation[..., Any]]:
        return iter(self._operations.values())

    def get(self, service: str, name: str) -> Operation[..., Any] | None:
        """The operation of that service and name."""
        return self._operations.get((service, name))

    def of(self, service: str) -> list[Operation[..., Any]]:
        """The operations of a service, in the order they were declared."""
        return [each for each in self if each.service.name == service]


def load_catalog(sources: Iterable[str]) -> Catalog:
    """The operations of installed packages and of ``sources``: files (``*.py``) or module names.

    Raises:
        LoadError: a source cannot be loaded, or holds no operation.
    """
    found: dict[int, Operation[..., Any]] = {}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda each: each.name):
        package = f" of the installed package {point.dist.name}" if point.dist else ""
        for each in _operations_in(_import(point.module, f"module {point.module}{package}")):
            found[id(each)] = each
    for source in sources:
        module = load_file(Path(source)) if source.endswith(".py") else _import(source, f"module {source}")
        operations = list(_operations_in(module))
        if not operations:
            raise LoadError(f"{source} declares no operation; decorate a function with @operation")
        for each in operations:
            found[id(each)] = each
    return Catalog(found.values())


def load_file(path: Path) -> ModuleType:
    """The module in a Python file, loaded once under a name made from its full path.

    Raises:
        LoadError: there is no such file, or it does not run.
    """
    full = path.resolve()
    if not full.is_file():
        raise LoadError(f"{path}: there is no such file")
    name = f"milepost_file_{full.stem}_{hashlib.sha256(str(full).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, full)
    if spec is None or spec.loader is None:
        raise LoadError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise LoadError(f"{path} cannot be loaded: {_told(error, full)}") from error
    return module


def _import(name: str, called: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        hint = f"; for a file, write {name}.py" if Path(f"{name}.py").is_file() else ""
        raise LoadError(f"{called} cannot be loaded: {_told(error)}{hint}") from error


def _told(error: BaseException, file: Path | None = None) -> str:
    """The error in one line, with the line of ``file`` that it comes from."""
    text = f"{type(error).__name__}: {error}"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if file is not None and frame.filename == str(file)
    ]
    return f"{text} (line {lines[-1]})" if lines else text


def _file_of(found: Operation[..., Any]) -> str:
    return inspect.getsourcefile(found.function) or found.__module__


def _operations_in(module: ModuleType) -> Iterator[Operation[..., Any]]:
    for each in list(vars(module).values()):
        if isinstance(each, Operation):
            yield each
