"""Who may use which resource: the one table that says so.

One matching privilege or role is enough, and administrators always may. Whose jobs somebody sees
there is another matter: one's own, unless the resource is for those who administer everybody's.
The rules of the admin API are those of the documentation of ArcGIS Enterprise, in the releases
that still print them.
"""

from typing import Final

from milepost.security import ADMINISTRATORS, ANYBODY, SIGNED_IN, VISITORS, Access, Privilege, Role

_CONTENT: Final = frozenset({Privilege.UPDATE_CONTENT, Privilege.DELETE_CONTENT, Privilege.SECURITY})
_PUBLISHER: Final = frozenset({Role.PUBLISHER})

ADMINISTRATION: Final = Access(
    privileges=_CONTENT | {Privilege.SERVERS, Privilege.LICENSES, Privilege.ENTERPRISE_GROUPS},
    roles=_PUBLISHER,
)
"""The front page of the admin API."""

ALL_JOBS: Final = Access(privileges=_CONTENT, roles=_PUBLISHER)
"""The jobs of everybody, and the services."""

GP_JOBS_KUBERNETES: Final = Access(
    privileges=frozenset({Privilege.FEATURE_WEBHOOKS, Privilege.GP_WEBHOOKS}), roles=_PUBLISHER
)
GP_JOBS_SERVER: Final = Access(privileges=_CONTENT | {Privilege.SERVERS})
"""The jobs of a geoprocessing service, in the two flavours of the admin API."""

SAFETY: Final = Access(privileges=frozenset({Privilege.SECURITY}))
"""The backups of the site, and its health."""

SUBMITTING: Final = Access(privileges=frozenset({Privilege.CREATE_CONTENT}))
"""Having something done, and sending files for it: everybody but those who only look on."""

MISSIONS: Final = Access(privileges=frozenset({Privilege.PUBLISH_SERVICES}), roles=_PUBLISHER)
"""Making missions."""

PRODUCTS: Final = MISSIONS
"""Changing the products of which map sheets are made."""

VIDEOS: Final = MISSIONS
"""Making video services and publishing in them."""

EDITING: Final = Access(privileges=frozenset({Privilege.CREATE_CONTENT, Privilege.EDIT_FEATURES}))
"""Changing features; each service says beyond that who may change its own."""

_PORTAL: Final = "/sharing/rest/portals/{portal}"
_USER: Final = "/sharing/rest/community/users/{username}"
_GP: Final = "/rest/services/[{folder}/]{service}/GPServer"
_GP_ADMIN: Final = "/admin/services/[{folder}/]{service}.GPServer/jobs"
_ADMINISTERED: Final = "/admin/services/[{folder}/]{service}.{type}"
_FEATURES: Final = "/rest/services/[{folder}/]{service}/FeatureServer"
_MISSION: Final = "/mission/rest/services/{mission}/MissionServer"
_MISSION_ALIAS: Final = "/mission/rest/missions/{mission}"
_VIDEO: Final = "/video/rest/services/{service}/VideoServer"
_VIDEO_LAYER: Final = f"{_VIDEO}/{{layer}}"
_VIDEO_ADMIN: Final = "/video/admin"
_PRODUCTION_SERVICE: Final = "/rest/services/[{folder}/]{service}/TopographicProductionServer"
_PRODUCTION: Final = _PRODUCTION_SERVICE + "/jobs"

