"""The jobs of an Enterprise deployment, as its administrators see them under ``/admin/jobs``."""
