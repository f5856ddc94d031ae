"""The jobs of a Mission Server."""
