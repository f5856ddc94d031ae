"""How work is written: services, operations, their parameters, and the run that an operation talks to."""

from milepost.operations.definition import Operation, Service, operation
from milepost.operations.discovery import Catalog, LoadError, load_catalog
from milepost.operations.parameters import Files, InputError, Parameter
from milepost.operations.projection import OUTPUT_REFERENCE, read_output_reference
from milepost.operations.run import Channel, Notebook, Run, Stop, find_function, function_name

__all__ = [
    "OUTPUT_REFERENCE",
    "Catalog",
    "Channel",
    "Files",
    "InputError",
    "LoadError",
    "Notebook",
    "Operation",
    "Parameter",
    "Run",
    "Service",
    "Stop",
    "find_function",
    "function_name",
    "load_catalog",
    "operation",
    "read_output_reference",
]
