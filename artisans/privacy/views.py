"""Account pages about a person's own data: download and erasure."""

from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from artisans.accounts.principals import require_user
from artisans.core.security.fresh_sign_in import require_fresh_sign_in
from artisans.privacy.exports import MAX_ROWS, TooMuchData, export_text
from artisans.privacy.forms import ConfirmForm
from artisans.privacy.selectors import erasure_refusals, person_of_user
from artisans.privacy.services import CannotErase, person_export_audited, user_erase


@login_required
@require_GET
def personal_data(request: HttpRequest) -> HttpResponse:
    return render(request, "privacy/personal_data.html")


@login_required
@require_POST
def download(request: HttpRequest) -> HttpResponse:
    """Everything at once, for a person with up to MAX_ROWS rows; the command has no limit."""
    require_fresh_sign_in(request)
    user = require_user(request)
    try:
        export = person_export_audited(person_of_user(user), actor=user, max_rows=MAX_ROWS)
    except TooMuchData:
        return render(request, "privacy/personal_data.html", {"is_too_large": True}, status=409)
    return json_file(export_text(export))


def json_file(text: str) -> HttpResponse:
    name = f"personal-data-{timezone.localdate().isoformat()}.json"
    return HttpResponse(
        text,
        content_type="application/json; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


@login_required
@require_http_methods(["GET", "POST"])
def erase_account(request: HttpRequest) -> HttpResponse:
    require_fresh_sign_in(request)
    user = require_user(request)
    refusals = erasure_refusals(person_of_user(user))
    form = ConfirmForm(request.POST if request.method == "POST" else None, email=user.email)
    if not refusals and form.is_valid():
        try:
            user_erase(user)
        except CannotErase as refusal:
            refusals = refusal.reasons
        else:
            logout(request)
            return redirect("account_erased")
    return render(request, "privacy/erase_account.html", {"form": form, "reasons": refusals})


@require_GET
def erased(request: HttpRequest) -> HttpResponse:
    return render(request, "privacy/erased.html")
