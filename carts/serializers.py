from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from artisans.catalog.schemas import PRODUCT_ID
from artisans.core.api.fields import (
    IdField,
    StrictCharField,
    StrictDecimalField,
    StrictIntegerField,
    StrictLineField,
    StrictSerializer,
    utc,
)
from artisans.core.api.openapi import example
from artisans.core.errors import InvalidInput
from artisans.core.money import rate_text
from artisans.tax_ids.models import TaxId
from artisans.tax_ids.numbers import vat_id_read
from artisans.tax_ids.selectors import tax_id_named
from carts.checkout import Assertions
from carts.delivery import group_choices
from carts.fingerprint import quote_fingerprint
from carts.models import Cart, CartItem
from carts.selectors import CartSummary, problems_of, subtotal_of
from carts.services import MAX_ITEMS
from orders.address_rules import LENGTHS, address_normalize, country_error
from orders.models import StoreRules
from orders.problems import MAX_QUANTITY
from orders.quoting import Destination, Wanted, destination_of, home
from orders.serializers import AddressField, CountryField
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


@example({"currency": "JPY"})
class CurrencyIn(StrictSerializer):
    currency = StrictCharField(max_length=3, help_text="One of `GET /currencies/`.")


class VatIdField(StrictCharField):
    """Normalized; its format and check digit are checked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=40, **options)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            return vat_id_read(text) if text else ""
        except InvalidInput as error:
            raise serializers.ValidationError(error.detail) from None


@example({"vat_id": "DE136695976"})
class VatIdIn(StrictSerializer):
    vat_id = VatIdField(
        help_text="VAT ID of the European Union, such as DE136695976; EL for Greece, XI for Northern Ireland."
    )


class AssertionsIn(StrictSerializer):
    """Expected figures that a client may send along; they are only compared."""

    tax_rate = StrictDecimalField(required=False, help_text="As a fraction: 0.10 is 10%.")
    shipping_cost = StrictDecimalField(required=False, help_text="Shipping cost.")
    amount = StrictDecimalField(required=False, help_text="Order total.")
    currency = StrictCharField(max_length=3, required=False, help_text="ISO 4217.")
    fingerprint = StrictCharField(
        max_length=200,
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


class DestinationIn(StrictSerializer):
    """Where a cart would go, before an address is entered."""

    country = CountryField(
        max_length=LENGTHS["country"],
        required=False,
        help_text="ISO 3166-1 alpha-2; left out: that of the address entered so far, or the shop's own.",
    )
    region = StrictCharField(
        max_length=LENGTHS["region"], required=False, allow_blank=True, help_text="As in addresses."
    )
    postal_code = StrictCharField(
        max_length=LENGTHS["postal_code"], required=False, allow_blank=True, help_text="As in addresses."
    )

    def validate_country(self, country: str) -> str:
        if error := country_error(country):
            raise serializers.ValidationError(error)
        return country

    @staticmethod
    def destination(data: Mapping[str, Any], store: StoreRules) -> Destination | None:
        """None if nothing is named: the answers in the cart count."""
        wanted = data.get("shipping_method")
        if "country" not in data:
            return replace(home(store), wanted=wanted) if wanted else None
        names = ("country", "region", "postal_code")
        address = address_normalize({name: data[name] for name in names if name in data})
        tax_id = tax_id_named(data.get("vat_id", ""))
        return destination_of(address, store=store, wanted=wanted, tax_id=tax_id)


class MethodsByArtisan(serializers.DictField):
    """Keys of shipping methods by those of artisans."""

    default_error_messages = {"not_an_artisan": _("Use ids of artisans as keys.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=StrictIntegerField(min_value=1), **kwargs)

    def to_internal_value(self, data: Any) -> dict[UUID, int]:
        found = super().to_internal_value(data)
        try:
            return {UUID(key): value for key, value in found.items()}
        except ValueError:
            self.fail("not_an_artisan")


class ShippingIn(StrictSerializer):
    """Shipping methods of `GET /carts/{id}/shipping_methods`; parcels without one go by the cheapest delivery."""

    shipping_method = StrictIntegerField(
        min_value=1, required=False, help_text="For all parcels that it is offered for."
    )
    shipping_methods = MethodsByArtisan(required=False, help_text="By artisan, instead of `shipping_method`.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "shipping_method" in attrs and "shipping_methods" in attrs:
            raise serializers.ValidationError(_("Send shipping_method or shipping_methods, not both."))
        return attrs

    @staticmethod
    def wanted(data: dict[str, Any]) -> Wanted:
        return data.get("shipping_methods") or data.get("shipping_method")


class SummaryIn(AssertionsIn, DestinationIn):
    shipping_method = StrictIntegerField(min_value=1, required=False, help_text="As in the checkout.")
    vat_id = VatIdField(required=False, help_text="Of a business; only counts with `country`.")


PLACE = {
    "shipping_address": "123 Main St, City, State, 12345",
    "payment_method": "bank_transfer",
    "payment_provider": "manual",
    "customer_email": "sam@example.com",
}


@example(PLACE | {"tax_rate": "0.10", "shipping_cost": "5.99"})
class CheckoutIn(AssertionsIn, ShippingIn):
    shipping_address = AddressField()
    billing_address = AddressField(required=False)
    payment_method = MethodField()
    payment_provider = ProviderField(required=False)
    customer_email = serializers.EmailField(max_length=254, required=False)
    note = StrictCharField(max_length=300, required=False, allow_blank=True, default="")
    company = StrictLineField(
        max_length=150,
        required=False,
        allow_blank=True,
        help_text="Name of a business that buys.",
    )
    vat_id = VatIdField(
        required=False,
        allow_blank=True,
        help_text="Of that business, with `company`. Unless it is known to be valid, the order is taxed: send "
        "`amount` or `fingerprint` of the summary, so that nothing is ordered if that has changed.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # Not defaults of the fields: generated clients would have to send these.
        attrs = {"company": "", "vat_id": ""} | attrs
        if attrs["vat_id"] and not attrs["company"]:
            raise serializers.ValidationError(
                {"company": [_("Enter the name of the company that has this VAT ID.")]}
            )
        return super().validate(attrs)


@example(PLACE | {"order_items": [{"product_id": PRODUCT_ID, "quantity": 1}]})
class OrderIn(CheckoutIn):
    order_items = serializers.ListField(child=ItemIn(), allow_empty=False, max_length=MAX_ITEMS)
    payment_method = MethodField(required=False)


def cart_out(cart: Cart, items: Sequence[CartItem], *, token: str = "") -> dict[str, Any]:
    problems = problems_of(cart, items)  # reads the prices
    prices = {item.pk: item.product.price_in(cart.currency) or item.product.price for item in items}
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
                "unit_price": prices[item.pk].amount,
                "line_total": (prices[item.pk] * item.quantity).amount,
                "artisan_id": str(item.product.artisan_id),
            }
            | ({"currency": code} if (code := prices[item.pk].currency) != cart.currency else {})
            for item in items
        ],
        "subtotal": subtotal_of(cart, items).amount,
        "problems": [problem.as_dict() for problem in problems],
    }
    return answer | ({"token": token} if token else {})


def vat_id_out(tax_id: TaxId) -> dict[str, Any]:
    return {
        "vat_id": tax_id.value,
        "country": tax_id.country,
        "status": tax_id.status,
        "is_verified": tax_id.is_verified,
        "checked_at": utc(tax_id.checked_at),
    }


def shipping_out(summary: CartSummary) -> dict[str, Any]:
    """What the buyer can choose between, by group of parcels, and the artisans who do not ship there."""
    place = summary.offer.destination.place
    return {
        "country": place.country,
        "is_estimate": summary.is_estimate,
        "currency": summary.total.currency,
        "groups": [
            {
                "artisan_ids": [str(artisan_id) for artisan_id in group.artisans],
                "methods": [
                    {
                        "id": choice.method.id,
                        "name": choice.method.name,
                        "kind": "pickup" if choice.method.is_pickup else "delivery",
                        "min_days": choice.method.min_days,
                        "max_days": choice.method.max_days,
                        "price": choice.price.amount,
                        "is_chosen": choice.is_selected,
                    }
                    for choice in group.choices
                ],
            }
            for group in group_choices(summary)
        ],
        "unserved_artisan_ids": sorted(map(str, summary.offer.unserved)),
    }


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
        "tax_is_estimate": summary.is_estimate,
        "is_reverse_charge": summary.is_reverse_charge,
        "vat_id": summary.vat_id,
        "vat_id_effect": summary.vat_id_effect,
        "fingerprint": quote_fingerprint(summary.offer),
        "parcels": [
            {
                "artisan_id": str(group.artisan.pk),
                "artisan": group.artisan.name,
                "items": [str(line.id) for line in group.lines],
                "subtotal": group.subtotal.amount,
                "tax": group.tax.amount,
                "shipping": group.shipping.amount,
                "shipping_method": summary.offer.method_names.get(group.artisan.pk, ""),
                "total": group.total.amount,
            }
            for group in summary.groups
        ],
        "problems": [problem.as_dict() for problem in summary.problems],
    }
