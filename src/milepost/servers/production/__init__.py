"""A Topographic Production Server: products, map sheets that are made of them, and the jobs that make them."""

from milepost.servers.production.finding import TYPE
from milepost.servers.production.products import Products
from milepost.servers.production.server import Production, job_path
from milepost.servers.production.sources import Sources, SourcesError, keep_sources, problems, read_sources

__all__ = [
    "TYPE",
    "Production",
    "Products",
    "Sources",
    "SourcesError",
    "job_path",
    "keep_sources",
    "problems",
    "read_sources",
]
