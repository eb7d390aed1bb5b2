"""The signed-in user's saved cards. Card data is entered in the provider's form only."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from artisans.accounts.principals import require_user
from artisans.core.errors import DomainError, NotFound
from artisans.core.security.client_ip import site_url
from artisans.core.security.rate_limits import count
from payments.bookkeeping.saved_methods import (
    brand_of,
    describe_method,
    get_own_method,
    method_update,
    methods_of,
    name_of,
)
from payments.errors import ProviderUnavailable
from payments.lifecycle.saved_methods import method_remove, method_setup_of, method_setup_start
from payments.methods import Provider
from payments.providers.contract import ActionKind, Capability
from payments.providers.registry import can
from payments.web.csp import may_load_provider


@login_required
@require_GET
def method_list(request: HttpRequest) -> HttpResponse:
    found = methods_of(require_user(request))
    rows = [row | {"brand": brand_of(row), "name": name_of(row)} for row in found]
    context = {"rows": rows, "can_add": can(Provider.STRIPE, Capability.SAVE)}
    return render(request, "payments/methods_list.html", context)


@login_required
@require_POST
def method_default(request: HttpRequest, method_id: UUID) -> HttpResponse:
    method = method_update(user=require_user(request), method_id=method_id, is_default=True)
    messages.success(
        request, _("%(method)s is now your default.") % {"method": name_of(describe_method(method))}
    )
    return redirect("payments:method_list")


@login_required
@require_http_methods(["GET", "POST"])
def method_delete(request: HttpRequest, method_id: UUID) -> HttpResponse:
    user = require_user(request)
    method = get_own_method(user, method_id)
    name = name_of(describe_method(method))
    if request.method != "POST":
        return render(request, "payments/methods_remove.html", {"method": method, "name": name})
    try:
        method_remove(user=user, method_id=method_id)
    except NotFound:
        raise
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("%(method)s was removed.") % {"method": name})
    return redirect("payments:method_list")


@login_required
@require_POST
def method_add(request: HttpRequest) -> HttpResponse:
    """Start a setup at the provider. Submitting the form is the user's consent."""
    user = require_user(request)
    count("methods_principal", f"user:{user.pk}")  # as in the API
    try:
        saving = method_setup_start(user=user, provider=Provider.STRIPE)
    except ProviderUnavailable as error:
        messages.error(request, error.detail)
        return redirect("payments:method_list")
    return redirect("payments:method_form", call_id=saving.id)


@login_required
@require_GET
@may_load_provider
def method_form(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """The provider's form. Its secret is read from the provider each time and not stored."""
    try:
        saving = method_setup_of(user=require_user(request), call_id=call_id)
    except ProviderUnavailable as error:
        messages.error(request, error.detail)
        return redirect("payments:method_list")
    if saving.action is None or not saving.action.client_secret:
        return redirect("payments:method_return", call_id=call_id)
    if saving.action.kind == ActionKind.REDIRECT:
        return redirect(saving.action.url)
    context = {
        "secret": saving.action.client_secret,
        "publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
        "script": settings.STRIPE_JS_URL,
        "return_url": site_url(request) + reverse("payments:method_return", args=[call_id]),
    }
    return render(request, "payments/methods_add.html", context)


@login_required
@require_GET
def method_return(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """The buyer returned from the provider's form: read the setup there, then show the list."""
    try:
        saving = method_setup_of(user=require_user(request), call_id=call_id)
    except ProviderUnavailable:
        messages.info(
            request,
            _("We are still checking whether your card was saved. Check again in a moment."),
        )
        return redirect("payments:method_list")
    if saving.method is not None:
        name = name_of(describe_method(saving.method))
        messages.success(request, _("%(method)s was saved. Nothing was charged.") % {"method": name})
    else:
        messages.info(request, _("No card was saved, and nothing was charged."))
    return redirect("payments:method_list")
