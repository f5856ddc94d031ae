"""The command that shows it work: real jobs on real input, on a real server, through HTTP."""

import importlib.util
import signal
import sys
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click
import psutil
from rich.console import Console
from rich.text import Text

from milepost.cli import demo_sheet, demo_video
from milepost.cli.common import FAILED, INTERRUPTED, Problem
from milepost.cli.demo_errands import Errand, errands, long_errand
from milepost.cli.local_server import LocalServer
from milepost.cli.options import display_for, reported_errors
from milepost.client import Address, BadAnswerError, Display, JobView, Pace, Session, duration, follow
from milepost.security.passwords import generate
from milepost.servers.production import needs

USER: Final = "demo"
PACE: Final = Pace(first=0.05, longest=0.25)
MIDDLE: Final = 0.33
"""Share of the work after which the job that is too much is cancelled."""
STOP_LIMIT: Final = 10.0
"""Seconds within which a cancelled job must have stopped."""

_NEEDS: Final = ("geopandas", "matplotlib", "pyogrio", "pyproj", "shapely")


class Demonstration:
    """What is shown, and whether all of it was as promised."""

    def __init__(self, console: Console, server: LocalServer, session: Session):
        """On a running server, signed in."""
        self._console: Final = console
        self._server: Final = server
        self._session: Final = session
        self._shown = 0
        self._made_sheet: bytes | None = None
        self.broken: Final[list[str]] = []
        """Promises that were not kept."""

    def run(self, errand: Errand) -> None:
        """Submit a job, show it, and look at what came out."""
        address, display = self._submit(errand)
        view = follow(self._session, address, display, PACE)
        if view.state != "succeeded":
            self._break(f"{errand.name} {view.state.replace('_', ' ')} instead of succeeding")
            return
        problem = errand.wrong(view.results[0].value) if view.results else "it has no result"
        if problem:
            self._break(f"{errand.name}: {problem}")

    def sheet(self) -> None:
        """Have a map sheet made, and look at the file that came out."""
        self._head(demo_sheet.TITLE)
        if absent := needs.missing():
            self._say(f"  Not shown: {', '.join(absent)} are missing; pip install 'milepost[production]'")
            return
        service = f"{self._server.address}/rest/services/{demo_sheet.SERVICE}"
        self._say(f"   POST {service}/generateProduct", "dim")
        answer = self._session.post(f"{service}/generateProduct", demo_sheet.form())
        url = answer.get("statusUrl") if isinstance(answer, dict) else None
        if not isinstance(url, str):
            raise BadAnswerError(f"{service} did not start a job")
        address = Address(url)
        display = display_for(address, "generateProduct", as_json=False, submitted=True)
        view = follow(self._session, address, display, PACE)
        if view.state != "succeeded" or not view.results:
            self._break(f"the sheet {view.state.replace('_', ' ')} instead of succeeding")
            return
        found = view.results[0].url
        content = demo_sheet.fetched(found, self._session.sign_in().token)
        if problem := demo_sheet.wrong_sheet(content):
            self._break(problem)
        else:
            self._made_sheet = content
        self._say(f"  {demo_sheet.SHOWS}")
        self._say(f"  {found}")

    def video(self) -> None:
        """Have a video published, and look at the layer that came out."""
        self._head(demo_video.TITLE)
        if absent := demo_video.missing():
            self._say(f"  Not shown: {'; '.join(absent)}")
            return
        root = f"{self._server.address}/video/rest"
        self._say(f"   POST {root}/uploads/upload, then addLayer", "dim")
        with self._console.status("Computing the flight"):
            ground, shows = demo_video.ground_of(self._made_sheet)
            address = Address(demo_video.publish(self._session, root, ground))
        display = display_for(address, "addLayer", as_json=False, submitted=True)
        view = follow(self._session, address, display, PACE)
        if view.state != "succeeded":
            self._break(f"the video {view.state.replace('_', ' ')} instead of succeeding")
            return
        layer = demo_video.layer_of(self._session, root, address.url)
        if problem := demo_video.wrong_layer(self._session, layer):
            self._break(problem)
        self._say(f"  {shows}")
        self._say(f"  {layer}")

    def cancel(self, errand: Errand) -> None:
        """Submit a job, cancel it in the middle, and see that nothing of it goes on."""
        address, display = self._submit(errand)
        asked_at = 0.0
        workers: list[psutil.Process] = []

        def cancel_in_the_middle(view: JobView) -> None:
            nonlocal asked_at
            if asked_at or view.state != "running" or (view.fraction or 0) < MIDDLE:
                return
            workers.extend(self._server.processes_of(view.id))
            numbers = ", ".join(str(process.pid) for process in workers)
            display.note(f"Now it is cancelled, while process {numbers} works on it.")
            asked_at = time.monotonic()
            self._session.post(f"{address.url}/cancel")

        view = follow(self._session, address, display, PACE, cancel_in_the_middle)
        workers += self._server.processes_of(view.id)
        psutil.wait_procs(workers, timeout=STOP_LIMIT)
        seconds = time.monotonic() - asked_at
        left = [process.pid for process in workers if process.is_running()]
        if not asked_at or not workers:
            self._break(f"{errand.name} was over before it could be cancelled")
        elif view.state != "cancelled":
            self._break(f"{errand.name} is {view.state.replace('_', ' ')}, not cancelled")
        elif left:
            self._break(f"{errand.name} is cancelled, but process {left[0]} still runs")
        elif seconds > STOP_LIMIT:
            self._break(f"{errand.name} needed {duration(seconds)} to stop")
        else:
            self._say(f"  Stopped {seconds:.2f} s after it was asked to; no process of it is left.")

    def _submit(self, errand: Errand) -> tuple[Address, Display]:
        """Submit a job; returns its address and where to show it."""
        self._head(errand.title)
        task = f"{self._server.address}/rest/services/{errand.task}"
        self._say(f"   POST {task}/submitJob", "dim")
        answer = self._session.post(f"{task}/submitJob", errand.inputs)
        job_id = answer.get("jobId") if isinstance(answer, dict) else None
        if not isinstance(job_id, str):
            raise BadAnswerError(f"{task} did not start a job")
        address = Address(f"{task}/jobs/{quote(job_id)}")
        return address, display_for(address, errand.name, as_json=False, submitted=True)

    def _head(self, title: str) -> None:
        self._shown += 1
        self._console.print()
        self._console.print(Text.assemble((f"{self._shown}  ", "bold cyan"), (title, "bold")))

    def _break(self, promise: str) -> None:
        self.broken.append(promise)
        self._say(f"  Not as promised: {promise}.", "bold red")

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style), soft_wrap=True)


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-data"),
    help="The data folder to use; made if it is not there.",
)
@click.option("--exit", "then_exit", is_flag=True, help="Stop at the end instead of serving on.")
def demo(data: Path, then_exit: bool) -> None:
    """Show it work.

    Starts a real server with a data folder of its own, runs real geoprocessing jobs through HTTP, shows
    each live, cancels one in the middle, and serves on until Ctrl-C. The exit code is 0 if everything was
    as promised.
    """
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise Problem(f"the demonstration needs {', '.join(missing)}: pip install 'milepost[gp]'")
    # Whoever ends this process ends the server with it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(FAILED))
    console = Console(highlight=False)
    server = LocalServer(data)
    broken: list[str] | None = None
    try:
        broken = _show(console, server)
        if not then_exit:
            console.print("\nServing until Ctrl-C.")
            server.wait()
    except KeyboardInterrupt:
        console.print("\nStopping.")
    finally:
        # Asking twice must not leave the server alone.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        code = server.stop()
    if code:
        raise Problem(f"the server ended with exit code {code}; see {server.log}")
    if broken is None:
        sys.exit(INTERRUPTED)
    sys.exit(FAILED if broken else 0)


