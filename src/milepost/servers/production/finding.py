"""What requests to a Topographic Production Server name: services and products."""

import asyncio
from typing import Final

from milepost.http import Call, ServiceError, not_found, wrong
from milepost.manager import JobManager
from milepost.operations import Service
from milepost.servers.production.needs import missing
from milepost.servers.production.products import Products, Record

TYPE: Final = "TopographicProductionServer"

MAKER: Final = f"Topography.{TYPE}"
"""The service that makes sheets of products. Others have operations of their own, and no products."""

_LARGEST: Final = 1 << 40
"""No number of a revision is larger."""

NO_PRODUCT: Final = -2147211775
"""The code that clients know for a product that there is not."""


class Finder:
    """Finds what a request names."""

    def __init__(self, manager: JobManager, products: Products):
        """Among the services of ``manager`` and all products."""
        self._manager = manager
        self._products = products

    def service(self, call: Call) -> Service:
        """The service that the path names.

        Raises:
            ServiceError: 404.
        """
        folder, name = call.part("folder"), call.part("service")
        path = f"{folder}/{name}" if folder else name
        found = self._manager.catalog.services.get(f"{path}.{TYPE}")
        if found is None:
            raise not_found(f"Service {path[:120]}/{TYPE}")
        return found

    def maker(self, call: Call) -> Service:
        """The service that the path names, if it makes sheets of products.

        Raises:
            ServiceError: 404, there is none of that name, or it has no products.
        """
        found = self.service(call)
        if found.name != MAKER:
            maker = MAKER.removesuffix(f".{TYPE}")
            raise ServiceError(
                404,
                f"Service {found.title} has no products",
                [f"Those of this server are at {call.base}/rest/services/{maker}/{TYPE}/products"],
            )
        return found

    async def product(self, name: str) -> Record:
        """The product of a name.

        Raises:
            ServiceError: there is none.
        """
        record = await asyncio.to_thread(self._products.get, name)
        if record is None:
            raise no_product()
        return record

    async def asked(self, record: Record, version: str) -> tuple[Record, str]:
        """A product as a version asks for it, and the name of the version: ``Winter``, or ``Winter@3`` of revision 3.

        Raises:
            ServiceError: 400, the product has no such revision.
        """
        name, _, number = version.strip().rpartition("@")
        if record.version(version) or not name or not (number.isascii() and number.isdigit()):
            return record, version
        found = await asyncio.to_thread(self._products.revision, record.name, min(int(number[:12]), _LARGEST))
        if found is None:
            raise wrong(
                "productVersion",
                f"product {record.name} has no revision {number[:12]}; its resource names them with"
                " includeHistory=true",
            )
        return found, name


def require_libraries() -> None:
    """Nothing, if this server has what sheets are made with.

    Raises:
        ServiceError: 400, it has not.
    """
    if absent := missing():
        raise ServiceError(
            400,
            "This server cannot make sheets: libraries are missing",
            [f"Not installed: {', '.join(absent)}; the cure is pip install 'milepost[production]'"],
        )


def no_product() -> ServiceError:
    """The error of a product that there is not, in the words that clients know."""
    return ServiceError(
        NO_PRODUCT, "Product name not found.", ["The resource 'products' lists those that there are"]
    )
