"""Incoming transfers reported by the bank feed: booked when they match an order exactly, otherwise left to
staff."""

from datetime import date

from django.utils.translation import gettext as _

from artisans.core.errors import DomainError
from orders.models import Order
from payments.bookkeeping.references import reference_key
from payments.errors import AlreadyRecorded
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.receipts import receipt_from_feed
from payments.methods import MANUAL
from payments.models import EventState, Payment, Receipt
from payments.providers.contract import ProviderEvent
from payments.providers.manual.feed import RECEIVED
from payments.selectors import find_active_receipt, latest_payment, open_payment
from payments.webhooks.events import Outcome


def process_feed_event(provider_event: ProviderEvent) -> Outcome:
    """Errors: AlreadyRecorded when someone records money concurrently; the next try finds it booked."""
    if provider_event.kind != RECEIVED:
        return Outcome(EventState.IGNORED, _("This type of event is not used."))
    order = find_order_by_reference(provider_event.payload["reference"])
    payment = (open_payment(order) or latest_payment(order)) if order else None
    payment_id = payment.pk if payment else None
    key = reference_key(provider_event.payload["bank_reference"])
    receipt = find_active_receipt(key)
    if receipt is not None and (receipt.payment_id, receipt.amount) == (payment_id, provider_event.amount):
        return Outcome(
            EventState.IGNORED,
            _("Already recorded by %(actor_name)s.") % {"actor_name": receipt.actor_name},
            payment_id,
        )
    if receipt is not None:
        return Outcome(
            EventState.STAFF, _("A different payment was recorded with this bank reference."), payment_id
        )
    if receipt is None and Receipt.objects.filter(reference_key=key).exists():
        return Outcome(
            EventState.STAFF, _("A receipt with this bank reference was recorded and reversed."), payment_id
        )
    if order is None or payment is None:
        return Outcome(EventState.STAFF, _("No order has this reference."))
    if doubt := find_doubt(provider_event, payment, order):
        return Outcome(EventState.STAFF, doubt, payment_id)
    return record_receipt(provider_event, payment)


def find_order_by_reference(reference: str) -> Order | None:
    """The order of a payment reference, ignoring spaces, hyphens and case; its check character catches typing
    errors."""
    number = "".join(reference.split()).replace("-", "").upper()
    return Order.objects.filter(order_number=number).first()


def find_doubt(provider_event: ProviderEvent, payment: Payment, order: Order) -> str:
    """Why the transfer does not match what the order awaits; "" when it does."""
    if provider_event.payload["is_masked"]:
        return _("Parts of the references were not stored for data protection. Check the bank statement.")
    if payment.payment_provider != MANUAL or not payment.is_open:
        return _("The order’s payment is %(status)s (%(payment_provider)s).") % {
            "status": payment.get_status_display().lower(),
            "payment_provider": payment.payment_provider,
        }
    if provider_event.amount != payment.outstanding or provider_event.amount != order.due_now:
        return _("Received %(amount)s; the amount due is %(balance_due)s.") % {
            "amount": provider_event.amount,
            "balance_due": order.due_now,
        }
    return ""


def record_receipt(provider_event: ProviderEvent, payment: Payment) -> Outcome:
    if provider_event.amount is None:
        raise TypeError("Money without an amount.")
    try:
        receipt_from_feed(
            payment_id=payment.pk,
            money=IncomingMoney(
                provider_event.amount,
                date.fromisoformat(provider_event.payload["value_date"]),
                provider_event.payload["bank_reference"],
            ),
            seen_minor=payment.received_minor,
        )
    except AlreadyRecorded as refusal:
        key = reference_key(provider_event.payload["bank_reference"])
        received = Payment.objects.values_list("received_minor", flat=True).get(pk=payment.pk)
        if received != payment.received_minor or find_active_receipt(key):
            raise
        return Outcome(EventState.STAFF, refusal.detail, payment.pk)  # it is of other money than a payment's
    except DomainError as refusal:
        return Outcome(EventState.STAFF, refusal.detail, payment.pk)
    return Outcome(EventState.DONE, _("%(amount)s recorded.") % {"amount": provider_event.amount}, payment.pk)
