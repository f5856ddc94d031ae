"""What the pages of feature services show beyond their JSON: the way up and forms."""

from milepost.features import FeatureLayer, FeatureService, Relation
from milepost.http import Call, Field, Form
from milepost.servers.crumbs import Crumbs, above_service, service_path

_YES_OR_NO = ("true", "false")


def full_name(service: FeatureService) -> str:
    """The name of a service with folder and type."""
    return f"{service.name}.FeatureServer"


def above_layer(call: Call, service: FeatureService) -> Crumbs:
    """The pages above a layer."""
    name = f"{service.name.rpartition('/')[2]} (FeatureServer)"
    return [*above_service(call, full_name(service)), (name, service_path(call, full_name(service)))]


def below_layer(call: Call, service: FeatureService, layer: FeatureLayer) -> Crumbs:
    """The pages above what is done with a layer."""
    title = layer.definition.title or layer.definition.name
    return [*above_layer(call, service), (title, f"{service_path(call, full_name(service))}/{layer.id}")]


def query_form(path: str, layer: FeatureLayer) -> Form:
    """The form that queries a layer."""
    place = (
        Field(name="geometry", title="Geometry", kind="long", help="xmin,ymin,xmax,ymax, or x,y, or JSON."),
        Field(
            name="inSR",
            title="Spatial reference of the geometry",
            help="Such as 4326; that of the layer if empty.",
        ),
        Field(name="spatialRel", title="Relation to the geometry", choices=tuple(Relation)),
    )
    return Form(
        action=f"{path}/query",
        title="Query",
        method="get",
        fields=(
            Field(
                name="where", title="Where", value="1=1", help="A condition in SQL, such as name LIKE 'A%'."
            ),
            Field(name="objectIds", title="Object IDs", help="Whole numbers with commas between."),
            Field(
                name="time",
                title="Time",
                help="Milliseconds since 1970: a moment, or two with a comma between.",
            ),
            *(place if layer.definition.geometry else ()),
            Field(name="outFields", title="Fields", value="*"),
            Field(name="orderByFields", title="Order by", help="Such as name ASC, OBJECTID DESC."),
            Field(name="returnGeometry", title="With geometry", choices=_YES_OR_NO),
            Field(name="outSR", title="Spatial reference of the answer"),
            Field(name="returnCountOnly", title="Only the count", choices=_YES_OR_NO),
            Field(name="returnIdsOnly", title="Only the IDs", choices=_YES_OR_NO),
            Field(name="returnDistinctValues", title="Distinct values", choices=_YES_OR_NO),
            Field(name="outStatistics", title="Statistics", kind="long"),
            Field(name="groupByFieldsForStatistics", title="Group by"),
            Field(name="resultOffset", title="Pass over", help="How many features."),
            Field(name="resultRecordCount", title="At most", help="How many features."),
            Field(name="f", title="Format", choices=("html", "json", "pjson", "geojson"), required=True),
        ),
    )


def service_query_form(path: str) -> Form:
    """The form that queries the layers of a service."""
    return Form(
        action=f"{path}/query",
        title="Query",
        method="get",
        fields=(
            Field(name="layerDefs", title="Layers", help='Such as {"0": "1=1"}; all layers if empty.'),
            Field(name="geometry", title="Geometry", kind="long", help="xmin,ymin,xmax,ymax, or JSON."),
            Field(name="returnCountOnly", title="Only the count", choices=_YES_OR_NO),
        ),
    )


def service_edit_form(path: str) -> Form:
    """The form that edits the layers of a service."""
    return Form(
        action=f"{path}/applyEdits",
        title="Apply edits",
        fields=(
            Field(
                name="edits",
                title="Edits",
                kind="long",
                help="A JSON array of objects with id, adds, updates, deletes.",
            ),
            _ROLLBACK,
        ),
    )


def edit_forms(path: str) -> list[Form]:
    """The forms that edit a layer."""
    features = Field(
        name="features",
        title="Features",
        kind="long",
        required=True,
        help="A JSON array of objects with attributes and geometry.",
    )
    return [
        Form(action=f"{path}/addFeatures", title="Add features", fields=(features, _ROLLBACK)),
        Form(action=f"{path}/updateFeatures", title="Update features", fields=(features, _ROLLBACK)),
        Form(
            action=f"{path}/deleteFeatures",
            title="Delete features",
            fields=(
                Field(name="objectIds", title="Object IDs", help="Whole numbers with commas between."),
                Field(name="where", title="Where", help="A condition in SQL."),
                _ROLLBACK,
            ),
        ),
        Form(
            action=f"{path}/applyEdits",
            title="Apply edits",
            fields=(
                Field(name="adds", title="Features to add", kind="long"),
                Field(name="updates", title="Features to update", kind="long"),
                Field(name="deletes", title="Object IDs to delete"),
                _ROLLBACK,
            ),
        ),
    ]


_ROLLBACK = Field(
    name="rollbackOnFailure",
    title="All or nothing",
    choices=_YES_OR_NO,
    help="Whether nothing is changed when one feature cannot be; it is so if empty.",
)
