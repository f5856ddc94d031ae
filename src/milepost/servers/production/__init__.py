"""The jobs of a Topographic Production Server."""
