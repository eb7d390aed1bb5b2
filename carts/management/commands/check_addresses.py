from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand

from carts.models import Cart, CartStatus
from orders.address_rules import address_errors, country_error
from orders.addresses import address_read
from orders.models import Order
from orders.selectors import store_rules


class Command(BaseCommand):
    help = "List stored addresses that would not be accepted today, by field and order number."

    def handle(self, *args: Any, **options: Any) -> None:
        """Changes nothing, since only the buyer knows the right value. Prints no address data except the country."""
        counts: Counter[str] = Counter()
        for number, field, message in found_in_orders():
            counts[field] += 1
            self.stdout.write(f"{number}: {field}: {message}")
        for draft in Cart.objects.filter(status=CartStatus.OPEN).values_list("draft", flat=True).iterator():
            address = draft.get("shipping") if isinstance(draft, dict) else None
            counts["cart drafts (the form asks their buyers again)"] += bool(address and odd(address))
        if message := country_error(store_rules().country):
            counts["the store's country"] += 1
            self.stdout.write(f"Store rules: country: {message}")
        for field, count in sorted((+counts).items()):
            self.stdout.write(f"{count} × {field}")
        self.stdout.write(f"{counts.total()} found." if counts.total() else "All addresses are valid.")


def odd(stored: object) -> dict[str, str]:
    address = address_read(stored)
    return address_errors(address) if address else {"country": "The address is missing."}


def found_in_orders() -> Iterator[tuple[str, str, str]]:
    rows = Order.objects.order_by("created_at").values_list(
        "order_number", "shipping_address", "billing_address"
    )
    for number, shipping, billing in rows.iterator():
        for side, stored in (("shipping", shipping), ("billing", billing)):
            for field, message in odd(stored).items():
                yield number, f"{side} {field}", message
