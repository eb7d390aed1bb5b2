"""An order as its buyer sees it: by signed link for guests, by account for its owner."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from artisans.accounts.principals import Principal, require_user
from artisans.core.errors import DomainError
from artisans.core.security.rate_limits import RateLimited, count, count_network
from artisans.core.security.tokens import is_mailbox_token
from artisans.core.templatetags.money import show
from artisans.core.web.error_pages import too_many
from artisans.notifications.services import notifications_enqueue
from orders.addresses import address_read, masked
from orders.mails import order_mail
from orders.models import Order, OrderTransition
from orders.parcel_display import load_displays
from orders.selectors import (
    is_known_buyer,
    is_masked,
    is_owner,
    lines_by_parcel,
    orders_visible_to,
    store_rules,
)
from orders.statuses import OrderStatus
from payments.bookkeeping.attempts import closed_providers
from payments.declines import past_decline
from payments.gateway.payments import payment_check
from payments.lifecycle.cancel_and_expire import buyer_may_cancel, order_cancel
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.instructions import payment_instructions
from payments.lifecycle.offer import method_choices
from payments.lifecycle.receipt_reversals import reversal_note
from payments.lifecycle.start import mailbox_confirm
from payments.mails import PaymentMail
from payments.methods import PaymentMethod
from payments.models import (
    AttemptOutcome,
    Capture,
    DeclineReason,
    Payment,
    PaymentAttempt,
    PaymentRefund,
    PaymentTransition,
    Receipt,
    ReceiptReversal,
)
from payments.selectors import latest_payment
from payments.statuses import PaymentStatus, RefundStatus
from payments.web.csp import may_lead_to_provider
from payments.web.forms import CancelForm, FindOrderForm, PaymentForm
from payments.web.links import order_of
from payments.web.order_display import (
    PendingMoney,
    State,
    get_display_state,
    is_undecided,
    load_pending_money,
)
from payments.web.provider_pages import (
    amount_missing,
    can_pay_now,
    facts_with_page,
    pay_with_saved,
    read_shown_amount,
    redirect_to_next_action,
    to_page,
)
from payments.web.saved_choices import owner_of_page, saved_id_of, with_saved

MAILED_OR_TRANSFERRED = (PaymentMethod.BANK_TRANSFER, PaymentMethod.CHECK)


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the order's history as shown to the buyer."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class HistoryRow:
    order: Order
    state: State
    url: str
    parcel_count: int


@require_GET
@may_lead_to_provider
def order_detail(request: HttpRequest, token: str) -> HttpResponse:
    order = order_of(token)
    payment = latest_payment(order)
    if payment is not None and is_check_due(payment):
        payment_check(payment.pk)
        order, payment = order_of(token), latest_payment(order)
    viewer = Principal.from_page(request).user
    hides = is_masked(order, viewer)
    lines = lines_by_parcel(order)
    mailbox = request.GET.get("mailbox", "")
    just_placed = order.created_at > timezone.now() - timedelta(minutes=10)
    may_cancel, owns = buyer_may_cancel(order), is_owner(order, viewer)
    context = {
        "order": order,
        "token": token,
        "payment": payment,
        **offers(order, payment, load_pending_money([order])[order.pk]),
        "instructions": payment_instructions(payment, order, store_rules()) if payment else None,
        "parcels": load_displays(list(order.parcels.select_related("artisan", "order")), lines),
        "address_lines": masked(order.shipping_address) if hides else order.shipping_address_lines,
        "billing_lines": masked(order.billing_address) if hides else order.billing_address_lines,
        "timeline": events(order),
        "provider_page": facts_with_page(payment),
        "thanks": just_placed and is_taken(order, payment),
        "can_cancel": may_cancel and owns,
        "cancels_by_email": may_cancel and not owns and order.user_id is None,
        "must_contact_shop": order.status == OrderStatus.PROCESSING and owns,
        "has_error": payment is not None and payment.status == PaymentStatus.FAILED and order.is_alive,
        "is_masked": hides,
        "just_placed": just_placed,
        "mailbox": mailbox if is_mailbox_token(order.pk, mailbox) else "",
    }
    return render(request, "payments/order_detail.html", context)


def offers(order: Order, payment: Payment | None, under_way: PendingMoney) -> dict[str, Any]:
    """What the page says about the payment and what it offers; a test compares both for all combinations."""
    return {
        "state": get_display_state(order, payment, under_way),
        "can_pay_now": bool(order.balance_due) and can_pay_now(payment),
        "is_waiting": payment is not None and payment.status == PaymentStatus.PROCESSING and order.is_alive,
        "can_pay_otherwise": may_pay_otherwise(order, payment),
        "needs_mailbox": needs_mailbox(order, payment),
        "is_undecided": is_undecided(payment),
        "is_paid": order.is_alive and (bool(order.received) or not order.total) and not order.balance_due,
    }


def may_pay_otherwise(order: Order, payment: Payment | None) -> bool:
    """Whether another way to pay is offered: not while the outcome of a payment is open, which could pay twice."""
    return bool(order.balance_due) and order.may_change_method and not is_undecided(payment)


def is_check_due(payment: Payment) -> bool:
    """Whether to read the payment from the provider on this request; limited, so that reloads do not repeat
    it."""
    return (
        payment.status == PaymentStatus.PROCESSING
        and payment.next_check_at is not None
        and payment.next_check_at <= timezone.now()
    )


def is_taken(order: Order, payment: Payment | None) -> bool:
    """Whether the buyer has nothing left to do: paid, or has the instructions to pay offline."""
    if not order.is_alive or order.is_waiting_for_payment or payment is None:
        return False
    return order.released_at is not None or (
        not payment.is_remote and payment.status == PaymentStatus.PENDING
    )


def events(order: Order) -> list[Event]:
    """The order's history, oldest first, without staff details."""
    texts: dict[str, str] = {
        "": _("You placed the order."),
        OrderStatus.CONFIRMED: _("The order was confirmed, and the artisans were notified."),
        OrderStatus.PROCESSING: _("The artisans started preparing the order."),
        OrderStatus.SHIPPED: _("All parcels were shipped."),
        OrderStatus.DELIVERED: _("All parcels were delivered."),
        OrderStatus.CANCELLED: _("The order was cancelled."),
        "returned": _("The order was returned."),
        OrderStatus.EXPIRED: _("The order was not paid in time. The items are back on sale."),
    }
    moves = [(t.at, texts.get(event_of(t))) for t in order.transitions.all()]
    found = [Event(at, text) for at, text in moves if text]
    methods = {payment.pk: payment for payment in order.payments.order_by("created_at")}
    found += methods_chosen(methods.values())
    money: list[Receipt | Capture] = [
        *Receipt.objects.filter(payment__in=list(methods)),
        *Capture.objects.filter(payment__in=list(methods)),
    ]
    for row in money:
        values = {"method": methods[row.payment_id].get_payment_method_display(), "amount": show(row.amount)}
        found.append(Event(row.created_at, _("%(method)s payment of %(amount)s received.") % values))
    taken_back = ReceiptReversal.objects.filter(receipt__payment__order=order).select_related(
        "receipt__payment"
    )
    found += [Event(row.created_at, describe_reversal(row)) for row in taken_back]
    found += [refund_event(refund) for refund in PaymentRefund.objects.filter(payment__order=order)]
    found += declines(order)
    return sorted(found, key=lambda event: event.at)


