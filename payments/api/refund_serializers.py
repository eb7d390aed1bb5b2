"""Request and response bodies of refunds and timelines. Amounts are decimal strings, times are UTC."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework import serializers

from artisans.core.api.fields import (
    IdField,
    StrictBooleanField,
    StrictCharField,
    StrictDecimalField,
    StrictIntegerField,
    StrictSerializer,
    utc,
)
from artisans.core.api.openapi import example
from artisans.core.errors import InvalidInput
from artisans.core.money import Money
from orders.schemas import LINE, PARCEL_ID
from orders.statuses import ParcelDecision
from payments.api.schemas import PAYMENT_ID
from payments.bookkeeping.refund_amounts import RefundLineInput, RefundSelection
from payments.history import Fact
from payments.models import Bearer, Payment, PaymentRefund


class RefundLineIn(StrictSerializer):
    line = IdField(help_text="Id of an order item.")
    quantity = StrictIntegerField(min_value=1)


class ParcelDecisionIn(StrictSerializer):
    parcel = IdField(help_text="Id of a parcel of the order.")
    decision = serializers.ChoiceField(
        ParcelDecision.choices,
        help_text="Not shipped yet: `send` or `cancel`. Shipped: `keep`, `await_return`, `returned` (items go back on "
        "sale) or `written_off` (they do not).",
    )


@example(
    {"payment_id": PAYMENT_ID, "amount": "50.00", "reason": "Customer requested refund"},
    By_item={
        "payment_id": PAYMENT_ID,
        "lines": [{"line": LINE["id"], "quantity": 1}],
        "shipping": True,
        "restock": True,
        "reason": "The bowl broke in transit.",
    },
    With_a_parcel_decision={
        "payment_id": PAYMENT_ID,
        "amount": "99.99",
        "parcels": [{"parcel": PARCEL_ID, "decision": "cancel"}],
        "reason": "The kiln broke.",
    },
)
class RefundIn(StrictSerializer):
    """An `amount`, or `lines` (and `shipping`), whose value `amount` only asserts. `restock` requires lines."""

    payment_id = IdField()
    reason = StrictCharField(max_length=300, help_text="Shown to the buyer.")
    amount = StrictDecimalField(required=False)
    currency = StrictCharField(max_length=3, required=False)
    lines = RefundLineIn(many=True, required=False)
    shipping = StrictBooleanField(required=False, help_text="Include all shipping that was not refunded yet.")
    restock = StrictBooleanField(required=False, help_text="Put the units of `lines` back on sale.")
    borne_by = serializers.ChoiceField(
        Bearer.choices,
        required=False,
        help_text="`artisan`, unless given: the refund is taken back from what artisans earned. `shop`: they keep it.",
    )
    parcels = ParcelDecisionIn(
        many=True,
        required=False,
        help_text="What the refund means for parcels. An unshipped parcel that is refunded and "
        "not listed here is held until staff decide; all others are unchanged.",
    )


def parse_selection(data: dict[str, Any]) -> RefundSelection | None:
    """What a refund is for; None for a refund of an amount."""
    lines = tuple(RefundLineInput(line["line"], line["quantity"]) for line in data.get("lines", ()))
    wants_shipping, restock = data.get("shipping", False), data.get("restock", False)
    if not (lines or wants_shipping or restock):
        return None
    return RefundSelection(lines, with_shipping=wants_shipping, restock=restock)


def parse_decisions(data: dict[str, Any]) -> dict[UUID, ParcelDecision]:
    """Errors: InvalidInput for a parcel that is listed twice."""
    asked = data.get("parcels", ())
    decisions = {one["parcel"]: ParcelDecision(one["decision"]) for one in asked}
    if len(decisions) < len(asked):
        raise InvalidInput(_("A parcel is listed twice. Give one decision for each."))
    return decisions


def parse_amount(data: dict[str, Any], payment: Payment) -> Money | None:
    """Errors: InvalidInput for another currency or too many decimal places."""
    if data.get("currency", payment.currency) != payment.currency:
        raise InvalidInput(_("The payment’s currency is %(currency)s.") % {"currency": payment.currency})
    if "amount" not in data:
        return None
    try:
        return Money.parse(data["amount"], payment.currency)
    except ValueError as error:
        raise InvalidInput(str(error)) from error


def refund_out(refund: PaymentRefund) -> dict[str, Any]:
    return {
        "id": str(refund.pk),
        "refund_number": refund.refund_number,
        "payment_id": str(refund.payment_id),
        "amount": refund.amount.amount,
        "shipping": Money(refund.shipping_minor, refund.currency).amount,
        "currency": refund.currency,
        "status": refund.status,
        "reason": refund.reason,
        "lines": [
            {
                "line": str(row.order_line_id),
                "quantity": row.quantity,
                "amount": row_amount(row.amount_minor, refund),
            }
            for row in refund.lines.all()
        ],
        "restock": refund.restock,
        "borne_by": refund.borne_by,
        "provider_refund_id": refund.provider_refund_id,
        "failure_reason": refund.failure_reason,
        "created_at": utc(refund.created_at),
        "processed_at": utc(refund.processed_at),
    }


def row_amount(minor: int, refund: PaymentRefund) -> str:
    return Money(minor, refund.currency).amount


class RefundOut(serializers.BaseSerializer[PaymentRefund]):
    def to_representation(self, refund: PaymentRefund) -> dict[str, Any]:
        return refund_out(refund)


def fact_out(fact: Fact, *, is_staff: bool) -> dict[str, Any]:
    """Buyers see what happened; the member of staff and the reason are for staff."""
    shape = {
        "at": utc(fact.at),
        "kind": fact.kind,
        "number": fact.number,
        "old": fact.old or None,
        "new": fact.new or None,
        "amount": fact.amount.amount if fact.amount else None,
        "currency": fact.amount.currency if fact.amount else None,
    }
    return shape | ({"actor": fact.who, "cause": fact.why} if is_staff else {})
