"""Account pages in addition to allauth's: active sessions and API tokens."""

from uuid import UUID

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from artisans.accounts.credentials import sessions_end_others
from artisans.accounts.forms import TokenForm
from artisans.accounts.principals import require_user
from artisans.accounts.selectors import tokens_of
from artisans.accounts.services import scopes_on_page, token_create, token_revoke
from artisans.core.errors import NotFound
from artisans.core.security.fresh_sign_in import require_fresh_sign_in


@login_required
@require_http_methods(["GET", "POST"])
def sessions(request: HttpRequest) -> HttpResponse:
    user = require_user(request)
    if request.method == "POST":
        sessions_end_others(request, user)
        messages.success(request, _("All other browsers were signed out."))
        return redirect("account_sessions")
    rows = sorted(UserSession.objects.purge_and_list(user), key=lambda row: row.last_seen_at, reverse=True)
    return render(request, "account/sessions.html", {"sessions": rows})


@login_required
@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The new token is in the response to the POST only; a redirect would have to store it somewhere."""
    user = require_user(request)
    require_fresh_sign_in(request)
    form = TokenForm(request.POST if request.method == "POST" else None, scopes=scopes_on_page(user))
    made = ""
    if form.is_valid():
        _, made = token_create(user=user, **form.cleaned_data)
        form = TokenForm(scopes=scopes_on_page(user))
    return render(request, "account/tokens.html", {"form": form, "made": made, "tokens": tokens_of(user)})


@login_required
@require_POST
def token_end(request: HttpRequest, pk: UUID) -> HttpResponse:
    require_fresh_sign_in(request)
    try:
        token_revoke(user=require_user(request), public_id=pk)
    except NotFound:
        messages.info(request, _("This token was already revoked."))
    else:
        messages.success(request, _("Token revoked."))
    return redirect("account_tokens")


@login_required
@require_GET
def confirmed(request: HttpRequest) -> HttpResponse:
    return render(request, "account/confirmed.html")
