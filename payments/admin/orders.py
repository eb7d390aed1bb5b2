"""The order's page in the admin: here, above orders, because it shows orders and their payments together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Exists, F, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from artisans.accounts.models import User
from artisans.accounts.principals import signed_in
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import BAD, GOOD, PLAIN, WAIT, WARN, age, column, page_of, posted, when
from artisans.core.models import label_of
from artisans.core.money import Money
from artisans.core.security.tokens import order_url
from artisans.core.templatetags.money import show
from artisans.notifications.models import Notification
from orders.models import Order
from orders.selectors import is_own_order, lines_by_parcel
from orders.services import order_links_revoke
from orders.statuses import PARCELS_GONE, PARCELS_SENT, OrderPaymentStatus, OrderStatus
from payments.admin.buttons import Button
from payments.admin.filters import MethodOfOrderFilter, OrderNeedsFilter, SellerFilter
from payments.admin.forms_refund import CancelOrderForm, DecideParcelsForm
from payments.admin.payments import TONES as PAYMENT_TONES
from payments.admin.payments import payment_buttons
from payments.admin.refund_pages import parcels_to_decide
from payments.admin.search import HELP, orders_found
from payments.admin.seen import MoneyPages
from payments.admin.tables import refund_rows
from payments.admin.timeline import order_timeline
from payments.errors import OwnOrder
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.lifecycle.parcels import order_parcels_decide
from payments.methods import PaymentMethod, Provider
from payments.models import Payment
from payments.selectors import balance_after_refunds
from payments.statuses import OPEN, PaymentStatus

TONES: dict[str, str] = {
    OrderStatus.PENDING: WAIT,
    OrderStatus.CONFIRMED: GOOD,
    OrderStatus.PROCESSING: GOOD,
    OrderStatus.SHIPPED: GOOD,
    OrderStatus.DELIVERED: GOOD,
    OrderStatus.CANCELLED: "default",
    OrderStatus.EXPIRED: "default",
}
PAID_TONES: dict[str, str] = {
    OrderPaymentStatus.UNPAID: "default",
    OrderPaymentStatus.PARTIALLY_PAID: WARN,
    OrderPaymentStatus.PAID: GOOD,
    OrderPaymentStatus.OVERPAID: BAD,
    OrderPaymentStatus.PARTIALLY_REFUNDED: WARN,
    OrderPaymentStatus.REFUNDED: "default",
}
CANCELLABLE = (OrderStatus.PENDING, OrderStatus.CONFIRMED, OrderStatus.PROCESSING)


@dataclass(frozen=True, slots=True)
class Step:
    """The one obvious thing to do now, or why there is none. `button` is None for who may not."""

    headline: str
    text: str
    tone: str
    button: Button | None = None


@admin.register(Order)
class OrderAdmin(MoneyPages):
    """All orders, and with `?needs=return` those whose money is to be returned, oldest first."""

    pages = {
        "cancel": "orders.cancel_order",
        "parcels": "orders.cancel_order",
        "revoke-links": "orders.revoke_links",
        "as-buyer": "orders.view_order",
    }
    everyday_pages = frozenset({"as-buyer"})
    views = {
        "All": "",
        "Money to return": "needs=return",
        "To be shipped": "needs=shipping",
        "Parcels on hold": "needs=parcels",
        "Awaiting payment": "status__exact=PENDING",
    }
    detail_template = "admin/orders/order/detail.html"
    list_display = ("order_number", "buyer", "total_shown", "state", "paid", "way", "created")
    return_display = (
        "order_number",
        "buyer",
        "owed",
        "owed_for",
        "received_shown",
        "total_shown",
        "state",
        "since",
        "give_back",
    )
    list_filter = (
        OrderNeedsFilter,
        "status",
        "payment_status",
        MethodOfOrderFilter,
        SellerFilter,
        ("created_at", DayRangeFilter),
    )
    list_filter_submit = True
    search_fields = ("order_number",)
    search_help_text = HELP

    def is_return_list(self, request: HttpRequest) -> bool:
        return request.GET.get("needs") == "return"

    def get_list_display(self, request: HttpRequest) -> Sequence[str]:
        if not self.is_return_list(request):
            return self.list_display
        return self.return_display if request.user.has_perm("payments.refund") else self.return_display[:-1]

    def get_ordering(self, request: HttpRequest) -> Sequence[str]:
        return ("updated_at",) if self.is_return_list(request) else ("-created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        queryset: QuerySet[Order] = super().get_queryset(request)
        payments = Payment.objects.filter(order=OuterRef("pk"))
        spent = F("refunded_minor") + F("refund_reserved_minor") + F("disputed_minor")
        refundable = payments.filter(received_minor__gt=spent).order_by("-created_at")
        under_way = payments.filter(refund_reserved_minor__gt=0).values("pk")
        return queryset.annotate(
            method=Subquery(payments.order_by("-created_at").values("payment_method")[:1]),
            refundable_payment=Subquery(refundable.values("pk")[:1]),
            refundable_by=Subquery(refundable.values("payment_provider")[:1]),
            is_refund_under_way=Exists(under_way),
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        return orders_found(queryset, search_term), False

    # ---- columns ---------------------------------------------------------------------------------------------

    @column("Buyer", ordering="email")
    def buyer(self, order: Order) -> str:
        return order.email

    @column("Total", ordering="total_minor")
    def total_shown(self, order: Order) -> str:
        return show(order.total)

    @column("Received", ordering="received_minor")
    def received_shown(self, order: Order) -> str:
        return show(order.received)

    @column("To return")
    def owed(self, order: Order) -> str:
        return show(order.to_return)

    @column("For")
    def owed_for(self, order: Order) -> str:
        return "; ".join(reason for reason, _ in order.owed.reasons)

    @column("State", ordering="status", label=TONES)
    def state(self, order: Order) -> tuple[str, str]:
        return order.status, order.get_status_display()

    @column("Money", ordering="payment_status", label=PAID_TONES)
    def paid(self, order: Order) -> tuple[str, str]:
        return order.payment_status, order.get_payment_status_display()

    @column("By")
    def way(self, order: Any) -> str:
        return label_of(PaymentMethod, order.method) if order.method else "Not chosen"

    @column("Since", ordering="updated_at")
    def since(self, order: Order) -> str:
        return age(order.updated_at)

    @column("Settle")
    def give_back(self, order: Any) -> SafeString | str:
        if order.is_refund_under_way and not balance_after_refunds(order).owed:
            return "A refund is on its way"
        if order.refundable_payment is None:
            return "–"
        is_by_hand = order.refundable_by == Provider.MANUAL
        name, label = ("return", "Record money returned") if is_by_hand else ("refund", "Refund")
        address = page_of(Payment(pk=order.refundable_payment), name)
        return format_html('<a class="aa-button aa-main" href="{}">{}</a>', address, label)

    # ---- one order -------------------------------------------------------------------------------------------

    def detail(self, request: HttpRequest, obj: Order) -> dict[str, Any]:
        payments = list(obj.payments.prefetch_related("receipts__reversal").order_by("-created_at"))
        for payment in payments:
            payment.order = obj
        lines = lines_by_parcel(obj)
        parcels = list(obj.parcels.select_related("artisan"))
        refunds = refund_rows(payments, signed_in(request))
        return {
            "order": obj,
            "tone": TONES.get(obj.status, PLAIN),
            "paid_tone": PAID_TONES.get(obj.payment_status, PLAIN),
            "step": next_step(obj, payments, [p.status for p in parcels], signed_in(request)),
            "buttons": order_buttons(obj, signed_in(request)),
            "parcels": [(parcel, lines.get(parcel.pk, [])) for parcel in parcels],
            "returned": returned_by(obj, payments),
            "owed": obj.owed.reasons,
            "payments": [
                (
                    p,
                    PAYMENT_TONES.get(p.status, PLAIN),
                    payment_buttons(p, signed_in(request)),
                    [row for row in refunds if row.refund.payment_id == p.pk],
                )
                for p in payments
            ],
            "timeline": order_timeline(obj, payments),
            "mails": mails_about(obj) if request.user.has_perm("notifications.view_notification") else None,
        }

    def cancel_page(self, request: HttpRequest, order: Order) -> HttpResponse:
        user = signed_in(request)
        parcels = parcels_to_decide(order)
        payments = list(order.payments.all())
        by_provider = [p for p in payments if p.is_remote and p.refundable]
        may_refund = by_provider and user.has_perm("payments.refund")
        form = CancelOrderForm(
            posted(request),
            parcels=parcels,
            refund="Refund what was paid by card or PayPal in the same act" if may_refund else "",
            kept_minor=order.received_minor - order.refunded_minor,
        )

        def cancel(data: dict[str, Any]) -> str:
            if is_own_order(order, user):
                raise OwnOrder  # they cancel as a buyer, on the order's own page
            done = order_cancel(
                order_id=order.pk,
                reason=data["reason"],
                actor=user,
                parcels=data["parcels"],
                refund=data.get("refund", False),
                seen_minor=data["seen"],
            )
            what = f"Order {order.order_number} is" if not done.is_alive else "The chosen parcels are"
            owed = f" {show(done.to_return)} goes back to the buyer." if done.to_return else ""
            return f"{what} cancelled; {order.email} gets a mail.{owed}"

        refusal = ""
        if order.status not in CANCELLABLE:
            refusal = f"This order is {order.get_status_display().lower()}; it cannot be cancelled any more."
        return self.act(
            request,
            "admin/orders/order/cancel.html",
            order,
            form,
            cancel,
            order=order,
            refusal=refusal,
            kept=order.received - order.refunded,
            parcels=parcels,
            by_provider=by_provider,
            by_hand=[p for p in payments if not p.is_remote and p.refundable],
            may_refund=may_refund,
            open_payment=next((p for p in payments if p.status in OPEN), None),
        )

    def parcels_page(self, request: HttpRequest, order: Order) -> HttpResponse:
        parcels = parcels_to_decide(order)
        form = DecideParcelsForm(posted(request), parcels=parcels)

        def decide(data: dict[str, Any]) -> str:
            done = order_parcels_decide(
                order_id=order.pk,
                decisions=form.decisions(),
                reason=data["reason"],
                actor=signed_in(request),
            )
            owed = f" {show(done.to_return)} is to be returned." if done.to_return else ""
            return f"Decided; artisans and buyer get mails about what changed.{owed}"

        refusal = "" if parcels else "This order has no parcels that something could be decided about."
        if is_own_order(order, signed_in(request)):
            refusal = str(OwnOrder())
        return self.act(
            request, "admin/orders/order/parcels.html", order, form, decide, order=order, refusal=refusal
        )

    def revoke_links_page(self, request: HttpRequest, order: Order) -> HttpResponse:
        def revoke(data: dict[str, Any]) -> str:
            order_links_revoke(order_id=order.pk, actor=signed_in(request))
            return "No link to this order that was sent so far works any more."

        form = forms.Form(posted(request))
        return self.act(request, "admin/orders/order/revoke_links.html", order, form, revoke, order=order)

    def as_buyer_page(self, request: HttpRequest, order: Order) -> HttpResponse:
        """The buyer's own page. The link is made on demand, so that no page of the admin holds it."""
        return redirect(order_url(order.pk, order.token_version))