_COMMON: Final[dict[str, Access]] = {
    # Signing in
    "/login": ANYBODY,
    "/logout": ANYBODY,
    "/admin/generateToken": ANYBODY,
    "/sharing/rest": ANYBODY,
    "/sharing/rest/generateToken": ANYBODY,
    "/sharing/rest/info": ANYBODY,
    "/sharing/oauth2/approval": ANYBODY,
    "/sharing/oauth2/signin": ANYBODY,
    "/sharing/rest/oauth2/authorize": ANYBODY,
    "/sharing/rest/oauth2/revokeToken": ANYBODY,
    "/sharing/rest/oauth2/signin": ANYBODY,
    "/sharing/rest/oauth2/token": ANYBODY,
    # The portal and its people
    "/sharing/rest/community/self": SIGNED_IN,
    "/sharing/rest/community/users": SIGNED_IN,
    _USER: SIGNED_IN,
    f"{_USER}/delete": ADMINISTRATORS,
    # These look further: people change something of themselves, administrators of anybody.
    f"{_USER}/reset": SIGNED_IN,
    f"{_USER}/update": SIGNED_IN,
    "/sharing/rest/content/users/{username}": SIGNED_IN,
    "/sharing/rest/content/users/{username}/{folder}": SIGNED_IN,
    "/sharing/rest/portals/languages": ANYBODY,
    "/sharing/rest/portals/regions": ANYBODY,
    _PORTAL: VISITORS,
    f"{_PORTAL}/appBundles": SIGNED_IN,
    f"{_PORTAL}/purchases": SIGNED_IN,
    f"{_PORTAL}/removeUsers": ADMINISTRATORS,
    f"{_PORTAL}/roles": SIGNED_IN,
    f"{_PORTAL}/roles/{{role}}/privileges": SIGNED_IN,
    f"{_PORTAL}/servers": SIGNED_IN,
    f"{_PORTAL}/updateUserRole": ADMINISTRATORS,
    f"{_PORTAL}/updateuserrole": ADMINISTRATORS,
    f"{_PORTAL}/userDefaultSettings": SIGNED_IN,
    f"{_PORTAL}/users": SIGNED_IN,
    f"{_PORTAL}/users/counts": SIGNED_IN,
    f"{_PORTAL}/users/search": SIGNED_IN,
    "/admin/orgs/0123456789ABCDEF/security/users/createUser": ADMINISTRATORS,
    "/portaladmin": ADMINISTRATORS,
    "/portaladmin/security": ADMINISTRATORS,
    "/portaladmin/security/config": ADMINISTRATORS,
    "/portaladmin/security/users/createUser": ADMINISTRATORS,
    # The directory
    "/rest": ANYBODY,
    "/rest/info": ANYBODY,
    "/rest/jobs": SIGNED_IN,
    "/rest/services": SIGNED_IN,
    "/rest/services/{folder}": SIGNED_IN,
    # Geoprocessing
    _GP: SIGNED_IN,
    f"{_GP}/{{task}}": SIGNED_IN,
    f"{_GP}/{{task}}/execute": SUBMITTING,
    f"{_GP}/{{task}}/submitJob": SUBMITTING,
    f"{_GP}/{{task}}/jobs/{{job}}": SIGNED_IN,
    f"{_GP}/{{task}}/jobs/{{job}}/cancel": SIGNED_IN,
    f"{_GP}/{{task}}/jobs/{{job}}/inputs": SIGNED_IN,
    f"{_GP}/{{task}}/jobs/{{job}}/inputs/{{name}}": SIGNED_IN,
    f"{_GP}/{{task}}/jobs/{{job}}/log": SIGNED_IN,
    f"{_GP}/{{task}}/jobs/{{job}}/results": SIGNED_IN,
    f"{_GP}/{{task}}/jobs/{{job}}/results/{{name}}": SIGNED_IN,
    f"{_GP}/jobs/{{job}}": SIGNED_IN,
    f"{_GP}/jobs/{{job}}/cancel": SIGNED_IN,
    f"{_GP}/jobs/{{job}}/inputs": SIGNED_IN,
    f"{_GP}/jobs/{{job}}/inputs/{{name}}": SIGNED_IN,
    f"{_GP}/jobs/{{job}}/log": SIGNED_IN,
    f"{_GP}/jobs/{{job}}/results": SIGNED_IN,
    f"{_GP}/jobs/{{job}}/results/{{name}}": SIGNED_IN,
    f"{_GP}/uploads/upload": SUBMITTING,
    f"{_GP}/uploads/{{upload}}": SIGNED_IN,
    f"{_GP}/uploads/{{upload}}/delete": SIGNED_IN,
    "/rest/directories/jobs/{job}/{file}": SIGNED_IN,
    # Feature services
    _FEATURES: SIGNED_IN,
    f"{_FEATURES}/query": SIGNED_IN,
    f"{_FEATURES}/applyEdits": EDITING,
    f"{_FEATURES}/layers": SIGNED_IN,
    f"{_FEATURES}/{{layer}}": SIGNED_IN,
    f"{_FEATURES}/{{layer}}/{{feature}}": SIGNED_IN,
    f"{_FEATURES}/{{layer}}/query": SIGNED_IN,
    f"{_FEATURES}/{{layer}}/addFeatures": EDITING,
    f"{_FEATURES}/{{layer}}/updateFeatures": EDITING,
    f"{_FEATURES}/{{layer}}/deleteFeatures": EDITING,
    f"{_FEATURES}/{{layer}}/applyEdits": EDITING,
    # Enterprise Administrator
    "/admin": ADMINISTRATION,
    "/admin/jobs": ALL_JOBS,
    "/admin/jobs/{job}": ALL_JOBS,
    "/admin/jobs/{job}/cancel": ALL_JOBS,
    "/admin/services": ALL_JOBS,
    "/admin/services/createService": ALL_JOBS,
    "/admin/services/deleteServices": ALL_JOBS,
    "/admin/services/properties": ALL_JOBS,
    "/admin/services/types": ALL_JOBS,
    "/admin/services/types/extensions": ALL_JOBS,
    "/admin/services/types/providers": ALL_JOBS,
    "/admin/services/{folder}/createService": ALL_JOBS,
    f"{_ADMINISTERED}/changeProvider": ALL_JOBS,
    "/admin/services/{folder}": ALL_JOBS,
    _ADMINISTERED: ALL_JOBS,
    f"{_ADMINISTERED}/delete": ALL_JOBS,
    f"{_ADMINISTERED}/edit": ALL_JOBS,
    f"{_ADMINISTERED}/scaling": ALL_JOBS,
    f"{_ADMINISTERED}/scaling/edit": ALL_JOBS,
    f"{_ADMINISTERED}/start": ALL_JOBS,
    f"{_ADMINISTERED}/status": ALL_JOBS,
    f"{_ADMINISTERED}/stop": ALL_JOBS,
    "/admin/healthCheck": SAFETY,
    "/admin/healthCheck/run": SAFETY,
    "/admin/healthCheck/{report}": SAFETY,
    "/admin/system": SAFETY,
    "/admin/system/backups": SAFETY,
    "/admin/system/backups/create": SAFETY,
    "/admin/system/backups/{backup}": SAFETY,
    "/admin/system/backups/{backup}/verify": SAFETY,
    # A backup holds the signing key, which makes whoever has it an administrator.
    "/admin/system/backups/{backup}/download": ADMINISTRATORS,
    "/admin/system/backups/{backup}/delete": ADMINISTRATORS,
    "/admin/system/properties": SAFETY,
    "/admin/system/properties/update": SAFETY,
    "/admin/system/containerregistries": ADMINISTRATORS,
    "/admin/system/containerregistries/{registry}": ADMINISTRATORS,
    "/admin/system/containerregistries/{registry}/edit": ADMINISTRATORS,
    # Mission
    "/mission": ANYBODY,
    "/mission/rest": ANYBODY,
    "/mission/rest/info": ANYBODY,
    "/mission/rest/jobs": SIGNED_IN,
    "/mission/rest/jobs/{job}": SIGNED_IN,
    "/mission/rest/jobs/{job}/cancel": SIGNED_IN,
    "/mission/rest/services": SIGNED_IN,
    "/mission/rest/services/addMission": MISSIONS,
    "/mission/rest/services/createMission": MISSIONS,
    # Each mission says who its owner and its members are.
    "/mission/rest/services/{mission}/delete": SIGNED_IN,
    _MISSION: SIGNED_IN,
    f"{_MISSION}/delete": SIGNED_IN,
    f"{_MISSION}/addReport": SIGNED_IN,
    f"{_MISSION}/connectionInfo": SIGNED_IN,
    f"{_MISSION}/reports": SIGNED_IN,
    "/sharing/rest/community/groups/{group}": SIGNED_IN,
    "/sharing/rest/community/groups/{group}/users": SIGNED_IN,
    # These look further: a mission's owner and administrators.
    "/sharing/rest/community/groups/{group}/addUsers": SIGNED_IN,
    "/sharing/rest/community/groups/{group}/removeUsers": SIGNED_IN,
    f"{_MISSION}/reports/add": SIGNED_IN,
    f"{_MISSION_ALIAS}/addReport": SIGNED_IN,
    "/sharing/rest/content/items/{item}": SIGNED_IN,
    "/sharing/rest/content/items/{item}/data": SIGNED_IN,
    _MISSION_ALIAS: SIGNED_IN,
    f"{_MISSION_ALIAS}/delete": SIGNED_IN,
    # Production
    _PRODUCTION_SERVICE: SIGNED_IN,
    f"{_PRODUCTION_SERVICE}/products": SIGNED_IN,
    f"{_PRODUCTION_SERVICE}/products/{{product}}": SIGNED_IN,
    f"{_PRODUCTION}/products": SIGNED_IN,
    f"{_PRODUCTION_SERVICE}/addProduct": PRODUCTS,
    f"{_PRODUCTION_SERVICE}/updateProduct": PRODUCTS,
    f"{_PRODUCTION_SERVICE}/removeProduct": PRODUCTS,
    f"{_PRODUCTION_SERVICE}/generateProduct": SUBMITTING,
    f"{_PRODUCTION_SERVICE}/calculateExtent": SIGNED_IN,
    _PRODUCTION: SIGNED_IN,
    f"{_PRODUCTION}/query": SIGNED_IN,
    f"{_PRODUCTION}/job": SIGNED_IN,
    f"{_PRODUCTION}/job/{{job}}": SIGNED_IN,
    f"{_PRODUCTION}/cancel": SIGNED_IN,
    f"{_PRODUCTION}/delete": SIGNED_IN,
    f"{_PRODUCTION}/pause": SIGNED_IN,
    f"{_PRODUCTION}/resume": SIGNED_IN,
    # Video
    "/video": ANYBODY,
    "/video/player/{version}/{file}": ANYBODY,
    "/video/rest": ANYBODY,
    "/video/rest/info": ANYBODY,
    "/video/rest/jobs": SIGNED_IN,
    "/video/rest/jobs/{job}": SIGNED_IN,
    "/video/rest/jobs/{job}/cancel": SIGNED_IN,
    "/video/rest/jobs/job/{job}": SIGNED_IN,
    "/video/rest/jobs/job/{job}/cancel": SIGNED_IN,
    "/video/rest/self": ANYBODY,
    "/video/rest/services": SIGNED_IN,
    "/video/rest/services/create": VIDEOS,
    "/sharing/rest/content/users/{username}/createService": VIDEOS,
    # Each service says whether others than its owner see it; its owner and administrators change it.
    "/video/rest/services/{service}/addLayer": VIDEOS,
    _VIDEO: SIGNED_IN,
    f"{_VIDEO}/addLayer": VIDEOS,
    f"{_VIDEO}/delete": SIGNED_IN,
    _VIDEO_LAYER: SIGNED_IN,
    f"{_VIDEO_LAYER}/clip": SUBMITTING,
    f"{_VIDEO_LAYER}/clips/{{export}}/{{file}}": SIGNED_IN,
    f"{_VIDEO_LAYER}/content/{{file}}": SIGNED_IN,
    f"{_VIDEO_LAYER}/content/{{folder}}/{{file}}": SIGNED_IN,
    f"{_VIDEO_LAYER}/coverage": SIGNED_IN,
    f"{_VIDEO_LAYER}/delete": SIGNED_IN,
    f"{_VIDEO_LAYER}/frameset": SUBMITTING,
    f"{_VIDEO_LAYER}/framesets/{{export}}": SIGNED_IN,
    f"{_VIDEO_LAYER}/framesets/{{export}}/{{file}}": SIGNED_IN,
    f"{_VIDEO_LAYER}/original": SIGNED_IN,
    f"{_VIDEO_LAYER}/process": VIDEOS,
    f"{_VIDEO_LAYER}/query": SIGNED_IN,
    f"{_VIDEO_LAYER}/telemetry": SIGNED_IN,
    f"{_VIDEO_LAYER}/update/poster": SIGNED_IN,
    f"{_VIDEO_LAYER}/updateLayer": SIGNED_IN,
    # Everybody has uploads of their own.
    "/video/rest/uploads": SIGNED_IN,
    "/video/rest/uploads/register": SUBMITTING,
    "/video/rest/uploads/upload": SUBMITTING,
    "/video/rest/uploads/{upload}": SIGNED_IN,
    "/video/rest/uploads/{upload}/commit": SUBMITTING,
    "/video/rest/uploads/{upload}/delete": SIGNED_IN,
    "/video/rest/uploads/{upload}/uploadPart": SUBMITTING,
    _VIDEO_ADMIN: SIGNED_IN,
    f"{_VIDEO_ADMIN}/info": ANYBODY,
    f"{_VIDEO_ADMIN}/generateToken": ANYBODY,
    f"{_VIDEO_ADMIN}/services": SIGNED_IN,
    f"{_VIDEO_ADMIN}/services/create": VIDEOS,
    f"{_VIDEO_ADMIN}/services/exists": SIGNED_IN,
    f"{_VIDEO_ADMIN}/services/types": SIGNED_IN,
    f"{_VIDEO_ADMIN}/services/{{service}}.VideoServer": SIGNED_IN,
    f"{_VIDEO_ADMIN}/services/{{service}}.VideoServer/delete": SIGNED_IN,
    f"{_VIDEO_ADMIN}/uploads": ADMINISTRATORS,
    f"{_VIDEO_ADMIN}/uploads/item/{{upload}}": ADMINISTRATORS,
    f"{_VIDEO_ADMIN}/uploads/item/{{upload}}/delete": ADMINISTRATORS,
}

