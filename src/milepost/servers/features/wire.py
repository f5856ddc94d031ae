"""The JSON of feature services and their layers: what clients read before they ask for features."""

from typing import Any, Final

from milepost.features import (
    STATISTICS,
    Bounds,
    Content,
    FeatureService,
    Field,
    FieldType,
    GeometryType,
    Layer,
    form_of,
)

VERSION: Final = 11.4
"""Release of ArcGIS Server that these answers follow."""

FORMATS: Final = "JSON, geoJSON"
"""Forms of the features in an answer to a query."""

_WORLD: Final[dict[int, Bounds]] = {
    4326: (-180.0, -90.0, 180.0, 90.0),
    3857: (-20037508.342787, -20037508.342787, 20037508.342787, 20037508.342787),
}
_SQL_TYPES: Final = {
    FieldType.OBJECT_ID: "sqlTypeBigInt",
    FieldType.GLOBAL_ID: "sqlTypeGUID",
    FieldType.GUID: "sqlTypeGUID",
    FieldType.TEXT: "sqlTypeNVarchar",
    FieldType.SHORT: "sqlTypeSmallInt",
    FieldType.LONG: "sqlTypeInteger",
    FieldType.BIG: "sqlTypeBigInt",
    FieldType.SINGLE: "sqlTypeReal",
    FieldType.DOUBLE: "sqlTypeDouble",
    FieldType.MOMENT: "sqlTypeTimestamp2",
    FieldType.DAY: "sqlTypeDate",
}
_COLORS: Final = ([0, 92, 230, 255], [0, 132, 88, 255], [214, 69, 65, 255], [130, 70, 175, 255])
_EDITING: Final = ("Create", "Update", "Delete")


def service(about: FeatureService, contents: list[Content]) -> dict[str, Any]:
    """The service resource."""
    definition = about.definition
    features = [each for each in contents if each.bounds is not None]
    bounds = [each.bounds for each in features if each.bounds]
    whole = (
        (
            min(each[0] for each in bounds),
            min(each[1] for each in bounds),
            max(each[2] for each in bounds),
            max(each[3] for each in bounds),
        )
        if bounds
        else None
    )
    extent = _extent(whole, definition.wkid)
    return {
        "currentVersion": VERSION,
        "serviceDescription": definition.description,
        "hasVersionedData": False,
        "hasArchivedData": False,
        "hasBranchVersionedData": False,
        "hasSharedDomains": False,
        "supportsDisconnectedEditing": False,
        "supportsDatumTransformation": True,
        "supportsReturnDeleteResults": True,
        "supportsApplyEditsWithGlobalIds": True,
        "supportsAppend": False,
        "supportsSharedDomains": False,
        "supportsTemporalLayers": any(each.time_field for each in definition.layers),
        "supportsWebHooks": False,
        "supportsQueryDomains": False,
        "supportsQueryContingentValues": False,
        "supportsLayerOverrides": False,
        "supportsTilesAndBasicQueriesMode": True,
        "supportedQueryFormats": FORMATS,
        "syncEnabled": False,
        "allowGeometryUpdates": _edits(about),
        "allowTrueCurvesUpdates": False,
        "onlyAllowTrueCurveUpdatesByTrueCurveClients": False,
        "maxRecordCount": definition.max_records,
        "maxRecordCountFactor": 1,
        "capabilities": capabilities(about),
        "description": definition.description,
        "copyrightText": "",
        "units": "esriDecimalDegrees" if definition.wkid == 4326 else "esriMeters",
        "spatialReference": form_of(definition.wkid),
        "initialExtent": extent,
        "fullExtent": extent,
        "enableZDefaults": any(each.has_z for each in definition.layers),
        "zDefault": 0,
        "datesInUnknownTimezone": False,
        "preferredTimeReference": None,
        "advancedEditingCapabilities": {
            "supportsSplit": False,
            "supportsReturnServiceEditsInSourceSR": False,
            "supportsAsyncApplyEdits": False,
            "supportsReturnEditResults": True,
        },
        "editorTrackingInfo": {
            "enableEditorTracking": False,
            "enableOwnershipAccessControl": False,
            "allowOthersToUpdate": True,
            "allowOthersToDelete": True,
        },
        "documentInfo": {
            "Title": about.name,
            "Author": definition.owner,
            "Comments": "",
            "Subject": "",
            "Category": "",
            "Keywords": "",
        },
        "layers": [_listed(number, each) for number, each in enumerate(definition.layers) if each.geometry],
        "tables": [
            _listed(number, each) for number, each in enumerate(definition.layers) if not each.geometry
        ],
        "relationships": [],
    }


def _listed(number: int, layer: Layer) -> dict[str, Any]:
    listed: dict[str, Any] = {
        "id": number,
        "name": layer.title or layer.name,
        "parentLayerId": -1,
        "defaultVisibility": True,
        "subLayerIds": None,
        "minScale": 0,
        "maxScale": 0,
        "type": "Feature Layer" if layer.geometry else "Table",
    }
    return listed | ({"geometryType": layer.geometry} if layer.geometry else {})


