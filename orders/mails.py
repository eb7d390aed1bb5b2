"""Emails about an order. They carry facts, which are rendered when sent (artisans.notifications.facts)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import TextChoices
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import Artisan, CommissionRate
from artisans.core.money import Money
from artisans.core.templatetags.money import percent, show
from artisans.notifications.facts import RENDERERS, fact_renderer, render_later
from artisans.notifications.services import MailMessage
from orders.addresses import address_lines, address_read
from orders.commission import Terms
from orders.models import Order, OrderLine, Parcel, StoreRules
from orders.selectors import carrier_listed
from orders.statuses import FeeBearer


class OrderMail(TextChoices):
    PARCEL_NEW = "parcel_new", _("New parcel (to the artisan)")
    PARCEL_WAITS_FOR_PAYMENT = "parcel_waits_for_payment", _("Parcel waiting for payment (to the artisan)")
    PARCEL_PAID_AGAIN = "parcel_paid_again", _("Parcel paid again (to the artisan)")
    PARCEL_REDUCED = "parcel_reduced", _("Items removed from a parcel (to the artisan)")
    PARCEL_CANCELLED = "parcel_cancelled", _("Parcel cancelled (to the artisan)")
    PARCEL_ON_HOLD = "parcel_on_hold", _("Parcel on hold (to the artisan)")
    PARCEL_RESUMED = "parcel_resumed", _("Parcel no longer on hold (to the artisan)")
    PARCEL_EXPECTED_BACK = "parcel_expected_back", _("Return expected (to the artisan)")
    PARCEL_SHIPPED = "parcel_shipped", _("Parcel shipped (to the buyer)")
    SHIPMENT_CORRECTED = "shipment_corrected", _("Tracking number corrected (to the buyer)")
    RETURN_REQUESTED = "return_requested", _("Return requested (to the buyer)")
    COMMISSION_RAISED = "commission_raised", _("Commission increase (to the artisan)")


def parcel_url(facts: dict[str, Any]) -> str:
    return f"{settings.SITE_URL}{reverse('orders:parcel', args=[facts['parcel_id']])}"


def tracking_url(facts: dict[str, Any]) -> str:
    """The carrier's page about a shipment; empty if it is not known."""
    parcel = facts["parcel"]
    carrier = carrier_listed(parcel["carrier"])
    return carrier.link(parcel["tracking"]) if carrier else ""


def shipping_methods(facts: dict[str, Any]) -> list[str]:
    """How each parcel of an order is shipped, and in how many days."""
    order_id, _version = facts["order_link"]
    parcels = (
        Parcel.objects.filter(order=UUID(order_id)).exclude(shipping_method="").select_related("artisan")
    )
    return [f"{parcel.artisan.name}: {parcel.shipping_method_text}" for parcel in parcels]


RENDERERS["shipping_methods"] = lambda order_id: []  # of emails that wait since their order stored it


def order_mail(
    kind: str, order: Order, *, lines: list[OrderLine], store: StoreRules, key: str = "", **extra: Any
) -> MailMessage:
    """An email to the buyer; `key` distinguishes emails of the same kind about one order."""
    context = {
        "store": store_context(store),
        "order_number": order.order_number,
        "order_link": [str(order.pk), order.token_version],
        "order": {
            "order_number": order.order_number,
            "created_at": localtime(order.created_at).date(),
            "lines": [
                {
                    "name": line.product_name,
                    "artisan_name": line.artisan_name,
                    "quantity": line.quantity,
                    "unit_price": line.unit_price,
                    "line_total": line.line_total,
                }
                for line in lines
            ],
            "subtotal": order.subtotal,
            "discount": order.discount + order.shipping_discount if order.has_discount else "",
            "tax": order.tax,
            "prices_include_tax": order.prices_include_tax,
            "is_reverse_charge": order.is_reverse_charge,
            "company": order.company,
            "vat_id": order.vat_id,
            "shipping": order.shipping,
            "total": order.total,
            "shipping_address_lines": render_later(
                address_lines, stored=address_read(order.shipping_address)
            ),
            "parcel_count": len({line.parcel_id for line in lines}),
        },
        **extra,
    }
    return MailMessage(kind, order.email, f"{kind}:{order.pk}:{key}", context)


