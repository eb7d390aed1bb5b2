"""Request bodies and responses of orders. Amounts are decimal strings, times are UTC."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from artisans.accounts.principals import Principal
from artisans.core.api.fields import StrictCharField, StrictSerializer, utc, validated
from artisans.core.money import rate_text
from artisans.tax_ids.models import check_read
from orders.address_rules import LENGTHS, TEXT_LENGTH, address_errors, address_normalize
from orders.addresses import address_out, address_read
from orders.models import Carrier, LineCancellation, Order, OrderLine, Parcel, Shipment, StoreRules
from orders.selectors import is_masked
from orders.shipments import shipments_of


@extend_schema_field({"type": "string", "pattern": "^[A-Z]{2}$"})
class CountryField(StrictCharField):
    """Accepts any text, so that the error message can suggest the right code."""


class AddressFields(StrictSerializer):
    """Fields that depend on the country (city, region, postal code) are checked by orders.address_rules."""

    name = StrictCharField(max_length=LENGTHS["name"])
    line1 = StrictCharField(max_length=LENGTHS["line1"], help_text="Street and number.")
    line2 = StrictCharField(max_length=LENGTHS["line2"], required=False, allow_blank=True)
    city = StrictCharField(
        max_length=LENGTHS["city"],
        required=False,
        allow_blank=True,
        help_text="Required if addresses in the country have a city; those in Singapore, for example, do not.",
    )
    region = StrictCharField(
        max_length=LENGTHS["region"],
        required=False,
        allow_blank=True,
        help_text="State, province or county; required in some countries. In Australia, Brazil, Canada and the United "
        "States it is a code or name of a state, and the code is stored.",
    )
    postal_code = StrictCharField(
        max_length=LENGTHS["postal_code"],
        required=False,
        allow_blank=True,
        help_text="Required in some countries; its letters and digits must fit the country's format. A label, country, "
        "state or city before or after it (C.P. 06000, D-10115, OR 97201, 28001 Madrid) is not stored, and what is "
        "stored has at most 20 characters.",
    )
    country = CountryField(max_length=LENGTHS["country"], help_text="ISO 3166-1 alpha-2, such as GB or US.")
    phone = StrictCharField(
        max_length=LENGTHS["phone"],
        required=False,
        allow_blank=True,
        help_text="6 to 15 digits, with spaces and + ( ) . / - between them; an extension (x5, #5, ;ext=5) is "
        "stored as `ext. 5`.",
    )

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        """Postal code and phone number are stored in canonical form."""
        if errors := address_errors(attrs):
            raise serializers.ValidationError({name: [message] for name, message in errors.items()})
        return address_normalize(attrs)


class AddressField(serializers.Field[Any, Any, Any, Any]):
    """A string or an object of fields."""

    default_error_messages = {"invalid": _("Send a string or an object with name, line1 and country.")}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, str):
            address = {"text": StrictCharField(max_length=TEXT_LENGTH).run_validation(data)}
            if errors := address_errors(address):
                raise serializers.ValidationError(list(errors.values()))
            return address
        if not isinstance(data, dict):
            self.fail("invalid")
        return validated(AddressFields, data)

    def to_representation(self, value: Any) -> Any:
        return address_out(value)


def with_country(address: dict[str, Any], store: StoreRules) -> dict[str, Any]:
    """An address given as one string is in the store's country."""
    return {"country": store.country} | address


def line_out(line: OrderLine, order: Order) -> dict[str, Any]:
    rate_ppm = order.tax_rate_ppm if line.tax_rate_ppm is None else line.tax_rate_ppm
    return {
        "id": str(line.pk),
        "product_id": str(line.product_id),
        "name": line.product_name,
        "artisan_id": str(line.artisan_id),
        "quantity": line.quantity,
        "cancelled_quantity": line.cancelled_quantity,
        "unit_price": line.unit_price.amount,
        "discount": line.discount.amount,
        "tax_rate": None if rate_ppm is None else rate_text(rate_ppm),
        "tax_name": line.tax_name,
        "tax": line.tax.amount,
        "line_total": line.line_total.amount,
    }


def shipment_out(shipment: Shipment) -> dict[str, Any]:
    is_stored = not shipment._state.adding  # else release 0.1.0 entered it
    return {
        "number": shipment.number,
        "carrier": shipment.carrier,
        "tracking": shipment.tracking,
        "tracking_url": shipment.tracking_url,
        "shipped_at": utc(shipment.shipped_at) if is_stored else None,
        "items": [
            {"line": str(row.line_id), "quantity": row.quantity}
            for row in (shipment.lines.all() if is_stored else ())
        ],
    }


def carrier_out(carrier: Carrier) -> dict[str, Any]:
    return {
        "name": carrier.name,
        "countries": carrier.countries.split(),
        "tracking_url": carrier.tracking_url,
    }


