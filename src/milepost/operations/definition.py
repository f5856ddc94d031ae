"""How work is declared: services, and the operations in them."""

import copy
import inspect
import keyword
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, Generic, Literal, ParamSpec, TypeVar, get_args

import msgspec

from milepost.operations.parameters import Files, InputError, Parameter
from milepost.operations.projection import project
from milepost.operations.run import Run
from milepost.operations.signatures import outputs_of, parameters_of, returns_fields

P = ParamSpec("P")
T = TypeVar("T")

_SERVICE_NAME: Final = re.compile(r"(?:(\w[\w-]*)/)?(\w[\w-]*)\.(\w+)")
_TIME_OF_DAY: Final = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)
_SECTION: Final = re.compile(r"^(?:Args|Returns|Raises|Yields|Example|Examples):[ \t]*$", re.MULTILINE)
_RESERVED: Final = frozenset(
    {
        "f",
        "token",
        "callback",
        "context",
        "returnMessages",
        "returnZ",
        "returnM",
        "returnTrueCurves",
        "returnFeatureCollection",
        "returnColumnName",
        # Arguments that ArcGIS API for Python adds to the function it makes of a task.
        "gis",
        "future",
    }
)

_LIMITS: Final = (
    "max_usage_time",
    "max_wait_time",
    "max_idle_time",
    "max_startup_time",
    "recycle_interval",
    "grace_time",
    "rollback_time",
    "memory_limit",
)
"""Settings that cannot be negative."""


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
    max_startup_time: float = 300.0
    """How long an instance may take to start; 0 for no limit."""
    max_usage_time: float = 600.0
    """How long one job may run, all its attempts together; 0 for no limit."""
    max_wait_time: float = 0.0
    """How long a job may wait for an instance; 0 for no limit."""
    max_idle_time: float = 1800.0
    """How long an instance beyond ``min_instances`` stays ready without work."""
    recycle_interval: float = 24 * 3600.0
    """After how long an instance that had no work is replaced by a fresh one; 0 for never."""
    recycle_start: str = ""
    """Time of day, ``HH:MM`` on the clock of the server, at which all of them are replaced, and again after
    each ``recycle_interval``; empty to count from when an instance was started."""
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
        if not isinstance(self.name, str) or not _SERVICE_NAME.fullmatch(self.name):
            raise ValueError(f"service name {self.name!r} is not of the form Folder/Name.Type")
        executions = get_args(Service.__annotations__["execution"])
        if self.execution not in executions:
            raise ValueError(f"service {self.name}: execution must be one of {', '.join(executions)}")
        for field in ("min_instances", "max_instances", "memory_limit"):
            if type(getattr(self, field)) is not int:
                raise ValueError(f"service {self.name}: {field} must be a whole number")
        if not 0 <= self.min_instances <= self.max_instances or self.max_instances < 1:
            raise ValueError(f"service {self.name}: instances must satisfy 0 <= min <= max and 1 <= max")
        for field in _LIMITS:
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise ValueError(f"service {self.name}: {field} must be a number and not negative")
        if not isinstance(self.recycle_start, str) or (
            self.recycle_start and not _TIME_OF_DAY.fullmatch(self.recycle_start)
        ):
            raise ValueError(
                f"service {self.name}: recycle_start must be a time of day such as 03:30, or empty"
            )

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
        _refuse_unfit(function)
        self.function: Final = function
        self.declared_in: Final = service
        """The service as this operation declares it; a bare name stands for default settings."""
        self.service = service
        """The service with the settings in force: another operation of it may declare them."""
        self.name: Final = name
        self.retries: Final = retries
        self.resume: Final = resume
        self.priority: Final = priority
        self.inputs: Final[list[Parameter]] = parameters_of(function)
        self.outputs: Final[list[Parameter]] = outputs_of(function)
        self._returns_fields: Final = returns_fields(function)
        self.__doc__ = function.__doc__
        self.__name__ = name
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__wrapped__ = function
        self._check_declaration()

    def _check_declaration(self) -> None:
        """Refuse what would only fail later, in a client or while a job runs."""
        if not self.name.isidentifier() or keyword.iskeyword(self.name):
            raise ValueError(f"operation name {self.name!r} must be a Python identifier, such as make_tiles")
        for setting in ("retries", "priority"):
            if type(getattr(self, setting)) is not int:
                raise ValueError(f"operation {self.name}: {setting} must be a whole number")
        if self.retries < 0:
            raise ValueError(f"operation {self.name}: retries must not be negative")
        for parameter in self.inputs:
            if parameter.name in _RESERVED:
                raise TypeError(
                    f"operation {self.name}: parameter name {parameter.name!r} is taken by the protocols"
                )
            if keyword.iskeyword(_snake_case(parameter.name)):
                raise TypeError(
                    f"operation {self.name}: parameter name {parameter.name!r} is a word of Python in snake case, "
                    "as clients write it"
                )
        for side in (self.inputs, self.outputs):
            known: dict[str, str] = {}
            for parameter in side:
                other = known.setdefault(_snake_case(parameter.name), parameter.name)
                if other != parameter.name:
                    raise TypeError(
                        f"operation {self.name}: {other!r} and {parameter.name!r} are the same in snake case, "
                        "as clients write them"
                    )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the function here and now. A value given as text is read as if a client had sent it."""
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        bound.apply_defaults()
        for parameter in self.inputs:
            value = bound.arguments[parameter.name]
            if _is_text_for(parameter, value):
                bound.arguments[parameter.name] = parameter.load(parameter.check(value))
        return self.function(*bound.args, **bound.kwargs)

    def __reduce__(self) -> str:
        # Pickled by its name, as the function would be, whose place in the module it took.
        return self.__qualname__

    def __repr__(self) -> str:
        return f"<operation {self.service.name} {self.name}>"

    @cached_property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @cached_property
    def description(self) -> str:
        """The docstring without its ``Args:`` and the other sections for programmers."""
        return _SECTION.split(inspect.getdoc(self.function) or "")[0].strip()

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
                    checked[parameter.name] = copy.deepcopy(parameter.default)
                continue
            try:
                checked[parameter.name] = parameter.check(raw)
            except ValueError as error:
                problems.append(f"Parameter '{parameter.name}': {error}")
        if problems:
            raise InputError(problems)
        return checked

    def perform(
        self,
        run: Run,
        inputs: dict[str, Any],
        files: Files | None = None,
        output_reference: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Run the function on checked inputs; returns the JSON form of each output by name.

        Args:
            run: what the function talks to.
            inputs: as ``check`` returned them.
            files: where files come from and go to.
            output_reference: the Esri ``spatialReference`` in which features should come back. What
                cannot be brought into it stays as it is, and the run says so.

        Raises:
            TypeError: it returned something else than it declares.
        """
        values = {
            each.name: each.load(inputs.get(each.name), files)
            for each in self.inputs
            if each.name in inputs or (not each.required and each.default is None)
        }
        returned: Any = self(run, **values)  # type: ignore[arg-type]
        if not self.outputs:
            return {}
        if not self._returns_fields:
            return {"result": self._dump(run, self.outputs[0], returned, files, output_reference)}
        names = [output.name for output in self.outputs]
        if not all(hasattr(returned, name) for name in names):
            raise TypeError(
                f"the operation should return {', '.join(names)}, but it returned {type(returned).__name__}"
            )
        return {
            each.name: self._dump(run, each, getattr(returned, each.name), files, output_reference)
            for each in self.outputs
        }

    def _dump(
        self, run: Run, output: Parameter, value: Any, files: Files | None, reference: dict[str, Any] | None
    ) -> Any:
        if reference and output.kind == "features":
            try:
                value = project(value, reference)
            except ValueError as error:
                name = reference.get("wkid", "that was asked for")
                run.message(
                    f"The result {output.name} could not be brought into the spatial reference {name}"
                    f" and stays in its own: {error}",
                    level="warning",
                )
        return output.dump(value, files)


