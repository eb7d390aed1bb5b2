import time
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core.exceptions import ReauthenticationRequired
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from artisans.accounts.second_factor import has_second_factor
from artisans.core.web.middleware import Handler
from artisans.core.web.page_middleware import for_pages

LAST_SEEN_KEY = "seen_at"  # session key: when it was last used, to the minute
WEAK_PASSWORD = "weak_password"  # noqa: S105  # in the session of staff: the password is not good enough for them
OPEN_TO_ALL_STAFF = frozenset({"login", "logout"})


class FreshSignInMiddleware:
    """Redirects users who must reauthenticate; their submitted form is not processed.

    Comes after allauth's middleware, which would keep the form in the session and submit it later, so that whoever
    stole a session could plant one. Here the form returns to the browser with everything that was entered.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, ReauthenticationRequired):
            return None
        ways = get_adapter().get_reauthentication_methods(request.user)
        page = ways[0]["url"] if ways else reverse("account_login")
        if request.method != "POST":
            return redirect(f"{page}?{urlencode({'next': request.get_full_path()})}")
        hidden = {"csrfmiddlewaretoken"} | {name for name in request.POST if "password" in name}
        fields = [(name, v) for name, vs in request.POST.lists() if name not in hidden for v in vs]
        minutes = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT // 60
        context = {"page": page, "fields": fields, "minutes": minutes}
        return render(request, "account/confirm_first.html", context, status=403)


@for_pages
class StaffSignInMiddleware:
    """Records session use, ends staff sessions after half an hour without use, and keeps staff without a sufficient
    sign-in out of the admin.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.session.accessed and SESSION_KEY in request.session and request.user.is_authenticated:
            record_use(request)
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or "admin" not in match.app_names or match.url_name in OPEN_TO_ALL_STAFF:
            return None
        if not (request.user.is_authenticated and request.user.is_staff):
            return None  # the admin redirects them itself
        if request.session.get(WEAK_PASSWORD):
            messages.warning(request, _("Staff need a stronger password. Choose a new one to continue."))
            return redirect("account_change_password")
        if settings.STAFF_NEED_SECOND_FACTOR and not has_second_factor(request.user):
            messages.warning(request, _("Staff need two-factor authentication. Set it up to continue."))
            return redirect("mfa_index")
        return None


def record_use(request: HttpRequest) -> None:
    """At most once a minute, to save a write per page."""
    session, now = request.session, int(time.time())
    lives_too_long = request.user.is_staff and session.get_expiry_age() > settings.STAFF_IDLE_SECONDS
    if now - session.get(LAST_SEEN_KEY, 0) < 60 and not lives_too_long:  # noqa: PLR2004  # a minute
        return
    session[LAST_SEEN_KEY] = now
    if request.user.is_staff:
        session.set_expiry(settings.STAFF_IDLE_SECONDS)
    UserSession.objects.create_from_request(request)
