"""Response schemas of orders and parcels, for the API description."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from artisans.catalog.schemas import ARTISAN_ID, PRODUCT_ID
from artisans.core.api.openapi import AmountShape, example
from artisans.tax_ids.models import TaxIdStatus
from orders.serializers import AddressFields
from orders.statuses import OrderOrigin, OrderPaymentStatus, OrderStatus, ParcelInstruction, ParcelStatus

INCLUDES_TAX = "Whether prices, shipping and discounts include the tax, which is then not added to the total."
ORDER_ID = "3b1f0c6e-9a4d-4f5b-8e27-6c0d1a2b3c4d"
PARCEL_ID = "a9b8c7d6-e5f4-4a3b-9c2d-1e0f9a8b7c6d"
LINE = {
    "id": "e3d2c1b0-a9f8-4e7d-8c6b-5a4f3e2d1c0b",
    "product_id": PRODUCT_ID,
    "name": "Moss bowl",
    "artisan_id": ARTISAN_ID,
    "quantity": 1,
    "cancelled_quantity": 0,
    "unit_price": "85.45",
    "discount": "0.00",
    "tax_rate": "0.1",
    "tax_name": "",
    "tax": "8.55",
    "line_total": "85.45",
}
PARCEL = {
    "id": PARCEL_ID,
    "number": 1,
    "artisan_id": ARTISAN_ID,
    "status": "NEW",
    "subtotal": "85.45",
    "discount": "0.00",
    "tax": "8.55",
    "shipping": "5.99",
    "shipping_tax": "0.00",
    "shipping_method": "Standard",
    "shipping_min_days": 3,
    "shipping_max_days": 5,
    "total": "99.99",
    "cancelled": "0.00",
    "carrier": "",
    "tracking": "",
    "instruction": "",
    "shipments": [],
}
ORDER = {
    "id": ORDER_ID,
    "order_number": "K7M2XQ4RT",
    "status": "PENDING",
    "payment_status": "UNPAID",
    "origin": "shop",
    "order_items": [LINE],
    "parcels": [PARCEL],
    "subtotal": "85.45",
    "discount": "0.00",
    "tax": "8.55",
    "prices_include_tax": False,
    "is_reverse_charge": False,
    "shipping_cost": "5.99",
    "shipping_discount": "0.00",
    "total": "99.99",
    "received": "0.00",
    "refunded": "0.00",
    "balance_due": "99.99",
    "due_now": "99.99",
    "credit_held": "0.00",
    "currency": "USD",
    "shipping_address": "123 Test St, Test City, TC 12345",
    "billing_address": "123 Test St, Test City, TC 12345",
    "company": "",
    "vat_id": "",
    "vat_id_status": "",
    "vat_id_checked_at": None,
    "customer_email": "sam@example.com",
    "expires_at": "2026-12-06T09:00:00Z",
    "pay_by": "2026-12-03T09:00:00Z",
    "created_at": "2026-11-26T09:00:00Z",
}


class AddressFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "orders.serializers.AddressField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        fields = auto_schema.resolve_serializer(AddressFields, direction).ref
        return {"oneOf": [{"type": "string", "minLength": 1, "maxLength": 600}, fields]}


@extend_schema_field(
    {"oneOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}]}
)
class AddressShape(serializers.Field[Any, Any, Any, Any]):
    """As it was sent: a string or an object. A link shows only the country of an old order."""


class OrderLineShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    product_id = serializers.UUIDField()
    name = serializers.CharField()
    artisan_id = serializers.UUIDField()
    quantity = serializers.IntegerField(min_value=1)
    cancelled_quantity = serializers.IntegerField(
        min_value=0, help_text="Units of it that will not be delivered; they are not charged."
    )
    unit_price = AmountShape()
    discount = AmountShape()
    tax_rate = serializers.CharField(allow_null=True, help_text="As a fraction: 0.1 is 10%.")
    tax_name = serializers.CharField(allow_blank=True)
    tax = AmountShape(help_text="Of all units; included in the prices if the order says so.")
    line_total = AmountShape(help_text="Before the discount.")


class ShipmentLineShape(serializers.Serializer[Any]):
    line = serializers.UUIDField(help_text="Id of an item of the order.")
    quantity = serializers.IntegerField(min_value=1)


class ShipmentShape(serializers.Serializer[Any]):
    number = serializers.IntegerField(min_value=1)
    carrier = serializers.CharField(allow_blank=True)
    tracking = serializers.CharField(allow_blank=True)
    tracking_url = serializers.CharField(
        allow_blank=True, help_text="The carrier's page about the shipment; empty if it is not known."
    )
    shipped_at = serializers.DateTimeField(
        allow_null=True, help_text="Null if it was entered by an earlier release."
    )
    items = ShipmentLineShape(many=True)


@example(
    {
        "id": "1d2e3f40-5a6b-4c7d-8e9f-0a1b2c3d4e5f",
        "parcel_id": PARCEL_ID,
        "order_number": "7K2M9QXAB",
        "line": LINE["id"],
        "name": "Moss bowl",
        "quantity": 1,
        "currency": "USD",
        "amount": "94.00",
        "restocked": False,
        "reason": "The bowl broke in the kiln.",
        "created_at": "2026-11-27T09:00:00Z",
    }
)
class CancellationShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    parcel_id = serializers.UUIDField()
    order_number = serializers.CharField()
    line = serializers.UUIDField(help_text="Id of the item.")
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    currency = serializers.CharField()
    amount = AmountShape(help_text="Their price with tax, which the buyer does not pay.")
    restocked = serializers.BooleanField(help_text="Whether they went back on sale.")
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()


@example(
    {
        "name": "USPS",
        "countries": ["US"],
        "tracking_url": "https://tools.usps.com/go/TrackConfirmAction?tLabels={number}",
    }
)
class CarrierShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    countries = serializers.ListField(
        child=serializers.CharField(), help_text="Where it is suggested; empty: everywhere."
    )
    tracking_url = serializers.CharField(
        allow_blank=True, help_text="With `{number}` for the tracking number."
    )


class ParcelShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    artisan_id = serializers.UUIDField()
    status = serializers.ChoiceField(ParcelStatus.choices)
    subtotal = AmountShape()
    discount = AmountShape(help_text="Of its items and shipping.")
    tax = AmountShape(help_text="Of its items and shipping.")
    shipping = AmountShape()
    shipping_tax = AmountShape(help_text="The part of the tax that is on shipping.")
    shipping_method = serializers.CharField(allow_blank=True, help_text="Its name when the order was placed.")
    shipping_min_days = serializers.IntegerField(
        allow_null=True, help_text="Business days of the method, at least; null if it does not say."
    )
    shipping_max_days = serializers.IntegerField(allow_null=True)
    total = AmountShape()
    cancelled = AmountShape(
        help_text="The amount of units that will not be delivered while others are, with their tax; part of the total, "
        "and not charged."
    )
    carrier = serializers.CharField(allow_blank=True, help_text="Of the last shipment.")
    tracking = serializers.CharField(allow_blank=True, help_text="Of the last shipment.")
    instruction = serializers.ChoiceField(
        ParcelInstruction.choices,
        allow_blank=True,
        help_text="After a refund. `hold`: do not ship it until the shop has decided. `send`: ship it although it was "
        "refunded. `return`: the buyer returns it.",
    )
    shipments = ShipmentShape(
        many=True, help_text="What was handed to carriers. A parcel is `SHIPPED` with the last unit."
    )


@example(ORDER)
class OrderShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    order_number = serializers.CharField(
        help_text="The number shown to people; also the reference of a bank transfer."
    )
    status = serializers.ChoiceField(OrderStatus.choices)
    payment_status = serializers.ChoiceField(OrderPaymentStatus.choices)
    origin = serializers.ChoiceField(OrderOrigin.choices)
    order_items = OrderLineShape(many=True)
    parcels = ParcelShape(many=True)
    subtotal = AmountShape()
    discount = AmountShape()
    tax = AmountShape()
    prices_include_tax = serializers.BooleanField(help_text=INCLUDES_TAX)
    is_reverse_charge = serializers.BooleanField(
        help_text="The buyer owes the tax, and prices are without it."
    )
    shipping_cost = AmountShape()
    shipping_discount = AmountShape()
    total = AmountShape()
    received = AmountShape()
    refunded = AmountShape()
    balance_due = AmountShape(help_text="What the buyer still has to pay.")
    due_now = AmountShape(help_text="What of it is due now: the amount of a payment.")
    credit_held = AmountShape(help_text="The part of the total that is held of gift cards and credit.")
    currency = serializers.CharField()
    shipping_address = AddressShape()
    billing_address = AddressShape()
    company = serializers.CharField(allow_blank=True, help_text="Name of the business that bought.")
    vat_id = serializers.CharField(allow_blank=True, help_text="Its VAT ID.")
    vat_id_status = serializers.ChoiceField(
        TaxIdStatus.choices, allow_blank=True, help_text="Of the VAT ID when the order was placed."
    )
    vat_id_checked_at = serializers.DateTimeField(
        allow_null=True, help_text="When the VAT ID had been checked then."
    )
    customer_email = serializers.CharField(allow_blank=True)
    expires_at = serializers.DateTimeField(
        allow_null=True, help_text="When the hold on the stock ends; null once the order is paid or closed."
    )
    pay_by = serializers.DateTimeField(
        allow_null=True, help_text="The due date; null once the order is paid or closed."
    )
    created_at = serializers.DateTimeField()


@example(
    PARCEL
    | {
        "order_number": "K7M2XQ4RT",
        "currency": "USD",
        "items": [LINE],
        "ship_to": {
            "name": "Sam Shopper",
            "line1": "123 Test St",
            "city": "Test City",
            "postal_code": "12345",
            "country": "US",
        },
        "note": "Please leave it at reception.",
        "commission": "8.55",
        "commission_tax": "0.00",
        "remitted_tax": "0.00",
        "payment_fee": "0.00",
        "share": "91.44",
        "collect_cash": None,
        "released_at": "2026-11-26T09:00:00Z",
    }
)
class ArtisanParcelShape(ParcelShape):
    order_number = serializers.CharField()
    currency = serializers.CharField()
    items = OrderLineShape(many=True)
    ship_to = AddressShape()
    note = serializers.CharField(allow_blank=True)
    commission = AmountShape(
        allow_null=True,
        help_text="What the shop takes of the items and of shipping, less what refunds gave back of it. Null for "
        "helpers of the workshop, as the next four.",
    )
    commission_tax = AmountShape(allow_null=True, help_text="The tax on the commission.")
    remitted_tax = AmountShape(
        allow_null=True, help_text="Tax on items and shipping that the shop pays to the tax office."
    )
    payment_fee = AmountShape(
        allow_null=True,
        help_text="The part of the payment provider's fee that the artisan bears, with the tax on it; 0 until the fee "
        "is known.",
    )
    share = AmountShape(
        allow_null=True,
        help_text="The artisan's earnings: the total less refunds, commission, its tax, remitted tax, and payment fee. "
        "If cancelled or returned, and while the order is no longer paid, only the payment fee counts. Once earned, it "
        "is `net` less `returned` and `payment_fee` of `/earnings/`.",
    )
    collect_cash = AmountShape(
        allow_null=True,
        help_text="Cash to collect on delivery; null unless the order is cash on delivery and unpaid.",
    )
    released_at = serializers.DateTimeField(help_text="When it was released for shipping.")