def methods_chosen(payments: Iterable[Payment]) -> Iterator[Event]:
    """The payment method, and each change of it. `payments`: oldest first."""
    before = ""
    for payment in payments:
        if payment.payment_method != before:
            method = payment.get_payment_method_display()
            text = _("Payment method changed to: %(method)s.") if before else _("Payment method: %(method)s.")
            yield Event(payment.created_at, text % {"method": method})
        before = payment.payment_method


def declines(order: Order) -> Iterator[Event]:
    """Every declined attempt, and other failures of a payment, also of methods that were changed since."""
    attempts = PaymentAttempt.objects.filter(payment__order=order, outcome=AttemptOutcome.DECLINED).exclude(
        decline_group=DeclineReason.REJECTED  # the transition has the reason that staff gave
    )
    tried = set()
    for attempt in attempts.select_related("payment"):
        tried.add(attempt.payment_id)
        at = max(attempt.tried_at, attempt.payment.created_at)  # by the provider's clock, in whole seconds
        yield Event(at, past_decline(attempt.decline_group, attempt.payment.payment_method))
    failures = PaymentTransition.objects.filter(payment__order=order, new=PaymentStatus.FAILED)
    for failure in failures.select_related("payment"):
        if failure.payment_id not in tried:
            method = failure.payment.get_payment_method_display()
            text = failure.payment.failure_reason or _("%(method)s payment failed.") % {"method": method}
            yield Event(failure.at, text)


