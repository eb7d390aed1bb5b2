"""PayPal's validation of a purchase unit's amounts: one currency, and totals that match exactly."""

from collections.abc import Iterator

from sandbox.http_messages import Json
from sandbox.paypal_api.errors import refused
from sandbox.paypal_api.money import minor

ADDED = ("item_total", "shipping", "handling", "tax_total", "insurance")
TAKEN_OFF = ("shipping_discount", "discount")


def check_unit(unit: Json, field: str) -> int:
    """Return the purchase unit's amount in minor units. Raises PayPal's errors for inconsistent amounts."""
    amount = unit["amount"]
    total = minor(amount, f"{field}/amount")
    if {each["currency_code"] for each in amounts(unit)} != {amount["currency_code"]}:
        raise refused("MULTI_CURRENCY_ORDER", f"{field}/amount/currency_code")
    if breakdown := amount.get("breakdown"):
        check_breakdown(breakdown, total, f"{field}/amount")
    if items := unit.get("items"):
        check_items(items, amount.get("breakdown", {}), field)
    return total


def amounts(unit: Json) -> Iterator[Json]:
    yield unit["amount"]
    yield from unit["amount"].get("breakdown", {}).values()
    for item in unit.get("items", []):
        yield item["unit_amount"]
        yield item.get("tax", unit["amount"])


def check_breakdown(breakdown: Json, total: int, field: str) -> None:
    parts = {
        name: minor(amount, f"{field}/breakdown/{name}", zero=True) for name, amount in breakdown.items()
    }
    summed = sum(parts.get(name, 0) for name in ADDED) - sum(parts.get(name, 0) for name in TAKEN_OFF)
    if summed != total:
        raise refused("AMOUNT_MISMATCH", f"{field}/value")


def check_items(items: list[Json], breakdown: Json, field: str) -> None:
    for name, total_name, required, mismatch in (
        ("unit_amount", "item_total", "ITEM_TOTAL_REQUIRED", "ITEM_TOTAL_MISMATCH"),
        ("tax", "tax_total", "TAX_TOTAL_REQUIRED", "TAX_TOTAL_MISMATCH"),
    ):
        priced = [item for item in items if name in item]
        if not priced:
            continue
        if total_name not in breakdown:
            raise refused(required, f"{field}/amount/breakdown/{total_name}")
        summed = sum(
            minor(item[name], f"{field}/items/{name}", zero=True) * int(item["quantity"]) for item in priced
        )
        if summed != minor(breakdown[total_name], f"{field}/amount/breakdown/{total_name}", zero=True):
            raise refused(mismatch, f"{field}/amount/breakdown/{total_name}")
