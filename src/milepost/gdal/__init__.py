"""GDAL without its bindings for Python: rasters and algorithms, through the C interface in pyogrio's wheel.

Only the instances of operations import what is in here, since it needs an extra.
"""
