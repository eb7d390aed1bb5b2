"""Lists of receipts, refunds and flags of payments."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.accounts.principals import require_user
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import (
    BAD,
    GOOD,
    FileValue,
    admin_page_url,
    age,
    button_to,
    column,
    link_to,
    money,
    posted,
    when,
)
from artisans.core.errors import DomainError
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.statuses import PARCELS_UNSHIPPED
from payments.admin.filters import FlagNeedsFilter, RefundNeedsFilter
from payments.admin.forms import ReverseForm
from payments.admin.forms_refund import DecideForm, ResolveForm
from payments.admin.refund_pages import describe_refund, parcels_to_decide, refund_unavailable_reason
from payments.admin.seen import MoneyPages
from payments.admin.tables import TONES
from payments.bookkeeping.review_flags import flag_resolve
from payments.bookkeeping.staff_checks import check_staff_permission
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.models import PaymentFlag, PaymentRefund, Receipt, RefundDecision, ReversalReason
from payments.refunds.staff import refund_decide, refund_retry, refund_send
from payments.statuses import RefundStatus


class MoneyRowAdmin(MoneyPages):
    list_select_related: Sequence[str] = ("payment__order",)
    list_filter_submit = True

    @column(_("Amount"), ordering="amount_minor", file=money("amount"))
    def amount_shown(self, row: Receipt | PaymentRefund) -> str:
        return show(Money(row.amount_minor, row.currency))

    @column(_("Payment"))
    def payment_link(self, row: Receipt | PaymentRefund | PaymentFlag) -> SafeString:
        return link_to(row.payment)

    @column(_("Order"))
    def order_link(self, row: Receipt | PaymentRefund | PaymentFlag) -> SafeString:
        return link_to(row.payment.order)


@admin.register(Receipt)
class ReceiptAdmin(MoneyRowAdmin):
    pages = {"reverse": "payments.approve_manual"}
    views = {"": _("All"), "reference_round__gt=0": _("Reused references")}
    list_select_related = ("payment__order", "reversal")
    list_display = (
        "bank_reference",
        "amount_shown",
        "state",
        "value_date",
        "order_link",
        "payment_link",
        "actor_name",
        "created",
    )
    list_filter = (
        "holder",
        "payment__payment_method",
        "payment__payment_provider",
        "payment__is_test",
        ("value_date", DayRangeFilter),
        ("created_at", DayRangeFilter),
    )
    search_fields = ("=bank_reference",)
    search_help_text = _("Bank reference")
    fields = (
        "amount_shown",
        "value_date",
        "bank_reference",
        "payment_link",
        "order_link",
        "parcel",
        "holder",
        "actor_name",
        "created_at",
        "state",
    )

    @column(_("Status"))
    def state(self, receipt: Receipt) -> str:
        reversal = getattr(receipt, "reversal", None)
        if reversal is None:
            return gettext("Recorded")
        about = f"{reversal.get_reason_display()}. {reversal.note}".strip()
        text = gettext("Reversed by %(actor)s, %(date)s.")
        return f"{text % {'actor': reversal.actor_name, 'date': when(reversal.created_at)}} {about}"

    def reverse_page(self, request: HttpRequest, receipt: Receipt) -> HttpResponse:
        payment, order = receipt.payment, receipt.payment.order

        def reverse(data: dict[str, Any]) -> str:
            receipt_reverse(
                receipt_id=receipt.pk,
                reason=ReversalReason(data["reason"]),
                note=data["note"],
                actor=require_user(request),
            )
            message = gettext("%(amount)s reversed; %(email)s gets an email. Nothing was sent to the buyer.")
            return message % {"amount": show(receipt.amount), "email": order.email}

        refusal = ""
        try:
            check_staff_permission(require_user(request), "payments.approve_manual", order)
        except DomainError as error:
            refusal = error.detail
        if hasattr(receipt, "reversal"):
            refusal = gettext("This receipt has already been reversed.")
        return self.run_action(
            request,
            "admin/payments/receipt/reverse.html",
            receipt,
            ReverseForm(posted(request)),
            reverse,
            receipt=receipt,
            payment=payment,
            order=order,
            refusal=refusal,
            unsent=order.parcels.filter(status__in=PARCELS_UNSHIPPED).count() if order.released_at else 0,
        )


@admin.register(PaymentRefund)
class PaymentRefundAdmin(MoneyRowAdmin):
    """All refunds, and with `?needs=decision` external ones that staff have to review, oldest first."""

    pages = {"retry": "payments.refund", "decide": "payments.refund"}
    views = {
        "": _("All"),
        "needs=decision": _("Awaiting decision"),
        "status__exact=FAILED": _("Failed"),
        "needs=time": _("In progress"),
    }
    list_display = (
        "refund_number",
        "amount_shown",
        "state",
        "sent_by",
        "order_link",
        "payment_link",
        "reason",
        "created",
    )
    queue_display = ("refund_number", "amount_shown", "state", "order_link", "waiting", "decide_link")
    list_filter = (
        RefundNeedsFilter,
        "status",
        "origin",
        "payment__payment_provider",
        "payment__is_test",
        ("created_at", DayRangeFilter),
        ("processed_at", DayRangeFilter),
    )
    search_fields = ("=refund_number", "=bank_reference", "=provider_refund_id")
    search_help_text = _("Refund number, bank reference or the provider’s refund id")
    fields = (
        "refund_number",
        "amount_shown",
        "status",
        "sent_by",
        "provider_refund_id",
        "value_date",
        "bank_reference",
        "reason",
        "failure_reason",
        "decision",
        "payment_link",
        "order_link",
        "origin",
        "actor",
        "created_at",
        "processed_at",
    )

    def is_queue(self, request: HttpRequest) -> bool:
        return request.GET.get("needs") == "decision"

    def get_list_display(self, request: HttpRequest) -> Sequence[str]:
        if not self.is_queue(request):
            return self.list_display
        return self.queue_display if request.user.has_perm("payments.refund") else self.queue_display[:-1]

    def get_ordering(self, request: HttpRequest) -> Sequence[str]:
        return ("created_at",) if self.is_queue(request) else ("-created_at",)

    @column(_("Status"), ordering="status", label=TONES)
    def state(self, refund: PaymentRefund) -> tuple[str, str]:
        return refund.status, refund.get_status_display()

    @column(_("Sent by"))
    def sent_by(self, refund: PaymentRefund) -> str:
        if refund.is_manual:
            return gettext("Offline")
        return refund.payment.get_payment_provider_display()

    @column(_("Waiting for"), ordering="-created_at", file=FileValue("created_at", title=_("Created")))
    def waiting(self, refund: PaymentRefund) -> str:
        return age(refund.created_at)

    @column(_("Action"), file=())
    def decide_link(self, refund: PaymentRefund) -> SafeString:
        return button_to(admin_page_url(refund, "decide"), gettext("Review"), is_main=True)

    # ---- one refund ------------------------------------------------------------------------------------------

    def refusal(self, request: HttpRequest, refund: PaymentRefund) -> str:
        try:
            check_staff_permission(require_user(request), "payments.refund", refund.payment.order)
        except DomainError as error:
            return error.detail
        return ""

    def retry_page(self, request: HttpRequest, refund: PaymentRefund) -> HttpResponse:
        def retry(data: dict[str, Any]) -> str:
            return describe_refund(
                refund_send(refund_retry(refund_id=refund.pk, actor=require_user(request)))
            )

        refusal = self.refusal(request, refund)
        if refund.status != RefundStatus.FAILED or refund.retries.exists():
            refusal = refusal or gettext("Only a failed refund can be retried, and only once.")
        return self.run_action(
            request,
            "admin/payments/paymentrefund/retry.html",
            refund,
            forms.Form(posted(request)),
            retry,
            refund=refund,
            payment=refund.payment,
            order=refund.payment.order,
            refusal=refusal or refund_unavailable_reason(refund.payment),
        )

    def decide_page(self, request: HttpRequest, refund: PaymentRefund) -> HttpResponse:
        order = refund.payment.order
        form = DecideForm(
            posted(request), refund=refund, lines=list(order.lines.all()), parcels=parcels_to_decide(order)
        )

        def decide(data: dict[str, Any]) -> str:
            decision = RefundDecision(data["decision"])
            refund_decide(
                refund_id=refund.pk,
                decision=decision,
                actor=require_user(request),
                lines=form.selected_lines(),
                parcels=form.decisions(),
            )
            message = gettext("Decision about %(number)s saved: %(decision)s.")
            return message % {"number": refund.refund_number, "decision": decision.label}

        refusal = self.refusal(request, refund)
        if refund.decision != RefundDecision.PENDING:
            refusal = refusal or gettext("No decision is pending; a colleague may have handled it.")
        return self.run_action(
            request,
            "admin/payments/paymentrefund/decide.html",
            refund,
            form,
            decide,
            refund=refund,
            payment=refund.payment,
            order=order,
            refusal=refusal,
        )


@admin.register(PaymentFlag)
class PaymentFlagAdmin(MoneyRowAdmin):
    """Payments flagged for review; `?needs=review` are the unresolved flags."""

    pages = {"resolve": "payments.resolve_flag"}
    everyday_pages = frozenset({"resolve"})
    views = {"": _("All"), "needs=review": _("Needs review")}
    list_display = ("what", "detail", "payment_link", "order_link", "state", "since", "settle")
    list_filter = (FlagNeedsFilter, "kind", ("created_at", DayRangeFilter))
    fields = (
        "kind",
        "detail",
        "payment_link",
        "order_link",
        "created_at",
        "resolved_at",
        "resolved_by",
        "resolution",
    )

    @column(_("Flag"), ordering="kind")
    def what(self, flag: PaymentFlag) -> str:
        return flag.get_kind_display()

    @column(_("Status"), label={"open": BAD, "settled": GOOD})
    def state(self, flag: PaymentFlag) -> tuple[str, str]:
        return ("settled", gettext("Resolved")) if flag.resolved_at else ("open", gettext("Open"))

    @column(_("Open for"), ordering="created_at", file=FileValue("created_at", title=_("Created")))
    def since(self, flag: PaymentFlag) -> str:
        return age(flag.created_at)

    @column(_("Resolution"), file="resolution")
    def settle(self, flag: PaymentFlag) -> SafeString | str:
        if flag.resolved_at:
            return flag.resolution
        return button_to(admin_page_url(flag, "resolve"), gettext("Resolve"), is_main=True)

    def get_list_display(self, request: HttpRequest) -> Sequence[str]:
        return self.list_display if request.user.has_perm("payments.resolve_flag") else self.list_display[:-1]

    def resolve_page(self, request: HttpRequest, flag: PaymentFlag) -> HttpResponse:
        def resolve(data: dict[str, Any]) -> str:
            flag_resolve(flag_id=flag.pk, resolution=data["resolution"], actor=require_user(request))
            return gettext("Resolved: %(flag)s.") % {"flag": flag.get_kind_display()}

        refusal = gettext("This flag has already been resolved.") if flag.resolved_at else ""
        return self.run_action(
            request,
            "admin/payments/paymentflag/resolve.html",
            flag,
            ResolveForm(posted(request)),
            resolve,
            flag=flag,
            payment=flag.payment,
            order=flag.payment.order,
            refusal=refusal,
        )
