"""How a job gets run: instances, pools of them, one supervisor for each job, and the embedded engine."""

from milepost.engine.instances import StartError
from milepost.engine.local import Engine

__all__ = ["Engine", "StartError"]
