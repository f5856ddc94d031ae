"""A server in this process for the tests of this folder."""

from tests.servers import house as shared

anyio_backend = shared.anyio_backend
house = shared.house
ann = shared.ann
bob = shared.bob
pat = shared.pat
root = shared.root
