"""The jobs of a Video Server."""
