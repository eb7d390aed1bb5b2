"""The admin pages of orders; here, above `orders`, because they show orders with their payments."""

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
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from artisans.accounts.models import User
from artisans.accounts.principals import require_user
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
    money,
    posted,
    when,
)
from artisans.core.models import label_of
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from artisans.ledger.explanations import explain
from artisans.ledger.selectors import balances_of_order, entries_of_order
from artisans.notifications.models import Notification, mails_of_order
from orders.models import Order
from orders.parcel_display import ParcelDisplay, load_cancellations
from orders.selectors import is_own_order, lines_by_parcel
from orders.services.closing import order_links_revoke
from orders.statuses import (
    ORDERS_UNSHIPPED,
    PARCELS_ENDED,
    PARCELS_SHIPPED,
    OrderPaymentStatus,
    OrderStatus,
)
from payments.admin.buttons import Button
from payments.admin.cash import cash_rows
from payments.admin.filters import (
    OrderArtisanFilter,
    OrderMethodFilter,
    OrderNeedsFilter,
    OrderOutcomeFilter,
)
from payments.admin.forms_refund import CancelOrderForm, DecideParcelsForm
from payments.admin.payments import TONES as PAYMENT_TONES
from payments.admin.payments import payment_buttons
from payments.admin.refund_pages import parcels_to_decide
from payments.admin.search import HELP, orders_found
from payments.admin.seen import MoneyPages
from payments.admin.tables import refund_rows
from payments.admin.timeline import order_timeline
from payments.errors import OwnOrder
from payments.explanations import explain_held
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.lifecycle.parcels import order_parcels_decide
from payments.links import order_url
from payments.methods import MANUAL, PaymentMethod
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


@dataclass(frozen=True, slots=True)
class Step:
    """The next thing to do, or why there is none. `button` is None without the permission."""

    headline: str
    text: str
    tone: str
    button: Button | None = None


