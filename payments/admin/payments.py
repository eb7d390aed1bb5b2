from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from artisans.accounts.models import User
from artisans.accounts.principals import signed_in
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
    age,
    column,
    link_to,
    page_of,
    posted,
    two_lines,
    when,
)
from artisans.core.errors import DomainError
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.models import Order
from orders.statuses import PARCELS_GONE, OrderStatus
from payments.admin.approvals import awaiting_approval
from payments.admin.buttons import Button
from payments.admin.filters import PaymentNeedsFilter, SellerOfPaymentFilter
from payments.admin.forms import REASONS_TO_REJECT, ReasonForm, ReceiptForm, ReturnForm
from payments.admin.refund_pages import RefundPages
from payments.admin.search import HELP, payments_found
from payments.admin.seen import MoneyPages
from payments.admin.tables import calls_about, flag_rows, refund_rows
from payments.admin.timeline import payment_timeline
from payments.approvals import receipt_submit, return_submit
from payments.bookkeeping.staff_checks import staff_check
from payments.lifecycle.receipts import payment_reject
from payments.methods import AFTER_REJECTION, PART_PAYMENT_EXTENSION, PaymentMethod, Provider
from payments.models import Payment, Receipt
from payments.selectors import refund_due
from payments.statuses import PaymentStatus

P = PaymentStatus
RETURNED = ("amount", "value_date", "bank_reference", "reason", "beyond_owed")
TONES: dict[str, str] = {
    P.PENDING: WAIT,
    P.PROCESSING: WAIT,
    P.COMPLETED: GOOD,
    P.FAILED: BAD,
    P.CANCELLED: "default",
    P.REFUNDED: "default",
    P.PARTIALLY_REFUNDED: WARN,
}