def order_buttons(order: Order, user: User) -> list[Button]:
    buttons = [Button("See it as the buyer does", page_of(order, "as-buyer"))]
    if user.has_perm("orders.revoke_links"):
        buttons.append(Button("Revoke links", page_of(order, "revoke-links")))
    if user.has_perm("orders.cancel_order") and order.status in CANCELLABLE:
        buttons.append(Button("Cancel order", page_of(order, "cancel")))
    if user.has_perm("orders.cancel_order") and order.is_alive and order.released_at:
        buttons.append(Button("Decide about parcels", page_of(order, "parcels")))
    return buttons


def next_step(order: Order, payments: list[Payment], parcels: list[str], user: User) -> Step:
    if order.is_alive and any(parcel.is_on_hold for parcel in order.parcels.all()):
        return step_hold(order, user)
    if order.to_return:
        return step_return(order, payments, user)
    waiting = next((p for p in payments if p.status in OPEN), None)
    if waiting is not None and order.is_alive:
        return step_payment(order, waiting, parcels, user)
    if order.status == OrderStatus.PENDING:
        return Step("The buyer has to choose how to pay", f"Nothing to do for you. {ends(order)}", WAIT)
    sent = sum(status in PARCELS_SENT for status in parcels)
    alive = sum(status not in PARCELS_GONE for status in parcels)
    if order.status in {OrderStatus.CONFIRMED, OrderStatus.PROCESSING}:
        return Step(
            "The artisans ship", f"{sent} of {alive} parcels are on their way. Nothing to do for you.", GOOD
        )
    return Step(order.get_status_display(), "Nothing is left to do.", "default")