def layer(about: FeatureService, number: int, content: Content) -> dict[str, Any]:
    """The resource of a layer or a table."""
    definition = about.definition
    here = definition.layers[number]
    described: dict[str, Any] = {
        "currentVersion": VERSION,
        "id": number,
        "name": here.title or here.name,
        "type": "Feature Layer" if here.geometry else "Table",
        "displayField": here.shown_field,
        "description": here.description,
        "copyrightText": "",
        "defaultVisibility": True,
        "parentLayer": None,
        "subLayers": [],
        "relationships": [],
        "isDataVersioned": False,
        "isDataArchived": False,
        "isDataBranchVersioned": False,
        "isCoGoEnabled": False,
        "supportsAdvancedQueries": True,
        "supportsStatistics": True,
        "supportsAppend": False,
        "supportsCalculate": False,
        "supportsASyncCalculate": False,
        "supportsTruncate": False,
        "supportsAttachmentsByUploadId": False,
        "supportsRollbackOnFailureParameter": True,
        "supportsApplyEditsWithGlobalIds": True,
        "supportsValidateSql": False,
        "supportsCoordinatesQuantization": False,
        "supportsReturningQueryGeometry": False,
        "supportsMultiScaleGeometry": False,
        "supportsExceedsLimitStatistics": False,
        "supportsFieldDescriptionProperty": False,
        "supportsQuantizationEditMode": False,
        "supportsColumnStoreIndex": False,
        "supportedQueryFormats": FORMATS,
        "supportedExportFormats": "",
        "advancedQueryCapabilities": _advanced_query(here),
        "advancedEditingCapabilities": {
            "supportsSplit": False,
            "supportsReturnServiceEditsInSourceSR": False,
            "supportsAsyncApplyEdits": False,
        },
        "useStandardizedQueries": True,
        "capabilities": capabilities(about),
        "maxRecordCount": definition.max_records,
        "standardMaxRecordCount": definition.max_records,
        "standardMaxRecordCountNoGeometry": definition.max_records,
        "tileMaxRecordCount": definition.max_records,
        "maxRecordCountFactor": 1,
        "allowGeometryUpdates": _edits(about),
        "allowTrueCurvesUpdates": False,
        "hasAttachments": False,
        "hasStaticData": not _edits(about),
        "htmlPopupType": "esriServerHTMLPopupTypeNone",
        "hasM": False,
        "hasZ": here.has_z,
        "hasLabels": False,
        "hasContingentValuesDefinition": False,
        "syncCanReturnChanges": False,
        "objectIdField": here.object_id,
        "uniqueIdField": {"name": here.object_id, "isSystemMaintained": True},
        "globalIdField": here.global_id,
        "typeIdField": "",
        "subtypeField": "",
        "fields": [field(each) for each in here.all_fields],
        "indexes": _indexes(here),
        "types": [],
        "templates": [_template(here)],
        "dateFieldsTimeReference": {"timeZone": "UTC", "respectsDaylightSaving": False},
        "datesInUnknownTimezone": False,
        "preferredTimeReference": None,
        "editFieldsInfo": None,
        "ownershipBasedAccessControlForFeatures": None,
        "editingInfo": {
            "lastEditDate": content.changed,
            "schemaLastEditDate": content.changed,
            "dataLastEditDate": content.changed,
        },
        "sourceSpatialReference": form_of(definition.wkid),
        "serviceItemId": None,
        "parentLayerId": -1,
    }
    if here.geometry:
        described |= {
            "geometryType": here.geometry,
            "geometryField": {"name": "Shape", "type": "esriFieldTypeGeometry", "alias": "Shape"},
            "geometryProperties": None,
            "minScale": 0,
            "maxScale": 0,
            "extent": _extent(content.bounds, definition.wkid),
            "spatialReference": form_of(definition.wkid),
            "drawingInfo": here.drawing or _drawing(here.geometry, number),
            "enableZDefaults": here.has_z,
            "zDefault": 0,
        }
    if here.time_field:
        described["timeInfo"] = {
            "startTimeField": here.time_field,
            "endTimeField": None,
            "trackIdField": None,
            "timeExtent": None,
            "timeReference": {"timeZone": "UTC", "respectsDaylightSaving": False},
            "timeInterval": None,
            "timeIntervalUnits": "esriTimeUnitsUnknown",
            "exportOptions": {"useTime": True, "timeDataCumulative": False},
            "hasLiveData": True,
        }
    return described