@admin.register(Payment)
class PaymentAdmin(RefundPages, MoneyPages):
    """All payments, and with `?needs=decision` the queue of what staff have to look at, oldest first."""

    pages = {
        "record": "payments.approve_manual",
        "reject": "payments.approve_manual",
        "return": "payments.refund",
        "refund": "payments.refund",
        "ask": "payments.sync_payment",
    }
    everyday_pages = frozenset({"ask"})
    views = {
        "All": "",
        "Needs a decision": "needs=decision",
        "Failed": "status__exact=FAILED",
        "Cancelled": "status__exact=CANCELLED",
    }
    detail_template = "admin/payments/payment/detail.html"
    list_display = ("number", "order_link", "buyer", "amount", "received", "state", "created")
    queue_display = ("reference", "waiting", "amount_due", "buyer", "due", "decide")
    list_filter = (
        PaymentNeedsFilter,
        "status",
        "payment_method",
        "payment_provider",
        SellerOfPaymentFilter,
        ("created_at", DayRangeFilter),
    )
    list_filter_submit = True
    list_select_related = ("order", "user")
    search_fields = ("payment_number",)
    search_help_text = HELP
    actions = ("record_selected", "reject_selected")

    def is_queue(self, request: HttpRequest) -> bool:
        return request.GET.get("needs") == "decision"

    def get_list_display(self, request: HttpRequest) -> Sequence[str]:
        if not self.is_queue(request):
            return self.list_display
        may_decide = request.user.has_perm("payments.approve_manual")
        return self.queue_display if may_decide else self.queue_display[:-1]

    def get_ordering(self, request: HttpRequest) -> Sequence[str]:
        return ("created_at",) if self.is_queue(request) else ("-created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        parcels = Count("order__parcels", filter=~Q(order__parcels__status__in=PARCELS_GONE))
        cash = Count("order__parcels", filter=Q(order__parcels__cash_reported_at__isnull=False))
        queryset: QuerySet[Payment] = super().get_queryset(request)
        return (
            queryset.annotate(parcel_count=parcels, cash_count=cash) if self.is_queue(request) else queryset
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Payment], search_term: str
    ) -> tuple[QuerySet[Payment], bool]:
        return payments_found(queryset, search_term), False

    # ---- columns ---------------------------------------------------------------------------------------------

    @column("Payment", ordering="payment_number")
    def number(self, payment: Payment) -> SafeString:
        return two_lines(payment.payment_number, payment.get_payment_method_display())

    @column("Order, and reference", ordering="order__order_number")
    def reference(self, payment: Payment) -> SafeString:
        return two_lines(payment.order.order_number, payment.get_payment_method_display())

    @column("Order", ordering="order__order_number")
    def order_link(self, payment: Payment) -> SafeString:
        return link_to(payment.order)

    @column("Waiting for", ordering="-created_at")
    def waiting(self, payment: Payment) -> str:
        return age(payment.created_at)

    @column("Buyer", ordering="order__email")
    def buyer(self, payment: Payment) -> str:
        return payment.order.email

    @column("Amount", ordering="amount_minor")
    def amount(self, payment: Payment) -> str:
        return show(payment.amount)

    @column("Amount", ordering="amount_minor")
    def amount_due(self, payment: Payment) -> SafeString:
        return two_lines(
            show(payment.amount), f"{show(payment.received)} received" if payment.received else ""
        )

    @column("Received", ordering="received_minor")
    def received(self, payment: Payment) -> str:
        return show(payment.received) if payment.received else "–"

    @column("State", ordering="status", label=TONES)
    def state(self, payment: Payment) -> tuple[str, str]:
        return payment.status, payment.get_status_display()

    @column(
        "Due",
        ordering="order__pay_by",
        label={"late": BAD, "some": WARN, "all": GOOD, "": "default"},
    )
    def due(self, payment: Any) -> tuple[str, str]:
        """The date that the buyer was told, or what the artisans report from the door."""
        pay_by = payment.order.pay_by
        if payment.payment_method == PaymentMethod.CASH_ON_DELIVERY or pay_by is None:
            text = f"Cash reported: {payment.cash_count} of {payment.parcel_count}"
            if payment.cash_count >= payment.parcel_count:
                return "all", text
            return "some" if payment.cash_count else "", text
        day = date_format(timezone.localtime(pay_by), "DATE_FORMAT")
        return ("late", f"Late, was {day}") if pay_by < timezone.now() else ("", day)

    @column("Decide")
    def decide(self, payment: Payment) -> SafeString:
        record, reject = page_of(payment, "record"), page_of(payment, "reject")
        buttons = format_html('<a class="aa-button aa-main" href="{}">Record money</a>', record)
        if not payment.received_minor:
            buttons += format_html(' <a class="aa-button" href="{}">Reject</a>', reject)
        return format_html('<span class="aa-buttons">{}</span>', buttons)

    # ---- from the list, one at a time ------------------------------------------------------------------------

    def has_approve_manual_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.approve_manual")

    @admin.action(description="Record money received", permissions=["approve_manual"])
    def record_selected(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        return self.one_page(request, queryset, "record")

    @admin.action(description="Reject", permissions=["approve_manual"])
    def reject_selected(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        return self.one_page(request, queryset, "reject")

    def one_page(self, request: HttpRequest, queryset: QuerySet[Payment], name: str) -> HttpResponse | None:
        chosen = list(queryset[:2])
        if len(chosen) == 1:
            return redirect(page_of(chosen[0], name))
        messages.warning(request, "Choose one payment: each has its own amount, date and reference.")
        return None

    # ---- one payment -----------------------------------------------------------------------------------------

    def detail(self, request: HttpRequest, obj: Payment) -> dict[str, Any]:
        return {
            "payment": obj,
            "order": obj.order,
            "tone": TONES.get(obj.status, PLAIN),
            "buttons": payment_buttons(obj, signed_in(request)),
            "receipts": obj.receipts.select_related("reversal"),
            "refunds": refund_rows([obj], signed_in(request)),
            "disputes": obj.disputes.all(),
            "flags": flag_rows(obj, signed_in(request)),
            "calls": calls_about(obj),
            "timeline": payment_timeline(obj),
            "pending": approvals_pending().filter(target=target_of(obj)),
            "is_manual": obj.payment_provider == Provider.MANUAL,
        }

    def record_page(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        form = ReceiptForm(posted(request), payment=payment)

        def book(data: dict[str, Any]) -> str:
            data["seen_minor"] = data.pop("seen")
            done = receipt_submit(payment_id=payment.pk, actor=signed_in(request), **data)
            return awaiting_approval(done) if isinstance(done, ApprovalRequest) else told_of(done)

        return self.act(
            request,
            "admin/payments/payment/record.html",
            payment,
            form,
            book,
            **self.about(request, payment, "payments.approve_manual", what="record money"),
            outcomes=outcomes_of(payment, payment.order),
            receipts=payment.receipts.select_related("reversal"),
        )

    def reject_page(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        help_text = f"{payment.order.email} reads this in the mail."
        form = ReasonForm(posted(request), presets=REASONS_TO_REJECT, help_text=help_text)

        def reject(data: dict[str, Any]) -> str:
            payment_reject(payment_id=payment.pk, reason=data["reason"], actor=signed_in(request))
            return f"The payment was rejected; {payment.order.email} gets a mail with the reason."

        about = self.about(request, payment, "payments.approve_manual", what="reject payments")
        if payment.received_minor:
            text = (
                f"{show(payment.received)} was received already. Return that money instead of rejecting it."
            )
            about |= {"refusal": about["refusal"] or text}
        elif payment.status != P.PENDING:
            text = (
                f"This payment is {payment.get_status_display().lower()}; only a pending one can be rejected."
            )
            about |= {"refusal": about["refusal"] or text}
        keep = kept_after_rejection(payment.order)
        return self.act(
            request, "admin/payments/payment/reject.html", payment, form, reject, **about, keep=keep
        )

    def return_page(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        order = payment.order
        owed = Money(refund_due(order, payment), payment.currency)
        suggested = owed or payment.refundable
        form = ReturnForm(posted(request), payment=payment, suggested=suggested)

        def give_back(data: dict[str, Any]) -> str:
            wanted = {name: data[name] for name in RETURNED}
            refund = return_submit(payment_id=payment.pk, actor=signed_in(request), **wanted)
            if isinstance(refund, ApprovalRequest):
                return awaiting_approval(refund)
            return f"The return of {show(refund.amount)} is recorded; {order.email} gets a mail that says so."

        about = self.about(request, payment, "payments.refund", what="return money")
        if not payment.refundable:
            about |= {"refusal": about["refusal"] or "Nothing is left to return of this payment."}
        return self.act(
            request,
            "admin/payments/payment/return.html",
            payment,
            form,
            give_back,
            **about,
            owed=owed,
            refunds=refund_rows([payment], signed_in(request)),
        )

    def about(
        self, request: HttpRequest, payment: Payment, permission: str, *, what: str, is_by_hand: bool = True
    ) -> dict[str, Any]:
        """What every page about money shows; `refusal` is why this person cannot do it at all."""
        refusal = ""
        try:
            staff_check(signed_in(request), permission, payment.order, what=what)
        except DomainError as error:
            refusal = error.detail
        if is_by_hand != (payment.payment_provider == Provider.MANUAL):
            refusal = (
                "This payment is not made by hand; its provider tells us about the money."
                if is_by_hand
                else "This money came by hand and goes back by hand: make the transfer, then record it."
            )
        return {
            "payment": payment,
            "order": payment.order,
            "method": payment.get_payment_method_display(),
            "refusal": refusal,
        }


def payment_buttons(payment: Payment, user: User) -> list[Button]:
    """What this person may do with the payment; the obvious one is the main one."""
    if payment.is_remote:
        return remote_buttons(payment, user)
    buttons = []
    waits = payment.status == P.PENDING
    if user.has_perm("payments.approve_manual"):
        buttons.append(Button("Record money received", page_of(payment, "record"), is_main=waits))
        if waits and not payment.received_minor:
            buttons.append(Button("Reject", page_of(payment, "reject")))
    if user.has_perm("payments.refund") and payment.refundable:
        is_owed = refund_due(payment.order, payment) > 0
        buttons.append(Button("Record money returned", page_of(payment, "return"), is_main=is_owed))
    return buttons


def remote_buttons(payment: Payment, user: User) -> list[Button]:
    buttons = []
    if user.has_perm("payments.refund") and payment.refundable:
        buttons.append(
            Button("Refund", page_of(payment, "refund"), is_main=refund_due(payment.order, payment) > 0)
        )
    if user.has_perm("payments.sync_payment"):
        buttons.append(Button("Ask the provider", page_of(payment, "ask")))
    return buttons


def told_of(receipt: Receipt) -> str:
    """What a booking led to, in a sentence."""
    payment, order = receipt.payment, receipt.payment.order
    told = f"{show(receipt.amount)} is recorded; {order.email} gets a mail."
    if payment.missing:
        return f"{told} {show(payment.missing)} is missing still."
    if order.to_return:
        return f"{told} {show(order.to_return)} is to be returned: it is listed under “Money to return”."
    return f"{told} Order {order.order_number} is {order.get_payment_status_display().lower()}."


def outcomes_of(payment: Payment, order: Order) -> list[tuple[str, str]]:
    """What each amount would lead to, as pairs of condition and consequence."""
    missing = payment.missing
    if not missing or order.status == OrderStatus.CANCELLED:
        state = "cancelled" if order.status == OrderStatus.CANCELLED else "paid"
        text = f"The order is {state}. The money is listed under “Money to return”, and the buyer is told."
        return [("Any amount", text)]
    if order.status == OrderStatus.EXPIRED:
        full = "The things are taken from stock again, or, if one is gone, the money is to be returned."
        less = "The order stays expired, and the money is listed under “Money to return”."
    else:
        full = f"The order is paid. {artisans_told(order)}"
        less = f"The payment waits for the rest. {longer(order)}".strip()
    exact = show(missing)
    return [
        (f"Exactly {exact}", f"{full} The buyer gets “payment received”."),
        (f"Less than {exact}", f"{less} The buyer is told what is missing."),
        (
            f"More than {exact}",
            "The same, and the surplus is listed under “Money to return”; the buyer is told.",
        ),
    ]


def artisans_told(order: Order) -> str:
    if order.is_waiting_for_payment:
        return "Artisans with unsent parcels get a mail to go on."
    if order.released_at is not None:
        return "The artisans already have their mail to ship."
    count = order.parcels.count()
    return f"{count} artisan{'' if count == 1 else 's'} get{'s' if count == 1 else ''} a mail to ship."


def longer(order: Order) -> str:
    if order.status != OrderStatus.PENDING or order.is_extended or order.pay_by is None:
        return ""
    until = timezone.localtime(order.pay_by + PART_PAYMENT_EXTENSION)
    return f"The buyer has until {date_format(until, 'DATE_FORMAT')} for it (seven days more, once)."


def kept_after_rejection(order: Order) -> str:
    """Until when a pending order waits for another payment; nothing when it does not end."""
    if order.status != OrderStatus.PENDING or order.expires_at is None:
        return ""
    until = max(order.expires_at, timezone.now() + AFTER_REJECTION)
    return when(until)
