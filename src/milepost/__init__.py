"""Milepost: long GIS operations as jobs people can trust.

What one needs to write an operation: ``operation``, ``Service``, ``Run`` and the types in ``milepost.types``.
"""

from milepost.operations import Notebook, Run, Service, Stop, operation

__version__ = "0.1.0"

__all__ = ["Notebook", "Run", "Service", "Stop", "operation"]