def _refuse_unfit(function: Any) -> None:
    """Refuse what is no plain function that runs from its start to its end.

    Raises:
        TypeError: says what it is instead.
    """
    if isinstance(function, Operation):
        raise TypeError(f"{function.__qualname__} is an operation already")
    plain = inspect.unwrap(function) if callable(function) else function
    if not inspect.isfunction(plain) or not hasattr(function, "__qualname__"):
        raise TypeError(
            f"{function!r} is no function; an operation is a plain function: def buffer(run: Run)"
        )
    name = function.__qualname__
    own = name.rpartition("<locals>.")[2]
    if "." in own:
        raise TypeError(f"{name} is a method; an operation is a plain function of a module")
    if own == "<lambda>":
        raise TypeError("a lambda has no name and no type hints; an operation is a plain function")
    if inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain):
        raise TypeError(
            f"{name} is async; an operation has a process of its own and may block: write def, "
            "and call asyncio.run inside where a library needs it"
        )
    if inspect.isgeneratorfunction(plain):
        raise TypeError(
            f"{name} is a generator; an operation tells its progress to the run and returns its result"
        )


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _is_text_for(parameter: Parameter, value: Any) -> bool:
    """Whether a value is the text of something that is no text itself, such as a default ``"100 Meters"``."""
    if isinstance(value, list | tuple):
        return any(_is_text_for(parameter, each) for each in value)
    return (
        isinstance(value, str)
        and parameter.kind not in ("raster", "file")
        and not (isinstance(parameter.hint, type) and issubclass(str, parameter.hint))
        and not isinstance(value, parameter.hint)
    )


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
        TypeError: it is no plain function, or has a parameter that no client could fill.
        ValueError: the service or one of the other settings cannot be meant.
    """
    home = Service(name=service) if isinstance(service, str) else service

    def declare(function: Callable[P, T]) -> Operation[P, T]:
        return Operation(
            function,
            service=home,
            name=name or getattr(function, "__name__", ""),
            retries=retries,
            resume=resume,
            priority=priority,
        )

    return declare
