from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from artisans.accounts.models import User
from artisans.accounts.principals import require_user
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.selectors import approvals_pending
from artisans.approvals.services import target_of
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import (
    BAD,
    GOOD,
    PLAIN,
    WAIT,
    WARN,
    FileValue,
    admin_page_url,
    age,
    button_to,
    column,
    link_to,
    money,
    posted,
    two_lines,
    when,
)
from artisans.core.errors import DomainError
from artisans.core.file_columns import Kind
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.models import Order, Parcel
from orders.statuses import PARCELS_ENDED, CashHolder, OrderStatus
from payments.admin.approvals import awaiting_approval
from payments.admin.buttons import Button
from payments.admin.cash import WHOLE_ORDER, cash_refusal, cash_rows, chosen_parcel, record_url
from payments.admin.filters import (
    PaymentArtisanFilter,
    PaymentNeedsFilter,
    PaymentOutcomeFilter,
    ReceivedFilter,
)
from payments.admin.forms import REASONS_TO_REJECT, ReasonForm, ReceiptForm, ReturnForm
from payments.admin.provider_requests import requests_address
from payments.admin.refund_pages import RefundPages
from payments.admin.search import HELP, payments_found
from payments.admin.seen import MoneyPages
from payments.admin.tables import calls_about, flag_rows, receipts_of, refund_rows
from payments.admin.timeline import payment_timeline
from payments.approvals import receipt_submit, return_submit
from payments.bookkeeping.staff_checks import check_staff_permission
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.receipts import payment_reject
from payments.methods import AFTER_REJECTION, MANUAL, PART_PAYMENT_EXTENSION, PaymentMethod
from payments.models import Payment, PaymentMethodInfo, Receipt
from payments.selectors import refund_due
from payments.statuses import PaymentStatus

P = PaymentStatus
RETURNED = ("amount", "value_date", "bank_reference", "reason", "beyond_owed", "borne_by", "paid")
TONES: dict[str, str] = {
    P.PENDING: WAIT,
    P.PROCESSING: WAIT,
    P.COMPLETED: GOOD,
    P.FAILED: BAD,
    P.CANCELLED: "default",
    P.REFUNDED: "default",
    P.PARTIALLY_REFUNDED: WARN,
}


def parcel_count(condition: Q) -> Coalesce:
    """The number of such parcels of a payment's order: read for the rows of a page only."""
    parcels = Parcel.objects.filter(condition, order=OuterRef("order")).order_by().values("order")
    return Coalesce(Subquery(parcels.annotate(n=Count("pk")).values("n")), 0)


