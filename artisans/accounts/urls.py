"""Account pages: allauth's, in a transaction where they change credentials, and our own."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from typing import Any

from allauth.account import urls as account
from allauth.mfa import urls as mfa
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, include, path
from django.utils.translation import gettext as _

from artisans.accounts import views
from artisans.accounts.models import User
from artisans.accounts.second_factor import may_add_second_factor
from artisans.accounts.services import has_verified

View = Callable[..., HttpResponse]
WRITES_ON_GET = {"account_email", "account_reset_password_from_key"}  # allauth adds a missing address there
CHANGES_AN_ADDRESS = {"account_email", "account_confirm_email"}
ADDS_A_SECOND_FACTOR = {"mfa_activate_totp", "mfa_add_webauthn"}


def flat(patterns: Iterable[URLPattern | URLResolver]) -> Iterable[URLPattern]:
    for pattern in patterns:
        yield from flat(pattern.url_patterns) if isinstance(pattern, URLResolver) else [pattern]


def by_confirmed_address(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if isinstance(request.user, User) and not may_add_second_factor(request.user):
            messages.warning(
                request, _("Confirm your email address first: request the link below and open it.")
            )
            return redirect("account_email")
        return view(request, *args, **kwargs)

    return guarded


def with_address_errors(view: View) -> View:
    """allauth makes an unverified address the main one, and one with which another account signs in is a 500."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        email, user = request.POST.get("email", ""), request.user
        is_refused = (
            "action_primary" in request.POST and isinstance(user, User) and not has_verified(user, email)
        )
        with suppress(IntegrityError), transaction.atomic():
            if not is_refused:
                return view(request, *args, **kwargs)
        messages.error(
            request, _("Only a confirmed address that no other account uses can be your primary address.")
        )
        return redirect("account_email")

    return guarded


def without_writes_on_get(view: View) -> View:
    @wraps(view)
    def rolled_back(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "GET":
            return view(request, *args, **kwargs)
        with transaction.atomic():
            response = view(request, *args, **kwargs)
            if isinstance(response, TemplateResponse):
                response.render()
            transaction.set_rollback(True)
        return response

    return rolled_back


# allauth's change, our email about it and the audit entry are one transaction.
for pattern in flat(mfa.urlpatterns):
    pattern.callback = transaction.atomic(pattern.callback)
    if pattern.name in ADDS_A_SECOND_FACTOR:
        pattern.callback = by_confirmed_address(pattern.callback)
for pattern in flat(account.urlpatterns):
    if pattern.name in CHANGES_AN_ADDRESS:
        pattern.callback = with_address_errors(pattern.callback)
    if pattern.name in WRITES_ON_GET:
        pattern.callback = without_writes_on_get(pattern.callback)

urlpatterns = [
    path("", include(account)),
    path("second-factor/", include(mfa)),
    path("sessions/", views.sessions, name="account_sessions"),
    path("tokens/", views.tokens, name="account_tokens"),
    path("tokens/<uuid:pk>/end/", views.token_end, name="account_token_end"),
    path("confirmed/", views.confirmed, name="account_confirmed"),
]