def field(about: Field) -> dict[str, Any]:
    """The definition of a field."""
    form: dict[str, Any] = {
        "name": about.name,
        "type": about.type,
        "alias": about.title,
        "sqlType": _SQL_TYPES[about.type],
        "nullable": about.nullable,
        "editable": about.editable,
        "domain": None,
        "defaultValue": about.default,
    }
    if about.type is FieldType.TEXT:
        form["length"] = about.length
    elif about.type in (FieldType.GUID, FieldType.GLOBAL_ID):
        form["length"] = 38
    elif about.type is FieldType.MOMENT:
        form["length"] = 8
    return form


def capabilities(about: FeatureService) -> str:
    """What the service lets people do."""
    names = [*about.definition.capabilities, *(["Editing"] if _edits(about) else [])]
    return ",".join(names)


def _edits(about: FeatureService) -> bool:
    return any(each in about.definition.capabilities for each in _EDITING)


def _extent(bounds: Bounds | None, wkid: int) -> dict[str, Any]:
    known = bounds or _WORLD.get(wkid)
    values: tuple[Any, ...] = known or ("NaN",) * 4  # as ArcGIS writes the extent of nothing
    return {
        **dict(zip(("xmin", "ymin", "xmax", "ymax"), values, strict=True)),
        "spatialReference": form_of(wkid),
    }


def _advanced_query(layer: Layer) -> dict[str, Any]:
    return {
        "supportsPagination": True,
        "supportsPaginationOnAggregatedQueries": True,
        "supportsOrderBy": True,
        "supportsDistinct": True,
        "supportsCountDistinct": True,
        "supportsStatistics": True,
        "supportedStatisticTypes": list(STATISTICS),
        "supportsPercentileStatistics": False,
        "supportsHavingClause": False,
        "supportsSqlExpression": False,
        "supportsOutFieldSQLExpression": False,
        "supportsReturningQueryExtent": layer.geometry is not None,
        "supportsQueryWithDistance": False,
        "supportsQueryWithResultType": True,
        "supportsQueryWithDatumTransformation": False,
        "supportsQueryWithHistoricMoment": False,
        "supportsQueryWithCacheHint": False,
        "supportsReturningGeometryCentroid": False,
        "supportsReturningGeometryEnvelope": False,
        "supportsQueryRelatedPagination": False,
        "supportsQueryRelated": False,
        "supportsQueryAttachments": False,
        "supportsQueryAnalytic": False,
        "supportsTopFeaturesQuery": False,
        "supportsLod": False,
        "supportsFullTextSearch": False,
        "supportsMaxRecordCountFactor": False,
        "supportsDefaultSR": True,
        "supportsCurrentUserQueries": False,
        "supportsSpatialAggregationStatistics": False,
        "useStandardizedQueries": True,
    }


def _indexes(layer: Layer) -> list[dict[str, Any]]:
    indexes = [
        {"name": f"{layer.name}_id", "fields": layer.object_id, "isUnique": True},
        {"name": f"{layer.name}_global_id", "fields": layer.global_id, "isUnique": True},
    ]
    if layer.time_field:
        indexes.append({"name": f"{layer.name}_time", "fields": layer.time_field, "isUnique": False})
    if layer.geometry:
        indexes.append({"name": f"{layer.name}_shape", "fields": "Shape", "isUnique": False})
    return [{**each, "isAscending": True, "description": ""} for each in indexes]


def _template(layer: Layer) -> dict[str, Any]:
    tools = {
        GeometryType.POINT: "esriFeatureEditToolPoint",
        GeometryType.MULTIPOINT: "esriFeatureEditToolPoint",
        GeometryType.POLYLINE: "esriFeatureEditToolLine",
        GeometryType.POLYGON: "esriFeatureEditToolPolygon",
    }
    return {
        "name": layer.title or layer.name,
        "description": "",
        "prototype": {"attributes": {each.name: each.default for each in layer.fields if each.editable}},
        "drawingTool": tools[layer.geometry] if layer.geometry else "esriFeatureEditToolNone",
    }


def _drawing(kind: GeometryType, number: int) -> dict[str, Any]:
    """One symbol for all features; layers of a service have colours of their own."""
    color = _COLORS[number % len(_COLORS)]
    outline = {"type": "esriSLS", "style": "esriSLSSolid", "color": color, "width": 1}
    symbol: dict[str, Any]
    if kind is GeometryType.POLYLINE:
        symbol = {**outline, "width": 2}
    elif kind is GeometryType.POLYGON:
        symbol = {"type": "esriSFS", "style": "esriSFSSolid", "color": [*color[:3], 80], "outline": outline}
    else:
        symbol = {
            "type": "esriSMS",
            "style": "esriSMSCircle",
            "color": color,
            "size": 8,
            "angle": 0,
            "xoffset": 0,
            "yoffset": 0,
            "outline": {**outline, "color": [255, 255, 255, 255]},
        }
    renderer = {"type": "simple", "symbol": symbol, "label": "", "description": ""}
    return {"renderer": renderer, "transparency": 0, "labelingInfo": None}
