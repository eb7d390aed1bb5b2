"""Paying at a provider: the card page, the redirect to the provider, and the return. Our forms never contain
card data."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from artisans.core.errors import DomainError
from artisans.core.security.client_ip import site_url
from payments.gateway.payments import (
    PaymentResult,
    payment_ensure_at_provider,
    payment_mark_processing,
    payment_replace_at_provider,
    payment_sync,
)
from payments.methods import Provider
from payments.models import Operation, Payment
from payments.providers.contract import ActionKind, Refused, Unknown
from payments.providers.registry import is_down
from payments.selectors import open_payment
from payments.statuses import PaymentStatus
from payments.web.csp import may_lead_to_provider, may_load_provider
from payments.web.links import order_of


def after_placing(payment: Payment | None, token: str) -> HttpResponse:
    """Redirect after placing an order or choosing a method: to the provider, or to the order."""
    if payment is not None and payment.payment_provider == Provider.STRIPE:
        return redirect("payments:order_card", token=token)
    if payment is not None and payment.is_remote:
        return onward(payment_ensure_at_provider(payment), token)
    return redirect("payments:order", token=token)


def onward(result: PaymentResult, token: str) -> HttpResponse:
    """Redirect to the provider's page when the buyer has something to do there, otherwise to the order page."""
    if result.action is not None and result.action.kind == ActionKind.REDIRECT:
        response = redirect(result.action.url)
        response.status_code = 303
        return response
    return redirect("payments:order", token=token)


@require_GET
@may_load_provider
def order_card(request: HttpRequest, token: str) -> HttpResponse:
    """The page with the provider's card element; the amount was fixed before."""
    order = order_of(token)
    payment = open_payment(order)
    if payment is None or payment.payment_provider != Provider.STRIPE or not order.balance_due:
        return redirect("payments:order", token=token)
    result = payment_ensure_at_provider(payment)
    if result.action is None:
        if result.payment.status in {PaymentStatus.PENDING, PaymentStatus.FAILED}:
            messages.error(
                request,
                _(
                    "We could not open the card form. Nothing was charged. Try again in a minute, or pay another way."
                ),
            )
        return redirect("payments:order", token=token)
    context = {
        "order": order,
        "token": token,
        "payment": result.payment,
        "is_element": result.action.kind == ActionKind.CONFIRM,
        "hosted_url": result.action.url,
        "client_secret": result.action.client_secret,
        "publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
        "script": settings.STRIPE_JS_URL,
        "return_url": site_url(request) + reverse("payments:order_return", args=[token]),
    }
    return render(request, "payments/order_card.html", context)


@csrf_exempt  # as order_pay: the path contains the secret
@require_POST
@may_lead_to_provider
def order_hosted(request: HttpRequest, token: str) -> HttpResponse:
    """Without JavaScript: redirect to the provider's hosted page. `here` returns to the element on our page."""
    order = order_of(token)
    payment = open_payment(order)
    if payment is None or payment.payment_provider != Provider.STRIPE:
        return redirect("payments:order", token=token)
    wants_element = "here" in request.POST
    try:
        result = payment_replace_at_provider(
            payment.pk, Operation.CREATE if wants_element else Operation.HOSTED
        )
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect("payments:order", token=token)
    return redirect("payments:order_card", token=token) if wants_element else onward(result, token)


@require_GET
def order_return(request: HttpRequest, token: str) -> HttpResponse:
    """The buyer returned from the provider: read the payment there, then show the order page."""
    order = order_of(token)
    payment = open_payment(order)
    if payment is not None and payment.is_remote:
        try:
            payment = payment_sync(payment.pk, cause="the buyer came back", has_agreed=True).payment
        except (Refused, Unknown):
            payment_mark_processing(payment.pk, is_forced=True)
        if payment.status == PaymentStatus.FAILED and payment.payment_provider == Provider.STRIPE:
            return redirect("payments:order_card", token=token)  # shows the reason
    return redirect("payments:order", token=token)


@require_GET
def order_cancelled_there(request: HttpRequest, token: str) -> HttpResponse:
    """The buyer cancelled at the provider: nothing changes, and every method can be chosen."""
    order_of(token)
    messages.info(
        request, _("You returned without paying, and nothing was charged. Choose how you want to pay.")
    )
    return redirect("payments:order_pay", token=token)


def can_pay_now(payment: Payment | None) -> bool:
    """Whether to show a button to the provider: the buyer has to act, and the provider is available."""
    return (
        payment is not None
        and payment.is_remote
        and payment.status in {PaymentStatus.PENDING, PaymentStatus.FAILED}
        and not is_down(payment.payment_provider)
    )
