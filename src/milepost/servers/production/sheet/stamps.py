"""Whether the files that a sheet is made from are still those of its beginning."""

from collections.abc import Iterable
from pathlib import Path

from milepost.servers.production.sheet.order import Order, Source, Stamp


def stamps(sources: Iterable[Source]) -> dict[str, Stamp]:
    """How the files of sources are now, by their paths.

    Raises:
        ValueError: one is not there.
    """
    return {source.path: _stamp(Path(source.path)) for source in sources}


def check_unchanged(order: Order, sources: Iterable[Source]) -> None:
    """See to it that sources are as they were when the order was begun.

    Args:
        order: with their stamps; a source without one may be as it likes.
        sources: those that are about to be read.

    Raises:
        ValueError: one was changed or is gone; the text says what to do.
    """
    for source in sources:
        before = order.stamps.get(source.path)
        if before is not None and _stamp(Path(source.path)) != before:
            raise ValueError(
                f"the source {Path(source.path).name} was changed after this sheet was begun, which would be made from "
                "both; ask for the sheet anew"
            )


def _stamp(path: Path) -> Stamp:
    try:
        about = path.stat()
    except OSError as error:
        raise ValueError(
            f"the source {path.name} cannot be read ({error.strerror}); put it back, or correct the file of sources, "
            "and ask for the sheet anew"
        ) from error
    return Stamp(size=about.st_size, changed=about.st_mtime_ns)
