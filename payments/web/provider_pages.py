"""Paying at a provider: its page here, the redirect to the provider, and the return. Our forms never contain
card data."""

import re
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from artisans.accounts.models import User
from artisans.accounts.principals import Principal, require_user
from artisans.core.errors import DomainError
from artisans.core.money import Money
from artisans.core.security.client_ip import site_url
from artisans.core.security.rate_limits import count, count_network
from orders.addresses import address_read
from orders.models import Order
from orders.selectors import is_masked
from payments.bookkeeping.provider_calls import BUYER_RETURN
from payments.errors import AmountMismatch, PaymentDeclined
from payments.gateway.connection import can, is_unavailable
from payments.gateway.payments import (
    PaymentResult,
    payment_ensure_at_provider,
    payment_mark_processing,
    payment_replace_at_provider,
    payment_sync,
)
from payments.lifecycle.choose_method import is_replaced_uncharged
from payments.lifecycle.save_on_payment import (
    can_save_on_payment,
    find_consent,
    payment_open_hosted,
    payment_save_finish,
    payment_save_method,
)
from payments.lifecycle.saved_methods import payment_pay
from payments.models import Operation, Payment
from payments.providers import registry
from payments.providers.contract import ActionKind, Capability, Refused, Unknown
from payments.providers.facts import ProviderFacts
from payments.selectors import open_payment
from payments.statuses import PaymentStatus
from payments.web.csp import allow_provider, may_lead_to_provider
from payments.web.forms import PaymentForm
from payments.web.links import order_of
from payments.web.saved_choices import owner_of_page, saved_for_payment, saved_id_of

MINOR_UNITS = re.compile(r"[0-9]{1,15}", re.ASCII)


def facts_with_page(payment: Payment | None) -> ProviderFacts | None:
    """The payment's provider, when the buyer pays on a page of ours."""
    facts = registry.find_facts(payment.payment_provider) if payment is not None else None
    return facts if facts and facts.template else None


def to_page(facts: ProviderFacts, token: str) -> HttpResponse:
    return redirect("payments:order_provider", token=token, provider=facts.name)


def redirect_after_order(payment: Payment | None, token: str) -> HttpResponse:
    """Redirect after placing an order or choosing a method: to the provider, or to the order."""
    if facts := facts_with_page(payment):
        return to_page(facts, token)
    if payment is not None and payment.is_remote:
        return redirect_to_next_action(payment_ensure_at_provider(payment), token)
    return redirect("payments:order", token=token)


def redirect_to_next_action(result: PaymentResult, token: str) -> HttpResponse:
    """Redirect to the provider's page when the buyer has something to do there, otherwise to the order page."""
    if result.action is not None and result.action.kind == ActionKind.REDIRECT:
        response = redirect(result.action.url)
        response.status_code = 303
        return response
    return redirect("payments:order", token=token)


@require_GET
def order_provider(request: HttpRequest, token: str, provider: str = "") -> HttpResponse:
    """The provider's page; the amount was fixed before. Without `provider`: that of the open payment."""
    order = order_of(token)
    payment = open_payment(order)
    facts = facts_with_page(payment)
    if payment is None or facts is None or provider not in {"", facts.name} or not order.due_now:
        return redirect("payments:order", token=token)
    result = payment_ensure_at_provider(payment)
    if result.action is None:
        if result.payment.status in {PaymentStatus.PENDING, PaymentStatus.FAILED}:
            messages.error(
                request,
                _(
                    "We could not open the payment form. Nothing was charged. "
                    "Try again in a minute, or pay another way."
                ),
            )
        return redirect("payments:order", token=token)
    owner = owner_of_page(request, order)
    saved = saved_for_payment(payment, owner)
    context = {
        "order": order,
        "token": token,
        "payment": result.payment,
        "saved": saved,
        "saved_form": PaymentForm(choices=saved),
        "can_save": owner is not None and can_save_on_payment(payment),
        "is_saving": owner is not None and find_consent(result.payment, owner) is not None,
        "provider": facts,
        "action": result.action,
        "has_error": bool(result.payment.failure_reason),
        "is_element": result.action.kind == ActionKind.CONFIRM,
        "public": registry.public_values(facts.name),
        "payer": payer(order, Principal.from_page(request).user),
        "return_url": return_url(request, token, result.payment),
    }
    return allow_provider(render(request, facts.template, context), facts)


def return_url(request: HttpRequest, token: str, payment: Payment) -> str:
    """The return page with the id of the object that this page pays, as other providers add it themselves: the payment
    method may have been changed elsewhere by then."""
    query = urlencode({"object": payment.provider_payment_id or ""})
    return f"{site_url(request)}{reverse('payments:order_return', args=[token])}?{query}"


@csrf_exempt  # as order_pay: the path contains the secret
@require_POST
@may_lead_to_provider
def order_saved(request: HttpRequest, token: str) -> HttpResponse:
    """Pay with a saved method of the order's owner, the amount that the page showed."""
    order = order_of(token)
    payment = open_payment(order)
    owner = owner_of_page(request, order)
    if payment is None or owner is None or not order.due_now:
        return redirect("payments:order", token=token)
    form = PaymentForm(request.POST, choices=saved_for_payment(payment, owner))
    shown = read_shown_amount(request, order)
    if not form.is_valid():
        messages.error(request, _("Choose one of your saved cards, or pay another way. Nothing was charged."))
    elif shown is None:
        messages.error(request, amount_missing())
    else:
        method_id = saved_id_of(form.cleaned_data["payment_method"])
        return pay_with_saved(request, payment, token, method_id, shown=shown)
    return redirect_to_ways(payment, token)


