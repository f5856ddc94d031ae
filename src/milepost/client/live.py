"""Showing a job live in a terminal: what it says scrolls by, its progress stays below."""

import threading
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from milepost.client.display import WORDS, Clock, duration, ending
from milepost.client.results import summary
from milepost.client.views import JobView, Message, State

COLOURS: Final[dict[State, str]] = {
    "queued": "blue",
    "running": "cyan",
    "paused": "blue",
    "cancelling": "yellow",
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "cancelled": "yellow",
    "deleted": "yellow",
    "unknown": "magenta",
}

_SIGNS: Final[dict[State, str]] = {"succeeded": "✓", "failed": "✗", "timed_out": "✗"}
_STAGE_SIGNS: Final = {
    "finished": ("✓", "green"),
    "failed": ("✗", "red"),
    "started": ("●", "cyan"),
    "pending": ("○", "dim"),
    "skipped": ("-", "dim"),
}
_STOPPED: Final = "■"
_LEVEL_STYLES: Final = {"info": "", "warning": "yellow", "error": "red"}
_BAR: Final = 44  # columns
_REDRAW: Final = 0.1  # seconds


class LiveDisplay:
    """The job's present state at the bottom of the terminal, its messages above."""

    def __init__(self, console: Console, title: str, *, submitted: bool = False):
        """Show on ``console``, which must be a terminal, until ``close``."""
        self._console: Final = console
        self._title: Final = title
        self._clock: Final = Clock(submitted)
        self._spinner: Final = Spinner("dots")
        self._view: JobView | None = None
        self._live: Final = Live(self, console=console, auto_refresh=False, transient=True)
        # Live has a thread for this, but what it draws can come between the lines that others print.
        self._drawing: Final = threading.Lock()
        self._closed: Final = threading.Event()
        self._live.start()
        threading.Thread(target=self._keep_drawing, daemon=True).start()

    def show(self, view: JobView, new: list[Message]) -> None:
        """Print what is new; the rest is drawn from ``view`` until the next change."""
        self._view = view
        for message in new:
            self._line(Text(message.text.rstrip(), _LEVEL_STYLES[message.level]), message.code)

    def note(self, text: str) -> None:
        """Print a remark about the watching."""
        self._line(Text(text, "magenta"))

    def finish(self, view: JobView) -> None:
        """Replace the live part by how it ended, why, and what came out."""
        self._view = view
        self.close()
        colour = COLOURS[view.state]
        line = Text.assemble(
            (f"{_SIGNS.get(view.state, _STOPPED)} ", colour),
            (self._title, "bold"),
            (f" {ending(view, self._clock)}", colour),
        )
        self._console.print(line)
        if view.stages:
            self._console.print(Padding(_stages(view), (0, 0, 0, 2), expand=False))
        width = max((len(result.name) for result in view.results), default=0)
        for result in view.results:
            told = summary(result.value)
            name = f"  {result.name:<{width}}  "
            if told:
                self._console.print(Text.assemble(name, (told, "bold")))
            if result.url:
                # Not broken into lines here: an address is for copying.
                head = " " * len(name) if told else name
                self._console.print(Text.assemble(head, (result.url, "dim")), soft_wrap=True)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._closed.set()
        with self._drawing:
            self._live.stop()

    def _keep_drawing(self) -> None:
        while not self._closed.wait(_REDRAW):
            with self._drawing:
                self._live.refresh()

    def _line(self, text: Text, code: int = 0) -> None:
        table = Table.grid(padding=(0, 2))
        clock = Text(f"{duration(self._clock.seconds(self._view)):>8}", "dim")
        table.add_row(clock, Text.assemble(text, (f"  {code}", "dim")) if code else text)
        with self._drawing:
            self._console.print(table)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The live part: name and status, progress, stages."""
        view = self._view
        now = duration(self._clock.seconds(view))
        if view is None:
            yield Text.assemble(self._turning(console), (self._title, "bold"), ("  asking the server", "dim"))
            return
        colour = COLOURS[view.state]
        yield Text.assemble(
            self._turning(console),
            (self._title, "bold"),
            (f"  {WORDS[view.state]}", colour),
            (f"  {now}  {view.id}", "dim"),
            no_wrap=True,
            overflow="ellipsis",
        )
        if view.state != "queued":
            bar = ProgressBar(
                total=1.0,
                completed=view.fraction or 0.0,
                width=max(10, min(_BAR, options.max_width - 30)),
                pulse=view.fraction is None and view.state in ("running", "cancelling"),
                complete_style=colour,
                finished_style=colour,
                pulse_style=colour,
            )
            table = Table.grid(padding=(0, 1))
            percent = "" if view.fraction is None else f"{view.fraction:4.0%}"
            doing = Text(view.doing.replace("\n", " "), "dim", no_wrap=True, overflow="ellipsis")
            table.add_row(" ", bar, percent, doing)
            yield table
        if view.stages:
            yield Padding(_stages(view), (0, 0, 0, 2), expand=False)

    def _turning(self, console: Console) -> Text:
        state = self._view.state if self._view else "queued"
        frame = self._spinner.render(console.get_time())
        return Text.assemble(frame if isinstance(frame, Text) else "", " ", style=COLOURS[state])


def _stages(view: JobView) -> Text:
    line = Text()
    for stage in view.stages:
        sign, style = _STAGE_SIGNS[stage.state]
        if stage.state == "started" and view.finished:
            sign, style = _STOPPED, COLOURS[view.state]
        line.append(f"{sign} ", style)
        line.append(stage.name.replace("_", " "), "dim" if stage.state in ("pending", "skipped") else "")
        line.append("   ")
    return line
