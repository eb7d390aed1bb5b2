"""Acts with money that a second person may have to approve: what is requested, and how it is carried out then.

Each `…_submit` does the act, or, where the store rules want a second person, requests the approval and returns that.
"""

from datetime import date
from uuid import UUID

from artisans.accounts.models import User
from artisans.approvals.errors import SecondPersonRequired
from artisans.approvals.kinds import ApprovalKind, Payload, register
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import approval_request
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from payments.models import Payment, PaymentRefund, Receipt
from payments.services.manual import receipt_record, staff_check
from payments.services.returns import money_return_record

APPROVE_MANUAL, REFUND = "payments.approve_manual", "payments.refund"


def receipt_submit(
    *,
    payment_id: UUID,
    amount: Money,
    value_date: date,
    bank_reference: str,
    actor: User,
    seen_minor: int | None = None,
) -> Receipt | ApprovalRequest:
    """Record money, or request the approval of it. Errors: those of receipt_record and approval_request."""
    try:
        return receipt_record(
            payment_id=payment_id,
            amount=amount,
            value_date=value_date,
            bank_reference=bank_reference,
            actor=actor,
            seen_minor=seen_minor,
        )
    except SecondPersonRequired:
        payment = payment_of(payment_id)
    return approval_request(
        RECEIPT.name,
        target=payment,
        title=f"Record {show(amount)} for order {payment.order.order_number}",
        details=[
            *facts_of(payment),
            ("Amount received", show(amount)),
            ("Value date", value_date.isoformat()),
            ("Bank reference", bank_reference),
        ],
        payload={
            "payment": str(payment_id),
            "amount": money_out(amount),
            "value_date": value_date.isoformat(),
            "bank_reference": bank_reference,
            "seen_minor": payment.received_minor if seen_minor is None else seen_minor,
        },
        actor=actor,
    )


def receipt_execute(payload: Payload, requested_by: User, approved_by: User) -> Receipt:
    return receipt_record(
        payment_id=UUID(payload["payment"]),
        amount=money_in(payload["amount"]),
        value_date=date.fromisoformat(payload["value_date"]),
        bank_reference=payload["bank_reference"],
        seen_minor=payload["seen_minor"],
        actor=requested_by,
        approved_by=approved_by,
    )


def return_submit(
    *, payment_id: UUID, amount: Money, value_date: date, bank_reference: str, reason: str, actor: User
) -> PaymentRefund | ApprovalRequest:
    """Record an offline refund, or request the approval of it. Errors: as receipt_submit."""
    try:
        return money_return_record(
            payment_id=payment_id,
            amount=amount,
            value_date=value_date,
            bank_reference=bank_reference,
            reason=reason,
            actor=actor,
        )
    except SecondPersonRequired:
        payment = payment_of(payment_id)
    return approval_request(
        RETURN.name,
        target=payment,
        title=f"Record {show(amount)} returned for order {payment.order.order_number}",
        details=[
            *facts_of(payment),
            ("Amount returned", show(amount)),
            ("Date of the transfer", value_date.isoformat()),
            ("Reference of the transfer", bank_reference),
            ("Reason", reason),
        ],
        payload={
            "payment": str(payment_id),
            "amount": money_out(amount),
            "value_date": value_date.isoformat(),
            "bank_reference": bank_reference,
            "reason": reason,
        },
        actor=actor,
    )


def return_execute(payload: Payload, requested_by: User, approved_by: User) -> PaymentRefund:
    return money_return_record(
        payment_id=UUID(payload["payment"]),
        amount=money_in(payload["amount"]),
        value_date=date.fromisoformat(payload["value_date"]),
        bank_reference=payload["bank_reference"],
        reason=payload["reason"],
        actor=requested_by,
        approved_by=approved_by,
    )


# ---- shared ----------------------------------------------------------------------------------------------------------


def payment_of(payment_id: UUID | str) -> Payment:
    return Payment.objects.select_related("order").get(pk=payment_id)


def facts_of(payment: Payment) -> list[tuple[str, str]]:
    """What the second person has to know about the payment before it."""
    return [
        ("Order", f"{payment.order.order_number}, {payment.order.email}"),
        ("Payment", f"{payment.payment_number} over {show(payment.amount)}"),
        ("Received before", show(payment.received)),
        ("Refunded before", show(payment.refunded)),
    ]


def money_out(amount: Money) -> list[object]:
    return [amount.minor, amount.currency]


def money_in(stored: list[object]) -> Money:
    minor, currency = stored
    return Money(int(str(minor)), str(currency))


def receipt_decidable(payload: Payload, actor: User) -> None:
    staff_check(actor, APPROVE_MANUAL, payment_of(payload["payment"]).order, what="record money")


def refund_decidable(payload: Payload, actor: User) -> None:
    staff_check(actor, REFUND, payment_of(payload["payment"]).order, what="refund")


RECEIPT = ApprovalKind(
    "receipt_record", "Record money received", APPROVE_MANUAL, receipt_execute, receipt_decidable
)
RETURN = ApprovalKind("money_return", "Record money returned", REFUND, return_execute, refund_decidable)


def kinds_register() -> None:
    for kind in (RECEIPT, RETURN):
        register(kind)