def read_shown_amount(request: HttpRequest, order: Order) -> Money | None:
    """The amount due that the page showed and its form repeats; None if it is missing or no amount, as in the form of
    a page that an earlier release rendered."""
    text = request.POST.get("amount", "")
    return order.money(int(text)) if MINOR_UNITS.fullmatch(text) else None


def amount_changed() -> str:
    return _("The amount due has changed. Nothing was charged.")


def amount_missing() -> str:
    return _("Nothing was charged. Check the amount and press the button again.")


@csrf_exempt  # as order_pay: the path contains the secret
@require_POST
def order_save(request: HttpRequest, token: str) -> HttpResponse:
    """Save the card that will pay the order (`save`), or no longer; from the page's script."""
    order = order_of(token)
    payment, owner = open_payment(order), owner_of_page(request, order)
    if payment is None or owner is None:
        raise Http404
    try:
        count("methods_principal", f"user:{owner.pk}")  # as in the API
        payment_save_method(payment.pk, user=owner, is_wanted="save" in request.POST)
    except DomainError as error:
        return HttpResponse(error.detail, status=409, content_type="text/plain; charset=utf-8")
    return HttpResponse(status=204)


def pay_with_saved(
    request: HttpRequest, payment: Payment, token: str, method_id: str, *, shown: Money
) -> HttpResponse:
    """Charge a saved method of the signed-in user; then redirect to their bank or to the order. If nothing was
    charged, redirect to the page with the other ways to pay. `shown`: the amount on the page."""
    user = require_user(request)
    try:
        count_network("confirms_network", request)  # as in the API
        count("confirms_principal", f"user:{user.pk}")
        payment = payment_ensure_at_provider(payment).payment
        result = payment_pay(payment.pk, user=user, method_reference=method_id, shown=shown)
    except PaymentDeclined:
        return redirect_to_ways(payment, token)  # the page shows the reason
    except AmountMismatch:
        messages.error(request, amount_changed())
        return redirect_to_ways(payment, token)
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect_to_ways(payment, token)
    return redirect_to_next_action(result, token)


def redirect_to_ways(payment: Payment, token: str) -> HttpResponse:
    facts = facts_with_page(payment)
    return to_page(facts, token) if facts else redirect("payments:order_pay", token=token)


def payer(order: Order, viewer: User | None) -> dict[str, str]:
    """The buyer's name and email address for the provider; empty if the page shows no personal data."""
    if is_masked(order, viewer):
        return {}
    return {"name": address_read(order.billing_address).get("name", ""), "email": order.email}


@csrf_exempt  # as order_pay: the path contains the secret
@require_POST
@may_lead_to_provider
def order_hosted(request: HttpRequest, token: str) -> HttpResponse:
    """Without JavaScript: redirect to the provider's hosted page. `here` returns to the element on our page."""
    order = order_of(token)
    payment = open_payment(order)
    if payment is None or not can(payment.payment_provider, Capability.HOSTED):
        return redirect("payments:order", token=token)
    wants_element = "here" in request.POST
    saves_for = owner_of_page(request, order) if "save" in request.POST else None
    try:
        if wants_element:
            result = payment_replace_at_provider(payment.pk, Operation.CREATE)
        else:
            result = payment_open_hosted(payment.pk, saves_for=saves_for)
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect("payments:order", token=token)
    return redirect_after_order(payment, token) if wants_element else redirect_to_next_action(result, token)


@require_GET
def order_return(request: HttpRequest, token: str) -> HttpResponse:
    """The buyer returned from the provider: read the payment there, then show the order page.

    The query holds the id of the object that they tried to pay.
    """
    order = order_of(token)
    payment = open_payment(order)
    if payment is not None and payment.is_remote:
        try:
            payment = payment_sync(payment.pk, cause="the buyer came back", approval=BUYER_RETURN).payment
        except (Refused, Unknown):
            payment_mark_processing(payment.pk, is_forced=True)
        payment_save_finish(payment)
        if was_closed_for_its_amount(payment):
            messages.info(request, amount_changed())
        if payment.status == PaymentStatus.FAILED and (facts := facts_with_page(payment)):
            return to_page(facts, token)  # shows the reason
    if request.GET and is_replaced_uncharged(order, request.GET.dict().values()):
        messages.info(
            request, _("The payment method of this order was changed. This attempt was not charged.")
        )
    return redirect("payments:order", token=token)


def was_closed_for_its_amount(payment: Payment) -> bool:
    """Whether the buyer has to pay another amount than the one that they approved at the provider."""
    due = payment.order.due_now
    return payment.status == PaymentStatus.CANCELLED and bool(due) and due != payment.outstanding


@require_GET
def order_cancelled_at_provider(request: HttpRequest, token: str) -> HttpResponse:
    """The buyer cancelled at the provider: nothing changes, and every method can be chosen."""
    order_of(token)
    messages.info(request, _("You returned without paying. Choose how you want to pay."))
    return redirect("payments:order_pay", token=token)


def can_pay_now(payment: Payment | None) -> bool:
    """Whether to show a button to the provider: the buyer has to act, and the provider is available."""
    return (
        payment is not None
        and payment.is_remote
        and payment.status in {PaymentStatus.PENDING, PaymentStatus.FAILED}
        and not is_unavailable(payment.payment_provider)
    )
