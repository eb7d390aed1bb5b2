"""Response schemas of carts and checkouts, for the API description."""

from typing import Any

from rest_framework import serializers

from artisans.catalog.schemas import ARTISAN_ID, PRODUCT_ID
from artisans.core.api.openapi import AmountShape, example
from artisans.tax_ids.models import TaxIdStatus
from carts.models import CartStatus
from orders.quoting import VatIdEffect
from orders.schemas import INCLUDES_TAX, ORDER, OrderShape
from payments.api.schemas import PAYMENT, PaymentShape

ITEM_ID = "1c2d3e4f-5a6b-4c7d-8e9f-0a1b2c3d4e5f"
PROBLEM_CODES = [
    "price_changed",
    "out_of_stock",
    "not_available",
    "choice_needed",
    "on_holiday",
    "currency_mismatch",
    "cannot_ship",
]
PROBLEM_FIXES = ["accept_price", "lower_quantity", "remove", "switch_currency", "wait", "change_address"]
PROBLEM = {
    "code": "out_of_stock",
    "item_id": ITEM_ID,
    "old": "2",
    "new": "1",
    "fix": "lower_quantity",
    "message": "Only 1 of Moss bowl left; your cart has 2.",
    "artisan_id": "",
    "country": "",
}


class CartProblemShape(serializers.Serializer[Any]):
    """A problem that prevents the cart from being ordered, and the fix."""

    code = serializers.ChoiceField(PROBLEM_CODES)
    item_id = serializers.CharField(allow_blank=True, help_text="Empty if the whole cart has the problem.")
    old = serializers.CharField(allow_blank=True)
    new = serializers.CharField(allow_blank=True)
    fix = serializers.ChoiceField(PROBLEM_FIXES)
    message = serializers.CharField()
    artisan_id = serializers.CharField(
        allow_blank=True, help_text="Of `cannot_ship`: who does not ship there."
    )
    country = serializers.CharField(allow_blank=True, help_text="Of `cannot_ship`: where to.")


class CartItemShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    product_id = serializers.UUIDField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = AmountShape()
    line_total = AmountShape()
    currency = serializers.CharField(
        required=False,
        help_text="Only of an item that is not sold in the cart's currency: that of its prices.",
    )
    artisan_id = serializers.UUIDField()


CART = {
    "id": "9f8e7d6c-5b4a-4938-8271-60594a3b2c1d",
    "status": "OPEN",
    "currency": "USD",
    "items": [
        {
            "id": ITEM_ID,
            "product_id": PRODUCT_ID,
            "name": "Moss bowl",
            "quantity": 2,
            "unit_price": "85.45",
            "line_total": "170.90",
            "artisan_id": ARTISAN_ID,
        }
    ],
    "subtotal": "170.90",
    "problems": [PROBLEM],
}


@example(CART)
class CartShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(CartStatus.choices)
    currency = serializers.CharField()
    items = CartItemShape(many=True)
    subtotal = AmountShape(help_text="At current prices, without tax and shipping.")
    problems = CartProblemShape(many=True)
    token = serializers.CharField(
        required=False, help_text="Only when a guest's cart is created; send it as X-Cart-Token."
    )


class RateShape(serializers.Serializer[Any]):
    name = serializers.CharField(allow_blank=True)
    rate = serializers.CharField(help_text="As a fraction: 0.1 is 10%.")
    tax = AmountShape()


@example(CART | {"notices": []})
class CartInCurrencyShape(CartShape):
    notices = serializers.ListField(
        child=serializers.CharField(),
        help_text="What was taken off the cart, because it is of another currency.",
    )


class SummaryParcelShape(serializers.Serializer[Any]):
    artisan_id = serializers.UUIDField()
    artisan = serializers.CharField()
    items = serializers.ListField(child=serializers.CharField())
    subtotal = AmountShape()
    tax = AmountShape()
    shipping = AmountShape()
    shipping_method = serializers.CharField(allow_blank=True, help_text="Its name; empty if none is offered.")
    total = AmountShape()


