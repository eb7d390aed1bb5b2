"""The page on which an owner closes the workshop."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from artisans.accounts.principals import require_user
from artisans.catalog.access import require_owner
from artisans.catalog.statuses import ArtisanState
from artisans.core.errors import DomainError
from artisans.workshop.selling_forms import ClosingForm
from artisans.workshop.states import closing_cancel, closing_request, facts_of, may_cancel


@login_required
@require_http_methods(["GET", "POST"])
def close(request: HttpRequest) -> HttpResponse:
    """GET shows what closing means now. POST closes, or with `cancel` keeps the workshop open."""
    artisan, actor = require_owner(request), require_user(request)
    if artisan.state == ArtisanState.PENDING:
        raise Http404
    form = ClosingForm(request.POST or None)
    if request.method == "POST":
        try:
            if "cancel" in request.POST:
                closing_cancel(artisan=artisan, actor=actor)
                messages.success(request, _("Your workshop stays open."))
                return redirect("workshop:close")
            if form.is_valid():
                done = closing_request(artisan=artisan, actor=actor, reason=form.cleaned_data["reason"])
                is_closed = done.state == ArtisanState.CLOSED
                text = _("Your workshop no longer sells. It closes after its last open parcel.")
                if is_closed:
                    text = _("Your workshop is closed.")
                messages.success(request, text)
                return redirect("workshop:close")
        except DomainError as error:
            messages.error(request, error.detail)
            return redirect("workshop:close")
    is_closing = artisan.state == ArtisanState.CLOSING
    context = {
        "artisan": artisan,
        "form": form,
        "facts": facts_of(artisan),
        "may_cancel": is_closing and may_cancel(artisan),
    }
    return render(request, "workshop/close.html", context)
