"""Operations loaded with this file stumble between any two things that they do; see ``stumbling``.

The places are ``before-message-N`` and ``after-message-N`` for the messages of an instance to the engine, counted
from 1, and ``before-undo`` and ``after-undo``. Each job leaves the number of its last message in the file ``messages``.
"""

import itertools
from collections.abc import Callable
from typing import Any

from milepost import Run, operation
from milepost.engine import instance
from tests.servers.stumbling import always, around, folder

_numbers = itertools.count(1)


def _message(*_: Any, **__: Any) -> str:
    number = next(_numbers)
    (folder() / "messages").write_text(str(number))
    return f"message-{number}"


def _undoing(find: Callable[[str], Callable[..., object]]) -> Callable[[str], Callable[..., object]]:
    return lambda name: around(find(name), always("undo"))


for each in ("tell", "record", "reconfigure"):
    setattr(instance.PipeChannel, each, around(getattr(instance.PipeChannel, each), _message))
instance.find_function = _undoing(instance.find_function)


@operation(service="Stumbling.GPServer")
def nothing(run: Run) -> None:
    """Nothing: a file of operations must have one."""
