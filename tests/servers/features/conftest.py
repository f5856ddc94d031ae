from tests.servers.house import anyio_backend, house

__all__ = ["anyio_backend", "house"]
