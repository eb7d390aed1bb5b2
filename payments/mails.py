from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import TextChoices
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from artisans.core.security.tokens import mailbox_token, order_token
from artisans.notifications.facts import fact_renderer
from payments.links import order_url
from payments.methods import SPECS, PaymentMethod


class PaymentMail(TextChoices):
    ORDER_PLACED = "order_placed", _("Order placed (to the buyer)")
    COD_CONFIRMED = "cod_confirmed", _("Cash on delivery confirmed (to the buyer)")
    ORDER_CONFIRMED = "order_confirmed", _("Order without payment confirmed (to the buyer)")
    ORDER_FIND = "order_find", _("Order link (to the buyer)")
    ORDER_CANCELLED = "order_cancelled", _("Order cancelled (to the buyer)")
    ORDER_EXPIRED = "order_expired", _("Order expired (to the buyer)")
    PAYMENT_OPEN = "payment_open", _("Payment not completed (to the buyer)")
    PAYMENT_DUE = "payment_due", _("Payment reminder (to the buyer)")
    PAYMENT_RECEIVED = "payment_received", _("Payment received (to the buyer)")
    PAYMENT_PARTLY_RECEIVED = "payment_partly_received", _("Payment partly received (to the buyer)")
    PAYMENT_REJECTED = "payment_rejected", _("Payment rejected (to the buyer)")
    RECEIPT_REVERSED = "receipt_reversed", _("Payment corrected (to the buyer)")
    OVERPAID = "overpaid", _("Overpaid (to the buyer)")
    LATE_PAYMENT = "late_payment", _("Late payment (to the buyer)")
    OFFLINE_REFUND_SENT = "offline_refund_sent", _("Offline refund sent (to the buyer)")
    REFUND_COMPLETED = "refund_completed", _("Refund sent (to the buyer)")
    REFUND_FAILED = "refund_failed", _("Refund failed (to the buyer)")
    BUYER_PARCEL_CANCELLED = "buyer_parcel_cancelled", _("Parcel cancelled (to the buyer)")
    UNITS_CANCELLED = "units_cancelled", _("Items cancelled (to the buyer)")
    PARCEL_RETURNED = "parcel_returned", _("Parcel returned (to the buyer)")
    ARTISAN_PARCEL_RETURNED = "artisan_parcel_returned", _("Parcel returned (to the artisan)")
    METHOD_SAVED = "method_saved", _("Payment method saved (to the buyer)")
    METHOD_REMOVED = "method_removed", _("Payment method removed (to the buyer)")


@fact_renderer
def method_name(method: str) -> str:
    """The payment method's name as shown to buyers; a method unknown to this release keeps its stored name."""
    if method not in PaymentMethod:
        return method
    known = PaymentMethod(method)
    return str(SPECS[known].shown_as or known.label)


# ---- links: signed when the mail is rendered, and stored nowhere -----------------------------------------------------


def order_page(facts: dict[str, Any]) -> str:
    order_id, version = facts["order_link"]
    return order_url(UUID(order_id), version)


def pay_page(facts: dict[str, Any]) -> str:
    order_id, version = facts["order_link"]
    return f"{settings.SITE_URL}{reverse('payments:order_pay', args=[order_token(UUID(order_id), version)])}"


def confirm_page(facts: dict[str, Any]) -> str:
    return f"{order_page(facts)}?mailbox={mailbox_token(UUID(facts['order_link'][0]))}"


def methods_page(facts: dict[str, Any]) -> str:
    return f"{settings.SITE_URL}{reverse('payments:method_list')}"


LINKS = {
    "order_url": order_page,
    "pay_url": pay_page,
    "confirm_url": confirm_page,
    "methods_url": methods_page,
}
