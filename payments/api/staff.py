"""Staff actions on offline payments through the API, by the same services as in the admin."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.models import Scope
from artisans.accounts.principals import require_user
from artisans.approvals.errors import ApprovalPending, NobodyElse
from artisans.approvals.models import ApprovalRequest
from artisans.core.api.fields import (
    IdField,
    StrictCharField,
    StrictDateField,
    StrictDecimalField,
    StrictLineField,
    StrictSerializer,
    validated,
)
from artisans.core.api.openapi import example, operation
from artisans.core.api.views import ApiView
from artisans.core.errors import Conflict, IllegalTransition, InvalidInput, NotFound
from artisans.core.models import get_or_none
from artisans.core.money import Money
from orders.selectors import store_rules
from orders.statuses import CashHolder
from payments.api.schemas import ApprovalShape, PaymentShape
from payments.api.serializers import approval_answer, payment_out
from payments.approvals import receipt_submit
from payments.errors import AlreadyRecorded, HasReceipts, NoPermission, NotManual, OwnCashReport, OwnOrder
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.receipts import payment_reject
from payments.models import Payment

MAY_DECIDE = "payments.approve_manual"


@example({"amount": "99.99", "value_date": "2026-11-26", "bank_reference": "2026-330-17"})
class ApproveIn(StrictSerializer):
    amount = StrictDecimalField(help_text="The amount received, as on the bank statement.")
    value_date = StrictDateField(help_text="The date on which the bank booked it.")
    bank_reference = StrictLineField(
        max_length=80,
        help_text="Number of the transaction, check or cash receipt; recorded once, ignoring case and punctuation.",
    )
    received_amount = StrictDecimalField(
        required=False, help_text="The amount received so far, as last read; 409 if it has changed since."
    )
    parcel_id = IdField(
        required=False,
        help_text="Cash on delivery only: the parcel for which it was collected; otherwise it is for the whole order.",
    )
    holder = serializers.ChoiceField(
        CashHolder.choices,
        required=False,
        help_text="Who has the cash of the parcel; by default the one in the store rules.",
    )


@example({"reason": "The check bounced."})
class RejectIn(StrictSerializer):
    reason = StrictCharField(max_length=250, help_text="Shown to the buyer.")


class StaffPaymentViewSet(ApiView, viewsets.ViewSet):
    scopes = {"approve": Scope.STAFF.value, "reject": Scope.STAFF.value}

    @operation(
        "payment_approve",
        "Record money received",
        request=ApproveIn,
        responses={200: PaymentShape, 202: ApprovalShape},
        problems=(
            NoPermission,
            OwnOrder,
            OwnCashReport,
            InvalidInput,
            NotManual,
            Conflict,
            AlreadyRecorded,
            ApprovalPending,
            NobodyElse,
        ),
    )
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Record money received for an offline payment; it is COMPLETED once fully paid.

        Less: the payment stays PENDING until the rest arrives. More: the difference is due as a refund.
        Requires the permission to record payments, and the order must not be your own. A reference is
        recorded once.

        Cash on delivery is recorded by parcel (`parcel_id`), at most what is outstanding for it, and not by
        who reported it as collected.

        Above the store's limit a second person has to approve it in the admin: 202, and nothing is booked
        until then.
        """
        data = validated(ApproveIn, request.data)
        payment = self.payment(request, pk)
        seen, holder = data.get("received_amount"), data.get("holder")
        done = receipt_submit(
            payment_id=payment.pk,
            money=IncomingMoney(
                money(data["amount"], payment, "amount"),
                data["value_date"],
                data["bank_reference"],
                data.get("parcel_id"),
                CashHolder(holder) if holder else None,
            ),
            actor=require_user(request),
            seen_minor=None if seen is None else money(seen, payment, "received_amount").minor,
            beyond_due=True,  # programs copy amounts, and are promised that any surplus is booked
        )
        return approval_answer(done) if isinstance(done, ApprovalRequest) else answer(done.payment)

    @operation(
        "payment_reject",
        "Reject a payment",
        request=RejectIn,
        responses=PaymentShape,
        problems=(NoPermission, OwnOrder, InvalidInput, NotManual, HasReceipts, IllegalTransition),
    )
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        """Record that an offline payment will not arrive; the buyer is emailed the reason.

        The payment is FAILED; the order stays open for at least a day, so that it can be paid another way.
        """
        data = validated(RejectIn, request.data)
        payment = self.payment(request, pk)
        return answer(
            payment_reject(payment_id=payment.pk, reason=data["reason"], actor=require_user(request))
        )

    def payment(self, request: Request, pk: str) -> Payment:
        """Any payment, for staff with the permission; everyone else gets the same error whether or not it
        exists."""
        if not require_user(request).has_perm(MAY_DECIDE):
            raise NoPermission
        found = get_or_none(Payment.objects.filter(pk=UUID(pk)))
        if found is None:
            raise NotFound(_("Payment not found."))
        return found


def money(amount: Any, payment: Payment, name: str) -> Money:
    """Errors: InvalidInput for more decimal places than the currency has, or too large an amount."""
    try:
        return Money.parse(format(amount, "f"), payment.currency)
    except ValueError as error:
        raise InvalidInput(f"{name}: {error}") from error


def answer(payment: Payment) -> Response:
    return Response(payment_out(payment, payment.order, store_rules()))