def _show(console: Console, server: LocalServer) -> list[str]:
    """Start the server and show everything; returns the promises that were not kept."""
    password = generate()
    begun = time.monotonic()
    with console.status("Starting the server"):
        server.start(USER, password)
    console.print(Text("Milepost: long GIS operations as jobs people can trust", "bold"))
    _facts(
        console,
        ("server", f"{server.address}, started in {duration(time.monotonic() - begun)}"),
        ("data", f"{server.data.resolve()}"),
    )
    with reported_errors(), Session(Address(server.address), user=USER, password=password) as session:
        shown = Demonstration(console, server, session)
        for errand in errands():
            shown.run(errand)
        shown.sheet()
        shown.video()
        shown.cancel(long_errand())
    console.print()
    if shown.broken:
        console.print(Text("Not everything was as promised:", "bold red"))
        for promise in shown.broken:
            console.print(Text(f"  {promise}", "red"), soft_wrap=True)
    else:
        console.print(Text("Everything was as promised.", "bold green"))
    _facts(
        console,
        ("address", f"{server.address}/rest/services"),
        ("sign in", f"{USER} with the password {password}"),
        ("jobs", f"MILEPOST_PASSWORD={password} milepost jobs --user {USER} --server {server.address}"),
    )
    return shown.broken


def _facts(console: Console, *facts: tuple[str, str]) -> None:
    for name, fact in facts:
        console.print(Text.assemble((f"  {name:<10}", "dim"), fact), soft_wrap=True)
