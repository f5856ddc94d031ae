"""The URLs of products: the list, one of them, and changing them."""

import asyncio
from urllib.parse import quote

import msgspec
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Form, Resources, required, wrong
from milepost.operations import Service
from milepost.servers.crumbs import service_path
from milepost.servers.production import describing, pages, product_changes
from milepost.servers.production.finding import Finder, no_product
from milepost.servers.production.generating import generate_fields
from milepost.servers.production.products import Products, Record, is_built_in


class ProductResources:
    """The products of a service, and those who change them."""

    def __init__(self, products: Products, finder: Finder, resources: Resources):
        """With what all dialects share."""
        self._products = products
        self._finder = finder
        self._resources = resources

    def routes(self, service: str) -> list[BaseRoute]:
        """The routes, below the context.

        Args:
            service: the path of a service.
        """
        at = self._resources.at
        listing = ("includeDef", "includeDataTypes", "definitionType")
        one = ("includeDef", "includeDataTypes", "includeHistory")
        return [
            # Some documents give the second path for the same.
            *at(f"{service}/products", self.products, parameters=listing, document="Products"),
            *at(f"{service}/jobs/products", self.products, parameters=listing, document="Products"),
            *at(f"{service}/products/{{product}}", self.product, parameters=one, document="Product"),
            *at(
                f"{service}/addProduct",
                self.add,
                acts=True,
                parameters=product_changes.ADD,
                document="Add product",
            ),
            *at(
                f"{service}/updateProduct",
                self.update,
                acts=True,
                parameters=product_changes.UPDATE,
                document="Update product",
            ),
            *at(
                f"{service}/removeProduct",
                self.remove,
                acts=True,
                parameters=("productName",),
                document="Remove product",
            ),
        ]

    async def products(self, call: Call) -> Answer:
        """The products, their versions, and what makes them if that is asked for."""
        service = self._finder.maker(call)
        with_definition = call.parameters.flag("includeDef", False)
        with_types = call.parameters.flag("includeDataTypes", False)
        records = await asyncio.to_thread(self._products.all)
        wanted = call.parameters.get("definitionType").strip()
        # One that no product has is passed over, as in the documents.
        of_type = [each for each in records if each.definition_type == wanted] or records
        path = service_path(call, service.name)
        forms = []
        if self._may(call, "addProduct"):
            forms.append(Form(f"{path}/addProduct", "Add product", product_changes.add_fields()))
        return Answer(
            {
                "products": [
                    describing.product(each, with_definition=with_definition, with_types=with_types)
                    for each in of_type
                ]
            },
            title="Products",
            crumbs=pages.above_jobs(call, service),
            links={each.name: f"{path}/products/{quote(each.name)}" for each in of_type},
            forms=forms,
        )

    async def product(self, call: Call) -> Answer:
        """A product, its versions, and what makes it if that is asked for."""
        service = self._finder.maker(call)
        record = await self._finder.product(call.part("product"))
        path = service_path(call, service.name)
        forms = []
        if record.enabled and self._may(call, "generateProduct"):
            forms.append(Form(f"{path}/generateProduct", "Generate product", generate_fields(record)))
        if self._may(call, "updateProduct"):
            forms.append(
                Form(f"{path}/updateProduct", "Update product", product_changes.update_fields(record))
            )
        if self._may(call, "removeProduct"):
            forms.append(Form(f"{path}/removeProduct", "Remove product", pages.name_field(record.name)))
        forms.append(Form(f"{path}/calculateExtent", "Calculate extent", pages.extent_fields(record)))
        about = describing.product(
            record,
            with_definition=call.parameters.flag("includeDef", False),
            with_types=call.parameters.flag("includeDataTypes", False),
        )
        if call.parameters.flag("includeHistory", False):
            kept = await asyncio.to_thread(self._products.history, record.name)
            about["history"] = [describing.revision(each) for each in kept]
        return Answer(
            about,
            title=record.name,
            crumbs=[*pages.above_jobs(call, service), ("Products", f"{path}/products")],
            forms=forms,
        )

    async def add(self, call: Call) -> Answer:
        """Add a product."""
        service = self._finder.maker(call)
        based_on = product_changes.based_on(call.parameters)
        base = await asyncio.to_thread(self._products.get, based_on) if based_on else None
        if based_on and base is None:
            raise wrong("productDefinition", f"'basedOn': there is no product {based_on[:60]!r}")
        record = product_changes.read_added(call.parameters, base, call.base)
        record = msgspec.structs.replace(record, changed_by=call.person.username)
        if not await asyncio.to_thread(self._products.add, record):
            raise wrong(
                "productDefinition",
                f"there is a product {record.name!r} already; update it, or give this one another name",
            )
        return self._done(call, service, record.name, "Add product")

    async def update(self, call: Call) -> Answer:
        """Change a product: its description, its versions, its ancillary layers, whether it is enabled."""
        service = self._finder.maker(call)
        name = required(call.parameters, "productName", "send the name of a product")

        def changed(record: Record) -> Record:
            found = product_changes.changed(record, call.parameters, call.base)
            return msgspec.structs.replace(found, changed_by=call.person.username)

        record = await asyncio.to_thread(self._products.change, name, changed)
        if record is None:
            raise no_product()
        return self._done(call, service, record.name, "Update product")

    async def remove(self, call: Call) -> Answer:
        """Remove a product; a built-in one that was changed becomes again as it came."""
        service = self._finder.maker(call)
        record = await self._finder.product(
            required(call.parameters, "productName", "send the name of a product")
        )
        if not await asyncio.to_thread(self._products.remove, record.name):
            if is_built_in(record.name):
                raise wrong(
                    "productName",
                    f"product {record.name} comes with the server and cannot be removed; disable it with"
                    " updateProduct and enabled=false",
                )
            raise no_product()
        return self._done(call, service, record.name, "Remove product")

    def _may(self, call: Call, operation: str) -> bool:
        path = f"/rest/services/[{{folder}}/]{{service}}/TopographicProductionServer/{operation}"
        return call.person.may_use(self._resources.access[path])

    def _done(self, call: Call, service: Service, name: str, title: str) -> Answer:
        path = service_path(call, service.name)
        return Answer(
            {"success": True, "productName": name},
            title=title,
            crumbs=[*pages.above_jobs(call, service), ("Products", f"{path}/products")],
        )
