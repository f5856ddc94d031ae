"""What holds for all tests."""

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("milepost", deadline=None)
settings.load_profile("milepost")

_LONG = (
    *("crash", "test_demo", "test_while_used", "test_serving", "test_with_server", "test_restart"),
    *("tests/benchmarks/", "tests/browser/", "tests/clients/"),
)
"""Parts of the paths of files that take up to minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long: at the end one worker would be left with them, and the others be idle."""
    items.sort(key=lambda each: not any(part in each.nodeid.partition("::")[0] for part in _LONG))
