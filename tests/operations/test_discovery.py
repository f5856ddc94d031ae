"""Operations are found in files, in modules and in installed packages; what cannot be loaded says why."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from milepost import Run, Service, operation
from milepost.operations import Catalog, LoadError, find_function, load_catalog
from milepost.operations.discovery import load_file
from milepost.operations.run import function_name


@pytest.fixture(autouse=True)
def _forget_modules(tmp_path: Path) -> Iterator[None]:
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
    importlib.invalidate_caches()


HELLO = """
    from milepost import Run, operation

    @operation(service="Tests/Hello.GPServer")
    def hello(run: Run, name: str = "you") -> str:
        return f"Hello {name}"

    def undo(name: str) -> None: ...
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text), encoding="utf-8")
    return path


def names(catalog: Catalog) -> list[str]:
    return [f"{each.service.name}/{each.name}" for each in catalog]


# -- files and modules ---------------------------------------------------------------------------


def test_a_file_is_a_source(tmp_path: Path) -> None:
    path = written(tmp_path, "my tools.py", HELLO)
    catalog = load_catalog([str(path)])
    assert names(catalog) == ["Tests/Hello.GPServer/hello"]
    found = catalog.get("Tests/Hello.GPServer", "hello")
    assert found is not None
    assert found.perform(Run(), {}) == {"result": "Hello you"}
    assert catalog.get("Tests/Hello.GPServer", "bye") is None
    assert catalog.of("Tests/Hello.GPServer") == [found]
    assert catalog.of("Tests/Bye.GPServer") == []


def test_a_module_is_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "hello_package/__init__.py", "")
    written(tmp_path, "hello_package/tools.py", HELLO)
    monkeypatch.syspath_prepend(tmp_path)
    assert names(load_catalog(["hello_package.tools"])) == ["Tests/Hello.GPServer/hello"]


def test_without_sources_only_installed_packages_count() -> None:
    assert "Tests/Hello.GPServer/hello" not in names(load_catalog([]))


def test_the_same_file_twice_is_one_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "tools.py", HELLO)
    link = tmp_path / "link.py"
    link.symlink_to(path)
    monkeypatch.chdir(tmp_path)
    assert len(names(load_catalog(["tools.py", "./tools.py", str(path), str(link)]))) == 1


def test_files_of_one_name_in_two_folders_are_two_sources(tmp_path: Path) -> None:
    first = written(tmp_path, "a/tools.py", HELLO)
    second = written(tmp_path, "b/tools.py", HELLO.replace("hello(", "bye("))
    assert [each.name for each in load_catalog([str(first), str(second)])] == ["hello", "bye"]


def test_an_operation_that_another_source_imports_is_still_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "hello_tools.py", HELLO)
    path = written(tmp_path, "more.py", "from hello_tools import hello as greet")
    monkeypatch.syspath_prepend(tmp_path)
    assert [each.name for each in load_catalog(["hello_tools", str(path)])] == ["hello"]


def test_functions_of_a_file_can_be_recorded_for_rollback(tmp_path: Path) -> None:
    module = load_file(written(tmp_path, "tools.py", HELLO))
    assert find_function(function_name(module.undo)) is module.undo


def test_a_file_may_have_texts_as_annotations_and_types_of_its_own(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "tools.py",
        """
        from __future__ import annotations
        from dataclasses import dataclass
        from milepost import Run, operation

        @dataclass
        class Size:
            width: float
            height: float

        @operation(service="Tests/Hello.GPServer")
        def measure(run: Run, scale: float = 1) -> Size:
            return Size(scale, scale)
        """,
    )
    (found,) = load_catalog([str(path)])
    assert found.perform(Run(), {"scale": 2.0}) == {"width": 2.0, "height": 2.0}


# -- what cannot be loaded -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def broken(:", r"cannot be loaded: SyntaxError: .*line 1"),
        ("\n\nmissing_name", r"cannot be loaded: NameError: name 'missing_name' is not defined \(line 3\)"),
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("import sys\nsys.exit(2)", r"cannot be loaded: SystemExit: 2 \(line 2\)"),
        ("'\x00'", "cannot be loaded"),
        ("", "declares no operation; decorate a function with @operation"),
        (
            """
            from milepost import Run, operation
            @operation(service="Tests")
            def work(run: Run): ...
            """,
            "service name 'Tests' is not of the form",
        ),
        (
            """
            from milepost import Run, operation
            @operation(service="A/B.GPServer")
            async def work(run: Run): ...
            """,
            "work is async",
        ),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, "tools.py", text)
    for _ in range(2):  # a failure leaves nothing half loaded behind
        with pytest.raises(LoadError, match=said) as caught:
            load_catalog([str(path)])
        assert str(caught.value).startswith(str(path))


