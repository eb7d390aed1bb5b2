"""Rows shown below a payment: refunds with their actions, flags, API calls."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.translation import gettext

from artisans.accounts.models import User
from artisans.core.admin.pages import BAD, GOOD, PLAIN, WAIT, admin_page_url
from artisans.core.security.redaction import scrub
from payments.admin.buttons import Button
from payments.models import (
    Payment,
    PaymentFlag,
    PaymentRefund,
    ProviderCall,
    Receipt,
    RefundDecision,
    RefundOrigin,
)
from payments.statuses import RefundStatus

TONES: dict[str, str] = {
    RefundStatus.REQUESTED: WAIT,
    RefundStatus.PROCESSING: WAIT,
    RefundStatus.COMPLETED: GOOD,
    RefundStatus.FAILED: BAD,
}


@dataclass(frozen=True, slots=True)
class RefundRow:
    refund: PaymentRefund
    tone: str
    state: str
    buttons: list[Button]


@dataclass(frozen=True, slots=True)
class FlagRow:
    flag: PaymentFlag
    address: str


@dataclass(frozen=True, slots=True)
class CallRow:
    """`error` has secrets removed."""

    call: ProviderCall
    error: str


def receipts_of(payment: Payment) -> QuerySet[Receipt]:
    """With what their table shows."""
    return payment.receipts.select_related("reversal", "parcel__artisan")


def refund_rows(payments: Iterable[Payment], user: User) -> list[RefundRow]:
    """Newest first, with the lines that each covers."""
    refunds = PaymentRefund.objects.filter(payment__in=[payment.pk for payment in payments])
    refunds = refunds.select_related("actor", "payment", "paid_by").prefetch_related(
        "lines__order_line", "retries"
    )
    may = user.has_perm("payments.refund")
    return [
        RefundRow(r, TONES.get(r.status, PLAIN), refund_status_label(r), refund_buttons(r) if may else [])
        for r in refunds.order_by("-created_at")
    ]


def refund_status_label(refund: PaymentRefund) -> str:
    if refund.status == RefundStatus.REQUESTED:
        return gettext("Waiting for the provider")
    if refund.status == RefundStatus.PROCESSING:
        return gettext("Pending at the provider")
    return str(refund.get_status_display())


def refund_buttons(refund: PaymentRefund) -> list[Button]:
    if refund.decision == RefundDecision.PENDING:
        return [Button(gettext("Review"), admin_page_url(refund, "decide"), is_main=True)]
    is_ours = refund.origin != RefundOrigin.PROVIDER and not refund.is_manual
    if is_ours and refund.status == RefundStatus.FAILED and not refund.retries.all():
        return [Button(gettext("Retry"), admin_page_url(refund, "retry"))]
    return []


def flag_rows(payment: Payment, user: User) -> list[FlagRow]:
    """All flags of a payment; open ones link to the page that resolves them, given the permission."""
    may = user.has_perm("payments.resolve_flag")
    return [
        FlagRow(flag, admin_page_url(flag, "resolve") if may and flag.resolved_at is None else "")
        for flag in payment.flags.select_related("resolved_by")
    ]


def calls_about(payment: Payment) -> list[CallRow]:
    calls = payment.calls.select_related("refund").order_by("created_at")
    return [CallRow(call, scrub(call.error)) for call in calls]
