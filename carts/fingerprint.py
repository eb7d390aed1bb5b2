"""Fingerprints of what a buyer was shown, compared when they place the order."""

import json
from collections.abc import Mapping
from typing import Any

from artisans.core.digests import short_digest
from carts.selectors import CartSummary
from orders.quoting import Offer

ANSWERS = ("email", "shipping", "billing", "note", "method", "company", "vat_id")
LENGTH = 16  # letters; they only have to differ by chance


def quote_fingerprint(offer: Offer) -> str:
    """The items, quantities, amounts and shipping methods. Shape: items:….amounts:….delivery:…, letters each."""
    return join_parts(quote_parts(offer))


def page_fingerprint(summary: CartSummary, draft: Mapping[str, Any]) -> str:
    """Everything on the review page: the quote, names of the items, and the buyer's answers."""
    names = [[str(line.product.pk), line.product.name, line.product.artisan.name] for line in summary.lines]
    answers = {name: draft.get(name) for name in ANSWERS}
    return join_parts(quote_parts(summary.offer) | {"names": sorted(names)} | answers)


def changed_parts(sent: str, now: str) -> set[str]:
    """Names of the parts that differ. A malformed fingerprint differs in all of them."""
    before = set(sent.split("."))
    return {part.partition(":")[0] for part in now.split(".") if part not in before}


def quote_parts(offer: Offer) -> dict[str, object]:
    quote, methods = offer.quote, offer.delivery.methods
    lines = [line.price_input for line in quote.lines]
    prices = sorted([str(line.price_input.product_id), line.unit_price.minor] for line in quote.lines)
    sums: list[object] = [quote.currency, quote.rates_ppm, quote.tax.minor, quote.shipping.minor]
    if quote.prices_include_tax or quote.discount or quote.shipping_discount:
        sums += [quote.prices_include_tax, quote.discount.minor, quote.shipping_discount.minor]
    if quote.is_reverse_charge:
        sums.append("reverse_charge")
    return {
        "items": sorted([str(line.product_id), line.quantity] for line in lines),
        "amounts": [*sums, prices],
        "delivery": sorted([str(artisan_id), method.id] for artisan_id, method in methods.items()),
    }


def join_parts(parts: Mapping[str, object]) -> str:
    return ".".join(f"{name}:{digest(value)}" for name, value in parts.items())


def digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return short_digest(text, LENGTH)