class CancellationOut(serializers.BaseSerializer[LineCancellation]):
    def to_representation(self, row: LineCancellation) -> dict[str, Any]:
        return {
            "id": str(row.pk),
            "parcel_id": str(row.line.parcel_id),
            "order_number": row.line.order.order_number,
            "line": str(row.line_id),
            "name": row.line.product_name,
            "quantity": row.quantity,
            "currency": row.currency,
            "amount": row.amount.amount,
            "restocked": row.restocked,
            "reason": row.reason,
            "created_at": utc(row.created_at),
        }


def parcel_out(parcel: Parcel) -> dict[str, Any]:
    return {
        "id": str(parcel.pk),
        "number": parcel.number,
        "artisan_id": str(parcel.artisan_id),
        "status": parcel.status,
        "subtotal": parcel.subtotal.amount,
        "discount": parcel.discount.amount,
        "tax": parcel.tax.amount,
        "shipping": parcel.shipping.amount,
        "shipping_tax": parcel.shipping_tax.amount,
        "shipping_method": parcel.shipping_method,
        "shipping_min_days": parcel.shipping_min_days,
        "shipping_max_days": parcel.shipping_max_days,
        "total": parcel.total.amount,
        "cancelled": parcel.cancelled.amount,
        "carrier": parcel.carrier,
        "tracking": parcel.tracking,
        "instruction": parcel.instruction,
        "shipments": [shipment_out(shipment) for shipment in shipments_of(parcel)],
    }


def order_out(
    order: Order, lines: Sequence[OrderLine], parcels: Sequence[Parcel], *, is_masked: bool = False
) -> dict[str, Any]:
    shipping, billing = order.shipping_address, order.billing_address
    check = check_read(order.vat_id_check)
    if is_masked:
        shipping, billing = (
            {"country": address_read(address).get("country", "")} for address in (shipping, billing)
        )
    return {
        "id": str(order.pk),
        "order_number": order.order_number,
        "status": order.status,
        "payment_status": order.payment_status,
        "origin": order.origin,
        "order_items": [line_out(line, order) for line in lines],
        "parcels": [parcel_out(parcel) for parcel in parcels],
        "subtotal": order.subtotal.amount,
        "discount": order.discount.amount,
        "tax": order.tax.amount,
        "prices_include_tax": order.prices_include_tax,
        "is_reverse_charge": order.is_reverse_charge,
        "shipping_cost": order.shipping.amount,
        "shipping_discount": order.shipping_discount.amount,
        "total": order.total.amount,
        "received": order.received.amount,
        "refunded": order.refunded.amount,
        "balance_due": order.balance_due.amount,
        "due_now": order.due_now.amount,
        "credit_held": order.money(order.credit_held_minor).amount,
        "currency": order.currency,
        "shipping_address": address_out(shipping),
        "billing_address": address_out(billing),
        "company": "" if is_masked else order.company,
        "vat_id": "" if is_masked else order.vat_id,
        "vat_id_status": check.status,
        "vat_id_checked_at": utc(check.checked_at),
        "customer_email": "" if is_masked else order.email,
        "expires_at": utc(order.reserved_until),
        "pay_by": utc(order.due_at),
        "created_at": utc(order.created_at),
    }


def artisan_parcel_out(
    parcel: Parcel, lines: Sequence[OrderLine], *, shows_earnings: bool = True
) -> dict[str, Any]:
    """A parcel for its artisan: own lines and amounts and the delivery address, no payment details.

    Helpers of the workshop do not see what it earns.
    """
    order, earnings = parcel.order, parcel.earnings(lines) if shows_earnings else None
    return {
        **parcel_out(parcel),
        "order_number": order.order_number,
        "currency": parcel.currency,
        "items": [line_out(line, order) for line in lines],
        "ship_to": address_out(order.shipping_address),
        "note": order.delivery_note,
        "commission": earnings.commission.amount if earnings else None,
        "commission_tax": earnings.commission_tax.amount if earnings else None,
        "remitted_tax": earnings.remitted_tax.amount if earnings else None,
        "payment_fee": earnings.payment_fee.amount if earnings else None,
        "share": earnings.share.amount if earnings else None,
        "collect_cash": cash.amount if (cash := parcel.cash_to_collect) else None,
        "released_at": utc(order.released_at),
    }


class ArtisanParcelOut(serializers.BaseSerializer[Parcel]):
    def to_representation(self, parcel: Parcel) -> dict[str, Any]:
        lines, shows_earnings = list(parcel.lines.all()), self.context["shows_earnings"]
        return artisan_parcel_out(parcel, lines, shows_earnings=shows_earnings)


class OrderOut(serializers.BaseSerializer[Order]):
    def to_representation(self, order: Order) -> dict[str, Any]:
        principal = Principal.from_api(self.context["request"])
        hides = principal.order_link is not None and is_masked(order, principal.user)
        return order_out(order, list(order.lines.all()), list(order.parcels.all()), is_masked=hides)
