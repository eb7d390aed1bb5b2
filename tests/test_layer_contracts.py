"""The layer contracts of `make check` refuse what they are written against: imports upwards, modules in no layer."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from grimp import ImportGraph
from importlinter.application.app_config import settings as ports
from importlinter.application.use_cases import create_report, read_user_options
from importlinter.application.user_options import UserOptions
from importlinter.configuration import configure
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract
from importlinter.domain.contract import registry

ORDERS, PAYMENTS, CORE = "Layers of orders", "Layers of payments", "Layers of artisans.core"
SMALL_APPS = "Layers of the small apps"
APPS = "Apps depend downwards only"
ARTISANS = "Layers of artisans"
PROVIDER_CLASSES = "Nothing outside a provider's folder names its classes"
GATEWAY = "Only the gateway and who may ask it reach providers"

# importer, imported, the contract that refuses it
BREACHES = {
    "service to API": ("orders.services", "orders.api", ORDERS),
    "service to API of payments": ("payments.lifecycle.start", "payments.api.payments", PAYMENTS),
    "service to view": ("orders.services", "orders.views", ORDERS),
    "service to page of payments": ("payments.refunds.staff", "payments.web.orders", PAYMENTS),
    "service to view of carts": ("carts.services", "carts.views", "Layers of carts"),
    # the registry itself holds facts only: models name its providers, but reach none of them
    "model to what sends requests": ("payments.models.payment", "payments.gateway.connection", PAYMENTS),
    "model to PayPal class": ("payments.models.payment", "payments.providers.paypal.client", PROVIDER_CLASSES),
    "registry to Stripe class": ("payments.providers.registry", "payments.providers.stripe.provider", PROVIDER_CLASSES),
    "admin to Stripe class": ("payments.admin.payments", "payments.providers.stripe.provider", PROVIDER_CLASSES),
    "approval to what sends requests": ("payments.approvals", "payments.gateway.connection", GATEWAY),
    "personal data to what sends requests": ("payments.personal_data", "payments.gateway.connection", GATEWAY),
    "task to Stripe class": ("payments.tasks", "payments.providers.stripe.provider", PROVIDER_CLASSES),
    "metrics to PayPal class": ("payments.metrics", "payments.providers.paypal.client", PROVIDER_CLASSES),
    "selectors to serializers": ("orders.selectors", "orders.serializers", ORDERS),
    "selectors to serializers of payments": ("payments.selectors", "payments.api.serializers", PAYMENTS),
    "bookkeeping to gateway": ("payments.bookkeeping.refunds", "payments.gateway.connection", PAYMENTS),
    "core to orders": ("artisans.core.queue", "orders.models", APPS),
    "core to accounts": ("artisans.core.api.views", "artisans.accounts.models", ARTISANS),
    "service to view of accounts": ("artisans.accounts.services", "artisans.accounts.views", SMALL_APPS),
    "selectors to schemas of catalog": ("artisans.catalog.selectors", "artisans.catalog.schemas", SMALL_APPS),
    "core from bottom to top": ("artisans.core.money", "artisans.core.api.fields", CORE),
    "notifications to audit": ("artisans.notifications.services", "artisans.audit.services", APPS),
    "orders to payments": ("orders.services", "payments.lifecycle.start", APPS),
    "shop to sandbox": ("payments.gateway.sync", "sandbox.store", "The shop knows nothing of the sandbox"),
}  # fmt: skip
NEW_MODULES = {
    "payments.helpers": PAYMENTS,
    "orders.utils": ORDERS,
    "carts.utils": "Layers of carts",
    "artisans.catalog.helpers": SMALL_APPS,
    "artisans.reviews": ARTISANS,
    "artisans.core.helpers": CORE,
}


class PreparedGraph:
    """The graph builder that import-linter asks for its graph."""

    def __init__(self, graph: ImportGraph) -> None:
        self.graph = graph

    def build(self, **options: Any) -> ImportGraph:
        return self.graph


@dataclass
class Linter:
    """import-linter with the contracts of pyproject.toml and the graph of the code, built once."""

    options: UserOptions
    graph: ImportGraph

    def broken(self, *names: str) -> set[str]:
        """Which of these contracts, or of all, do not hold."""
        chosen = [row for row in self.options.contracts_options if row["name"] in names or not names]
        report = create_report(UserOptions(self.options.session_options, chosen))
        assert len(chosen) == len(names) or not names, "a contract has another name"
        return {contract.name for contract, check in report.get_contracts_and_checks() if not check.kept}


@pytest.fixture(scope="module")
def linter() -> Iterator[Linter]:
    configure()
    registry.register(LayersContract, "layers")
    registry.register(ForbiddenContract, "forbidden")
    options, builder = read_user_options(str(Path(settings.BASE_DIR, "pyproject.toml"))), ports.GRAPH_BUILDER
    graph = create_report(UserOptions(options.session_options, []), cache_dir=None).graph
    ports.configure(GRAPH_BUILDER=PreparedGraph(graph))
    yield Linter(options, graph)
    ports.configure(GRAPH_BUILDER=builder)


def test_the_code_as_it_is_keeps_every_contract(linter):
    assert linter.broken() == set()


@pytest.mark.parametrize(("importer", "imported", "contract"), BREACHES.values(), ids=BREACHES)
def test_breach_is_refused(linter, importer, imported, contract):
    assert {importer, imported} <= linter.graph.modules, "a module has moved"
    linter.graph.add_import(importer=importer, imported=imported)
    try:
        assert linter.broken(contract) == {contract}
    finally:
        linter.graph.remove_import(importer=importer, imported=imported)


@pytest.mark.parametrize(("module", "contract"), NEW_MODULES.items())
def test_module_in_no_layer_is_refused(linter, module, contract):
    linter.graph.add_module(module)
    try:
        assert linter.broken(contract) == {contract}
    finally:
        linter.graph.remove_module(module)
