from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from artisans.catalog.schemas import PRODUCT_ID
from artisans.core.api.fields import (
    IdField,
    StrictCharField,
    StrictDecimalField,
    StrictIntegerField,
    StrictSerializer,
)
from artisans.core.api.openapi import example
from artisans.core.money import rate_text
from carts.checkout import Assertions
from carts.fingerprint import quote_fingerprint
from carts.models import Cart, CartItem
from carts.selectors import CartSummary, problems_of, subtotal_of
from carts.services import MAX_ITEMS
from orders.problems import MAX_QUANTITY
from orders.serializers import AddressField
from payments.api.schemas import MethodField, ProviderField


@example({"product_id": PRODUCT_ID, "quantity": 2})
class ItemIn(StrictSerializer):
    product_id = IdField()
    quantity = StrictIntegerField(min_value=1, max_value=MAX_QUANTITY, default=1)


@example({"quantity": 3})
class QuantityIn(StrictSerializer):
    quantity = StrictIntegerField(min_value=0, max_value=MAX_QUANTITY)


@example({"items": [{"product_id": PRODUCT_ID, "quantity": 2}]})
class CartIn(StrictSerializer):
    items = serializers.ListField(child=ItemIn(), required=False, max_length=MAX_ITEMS)


class AssertionsIn(StrictSerializer):
    """Expected figures that a client may send along; they are only compared."""

    tax_rate = StrictDecimalField(required=False, help_text="As a fraction: 0.10 is 10%.")
    shipping_cost = StrictDecimalField(required=False, help_text="Shipping cost.")
    amount = StrictDecimalField(required=False, help_text="Order total.")
    currency = StrictCharField(max_length=3, required=False, help_text="ISO 4217.")
    fingerprint = StrictCharField(
        max_length=64,
        required=False,
        help_text="`fingerprint` of the summary that the buyer saw: items, quantities, prices, tax and shipping.",
    )

    @staticmethod
    def of(data: dict[str, Any]) -> Assertions:
        return Assertions(
            total=data.get("amount"),
            tax_rate=data.get("tax_rate"),
            shipping_cost=data.get("shipping_cost"),
            currency=data.get("currency"),
            fingerprint=data.get("fingerprint"),
        )


PLACE = {
    "shipping_address": "123 Main St, City, State, 12345",
    "payment_method": "bank_transfer",
    "payment_provider": "manual",
    "customer_email": "sam@example.com",
}


@example(PLACE | {"tax_rate": "0.10", "shipping_cost": "5.99"})
class CheckoutIn(AssertionsIn):
    shipping_address = AddressField()
    billing_address = AddressField(required=False)
    payment_method = MethodField()
    payment_provider = ProviderField(required=False)
    customer_email = serializers.EmailField(max_length=254, required=False)
    note = StrictCharField(max_length=300, required=False, allow_blank=True, default="")


@example(PLACE | {"order_items": [{"product_id": PRODUCT_ID, "quantity": 1}]})
class OrderIn(CheckoutIn):
    order_items = serializers.ListField(child=ItemIn(), allow_empty=False, max_length=MAX_ITEMS)
    payment_method = MethodField(required=False)


def cart_out(cart: Cart, items: Sequence[CartItem], *, token: str = "") -> dict[str, Any]:
    answer = {
        "id": str(cart.pk),
        "status": cart.status,
        "currency": cart.currency,
        "items": [
            {
                "id": str(item.pk),
                "product_id": str(item.product_id),
                "name": item.product.name,
                "quantity": item.quantity,
                "unit_price": item.product.price.amount,
                "line_total": (item.product.price * item.quantity).amount,
                "artisan_id": str(item.product.artisan_id),
            }
            for item in items
        ],
        "subtotal": subtotal_of(cart, items).amount,
        "problems": [problem.as_dict() for problem in problems_of(cart, items)],
    }
    return answer | ({"token": token} if token else {})


def summary_out(summary: CartSummary) -> dict[str, Any]:
    """The amounts of an order placed now."""
    return {
        "subtotal": summary.subtotal.amount,
        "discount": summary.discount.amount,
        "tax": summary.tax.amount,
        "prices_include_tax": summary.prices_include_tax,
        "rates": [
            {"name": rate.name, "rate": rate_text(rate.rate_ppm), "tax": rate.tax.amount}
            for rate in summary.rates
        ],
        "shipping_cost": summary.shipping.amount,
        "shipping_discount": summary.shipping_discount.amount,
        "total": summary.total.amount,
        "currency": summary.total.currency,
        "fingerprint": quote_fingerprint(summary.quote),
        "parcels": [
            {
                "artisan_id": str(group.artisan.pk),
                "artisan": group.artisan.name,
                "items": [str(line.id) for line in group.lines],
                "subtotal": group.subtotal.amount,
                "tax": group.tax.amount,
                "shipping": group.shipping.amount,
                "total": group.total.amount,
            }
            for group in summary.groups
        ],
        "problems": [problem.as_dict() for problem in summary.problems],
    }
