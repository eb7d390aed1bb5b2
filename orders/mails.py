"""Emails about an order. They carry facts, which are rendered when sent (artisans.notifications.facts)."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.models import TextChoices
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from artisans.notifications.facts import render_later
from artisans.notifications.services import MailMessage
from orders.addresses import address_lines, address_read
from orders.models import Order, OrderLine, Parcel, StoreRules


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
    RETURN_REQUESTED = "return_requested", _("Return requested (to the buyer)")


def parcel_url(facts: dict[str, Any]) -> str:
    return f"{settings.SITE_URL}{reverse('orders:parcel', args=[facts['parcel_id']])}"


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
            "tax": order.tax,
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
    """An email to the artisan, with their own lines only. `key` distinguishes emails of one kind about a parcel."""
    earnings = parcel.earnings(lines)
    context = {
        "store": store_context(store),
        "order_number": order.order_number,
        "parcel_id": str(parcel.pk),
        "reason": reason,
        "parcel": {
            "number": parcel.number,
            "lines": list_units((line, line.quantity) for line in lines),
            "ship_to": render_later(address_lines, stored=address_read(order.shipping_address)),
            "note": order.delivery_note,
            "phone": address_read(order.shipping_address).get("phone", ""),
            "fee": earnings.commission,
            "share": earnings.share,
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


def list_units(items: Iterable[tuple[OrderLine, int]]) -> list[dict[str, Any]]:
    """Names and quantities for an email; lines without a quantity are left out."""
    return [{"name": line.product_name, "quantity": quantity} for line, quantity in items if quantity]


def store_context(store: StoreRules) -> dict[str, str]:
    return {"name": store.name, "support_email": store.support_email}
