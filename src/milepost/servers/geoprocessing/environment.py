"""What a submission says about all of its outputs: ``env:outSR`` and ``context``."""

from typing import Any

import msgspec

from milepost.http import Parameters
from milepost.operations import OUTPUT_REFERENCE, InputError, Operation, read_output_reference


def environment_of(given: Parameters, operation: Operation[..., Any]) -> dict[str, Any]:
    """The attributes of a job that follow from its environment.

    ``context`` goes before ``env:outSR``. Its ``extent`` and ``processSR`` are left to operations
    that declare parameters for such things.

    Raises:
        InputError: a parameter is not understood, or the spatial reference in it is not known.
    """
    reference = None
    for name, text in (
        ("context", _out_sr_of_context(given.get("context"))),
        ("env:outSR", given.get("env:outSR")),
    ):
        if text:
            try:
                read = read_output_reference(text)
            except ValueError as error:
                raise InputError(
                    [f"Parameter '{name}': {'outSR: ' if name == 'context' else ''}{error}"]
                ) from error
            reference = reference or read
    has_features = any(each.kind == "features" for each in operation.outputs)
    return {OUTPUT_REFERENCE: reference} if reference and has_features else {}


def _out_sr_of_context(text: str) -> str:
    """The member ``outSR`` as text; empty when there is none."""
    if not text:
        return ""
    try:
        context = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InputError(
            [f'Parameter \'context\': it must be an object such as {{"outSR": {{"wkid": 4326}}}} ({error})']
        ) from error
    reference = context.get("outSR")
    if reference is None or reference == "":
        return ""
    return reference if isinstance(reference, str) else msgspec.json.encode(reference).decode()
