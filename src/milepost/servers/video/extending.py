"""How further operations on layers join the Video Server: each brings its routes, and the form on the page."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from starlette.routing import BaseRoute

from milepost.http import Form
from milepost.servers.video.records import Layer


class Extension(NamedTuple):
    """Something that can be done with a layer, beyond playing it."""

    routes: Callable[[], Sequence[BaseRoute]]
    """The routes, below the context."""
    form: Callable[[str, Layer], Form]
    """The form on the page of a layer, whose path it gets."""
