"""Feature services: layers that GIS clients query and edit."""

from milepost.servers.features.server import TYPE, FeatureDialect

__all__ = ["TYPE", "FeatureDialect"]