def describe_reversal(reversal: ReceiptReversal) -> str:
    receipt = reversal.receipt
    is_check = receipt.payment.payment_method == PaymentMethod.CHECK
    return reversal_note(reversal.reason, receipt.amount, is_check)


def event_of(transition: OrderTransition) -> str:
    """The event of a status change; an order cancelled after it was shipped counts as returned."""
    was_sent = transition.old in {OrderStatus.SHIPPED, OrderStatus.DELIVERED}
    if was_sent and transition.new == OrderStatus.CANCELLED:
        return "returned"
    return transition.new if transition.old else ""


def refund_event(refund: PaymentRefund) -> Event:
    """The event of a refund by its status; a failed refund says that we are working on it."""
    amount = {"amount": show(refund.amount)}
    texts: dict[str, str] = {
        RefundStatus.REQUESTED: _("A refund of %(amount)s was requested. It has not been sent yet."),
        RefundStatus.PROCESSING: _("A refund of %(amount)s is being processed. It is not confirmed yet."),
        RefundStatus.COMPLETED: _(
            "We refunded %(amount)s. It can take five to ten days to appear on your account."
        ),
        RefundStatus.FAILED: _(
            "A refund of %(amount)s did not go through. We are working on it and will email you."
        ),
    }
    if refund.bank_reference:
        return Event(refund.created_at, _("We refunded %(amount)s.") % amount)
    text = texts.get(refund.status, _("A refund of %(amount)s.")) % amount
    return Event(refund.processed_at or refund.created_at, text)


def needs_mailbox(order: Order, payment: Payment | None) -> bool:
    """Whether an offline order is held for a short time only, until the emailed link is opened."""
    return (
        not (payment is not None and payment.is_remote)
        and order.status == OrderStatus.PENDING
        and order.ends_unless_confirmed
    )


@csrf_exempt  # as order_pay
@require_http_methods(["POST"])
def mailbox(request: HttpRequest, token: str) -> HttpResponse:
    """Confirm the email address; opening the link alone changes nothing."""
    order = order_of(token)
    if not is_mailbox_token(order.pk, request.POST.get("mailbox", "")):
        raise Http404
    if mailbox_confirm(order_id=order.pk).is_alive:
        messages.success(
            request, _("Thank you. Your email address is confirmed, and your items are reserved.")
        )
    else:
        messages.info(request, _("Your email address is confirmed, but this order had already ended."))
    return redirect("payments:order", token=token)


