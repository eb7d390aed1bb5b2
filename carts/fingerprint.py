"""Fingerprints of what a buyer was shown, compared when they place the order."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from carts.selectors import CartSummary
from orders.pricing import Quote

ANSWERS = ("email", "shipping", "billing", "note", "method")
LENGTH = 16  # hex digits; they only have to differ by chance


def quote_fingerprint(offer: Quote) -> str:
    """The items, quantities and amounts of a quote. Shape: "items:<hex>.amounts:<hex>"."""
    return join_parts(quote_parts(offer))


def page_fingerprint(summary: CartSummary, draft: Mapping[str, Any]) -> str:
    """Everything on the review page: the quote, names of the items, and the buyer's answers."""
    names = [[str(line.product.pk), line.product.name, line.product.artisan.name] for line in summary.lines]
    answers = {name: draft.get(name) for name in ANSWERS}
    return join_parts(quote_parts(summary.quote) | {"names": sorted(names)} | answers)


def changed_parts(sent: str, now: str) -> set[str]:
    """Names of the parts that differ. A malformed fingerprint differs in all of them."""
    before = set(sent.split("."))
    return {part.partition(":")[0] for part in now.split(".") if part not in before}


def quote_parts(offer: Quote) -> dict[str, object]:
    lines = [line.price_input for line in offer.lines]
    prices = sorted([str(line.price_input.product_id), line.unit_price.minor] for line in offer.lines)
    sums: list[object] = [offer.currency, offer.tax_rate_ppm, offer.tax.minor, offer.shipping.minor]
    if offer.prices_include_tax or offer.discount or offer.shipping_discount:
        sums += [offer.prices_include_tax, offer.discount.minor, offer.shipping_discount.minor]
    return {
        "items": sorted([str(line.product_id), line.quantity] for line in lines),
        "amounts": [*sums, prices],
    }


def join_parts(parts: Mapping[str, object]) -> str:
    return ".".join(f"{name}:{digest(value)}" for name, value in parts.items())


def digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]
