"""Makes a sheet although the process is killed at the end of every stage: ``dying.py ORDER FOLDER``.

Each attempt is a process of its own, which kills itself in the moment when a stage is done and nobody knows yet. Then
the next one goes on. Prints a JSON object: ``killed``, the stages in which an attempt ended, ``kept``, what stages
left, and ``path`` of the sheet.
"""

import json
import os
import signal
import sys
from pathlib import Path

import msgspec

from milepost.jobs import events
from milepost.operations import Run
from milepost.operations.run import Notebook
from milepost.servers.production.sheet.make import make_sheet
from milepost.servers.production.sheet.order import Order


class Dies(Notebook):
    """Kills the process before the first result of a stage is recorded that no attempt before had."""

    def __init__(self, answers, known):
        super().__init__()
        self._answers, self._known = answers, known

    def record(self, event):
        """Record what a stage left, or kill the process."""
        if isinstance(event, events.StepFinished):
            if event.name not in self._known:
                self._tell({"killed": event.name})
                os.kill(os.getpid(), signal.SIGKILL)
            self._tell({"kept": [event.name, event.result.value]})
        super().record(event)

    def _tell(self, said):
        self._answers.write(json.dumps(said) + "\n")
        self._answers.flush()


def main():
    order, folder = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Order), Path(sys.argv[2])
    killed, kept, path = [], {}, ""
    while not path:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            with os.fdopen(writing, "w") as answers:
                path = make_sheet(Run(Dies(answers, killed), workspace=folder, steps=kept), order, folder)
                answers.write(json.dumps({"path": str(path)}) + "\n")
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answers:
            for said in map(json.loads, answers):
                if "kept" in said:
                    kept |= [said["kept"]]
                killed += [said["killed"]] if "killed" in said else []
                path = said.get("path", "")
        _, status = os.waitpid(child, 0)
        if not path and os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            sys.exit("an attempt ended otherwise")
    sys.stdout.write(json.dumps({"killed": killed, "kept": kept, "path": path}))


if __name__ == "__main__":
    main()