@csrf_exempt  # the path contains the secret; with no-referrer browsers send "Origin: null", which Django refuses
@require_http_methods(["GET", "POST"])
@may_lead_to_provider
def order_pay(request: HttpRequest, token: str) -> HttpResponse:
    order = order_of(token)
    current, owner = latest_payment(order), owner_of_page(request, order)
    if not may_pay_otherwise(order, current):
        return redirect("payments:order", token=token)
    selected = request.POST.get("payment_method", current.payment_method if current else "")
    choices = method_choices(
        total=order.total,
        due=order.balance_due,
        country=address_read(order.shipping_address).get("country", ""),
        is_known_buyer=is_known_buyer(order),
        store=store_rules(),
        closed=closed_providers(order),
        selected=selected,
    )
    choices = with_saved(choices, owner, amount=order.balance_due, selected=selected)
    form = PaymentForm(
        request.POST or None,
        choices=choices,
        initial={"payment_method": current.payment_method if current else None},
    )
    if request.method == "POST" and form.is_valid():
        choice = next(each for each in choices if each.value == form.cleaned_data["payment_method"])
        method, saved_id = PaymentMethod(choice.kind), saved_id_of(choice.value)
        actor, shown = (
            request.user if request.user.is_authenticated else None,
            read_shown_amount(request, order),
        )
        if saved_id and shown is None:
            messages.error(request, amount_missing())
            return redirect("payments:order_pay", token=token)
        try:
            chosen = payment_choose_method(order_id=order.pk, method=method, actor=actor)
        except DomainError as error:
            messages.error(request, error.detail)
            return redirect("payments:order", token=token)
        if saved_id and shown is not None:
            return pay_with_saved(request, chosen.payment, token, saved_id, shown=shown)
        facts = facts_with_page(chosen.payment)
        if facts is not None and chosen.result.action is not None:
            return to_page(facts, token)
        return redirect_to_next_action(chosen.result, token)
    context = {
        "order": order,
        "token": token,
        "form": form,
        "methods": choices,
        "needs_mailbox": needs_mailbox(order, current),
        "amount_due": order.balance_due,
        "is_open": current is not None and current.status != PaymentStatus.CANCELLED,
        "may_be_on_its_way": order.payments.filter(payment_method__in=MAILED_OR_TRANSFERRED).exists(),
    }
    return render(request, "payments/order_pay.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def order_cancel_page(request: HttpRequest, order_id: UUID) -> HttpResponse:
    order = get_object_or_404(orders_visible_to(Principal.from_page(request)), pk=order_id)
    form = CancelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            order_cancel(order_id=order.pk, reason=form.cleaned_data["reason"], actor=require_user(request))
        except DomainError as error:
            messages.error(request, error.detail)
        else:
            messages.success(request, _("Order %(number)s was cancelled.") % {"number": order.order_number})
        return redirect("payments:order", token=order.access_token)
    return render(request, "payments/order_cancel.html", {"order": order, "form": form})


@login_required
@require_GET
def order_history(request: HttpRequest) -> HttpResponse:
    orders = orders_visible_to(Principal.from_page(request)).prefetch_related("parcels")
    page = Paginator(orders.order_by("-created_at"), 20).get_page(request.GET.get("page"))
    shown = list(page.object_list)
    latest: dict[UUID, Payment] = {}
    for payment in Payment.objects.filter(order__in=shown).order_by("created_at"):
        latest[payment.order_id] = payment
    under_way = load_pending_money(shown)
    rows = [
        HistoryRow(
            order=order,
            state=get_display_state(order, latest.get(order.pk), under_way[order.pk]),
            url=reverse("payments:order", args=[order.access_token]),
            parcel_count=len(order.parcels.all()),
        )
        for order in shown
    ]
    return render(request, "payments/order_history.html", {"page_obj": page, "rows": rows})


@require_http_methods(["GET", "POST"])
def order_find(request: HttpRequest) -> HttpResponse:
    """Email the link to an order. The response is the same whether or not the order exists."""
    form = FindOrderForm(request.POST or None)
    sent = False
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            count_network("find_order_network", request)
            count("find_order_address", data["email"].lower())
        except RateLimited as error:
            return too_many(request, error)
        sent = True
        order = Order.objects.filter(order_number=data["order_number"], email=data["email"].lower()).first()
        if order is not None:
            once = f"{timezone.now():%Y%m%d%H}:{order.token_version}"  # one per hour, or per revocation of the links
            lines = list(order.lines.all())
            notifications_enqueue(
                order_mail(PaymentMail.ORDER_FIND, order, lines=lines, store=store_rules(), key=once)
            )
    return render(request, "payments/order_find.html", {"form": form, "sent": sent})
