"""Amounts that people enter: what the shop charges or pays back is a multiple of the currency's step, or why not."""

import ast
from collections.abc import Iterator

from tests.sources import ROOT, sources

SKIPPED = {"tests", "migrations", "management", "demo"}
READERS = {"AmountField", "amount_read", "Money.parse"}

STEPPED = {  # and the tests that a step refuses
    "payments/admin/forms_refund.py RefundForm": "payments/tests/test_refunds.py",
    "payments/api/refund_serializers.py parse_amount": "payments/tests/test_refunds.py",
    "artisans/workshop/product_forms.py PriceField": "artisans/workshop/tests/test_products.py",
    "artisans/workshop/api_products.py price_from": "artisans/workshop/tests/test_products.py",
    "orders/services/places.py price_read": "orders/tests/test_places.py",
    "artisans/workshop/api_shipping.py rate_from": "orders/tests/test_places.py",  # price_read reads it again
}
FACTS = {  # recorded as they happened, whatever their step
    "payments/admin/forms.py ReceiptForm": "what a bank statement says",
    "payments/admin/forms.py ReturnForm": "what was paid back outside the shop",
    "payments/admin/cash_deposits.py DepositForm": "what a bank statement says",
    "payments/api/staff.py money": "a receipt or a refund outside the shop",
    "payments/providers/manual/feed.py amount_of": "what a bank's file says",
    "payments/webhooks/events.py money_of": "what a provider says",
    "artisans/earnings/forms.py DebtForm": "what an artisan paid",
}
NOT_CHARGED = {
    "artisans/core/admin/forms.py AmountField": "the field itself",
    "artisans/core/admin/forms.py amount_read": "the reader itself",
    "artisans/core/admin/forms.py FiguresForm": "limits and settings",
    "artisans/earnings/forms.py HoldForm": "what of earnings is not paid out yet",
    "orders/rate_admin.py RateForm": "commission",
    "orders/setup.py Question": "the settings of a new shop",
    "orders/place_admin.py TryForm": "a trial",
    "payments/admin/search.py amounts_of": "a search",
    "carts/views.py describe_total_change": "an amount that was shown before",
}


def name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


def readers() -> Iterator[str]:
    for path in sources(without=SKIPPED):
        for part in ast.parse(path.read_text()).body:
            calls = (node for node in ast.walk(part) if isinstance(node, ast.Call))
            if any(name_of(call.func) in READERS for call in calls):
                yield f"{path.relative_to(ROOT)} {getattr(part, 'name', '')}"


def test_every_reader_of_an_amount_checks_the_step_or_says_why_not():
    known = STEPPED | FACTS | NOT_CHARGED

    assert sorted(readers()) == sorted(known)
    for path in STEPPED.values():
        assert "ultiple" in (ROOT / path).read_text()