def parcel_mail(
    kind: str,
    parcel: Parcel,
    *,
    order: Order,
    lines: list[OrderLine],
    store: StoreRules,
    collect_cash: bool = False,
    reason: str = "",
    key: str = "",
) -> MailMessage:
    """An email to the artisan, with their own lines only. `key` distinguishes emails of one kind about a parcel.

    Only the first email about a parcel shows the share: before it, nothing is earned.
    """
    earnings = parcel.expected_earnings(lines)
    context = {
        "store": store_context(store),
        "order_number": order.order_number,
        "parcel_id": str(parcel.pk),
        "reason": reason,
        "parcel": {
            "number": parcel.number,
            "lines": list_units((line, line.agreed_quantity) for line in lines),
            "ship_to": render_later(address_lines, stored=address_read(order.shipping_address)),
            "shipping_method": parcel.shipping_method,
            "note": order.delivery_note,
            "phone": address_read(order.shipping_address).get("phone", ""),
            "fee": earnings.fee,
            "share": earnings.share,
            "bears_payment_fee": parcel.payment_fee_bearer == FeeBearer.ARTISAN and not collect_cash,
            "collect_cash": parcel.total if collect_cash else "",
        },
    }
    return MailMessage(
        kind, parcel.artisan.email, f"{kind}:{parcel.pk}" + (f":{key}" if key else ""), context
    )


def parcel_reduced_mail(
    parcel: Parcel, *, order: Order, items: list[tuple[OrderLine, int]], store: StoreRules, key: str
) -> MailMessage:
    """An email to the artisan: which items of an unshipped parcel were refunded and restocked."""
    context = {
        "store": store_context(store),
        "order_number": order.order_number,
        "parcel_id": str(parcel.pk),
        "lines": list_units(items),
    }
    return MailMessage(
        OrderMail.PARCEL_REDUCED, parcel.artisan.email, f"parcel_reduced:{parcel.pk}:{key}", context
    )


def commission_mail_key(artisan_id: UUID | str) -> str:
    """How the keys of emails about an artisan's commission begin."""
    return f"commission_raised:{artisan_id}:"


def commission_raised_mail(
    artisan: Artisan,
    *,
    rate: CommissionRate,
    changes: Iterable[tuple[Iterable[str], Terms, Terms]],
    store: StoreRules,
    later: datetime | None = None,
) -> MailMessage:
    """An email to the artisan before their commission rises. `changes`: categories, the terms before and after.
    `later`: when it rises, if that is not the start of the rate."""
    context = {
        "store": store_context(store),
        "artisan_name": artisan.name,
        "starts": later or rate.valid_from,
        "changes": [
            {
                "categories": ", ".join(categories),
                **{
                    name: render_later(terms_text, terms=list(terms), currency=rate.currency)
                    for name, terms in (("old", before), ("new", after))
                },
            }
            for categories, before, after in changes
        ],
    }
    key = f"{commission_mail_key(artisan.pk)}{rate.pk}" + (f":{later.isoformat()}" if later else "")
    return MailMessage(OrderMail.COMMISSION_RAISED, artisan.email, key, context)


@fact_renderer
def terms_text(terms: Iterable[Any], currency: str) -> str:
    """What a rate takes: "8.00% of the goods, plus $0.30 per parcel, at least $1.00"."""
    rate = Terms(*terms)

    def amount(minor: int) -> str:
        return show(Money.stored(minor, currency))

    parts = [
        (
            gettext("%(percent)s%% of goods and shipping")
            if rate.on_shipping
            else gettext("%(percent)s%% of the goods")
        )
        % {"percent": percent(rate.rate_ppm)}
    ]
    if rate.fixed:
        parts.append(gettext("plus %(amount)s per parcel") % {"amount": amount(rate.fixed)})
    if rate.minimum:
        parts.append(gettext("at least %(amount)s per parcel") % {"amount": amount(rate.minimum)})
    if rate.cap is not None:
        parts.append(gettext("at most %(amount)s per parcel") % {"amount": amount(rate.cap)})
    return ", ".join(parts)


def list_units(items: Iterable[tuple[OrderLine, int]]) -> list[dict[str, Any]]:
    """Names and quantities for an email; lines without a quantity are left out."""
    return [{"name": line.product_name, "quantity": quantity} for line, quantity in items if quantity]


def store_context(store: StoreRules) -> dict[str, str]:
    return {"name": store.name, "support_email": store.support_email}