def test_a_file_that_was_mended_loads(tmp_path: Path) -> None:
    path = written(tmp_path, "tools.py", "broken(")
    with pytest.raises(LoadError):
        load_catalog([str(path)])
    written(tmp_path, "tools.py", HELLO)
    assert len(names(load_catalog([str(path)]))) == 1


def test_a_missing_source_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LoadError, match=r"nowhere\.py: there is no such file"):
        load_catalog(["nowhere.py"])
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(LoadError, match="there is no such file"):
        load_catalog([str(tmp_path / "folder.py")])
    for name in ("no_such_module_at_all", "", ".relative", "a/b"):
        with pytest.raises(LoadError, match=f"^module {name} cannot be loaded"):
            load_catalog([name])
    written(tmp_path, "mine.py", HELLO)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LoadError, match=r"for a file, write mine\.py$"):
        load_catalog(["mine"])


# -- installed packages --------------------------------------------------------------------------


def installed(folder: Path, package: str, entry_points: str) -> None:
    """What installing a package leaves: its metadata beside its modules."""
    written(
        folder, f"{package}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
    )
    written(folder, f"{package}-1.0.dist-info/entry_points.txt", entry_points)


def test_an_installed_package_brings_its_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "hello_dist/__init__.py", "")
    written(tmp_path, "hello_dist/tools.py", HELLO)
    written(tmp_path, "hello_dist/more.py", HELLO.replace("hello(", "bye("))
    installed(
        tmp_path,
        "hello_dist",
        """
        [milepost.operations]
        b_tools = hello_dist.tools
        a_more = hello_dist.more:anything
        """,
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = [each for each in load_catalog([]) if each.service.name == "Tests/Hello.GPServer"]
    assert [each.name for each in found] == ["bye", "hello"]
    both = load_catalog(["hello_dist.tools"])
    assert len([each for each in both if each.name == "hello"]) == 1


def test_an_installed_package_that_is_broken_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "broken_dist.py", "1 / 0")
    installed(tmp_path, "broken_dist", "[milepost.operations]\ntools = broken_dist\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        LoadError,
        match="module broken_dist of the installed package broken_dist cannot be loaded: ZeroDivisionError",
    ):
        load_catalog([])


# -- services ------------------------------------------------------------------------------------

BUSY = Service(name="Tests/Busy.GPServer", max_instances=7, execution="synchronous")


def test_two_operations_of_one_name_are_refused_with_their_files(tmp_path: Path) -> None:
    first = written(tmp_path, "a.py", HELLO)
    second = written(tmp_path, "b.py", HELLO)
    with pytest.raises(LoadError, match="has two operations named 'hello'") as caught:
        load_catalog([str(first), str(second)])
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)


@pytest.mark.parametrize("turned", [False, True])
def test_a_service_named_in_one_place_and_declared_in_another_is_one(turned: bool) -> None:
    @operation(service="Tests/Busy.GPServer")
    def named(run: Run) -> None: ...

    @operation(service=BUSY)
    def declared(run: Run) -> None: ...

    catalog = Catalog([declared, named] if turned else [named, declared])
    assert catalog.services == {"Tests/Busy.GPServer": BUSY}
    assert named.service is declared.service is BUSY
    assert len(catalog.of("Tests/Busy.GPServer")) == 2


def test_a_service_declared_twice_must_be_the_same() -> None:
    @operation(service=BUSY)
    def first(run: Run) -> None: ...

    @operation(service=Service(name="Tests/Busy.GPServer", max_instances=7, execution="synchronous"))
    def second(run: Run) -> None: ...

    @operation(service=Service(name="Tests/Busy.GPServer", max_instances=8))
    def third(run: Run) -> None: ...

    assert len(Catalog([first, second]).services) == 1
    with pytest.raises(
        LoadError, match=r"service Tests/Busy\.GPServer is declared twice with different settings"
    ):
        Catalog([first, third])


def test_catalogs_do_not_mix_their_services() -> None:
    @operation(service="Tests/Busy.GPServer")
    def named(run: Run) -> None: ...

    @operation(service=BUSY)
    def first(run: Run) -> None: ...

    other = Service(name="Tests/Busy.GPServer", max_instances=8)

    @operation(service=other)
    def second(run: Run) -> None: ...

    Catalog([named, first])
    assert Catalog([named, second]).services["Tests/Busy.GPServer"] == other
    assert Catalog([named]).services["Tests/Busy.GPServer"] == Service(name="Tests/Busy.GPServer")
