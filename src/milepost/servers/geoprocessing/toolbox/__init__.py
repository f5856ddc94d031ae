"""The geoprocessing toolbox: operations on features and terrain, on GeoPandas, Shapely, PROJ and GDAL.

Distances and areas are those on the ground, whatever the coordinates are in.
"""

from milepost.servers.geoprocessing.toolbox.overlay import clip, dissolve, summarize_within
from milepost.servers.geoprocessing.toolbox.projection import reproject
from milepost.servers.geoprocessing.toolbox.proximity import buffer, nearest
from milepost.servers.geoprocessing.toolbox.terrain import contour, hillshade, slope, viewshed

__all__ = [
    "buffer",
    "clip",
    "contour",
    "dissolve",
    "hillshade",
    "nearest",
    "reproject",
    "slope",
    "summarize_within",
    "viewshed",
]