_KUBERNETES: Final[dict[str, Access]] = {
    _GP_ADMIN: GP_JOBS_KUBERNETES,
    f"{_GP_ADMIN}/query": GP_JOBS_KUBERNETES,
    f"{_GP_ADMIN}/{{job}}": GP_JOBS_KUBERNETES,
    "/rest/services/[{folder}/]{service}.GPServer/jobs/{job}": GP_JOBS_KUBERNETES,
}

_SERVER: Final[dict[str, Access]] = {
    _GP_ADMIN: GP_JOBS_SERVER,
    f"{_GP_ADMIN}/query": GP_JOBS_SERVER,
    f"{_GP_ADMIN}/statistics": GP_JOBS_SERVER,
    f"{_GP_ADMIN}/purgeQueue": ADMINISTRATORS,
    f"{_GP_ADMIN}/{{job}}": GP_JOBS_SERVER,
    f"{_GP_ADMIN}/{{job}}/cancel": ADMINISTRATORS,
    f"{_GP_ADMIN}/{{job}}/delete": ADMINISTRATORS,
    "/rest/services/[{folder}/]{service}.GPServer/jobs/{job}": GP_JOBS_SERVER,
}


def access_table(gp_admin: str) -> dict[str, Access]:
    """Who may use a resource, by its path below the context.

    Args:
        gp_admin: the flavour of the admin API for geoprocessing services, ``kubernetes`` or ``server``.
    """
    return _COMMON | (_SERVER if gp_admin == "server" else _KUBERNETES)
