"""The signed-in user's saved cards. Card data is entered in the provider's form only."""

from typing import Any
from uuid import UUID

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
from payments.errors import MethodNotOffered, ProviderUnavailable
from payments.gateway.connection import can
from payments.lifecycle.saved_methods import method_remove, method_setup_of, method_setup_start
from payments.providers import registry
from payments.providers.contract import ActionKind, Capability
from payments.providers.facts import ProviderFacts
from payments.web.csp import allow_provider


def provider_that_saves() -> ProviderFacts | None:
    """The first configured provider that saves a method on a page of ours."""
    with_page = (facts for facts in registry.PROVIDERS if facts.page and facts.page.save_template)
    return next((facts for facts in with_page if can(facts.name, Capability.SAVE)), None)


def row_shown(row: dict[str, Any]) -> dict[str, Any]:
    return row | {
        "brand": brand_of(row),
        "name": name_of(row),
        "provider_label": registry.label_of(row["provider"]),
    }


@login_required
@require_GET
def method_list(request: HttpRequest) -> HttpResponse:
    rows = [row_shown(row) for row in methods_of(require_user(request))]
    context = {"rows": rows, "provider": provider_that_saves()}
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
    provider = provider_that_saves()
    if provider is None:
        raise MethodNotOffered(_("This shop does not save payment methods."))
    try:
        saving = method_setup_start(user=user, provider=provider.name)
    except ProviderUnavailable as error:
        messages.error(request, error.detail)
        return redirect("payments:method_list")
    return redirect("payments:method_form", call_id=saving.id)


@login_required
@require_GET
def method_form(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """The provider's form. Its secret is read from the provider each time and not stored."""
    try:
        saving = method_setup_of(user=require_user(request), call_id=call_id)
    except ProviderUnavailable as error:
        messages.error(request, error.detail)
        return redirect("payments:method_list")
    facts = registry.find_facts(saving.provider)
    if facts is None or facts.page is None or saving.action is None or not saving.action.client_secret:
        return redirect("payments:method_return", call_id=call_id)
    if saving.action.kind == ActionKind.REDIRECT:
        return redirect(saving.action.url)
    context = {
        "action": saving.action,
        "public": registry.public_values(facts.name),
        "return_url": site_url(request) + reverse("payments:method_return", args=[call_id]),
    }
    return allow_provider(render(request, facts.page.save_template, context), facts)


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