def returned_by(order: Order, payments: list[Payment]) -> list[tuple[str, Money]]:
    """Money that left, by who moved it: that a provider sent it, and that we wrote it down, are two things."""
    kinds = {
        "Sent back by a provider": sum(p.refunded_minor for p in payments if p.is_remote),
        "Returned by hand, recorded": sum(p.refunded_minor for p in payments if not p.is_remote),
        "On its way back": sum(p.refund_reserved_minor for p in payments),
        "Taken back by the buyer’s bank": sum(p.disputed_minor for p in payments),
        "Of it as goodwill": order.goodwill_minor,
        "Of it not decided yet": order.unassigned_minor,
    }
    return [(label, order.money(minor)) for label, minor in kinds.items() if minor]


def step_return(order: Order, payments: list[Payment], user: User) -> Step:
    """A provider's refund first: it moves the money itself."""
    why = "; ".join(f"{reason}: {show(amount)}" for reason, amount in order.owed.reasons)
    open_minor = balance_after_refunds(order).owed
    if not open_minor:
        text = f"{why}. The refund is on its way; nothing to do for you."
        return Step(f"Returning {show(order.to_return)}", text, WAIT)
    payment = next(iter(sorted((p for p in payments if p.refundable), key=lambda p: not p.is_remote)), None)
    owed, button = show(order.money(open_minor)), None
    may = payment is not None and user.has_perm("payments.refund")
    if payment is not None and payment.is_remote:
        text = f"{why}. {payment.get_payment_provider_display()} sends it back the way it came."
        button = Button("Refund", page_of(payment, "refund"), is_main=True) if may else None
    else:
        text = f"{why}. Transfer {owed} to the buyer, then record it here."
        if payment is not None and may:
            button = Button("Record money returned", page_of(payment, "return"), is_main=True)
    return Step(f"Return {owed}", text, BAD, button)


