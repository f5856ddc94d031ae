"""How work is declared: services, and the operations in them."""

import inspect
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, Generic, Literal, ParamSpec, TypeVar

import msgspec

from milepost.operations.parameters import Files, InputError, Parameter, outputs_of, parameters_of
from milepost.operations.run import Run
from milepost.operations.types import LinearUnit

P = ParamSpec("P")
T = TypeVar("T")

_SERVICE_NAME: Final = re.compile(r"(?:(\w[\w-]*)/)?(\w[\w-]*)\.(\w+)")
_RESERVED: Final = frozenset({"f", "token", "context", "returnMessages", "returnZ", "returnM"})


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service and how its operations are run. All times are seconds.

    The settings carry the meaning that the administration of GIS servers gives them.
    """

    name: str
    """``Folder/Name.Type`` or ``Name.Type``, such as ``Analysis/Proximity.GPServer``."""
    description: str = ""
    execution: Literal["asynchronous", "synchronous"] = "asynchronous"
    min_instances: int = 1
    """Instances kept ready in advance, on each node."""
    max_instances: int = 2
    """Instances at work at the same time, on each node."""
    max_usage_time: float = 600.0
    """How long one job may run, all its attempts together; 0 for no limit."""
    max_wait_time: float = 0.0
    """How long a job may wait for an instance; 0 for no limit."""
    max_idle_time: float = 1800.0
    """How long an instance beyond ``min_instances`` stays ready without work."""
    recycle_interval: float = 24 * 3600.0
    """After how long an instance that had no work is replaced by a fresh one; 0 for never."""
    grace_time: float = 5.0
    """How long an operation has to stop by itself before its processes are killed."""
    rollback_time: float = 120.0
    """How long undoing one effect may take."""
    memory_limit: int = 0
    """Bytes of memory an instance may use; 0 for no limit."""

    def __post_init__(self) -> None:
        """Refuse settings that cannot be meant.

        Raises:
            ValueError: says which setting and why.
        """
        if not _SERVICE_NAME.fullmatch(self.name):
            raise ValueError(f"service name {self.name!r} is not of the form Folder/Name.Type")
        if not 0 <= self.min_instances <= self.max_instances or self.max_instances < 1:
            raise ValueError(f"service {self.name}: instances must satisfy 0 <= min <= max and 1 <= max")
        for field in ("max_usage_time", "max_wait_time", "max_idle_time", "recycle_interval", "grace_time"):
            if not getattr(self, field) >= 0:
                raise ValueError(f"service {self.name}: {field} must not be negative")

    @property
    def folder(self) -> str:
        """The folder, empty for the root."""
        return self.name.rpartition("/")[0]

    @property
    def title(self) -> str:
        """The name without folder and type."""
        return self.name.rpartition("/")[2].rpartition(".")[0]

    @property
    def type(self) -> str:
        """The type, such as ``GPServer``."""
        return self.name.rpartition(".")[2]


class Operation(Generic[P, T]):
    """A function that runs as a job. Called with a run, it is still that function."""

    def __init__(
        self,
        function: Callable[P, T],
        *,
        service: Service,
        name: str,
        retries: int,
        resume: bool,
        priority: int,
    ):
        """Made by ``operation``, which says what the arguments mean."""
        self.function: Final = function
        self.service: Final = service
        self.name: Final = name
        self.retries: Final = retries
        self.resume: Final = resume
        self.priority: Final = priority
        self.inputs: Final[list[Parameter]] = parameters_of(function)
        self.outputs: Final[list[Parameter]] = outputs_of(function)
        self.__doc__ = function.__doc__
        self.__name__ = name
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__wrapped__ = function
        for parameter in self.inputs:
            if parameter.name in _RESERVED:
                raise TypeError(
                    f"operation {name}: parameter name {parameter.name!r} is taken by the protocols"
                )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the function here and now; a distance given as text is read as one."""
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        bound.apply_defaults()
        for parameter in self.inputs:
            if parameter.kind == "linear_unit" and isinstance(bound.arguments[parameter.name], str):
                bound.arguments[parameter.name] = LinearUnit(bound.arguments[parameter.name])
        return self.function(*bound.args, **bound.kwargs)

    def __repr__(self) -> str:
        return f"<operation {self.service.name} {self.name}>"

    @cached_property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @cached_property
    def description(self) -> str:
        """The docstring without its ``Args:`` and the other sections for programmers."""
        doc = inspect.getdoc(self.function) or ""
        return re.split(r"\n\s*(?:Args|Returns|Raises|Yields|Example|Examples):", doc)[0].strip()

    def check(self, values: dict[str, Any]) -> dict[str, Any]:
        """The JSON forms of all inputs, defaults filled in, from what a client sent.

        An empty text means that the parameter was not given; names that are no parameter are ignored.

        Raises:
            InputError: names every parameter that is missing or does not fit.
        """
        checked: dict[str, Any] = {}
        problems = []
        for parameter in self.inputs:
            raw = values.get(parameter.name)
            if raw is None or (isinstance(raw, str) and not raw.strip()):
                if parameter.required:
                    problems.append(f"Parameter '{parameter.name}' is required")
                elif parameter.default is not None:
                    checked[parameter.name] = parameter.default
                continue
            try:
                checked[parameter.name] = parameter.check(raw)
            except ValueError as error:
                problems.append(f"Parameter '{parameter.name}': {error}")
        if problems:
            raise InputError(problems)
        return checked

    def perform(self, run: Run, inputs: dict[str, Any], files: Files | None = None) -> dict[str, Any]:
        """Run the function on checked inputs; returns the JSON form of each output by name.

        Raises:
            TypeError: it returned something else than it declares.
        """
        values = {p.name: p.load(inputs[p.name], files) for p in self.inputs if p.name in inputs}
        returned: Any = self.function(run, **values)  # type: ignore[arg-type]
        if len(self.outputs) == 1 and self.outputs[0].name == "result":
            return {"result": self.outputs[0].dump(returned, files)}
        return {output.name: output.dump(getattr(returned, output.name), files) for output in self.outputs}


def operation(
    *,
    service: Service | str,
    name: str = "",
    retries: int = 0,
    resume: bool = True,
    priority: int = 0,
) -> Callable[[Callable[P, T]], Operation[P, T]]:
    """Make a function an operation of a service: what it does runs as a job.

    The first argument of the function is the ``Run``; the others, with their type hints,
    defaults and documented ``Args:``, become the parameters that clients see.

    Args:
        service: the service, or its full name for one with default settings.
        name: the name that clients use; that of the function by default.
        retries: how often a job is tried again after its instance crashed; 0 fails it at once.
        resume: whether a job goes on after the server was stopped while it ran; False fails it.
        priority: jobs of higher priority are taken first.

    Raises:
        TypeError: the function has a parameter that no client could fill.
    """
    home = Service(name=service) if isinstance(service, str) else service

    def declare(function: Callable[P, T]) -> Operation[P, T]:
        return Operation(
            function,
            service=home,
            name=name or function.__name__,
            retries=retries,
            resume=resume,
            priority=priority,
        )

    return declare