@admin.register(Order)
class OrderAdmin(MoneyPages):
    """All orders, and with `?needs=return` those with a refund due, oldest first."""

    pages = {
        "cancel": "orders.cancel_order",
        "parcels": "orders.cancel_order",
        "revoke-links": "orders.revoke_links",
        "as-buyer": "orders.view_order",
        "ledger": "ledger.view_ledgerentry",
    }
    everyday_pages = frozenset({"as-buyer", "ledger"})
    views = {
        "": _("All"),
        "needs=return": _("Refunds due"),
        "needs=shipping": _("To ship"),
        "needs=parcels": _("Parcels on hold"),
        "status__exact=PENDING": _("Awaiting payment"),
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
        OrderMethodFilter,
        OrderArtisanFilter,
        OrderOutcomeFilter,
        "is_test",
        ("created_at", DayRangeFilter),
        ("paid_at", DayRangeFilter),
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
        return orders_found(request, queryset, search_term), False

    # ---- columns ---------------------------------------------------------------------------------------------

    @column(_("Buyer"), ordering="email")
    def buyer(self, order: Order) -> str:
        return order.email

    @column(_("Total"), ordering="total_minor", file=money("total"))
    def total_shown(self, order: Order) -> str:
        return show(order.total)

    @column(_("Received"), ordering="received_minor", file=money("received"))
    def received_shown(self, order: Order) -> str:
        return show(order.received)

    @column(_("Refund due"), file=money("refund_due"))
    def owed(self, order: Order) -> str:
        return show(order.refund_due)

    @column(_("Reason"))
    def owed_for(self, order: Order) -> str:
        return "; ".join(reason for reason, _ in order.owed.reasons)

    @column(_("Status"), ordering="status", label=TONES)
    def state(self, order: Order) -> tuple[str, str]:
        return order.status, order.get_status_display()

    @column(_("Payment status"), ordering="payment_status", label=PAID_TONES)
    def paid(self, order: Order) -> tuple[str, str]:
        return order.payment_status, order.get_payment_status_display()

    @column(_("Payment method"))
    def way(self, order: Any) -> str:
        return label_of(PaymentMethod, order.method) if order.method else gettext("Not selected")

    @column(_("Waiting for"), ordering="updated_at", file=FileValue("updated_at", title=_("Waiting since")))
    def since(self, order: Order) -> str:
        return age(order.updated_at)

    @column(_("Action"), file=())
    def give_back(self, order: Any) -> SafeString | str:
        if order.is_refund_under_way and not balance_after_refunds(order).owed:
            return gettext("Refund in progress")
        if order.refundable_payment is None:
            return "–"
        is_manual = order.refundable_by == MANUAL
        name, label = ("return", gettext("Record refund")) if is_manual else ("refund", gettext("Refund"))
        address = admin_page_url(Payment(pk=order.refundable_payment), name)
        return button_to(address, label, is_main=True)

    # ---- one order -------------------------------------------------------------------------------------------

    def detail(self, request: HttpRequest, obj: Order) -> dict[str, Any]:
        with_receipts = obj.payments.prefetch_related("receipts__reversal", "receipts__parcel__artisan")
        payments = list(with_receipts.order_by("-created_at"))
        for payment in payments:
            payment.order = obj
        lines = lines_by_parcel(obj)
        parcels = list(obj.parcels.select_related("artisan", "earning"))
        cancellations = load_cancellations([line for own in lines.values() for line in own])
        refunds = refund_rows(payments, require_user(request))
        return {
            "order": obj,
            "tone": TONES.get(obj.status, PLAIN),
            "paid_tone": PAID_TONES.get(obj.payment_status, PLAIN),
            "step": next_step(obj, payments, [p.status for p in parcels], require_user(request)),
            "buttons": order_buttons(obj, require_user(request)),
            "due_at": next((payment.due_at for payment in payments if payment.is_open), None),
            "parcels": [
                (
                    ParcelDisplay(
                        parcel, lines.get(parcel.pk, []), cancellations=cancellations.get(parcel.pk, ())
                    ),
                    parcel,
                )
                for parcel in parcels
            ],
            "returned": list_returned_money(obj, payments),
            "owed": obj.owed.reasons,
            "payments": [
                (
                    p,
                    PAYMENT_TONES.get(p.status, PLAIN),
                    payment_buttons(p, require_user(request)),
                    [row for row in refunds if row.refund.payment_id == p.pk],
                    cash_rows(p),
                )
                for p in payments
            ],
            "timeline": order_timeline(obj, payments),
            "mails": mails_about(obj) if request.user.has_perm("notifications.view_notification") else None,
        }

    def cancel_page(self, request: HttpRequest, order: Order) -> HttpResponse:
        user = require_user(request)
        parcels = parcels_to_decide(order)
        payments = list(order.payments.all())
        by_provider = [p for p in payments if p.is_remote and p.refundable]
        may_refund = by_provider and user.has_perm("payments.refund")
        form = CancelOrderForm(
            posted(request),
            parcels=parcels,
            refund=gettext("Also refund online payments") if may_refund else "",
            net_received_minor=order.received_minor - order.refunded_minor,
        )

        def cancel(data: dict[str, Any]) -> str:
            if is_own_order(order, user):
                raise OwnOrder  # staff cancel their own orders as buyers, on the order's page
            done = order_cancel(
                order_id=order.pk,
                reason=data["reason"],
                actor=user,
                parcels=data["parcels"],
                refund=data.get("refund", False),
                seen_minor=data["seen"],
            )
            message = (
                gettext("The selected parcels are cancelled; %(email)s gets an email.")
                if done.is_alive
                else gettext("Order %(number)s is cancelled; %(email)s gets an email.")
            ) % {"number": order.order_number, "email": order.email}
            return f"{message} {refund_due_text(done)}".strip()

        refusal = ""
        if order.status not in ORDERS_UNSHIPPED:
            refusal = gettext("This order can no longer be cancelled. Its status is: %(status)s.") % {
                "status": order.get_status_display()
            }
        return self.run_action(
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
            offline=[p for p in payments if not p.is_remote and p.refundable],
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
                actor=require_user(request),
            )
            message = gettext("Decisions saved. The artisans and the buyer are notified by email.")
            return f"{message} {refund_due_text(done)}".strip()

        refusal = "" if parcels else gettext("No parcel of this order can be changed.")
        if is_own_order(order, require_user(request)):
            refusal = str(OwnOrder())
        return self.run_action(
            request, "admin/orders/order/parcels.html", order, form, decide, order=order, refusal=refusal
        )

    def revoke_links_page(self, request: HttpRequest, order: Order) -> HttpResponse:
        def revoke(data: dict[str, Any]) -> str:
            order_links_revoke(order_id=order.pk, actor=require_user(request))
            return gettext("All links to this order sent so far have been revoked.")

        form = forms.Form(posted(request))
        return self.run_action(
            request, "admin/orders/order/revoke_links.html", order, form, revoke, order=order
        )

    def ledger_page(self, request: HttpRequest, order: Order) -> HttpResponse:
        """What the ledger books for the order, in sentences."""
        return self.render_page(
            request,
            "admin/orders/order/ledger.html",
            order,
            order=order,
            explained=explain(entries_of_order(order.pk)),
            held=explain_held(order),
            balances=balances_of_order(order.pk),
            back=admin_page_url(order),
        )

    def as_buyer_page(self, request: HttpRequest, order: Order) -> HttpResponse:
        """Redirect to the buyer's page. The link is created on demand, so that no admin page contains it."""
        return redirect(order_url(order.pk, order.token_version))


def refund_due_text(order: Order) -> str:
    if not order.refund_due:
        return ""
    return gettext("A refund of %(amount)s is due.") % {"amount": show(order.refund_due)}


def order_buttons(order: Order, user: User) -> list[Button]:
    buttons = [Button(gettext("View as buyer"), admin_page_url(order, "as-buyer"))]
    if user.has_perm("ledger.view_ledgerentry"):
        buttons.append(Button(gettext("Ledger"), admin_page_url(order, "ledger")))
    if user.has_perm("orders.revoke_links"):
        buttons.append(Button(gettext("Revoke links"), admin_page_url(order, "revoke-links")))
    if user.has_perm("orders.cancel_order") and order.status in ORDERS_UNSHIPPED:
        buttons.append(Button(gettext("Cancel order"), admin_page_url(order, "cancel")))
    if user.has_perm("orders.cancel_order") and order.is_alive and order.released_at:
        buttons.append(Button(gettext("Manage parcels"), admin_page_url(order, "parcels")))
    return buttons


def next_step(order: Order, payments: list[Payment], parcels: list[str], user: User) -> Step:
    if order.is_alive and any(parcel.is_on_hold for parcel in order.parcels.all()):
        return step_hold(order, user)
    if order.refund_due:
        return step_return(order, payments, user)
    waiting = next((p for p in payments if p.status in OPEN), None)
    if waiting is not None and order.is_alive:
        return step_payment(order, waiting, parcels, user)
    if order.status == OrderStatus.PENDING:
        text = gettext("No action needed.")
        return Step(
            gettext("Waiting for the buyer to choose a payment method"), f"{text} {ends(order)}", WAIT
        )
    sent = sum(status in PARCELS_SHIPPED for status in parcels)
    alive = sum(status not in PARCELS_ENDED for status in parcels)
    if order.status in {OrderStatus.CONFIRMED, OrderStatus.PROCESSING}:
        text = ngettext(
            "%(shipped)d of %(total)d parcel has been shipped. No action needed.",
            "%(shipped)d of %(total)d parcels have been shipped. No action needed.",
            alive,
        )
        headline = (
            gettext("The artisans are shipping") if sent else gettext("Waiting for the artisans to ship")
        )
        return Step(headline, text % {"shipped": sent, "total": alive}, GOOD)
    return Step(order.get_status_display(), gettext("No action needed."), "default")


def list_returned_money(order: Order, payments: list[Payment]) -> list[tuple[str, Money]]:
    """Money paid out, by channel: sent by a provider, or recorded by staff."""
    kinds = {
        gettext("Refunded by a provider"): sum(p.refunded_minor for p in payments if p.is_remote),
        gettext("Refunded offline"): sum(p.refunded_minor for p in payments if not p.is_remote),
        gettext("Refunds in progress"): sum(p.refund_reserved_minor for p in payments),
        gettext("Disputed"): sum(p.disputed_minor for p in payments),
        gettext("Included: goodwill"): order.goodwill_minor,
        gettext("Included: awaiting decision"): order.unassigned_minor,
    }
    return [(label, order.money(minor)) for label, minor in kinds.items() if minor]


def step_return(order: Order, payments: list[Payment], user: User) -> Step:
    """Suggest provider refunds first: they need no transfer."""
    why = "; ".join(f"{reason}: {show(amount)}" for reason, amount in order.owed.reasons)
    open_minor = balance_after_refunds(order).owed
    if not open_minor:
        text = gettext("%(reasons)s. The refund is in progress; no action needed.") % {"reasons": why}
        headline = gettext("Refunding %(amount)s") % {"amount": show(order.refund_due)}
        return Step(headline, text, WAIT)
    payment = next(iter(sorted((p for p in payments if p.refundable), key=lambda p: not p.is_remote)), None)
    owed, button = show(order.money(open_minor)), None
    may = payment is not None and user.has_perm("payments.refund")
    if payment is not None and payment.is_remote:
        text = gettext("%(reasons)s. %(provider)s refunds the original payment method.") % {
            "reasons": why,
            "provider": payment.get_payment_provider_display(),
        }
        button = Button(gettext("Refund"), admin_page_url(payment, "refund"), is_main=True) if may else None
    else:
        text = gettext("%(reasons)s. Transfer %(amount)s to the buyer, then record the refund here.") % {
            "reasons": why,
            "amount": owed,
        }
        if payment is not None and may:
            button = Button(gettext("Record refund"), admin_page_url(payment, "return"), is_main=True)
    return Step(gettext("Refund %(amount)s") % {"amount": owed}, text, BAD, button)


def step_hold(order: Order, user: User) -> Step:
    text = gettext("They were refunded, and their artisans are waiting for a decision whether to ship them.")
    button = Button(gettext("Manage parcels"), admin_page_url(order, "parcels"), is_main=True)
    may = user.has_perm("orders.cancel_order")
    return Step(gettext("Parcels are on hold"), text, BAD, button if may else None)


def step_payment(order: Order, payment: Payment, parcels: list[str], user: User) -> Step:
    button = None
    if payment.payment_provider == MANUAL and user.has_perm("payments.approve_manual"):
        button = Button(gettext("Record payment"), admin_page_url(payment, "record"), is_main=True)
    if payment.status == PaymentStatus.FAILED:
        text = gettext("The buyer can try another payment method.")
        reason = f"{payment.failure_reason} {text} {ends(order)}".strip()
        return Step(gettext("The payment failed"), reason, WARN, button)
    missing = show(payment.outstanding)
    if payment.payment_method == PaymentMethod.CASH_ON_DELIVERY:
        reported = order.parcels.filter(cash_reported_at__isnull=False).count()
        text = gettext("Cash reported as collected for %(reported)d of %(total)d parcels.")
        return Step(
            gettext("%(amount)s to be collected on delivery") % {"amount": missing},
            text % {"reported": reported, "total": len(parcels)},
            WARN if reported else WAIT,
            button,
        )
    if payment.due_at is not None and payment.due_at < timezone.now():
        day = date_format(timezone.localtime(payment.due_at), "DATE_FORMAT")
        text = gettext("The payment was due on %(date)s. Record it or reject it.") % {"date": day}
        headline = gettext("%(amount)s is overdue") % {"amount": missing}
        return Step(headline, f"{text} {ends(order)}", BAD, button)
    facts = {
        "method": payment.get_payment_method_display(),
        "date": date_format(timezone.localtime(payment.due_at), "DATE_FORMAT") if payment.due_at else "",
        "reference": order.order_number,
    }
    text = (
        gettext("%(method)s, due %(date)s, reference %(reference)s.")
        if payment.due_at
        else gettext("%(method)s, reference %(reference)s.")
    ) % facts
    return Step(
        gettext("Waiting for %(amount)s") % {"amount": missing}, f"{text} {ends(order)}", WAIT, button
    )


def ends(order: Order) -> str:
    if order.status != OrderStatus.PENDING or order.expires_at is None:
        return ""
    return gettext("The items are reserved until %(date)s.") % {"date": when(order.expires_at)}


def mails_about(order: Order) -> QuerySet[Notification]:
    """Emails to the buyer and the artisans, oldest first."""
    return mails_of_order(order.order_number).order_by("created_at")