def step_hold(order: Order, user: User) -> Step:
    text = "Their money went back, and nobody decided whether they are sent. Their artisans wait."
    button = Button("Decide about parcels", page_of(order, "parcels"), is_main=True)
    may = user.has_perm("orders.cancel_order")
    return Step("Parcels are on hold", text, BAD, button if may else None)


def step_payment(order: Order, payment: Payment, parcels: list[str], user: User) -> Step:
    button = None
    if payment.payment_provider == Provider.MANUAL and user.has_perm("payments.approve_manual"):
        button = Button("Record money received", page_of(payment, "record"), is_main=True)
    if payment.status == PaymentStatus.FAILED:
        text = f"{payment.failure_reason} The buyer can pay otherwise. {ends(order)}"
        return Step("The payment failed", text.strip(), WARN, button)
    missing = show(payment.missing)
    if payment.payment_method == PaymentMethod.CASH_ON_DELIVERY:
        reported = order.parcels.filter(cash_reported_at__isnull=False).count()
        text = f"The cash of {reported} of {len(parcels)} parcels is reported as collected."
        return Step(f"{missing} is collected at the door", text, WARN if reported else WAIT, button)
    if order.pay_by is not None and order.pay_by < timezone.now():
        day = date_format(timezone.localtime(order.pay_by), "DATE_FORMAT")
        text = f"The buyer was told {day}. Record the money or reject the payment. {ends(order)}"
        return Step(f"{missing} is late", text, BAD, button)
    day = f" by {date_format(timezone.localtime(order.pay_by), 'DATE_FORMAT')}" if order.pay_by else ""
    method = payment.get_payment_method_display().lower()
    return Step(
        f"Waiting for {missing}",
        f"By {method}{day}, reference {order.order_number}. {ends(order)}",
        WAIT,
        button,
    )


def ends(order: Order) -> str:
    if order.status != OrderStatus.PENDING or order.expires_at is None:
        return ""
    return f"The things are kept until {when(order.expires_at)}."


def mails_about(order: Order) -> QuerySet[Notification]:
    """To the buyer and to the artisans; none is older than the order."""
    return Notification.objects.filter(
        created_at__gte=order.created_at, context__order_number=order.order_number
    ).order_by("created_at")
