"""The command that tells the health of a site."""

import sys
from pathlib import Path
from typing import Any, Final

import click

from milepost.cli.common import FAILED, json_option, print_json, print_line
from milepost.cli.options import Connection, connection_options, pace_of
from milepost.cli.site_options import explained, require_site, running_server_option
from milepost.cli.user import data_option
from milepost.client import Address, BadAnswerError, one_line, watch

_HELP: Final = """\b
Exit codes:
  0  all is well, or there are warnings only
  1  something is failing
  2  the command was not understood
  4  the server cannot be reached, answered wrongly, or refused"""


@click.command(epilog=_HELP)
@running_server_option
@data_option
@json_option
@connection_options
def health(server: Address | None, data: Path, as_json: bool, connection: Connection) -> None:
    """Look at everything that a server needs to do its work, and tell what was seen and what to do.

    With --server, the server looks, also whether each of its services can start an instance. Without,
    only the data folder is looked at.
    """
    report = _asked(server, connection) if server is not None else _looked_at(data)
    checks = [each for each in report.get("checks", []) if isinstance(each, dict)]
    if as_json:
        print_json(report)
    else:
        _print(str(report.get("state")), checks)
    if report.get("state") not in ("ok", "warning"):
        sys.exit(FAILED)


def _asked(server: Address, connection: Connection) -> dict[str, Any]:
    url = f"{server.url}/admin/healthCheck"
    with connection.open(server) as session:
        answer = session.post(f"{url}/run", {"async": "true"})
        job = answer.get("jobsUrl") if isinstance(answer, dict) else None
        if not isinstance(job, str):
            raise BadAnswerError(f"{url}/run did not start a job; is it a Milepost server?")
        for _ in watch(session, Address(job), pace_of(60.0)):
            pass
        report = session.get(f"{url}/{job.rpartition('/')[2]}")
    if not isinstance(report, dict) or not isinstance(report.get("checks"), list):
        raise BadAnswerError(f"{url} did not answer with a report; is it a Milepost server?")
    return report


def _looked_at(data: Path) -> dict[str, Any]:
    # Loaded here because the other commands need none of it.
    from milepost.operations import Run
    from milepost.servers.enterprise.operations.health import look

    require_site(data)
    certificate = data / "tls" / "certificate.pem"
    with explained():
        report = look(Run(), data.absolute(), certificate=certificate if certificate.is_file() else None)
    return {"state": report.state, "checks": [each["attributes"] for each in report.checks.features]}


def _print(state: str, checks: list[dict[str, Any]]) -> None:
    for each in checks:
        name, found, seen, advice = (
            one_line([str(each.get(key) or "")]) for key in ("name", "state", "seen", "advice")
        )
        print_line(f"{found:<8} {name.replace('_', ' '):<18} {seen}")
        if advice:
            print_line(f"{'':<27} -> {advice}")
    print_line(f"Altogether: {state}")
