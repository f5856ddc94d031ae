"""Edits: what clients want changed, and what became of it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from milepost.features import EditResult, FeatureService, LayerEdits, LayerResults
from milepost.http import Call, Parameters, ServiceError, wrong
from milepost.security import Role
from milepost.servers.features.asking import read_ids, read_selection
from milepost.servers.places import read_json


def check_rights(call: Call, service: FeatureService, *needed: str) -> None:
    """Refuse who may not edit a service, and what the service does not do.

    Raises:
        ServiceError: 403, the service is edited by others; 400, by nobody in this way.
    """
    definition = service.definition
    missing = [each for each in needed if each not in definition.capabilities]
    if missing:
        raise ServiceError(400, f"The service does not let anybody {missing[0].lower()} features")
    if call.person.role is not Role.ADMINISTRATOR and not definition.may_edit(call.person.username):
        raise ServiceError(
            403,
            "You do not have permissions to access this resource or perform this operation.",
            ["The features of this service are edited by its owner, its editors and administrators"],
        )


def read_features(given: Parameters, name: str) -> list[Any]:
    """The features of a parameter.

    Raises:
        ServiceError: they are no JSON array, and no object either.
    """
    read = read_json(given, name, list[Any] | dict[str, Any])
    return [read] if isinstance(read, dict) else read or []


def apply(service: FeatureService, edits: Sequence[LayerEdits], given: Parameters) -> list[LayerResults]:
    """Do the edits as the parameters say.

    Raises:
        ServiceError: a parameter does not do.
        FeatureError: there is no such layer, or no such service any more.
    """
    return service.apply(
        edits,
        rollback_on_failure=given.flag("rollbackOnFailure", True),
        use_global_ids=given.flag("useGlobalIds", False),
    )


def delete(service: FeatureService, layer: int, given: Parameters) -> list[EditResult]:
    """Delete features by their ids, by a condition or by a place.

    Raises:
        ServiceError: a parameter does not do, or none says which.
        FeatureError: the layer cannot be asked that.
    """
    if given.get("where") or given.get("geometry"):
        return service.delete(layer, read_selection(given, service.definition.wkid))
    ids = read_ids(given.get("objectIds"))
    if ids is None:
        raise wrong("objectIds", "say which features to delete, with objectIds, where or geometry")
    return apply(service, [LayerEdits(layer=layer, deletes=ids)], given)[0].deletes


def of_layer(layer: int, given: Parameters) -> LayerEdits:
    """The parameters of ``applyEdits`` on a layer.

    Raises:
        ServiceError: one does not do.
    """
    return LayerEdits(
        layer=layer,
        adds=read_features(given, "adds"),
        updates=read_features(given, "updates"),
        deletes=_deletes(given.get("deletes"), given),
    )


class _Edits(msgspec.Struct):
    id: int
    adds: list[Any] | None = None
    updates: list[Any] | None = None
    deletes: list[int | str] | str | None = None


def of_service(given: Parameters) -> list[LayerEdits]:
    """The parameters of ``applyEdits`` on a service.

    Raises:
        ServiceError: one does not do.
    """
    read = read_json(given, "edits", list[_Edits]) or []
    return [
        LayerEdits(
            layer=each.id,
            adds=each.adds or [],
            updates=each.updates or [],
            deletes=_deletes(each.deletes, given)
            if isinstance(each.deletes, str)
            else _named(each.deletes or [], given),
        )
        for each in read
    ]


def _deletes(text: str, given: Parameters) -> Sequence[int | str]:
    if text.strip().startswith("["):
        try:
            return _named(msgspec.json.decode(text, type=list[int | str]), given)
        except (msgspec.DecodeError, RecursionError) as error:
            raise wrong("deletes", f"it is not the JSON that belongs there ({error})") from None
    if given.flag("useGlobalIds", False):
        return _named([each.strip() for each in text.split(",") if each.strip()], given)
    return read_ids(text) or ()


def _named(ids: list[int | str], given: Parameters) -> Sequence[int | str]:
    """The ids as the file knows them."""
    if not given.flag("useGlobalIds", False):
        return read_ids(",".join(map(str, ids))) or ()
    return [
        str(each).strip().upper() if str(each).strip().startswith("{") else f"{{{str(each).strip()}}}".upper()
        for each in ids
    ]


def results(of: Sequence[EditResult]) -> list[dict[str, Any]]:
    """What became of edits, as clients get it."""
    return [_result(each) for each in of]


def _result(each: EditResult) -> dict[str, Any]:
    said: dict[str, Any] = {
        "objectId": -1 if each.object_id is None else each.object_id,
        "uniqueId": -1 if each.object_id is None else each.object_id,
        "globalId": each.global_id,
        "success": each.success,
    }
    if not each.success:
        said["error"] = {"code": each.code, "description": each.problem}
    return said


def layer_results(of: LayerResults) -> dict[str, Any]:
    """What became of ``applyEdits`` on a layer."""
    return {
        "addResults": results(of.adds),
        "updateResults": results(of.updates),
        "deleteResults": results(of.deletes),
    }