@admin.register(Payment)
class PaymentAdmin(RefundPages, MoneyPages):
    """All payments, and with `?needs=decision` those that staff have to approve or reject, oldest first."""

    pages = {
        "record": "payments.approve_manual",
        "reject": "payments.approve_manual",
        "return": "payments.refund",
        "refund": "payments.refund",
        "sync": "payments.sync_payment",
    }
    everyday_pages = frozenset({"sync"})
    views = {
        "": _("All"),
        "needs=decision": _("Awaiting approval"),
        "needs=cash": _("Cash reported"),
        "status__exact=FAILED": _("Failed"),
        "status__exact=CANCELLED": _("Cancelled"),
    }
    detail_template = "admin/payments/payment/detail.html"
    list_display = ("number", "order_link", "buyer", "amount", "received", "state", "created")
    queue_display = ("reference", "waiting", "amount_due", "buyer", "due", "decide")
    list_filter = (
        PaymentNeedsFilter,
        "status",
        "payment_method",
        "payment_provider",
        PaymentArtisanFilter,
        ReceivedFilter,
        PaymentOutcomeFilter,
        "is_test",
        ("created_at", DayRangeFilter),
        ("completed_at", DayRangeFilter),
    )
    list_filter_submit = True
    list_select_related = ("order",)
    search_fields = ("payment_number",)
    search_help_text = HELP
    actions = ("record_selected", "reject_selected")

    def is_queue(self, request: HttpRequest) -> bool:
        return request.GET.get("needs") in {"decision", "cash"}

    def get_list_display(self, request: HttpRequest) -> Sequence[str]:
        if not self.is_queue(request):
            return self.list_display
        may_decide = request.user.has_perm("payments.approve_manual")
        return self.queue_display if may_decide else self.queue_display[:-1]

    def get_ordering(self, request: HttpRequest) -> Sequence[str]:
        return ("created_at",) if self.is_queue(request) else ("-created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        queryset: QuerySet[Payment] = super().get_queryset(request)
        if not self.is_queue(request):
            return queryset
        return queryset.annotate(
            parcel_count=parcel_count(~Q(status__in=PARCELS_ENDED)),
            cash_count=parcel_count(Q(cash_reported_at__isnull=False) & ~Q(status__in=PARCELS_ENDED)),
            recorded_count=parcel_count(
                Q(cash_received_minor__gt=0, cash_received_minor__gte=F("total_minor") - F("cancelled_minor"))
            ),
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Payment], search_term: str
    ) -> tuple[QuerySet[Payment], bool]:
        return payments_found(request, queryset, search_term), False

    # ---- columns ---------------------------------------------------------------------------------------------

    @column(_("Payment"), ordering="payment_number", file=("payment_number", "payment_method"))
    def number(self, payment: Payment) -> SafeString:
        return two_lines(payment.payment_number, payment.get_payment_method_display())

    @column(_("Order"), ordering="order__order_number", file=("order.order_number", "payment_method"))
    def reference(self, payment: Payment) -> SafeString:
        return two_lines(payment.order.order_number, payment.get_payment_method_display())

    @column(_("Order"), ordering="order__order_number")
    def order_link(self, payment: Payment) -> SafeString:
        return link_to(payment.order)

    @column(_("Waiting for"), ordering="-created_at", file=FileValue("created_at", title=_("Created")))
    def waiting(self, payment: Payment) -> str:
        return age(payment.created_at)

    @column(_("Buyer"), ordering="order__email")
    def buyer(self, payment: Payment) -> str:
        return payment.order.email

    @column(_("Amount"), ordering="amount_minor", file=money("amount"))
    def amount(self, payment: Payment) -> str:
        return show(payment.amount)

    @column(_("Amount"), ordering="amount_minor", file=(money("amount"), money("received", _("Received"))))
    def amount_due(self, payment: Payment) -> SafeString:
        return two_lines(
            show(payment.amount),
            gettext("%(amount)s received") % {"amount": show(payment.received)} if payment.received else "",
        )

    @column(_("Received"), ordering="received_minor", file=money("received"))
    def received(self, payment: Payment) -> str:
        return show(payment.received) if payment.received else "–"

    @column(_("Status"), ordering="status", label=TONES)
    def state(self, payment: Payment) -> tuple[str, str]:
        return payment.status, payment.get_status_display()

    @column(
        _("Due"),
        ordering="order__pay_by",
        label={"late": BAD, "some": WARN, "all": GOOD, "": "default"},
        file=(
            FileValue("due_at", Kind.TIME),
            FileValue("cash_count", Kind.NUMBER, _("Cash reported")),
        ),
    )
    def due(self, payment: Any) -> tuple[str, str]:
        """The due date shown to the buyer, or the cash that artisans report as collected."""
        if payment.payment_method == PaymentMethod.CASH_ON_DELIVERY:
            text = gettext("Cash reported: %(reported)d of %(total)d") % {
                "reported": payment.cash_count,
                "total": payment.parcel_count,
            }
            if payment.recorded_count:
                text += gettext(", %(recorded)d recorded") % {"recorded": payment.recorded_count}
            if payment.cash_count >= payment.parcel_count:
                return "all", text
            return "some" if payment.cash_count else "", text
        if payment.due_at is None:
            return "", "–"
        day = date_format(timezone.localtime(payment.due_at), "DATE_FORMAT")
        return (
            ("late", gettext("Overdue since %(date)s") % {"date": day})
            if payment.due_at < timezone.now()
            else ("", day)
        )

    @column(_("Action"), file=())
    def decide(self, payment: Payment) -> SafeString:
        record, reject = admin_page_url(payment, "record"), admin_page_url(payment, "reject")
        buttons = button_to(record, gettext("Record payment"), is_main=True)
        if not payment.received_minor:
            buttons += button_to(reject, gettext("Reject"))
        return format_html('<span class="aa-buttons">{}</span>', buttons)

    # ---- from the list, one at a time ------------------------------------------------------------------------

    def has_approve_manual_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.approve_manual")

    @admin.action(description=_("Record payment"), permissions=["approve_manual"])
    def record_selected(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        return self.one_page(request, queryset, "record")

    @admin.action(description=_("Reject"), permissions=["approve_manual"])
    def reject_selected(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        return self.one_page(request, queryset, "reject")

    def one_page(self, request: HttpRequest, queryset: QuerySet[Payment], name: str) -> HttpResponse | None:
        chosen = list(queryset[:2])
        if len(chosen) == 1:
            return redirect(admin_page_url(chosen[0], name))
        messages.warning(
            request, gettext("Select a single payment: each has its own amount, date and reference.")
        )
        return None

    # ---- one payment -----------------------------------------------------------------------------------------

    def detail(self, request: HttpRequest, obj: Payment) -> dict[str, Any]:
        return {
            "payment": obj,
            "order": obj.order,
            "tone": TONES.get(obj.status, PLAIN),
            "buttons": payment_buttons(obj, require_user(request)),
            "receipts": receipts_of(obj),
            "cash": cash_rows(obj),
            "refunds": refund_rows([obj], require_user(request)),
            "disputes": obj.disputes.all(),
            "fraud_warnings": obj.fraud_warnings.all(),
            "flags": flag_rows(obj, require_user(request)),
            "attempts": obj.attempts.order_by("tried_at", "number") if obj.is_remote else (),
            "calls": calls_about(obj),
            "requests_address": requests_address(obj)
            if request.user.has_perm("payments.view_providerrequest")
            else "",
            "timeline": payment_timeline(obj),
            "pending": approvals_pending().filter(target=target_of(obj)),
            "saved_method": PaymentMethodInfo.objects.filter(calls__payment=obj)
            .order_by("-calls__created_at")
            .first(),
            "is_manual": obj.payment_provider == MANUAL,
        }

    def record_page(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        cash = cash_rows(payment)
        parcel = chosen_parcel(request, cash)
        form = ReceiptForm(posted(request), payment=payment, parcel=parcel)
        about = self.about(request, payment, "payments.approve_manual")
        if parcel is not None:
            about["refusal"] = about["refusal"] or cash_refusal(parcel, require_user(request))

        def book(data: dict[str, Any]) -> str:
            holder = data.get("holder")
            done = receipt_submit(
                payment_id=payment.pk,
                money=IncomingMoney(
                    data["amount"],
                    data["value_date"],
                    data["bank_reference"],
                    parcel.pk if parcel else None,
                    CashHolder(holder) if holder else None,
                ),
                actor=require_user(request),
                seen_minor=data["seen"],
                beyond_due=data["beyond_due"],
            )
            return awaiting_approval(done) if isinstance(done, ApprovalRequest) else describe_receipt(done)

        return self.run_action(
            request,
            "admin/payments/payment/record.html",
            payment,
            form,
            book,
            **about,
            outcomes=describe_cash_outcomes(parcel) if parcel else describe_outcomes(payment, payment.order),
            receipts=receipts_of(payment),
            cash=cash,
            parcel=parcel,
            whole_order=record_url(payment, WHOLE_ORDER),
        )

    def reject_page(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        help_text = gettext("Included in the email to %(email)s.") % {"email": payment.order.email}
        form = ReasonForm(posted(request), presets=REASONS_TO_REJECT, help_text=help_text)

        def reject(data: dict[str, Any]) -> str:
            payment_reject(payment_id=payment.pk, reason=data["reason"], actor=require_user(request))
            message = gettext("Payment rejected; %(email)s gets an email with the reason.")
            return message % {"email": payment.order.email}

        about = self.about(request, payment, "payments.approve_manual")
        if payment.received_minor:
            text = gettext(
                "%(amount)s has already been received. Refund it instead of rejecting the payment."
            ) % {"amount": show(payment.received)}
            about |= {"refusal": about["refusal"] or text}
        elif payment.status != P.PENDING:
            text = gettext("Only pending payments can be rejected. This one’s status is: %(status)s.") % {
                "status": payment.get_status_display()
            }
            about |= {"refusal": about["refusal"] or text}
        keep = describe_hold_after_rejection(payment.order)
        return self.run_action(
            request, "admin/payments/payment/reject.html", payment, form, reject, **about, keep=keep
        )

    def return_page(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        order = payment.order
        owed = Money(refund_due(order, payment), payment.currency)
        suggested = owed or payment.refundable
        form = ReturnForm(posted(request), payment=payment, suggested=suggested)

        def give_back(data: dict[str, Any]) -> str:
            wanted = {name: data[name] for name in RETURNED}
            refund = return_submit(payment_id=payment.pk, actor=require_user(request), **wanted)
            if isinstance(refund, ApprovalRequest):
                return awaiting_approval(refund)
            message = gettext("Refund of %(amount)s recorded; %(email)s gets an email.")
            return message % {"amount": show(refund.amount), "email": order.email}

        about = self.about(request, payment, "payments.refund")
        if not payment.refundable:
            about |= {"refusal": about["refusal"] or gettext("This payment has been fully refunded.")}
        return self.run_action(
            request,
            "admin/payments/payment/return.html",
            payment,
            form,
            give_back,
            **about,
            owed=owed,
            refunds=refund_rows([payment], require_user(request)),
        )

    def about(
        self, request: HttpRequest, payment: Payment, permission: str, *, is_manual: bool = True
    ) -> dict[str, Any]:
        """The context shared by all payment pages; `refusal` is why this user cannot do it at all."""
        refusal = ""
        try:
            check_staff_permission(require_user(request), permission, payment.order)
        except DomainError as error:
            refusal = error.detail
        if is_manual != (payment.payment_provider == MANUAL):
            refusal = (
                gettext("Payments through a provider are recorded automatically.")
                if is_manual
                else gettext(
                    "Offline payments are refunded offline: make the transfer, then record the refund."
                )
            )
        return {
            "payment": payment,
            "order": payment.order,
            "method": payment.get_payment_method_display(),
            "refusal": refusal,
        }


def payment_buttons(payment: Payment, user: User) -> list[Button]:
    """The actions this user may take on the payment; the most likely one is the main one."""
    if payment.is_remote:
        return remote_buttons(payment, user)
    buttons = []
    waits = payment.status == P.PENDING
    if user.has_perm("payments.approve_manual"):
        buttons.append(Button(gettext("Record payment"), admin_page_url(payment, "record"), is_main=waits))
        if waits and not payment.received_minor:
            buttons.append(Button(gettext("Reject"), admin_page_url(payment, "reject")))
    if user.has_perm("payments.refund") and payment.refundable:
        is_owed = refund_due(payment.order, payment) > 0
        buttons.append(Button(gettext("Record refund"), admin_page_url(payment, "return"), is_main=is_owed))
    return buttons


def remote_buttons(payment: Payment, user: User) -> list[Button]:
    buttons = []
    if user.has_perm("payments.refund") and payment.refundable:
        buttons.append(
            Button(
                gettext("Refund"),
                admin_page_url(payment, "refund"),
                is_main=refund_due(payment.order, payment) > 0,
            )
        )
    if user.has_perm("payments.sync_payment"):
        buttons.append(Button(gettext("Sync with provider"), admin_page_url(payment, "sync")))
    return buttons


def describe_receipt(receipt: Receipt) -> str:
    """The result of a recorded payment, as a message."""
    payment, order = receipt.payment, receipt.payment.order
    text = gettext("%(amount)s recorded; %(email)s gets an email.") % {
        "amount": show(receipt.amount),
        "email": order.email,
    }
    if payment.outstanding and order.is_alive:
        more = gettext("%(amount)s is still outstanding.") % {"amount": show(payment.outstanding)}
    elif order.refund_due:
        more = gettext("A refund of %(amount)s is due; it is listed under “Refunds due”.") % {
            "amount": show(order.refund_due)
        }
    else:
        more = gettext("Payment status of order %(number)s: %(status)s.") % {
            "number": order.order_number,
            "status": order.get_payment_status_display(),
        }
    return f"{text} {more}"


def describe_outcomes(payment: Payment, order: Order) -> list[tuple[str, str]]:
    """The consequence of each possible amount, as pairs of condition and consequence."""
    missing = payment.outstanding
    if not missing or order.status == OrderStatus.CANCELLED:
        text = (
            gettext(
                "The order is cancelled. The amount is listed under “Refunds due”; the buyer gets an email."
            )
            if order.status == OrderStatus.CANCELLED
            else gettext(
                "The order is paid. The amount is listed under “Refunds due”; the buyer gets an email."
            )
        )
        return [(gettext("Any amount"), text)]
    if order.status == OrderStatus.EXPIRED:
        full = gettext("The order is reopened if all items are in stock; otherwise a refund is due.")
        less = gettext("The order stays expired, and the amount is listed under “Refunds due”.")
    else:
        full = " ".join([gettext("The order is paid."), describe_artisan_mails(order)])
        less = " ".join([gettext("The payment waits for the rest."), describe_extension(order)]).strip()
    amount = {"amount": show(missing)}
    return [
        (
            gettext("Exactly %(amount)s") % amount,
            " ".join([full, gettext("The buyer gets a payment confirmation.")]),
        ),
        (
            gettext("Less than %(amount)s") % amount,
            " ".join([less, gettext("The buyer gets an email with the outstanding amount.")]),
        ),
        (
            gettext("More than %(amount)s") % amount,
            " ".join([full, gettext("The surplus is listed under “Refunds due”; the buyer gets an email.")]),
        ),
    ]


def describe_cash_outcomes(parcel: Parcel) -> list[tuple[str, str]]:
    amount = {"amount": show(parcel.cash_due)}
    return [
        (
            gettext("Exactly %(amount)s") % amount,
            gettext("The parcel is paid; the buyer gets an email."),
        ),
        (
            gettext("Less than %(amount)s") % amount,
            gettext("The rest of the parcel stays outstanding; the buyer gets an email."),
        ),
        (
            gettext("More than %(amount)s") % amount,
            gettext("Refused: record what belongs to another parcel there, or for the whole order."),
        ),
    ]


def describe_artisan_mails(order: Order) -> str:
    if order.is_waiting_for_payment:
        return gettext("Artisans with unshipped parcels get an email to continue.")
    if order.released_at is not None:
        return gettext("The artisans have already been asked to ship.")
    count = order.parcels.count()
    text = ngettext("%(n)d artisan gets an email to ship.", "%(n)d artisans get an email to ship.", count)
    return text % {"n": count}


def describe_extension(order: Order) -> str:
    if order.status != OrderStatus.PENDING or order.is_extended or order.pay_by is None:
        return ""
    until = timezone.localtime(order.pay_by + PART_PAYMENT_EXTENSION)
    days = PART_PAYMENT_EXTENSION.days
    text = ngettext(
        "The buyer has until %(date)s to pay it (extended once, by %(days)d day).",
        "The buyer has until %(date)s to pay it (extended once, by %(days)d days).",
        days,
    )
    return text % {"date": date_format(until, "DATE_FORMAT"), "days": days}


def describe_hold_after_rejection(order: Order) -> str:
    """Until when a pending order waits for another payment; empty if it does not expire."""
    if order.status != OrderStatus.PENDING or order.expires_at is None:
        return ""
    until = max(order.expires_at, timezone.now() + AFTER_REJECTION)
    return when(until)
