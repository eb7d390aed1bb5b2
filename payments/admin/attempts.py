"""Attempts to pay, captures, disputes and fraud warnings: the rows behind their figures."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import (
    BAD,
    GOOD,
    WAIT,
    WARN,
    ReadOnlyAdmin,
    column,
    link_to,
    money,
    two_lines,
    when,
)
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from payments.admin.filters import ConditionFilter
from payments.models import DECIDED_AT, AttemptOutcome, Capture, Dispute, FraudWarning, PaymentAttempt
from payments.selectors import ATTEMPTS_BY_DECISION, ATTEMPTS_BY_TRY
from payments.statuses import DisputeStatus

OUTCOME_TONES = {
    AttemptOutcome.CHALLENGED.value: WAIT,
    AttemptOutcome.PENDING.value: WAIT,
    AttemptOutcome.SUCCEEDED.value: GOOD,
    AttemptOutcome.DECLINED.value: BAD,
    AttemptOutcome.ABANDONED.value: WARN,
}
DISPUTE_TONES = {
    DisputeStatus.OPEN.value: WARN,
    DisputeStatus.WON.value: GOOD,
    DisputeStatus.LOST.value: BAD,
}


CONDITIONS = ATTEMPTS_BY_DECISION | ATTEMPTS_BY_TRY


class CountedFilter(ConditionFilter):
    """What the figures count."""

    title = _("counted as")
    parameter_name = "counted"
    conditions = {
        "decided": (_("Succeeded or declined at a provider"), CONDITIONS["decided"]),
        "succeeded": (_("Succeeded at a provider"), CONDITIONS["succeeded"]),
        "declined": (_("Declined at a provider"), CONDITIONS["declined"]),
        "first_decided": (_("First decided attempt of a payment"), CONDITIONS["first_decided"]),
        "first_succeeded": (_("First attempt, succeeded"), CONDITIONS["first_succeeded"]),
        "cards": (_("By card"), CONDITIONS["cards"]),
        "asked": (_("By card, with 3-D Secure"), CONDITIONS["asked"]),
        "challenges": (_("By card, with a challenge"), CONDITIONS["challenges"]),
        "finished": (_("By card, decided with 3-D Secure"), CONDITIONS["finished"]),
        "authenticated": (_("By card, authenticated"), CONDITIONS["authenticated"]),
        "abandoned": (_("By card, challenge abandoned"), CONDITIONS["abandoned"]),
    }

    def queryset(self, request: HttpRequest, queryset: QuerySet[PaymentAttempt]) -> QuerySet[PaymentAttempt]:
        return super().queryset(request, queryset.alias(decided=DECIDED_AT))


class DecidedFilter(DayRangeFilter):
    """Attempts of release 0.1.0 were decided when they were made."""

    compared = "decided"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return super().queryset(request, queryset.alias(decided=DECIDED_AT))


class FactAdmin(ReadOnlyAdmin):
    list_filter_submit = True
    list_select_related = ("payment",)

    @column(_("Amount"), ordering="amount_minor", file=money("amount"))
    def amount_shown(self, row: PaymentAttempt | Capture | Dispute) -> str:
        return show(Money(row.amount_minor, row.currency))

    @column(_("Payment"))
    def payment_link(self, row: PaymentAttempt | Capture | Dispute | FraudWarning) -> SafeString:
        return link_to(row.payment)


@admin.register(PaymentAttempt)
class PaymentAttemptAdmin(FactAdmin):
    views = {
        "": _("All"),
        "counted=declined": _("Declined"),
        "counted=asked": _("3-D Secure"),
    }
    list_display = ("tried", "amount_shown", "state", "reason", "code", "provider", "payment_link")
    list_filter = (
        CountedFilter,
        "provider",
        "payment__payment_method",
        "currency",
        "payment__is_test",
        ("tried_at", DayRangeFilter),
        ("decided_at", DecidedFilter),
    )
    fields = (*list_display, "decided_at", "method", "brand", "three_d_secure", "three_d_secure_flow")
    ordering = ("-tried_at",)

    @column(_("Time"), ordering="tried_at", file="tried_at")
    def tried(self, row: PaymentAttempt) -> str:
        return when(row.tried_at)

    @column(_("Outcome"), label=OUTCOME_TONES)
    def state(self, row: PaymentAttempt) -> tuple[str, str]:
        return row.outcome, str(row.get_outcome_display())

    @column(_("Reason"))
    def reason(self, row: PaymentAttempt) -> str:
        return row.decline_reason

    @column(_("Code"), ordering="decline_code", file="decline_code")
    def code(self, row: PaymentAttempt) -> str:
        return two_lines(row.decline_text, row.decline_code) if row.decline_code else ""


@admin.register(Capture)
class CaptureAdmin(FactAdmin):
    list_display = ("created", "amount_shown", "provider", "payment_link")
    list_filter = (
        "provider",
        "payment__payment_method",
        "currency",
        "payment__is_test",
        ("created_at", DayRangeFilter),
    )
    fields = (*list_display, "provider_capture_id")
    ordering = ("-created_at",)


@admin.register(Dispute)
class DisputeAdmin(FactAdmin):
    views = {"": _("All"), "status__exact=OPEN": _("Open")}
    list_display = ("created", "amount_shown", "state", "reason", "provider", "payment_link")
    list_filter = (
        "status",
        "provider",
        "payment__payment_method",
        "currency",
        "payment__is_test",
        ("created_at", DayRangeFilter),
    )
    fields = (*list_display, "provider_dispute_id")

    @column(_("Status"), ordering="status", label=DISPUTE_TONES)
    def state(self, row: Dispute) -> tuple[str, str]:
        return row.status, str(row.get_status_display())


@admin.register(FraudWarning)
class FraudWarningAdmin(FactAdmin):
    list_display = ("warned", "reason", "provider", "payment_link")
    list_filter = (
        "provider",
        "payment__payment_method",
        "payment__currency",
        "payment__is_test",
        ("warned_at", DayRangeFilter),
    )
    fields = (*list_display, "provider_warning_id")
    ordering = ("-warned_at",)

    @column(_("Time"), ordering="warned_at", file="warned_at")
    def warned(self, row: FraudWarning) -> str:
        return when(row.warned_at)

    @column(_("Reason"), ordering="fraud_type")
    def reason(self, row: FraudWarning) -> str:
        return row.reason