@example(
    {
        "subtotal": "85.45",
        "discount": "0.00",
        "tax": "8.55",
        "prices_include_tax": False,
        "rates": [{"name": "", "rate": "0.1", "tax": "8.55"}],
        "shipping_cost": "5.99",
        "shipping_discount": "0.00",
        "total": "99.99",
        "currency": "USD",
        "tax_is_estimate": True,
        "is_reverse_charge": False,
        "vat_id": "",
        "vat_id_effect": "",
        "fingerprint": "items:fpamdnjloibhemac.amounts:jlboogkhncaempdf.delivery:ahndkbmfjpcoelig",
        "parcels": [
            {
                "artisan_id": ARTISAN_ID,
                "artisan": "Harbour Pottery",
                "items": [ITEM_ID],
                "subtotal": "85.45",
                "tax": "8.55",
                "shipping": "5.99",
                "shipping_method": "Standard",
                "total": "99.99",
            }
        ],
        "problems": [],
    }
)
class SummaryShape(serializers.Serializer[Any]):
    subtotal = AmountShape()
    discount = AmountShape()
    tax = AmountShape()
    prices_include_tax = serializers.BooleanField(help_text=INCLUDES_TAX)
    rates = RateShape(many=True, help_text="The tax by rate, of items and of shipping.")
    shipping_cost = AmountShape()
    shipping_discount = AmountShape()
    total = AmountShape()
    currency = serializers.CharField()
    tax_is_estimate = serializers.BooleanField(
        help_text="Tax and shipping are those of the shop's own country, as no address is known."
    )
    is_reverse_charge = serializers.BooleanField(
        help_text="The buyer owes the tax, and prices are without it."
    )
    vat_id = serializers.CharField(allow_blank=True, help_text="Of a business; blank without one.")
    vat_id_effect = serializers.ChoiceField(
        [effect.value for effect in VatIdEffect if effect],
        allow_blank=True,
        help_text="What the VAT ID does: `reverse_charge`, or why the order is taxed all the same: it is of the shop's "
        "country or delivered there (`domestic`), the place has no reverse charge (`not_offered`), the VAT ID was not "
        "checked or too long ago (`unchecked`), is being checked (`pending`), could not be checked, so that staff "
        "decide (`unavailable`), or is not valid (`unverified`).",
    )
    fingerprint = serializers.CharField(
        help_text="Send it with the checkout: if items, quantities, amounts or shipping methods differ by then, "
        "nothing is ordered."
    )
    parcels = SummaryParcelShape(many=True)
    problems = CartProblemShape(many=True)


@example(
    {
        "vat_id": "DE136695976",
        "country": "DE",
        "status": "pending",
        "is_verified": False,
        "checked_at": None,
    }
)
class VatIdShape(serializers.Serializer[Any]):
    vat_id = serializers.CharField(help_text="Normalized.")
    country = serializers.CharField(help_text="ISO 3166-1 alpha-2.")
    status = serializers.ChoiceField(TaxIdStatus.choices)
    is_verified = serializers.BooleanField(help_text="It was found to be valid, at most 30 days ago.")
    checked_at = serializers.DateTimeField(allow_null=True)


class ShippingMethodShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(["delivery", "pickup"])
    min_days = serializers.IntegerField(allow_null=True, help_text="Business days.")
    max_days = serializers.IntegerField(allow_null=True)
    price = AmountShape(help_text="For all parcels of the group.")
    is_chosen = serializers.BooleanField(help_text="What applies if nothing else is chosen.")


class ShippingGroupShape(serializers.Serializer[Any]):
    artisan_ids = serializers.ListField(
        child=serializers.UUIDField(), help_text="Whose parcels share these methods."
    )
    methods = ShippingMethodShape(many=True)


@example(
    {
        "country": "US",
        "is_estimate": False,
        "currency": "USD",
        "groups": [
            {
                "artisan_ids": [ARTISAN_ID],
                "methods": [
                    {
                        "id": 1,
                        "name": "Standard",
                        "kind": "delivery",
                        "min_days": 2,
                        "max_days": 4,
                        "price": "5.99",
                        "is_chosen": True,
                    }
                ],
            }
        ],
        "unserved_artisan_ids": [],
    }
)
class ShippingMethodsShape(serializers.Serializer[Any]):
    country = serializers.CharField()
    is_estimate = serializers.BooleanField(help_text="No country was sent, so it is that of the shop.")
    currency = serializers.CharField()
    groups = ShippingGroupShape(many=True)
    unserved_artisan_ids = serializers.ListField(
        child=serializers.UUIDField(), help_text="Artisans whose products are not sold there."
    )


@example({"valid": False, "problems": [PROBLEM]})
class ValidationShape(serializers.Serializer[Any]):
    valid = serializers.BooleanField()
    problems = CartProblemShape(many=True)


class PlacedOrderShape(OrderShape):
    payment_method = serializers.CharField(
        required=False,
        help_text="`none` if the order costs nothing and is confirmed without a payment.",
    )
    access_token = serializers.CharField(
        help_text="Gives access to this order without an account; send it as X-Order-Token."
    )


ACCESS = {"access_token": "3b1f0c6e9a4d4f5b8e276c0d1a2b3c4d-1.qk3Zr0…"}


@example({"order": ORDER | ACCESS, "payment": PAYMENT})
class CheckoutShape(serializers.Serializer[Any]):
    order = PlacedOrderShape()
    payment = PaymentShape(allow_null=True, help_text="Null if there is nothing to pay.")


@example(ORDER | ACCESS | {"order": ORDER | ACCESS, "payment": PAYMENT})
class OrderInOneCallShape(PlacedOrderShape):
    """The order. If a payment was started, `payment` is added, and the order is repeated under `order`."""

    order = PlacedOrderShape(required=False)
    payment = PaymentShape(required=False)
