"""The page where an artisan changes the own profile."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from artisans.accounts.principals import require_user
from artisans.catalog.access import require_owner
from artisans.catalog.pictures import HINT
from artisans.catalog.portraits import portrait_remove, portrait_set
from artisans.catalog.profile import profile_change
from artisans.core.errors import DomainError
from artisans.workshop.profile_forms import ProfileForm


@login_required
@require_http_methods(["GET", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    artisan = require_owner(request)
    form = ProfileForm(request.POST or None, artisan=artisan)
    if request.method == "POST" and form.is_valid():
        version = form.cleaned_data["version"]
        try:
            profile_change(
                artisan=artisan, actor=require_user(request), values=form.values(), version=version
            )
        except DomainError as error:
            form.add_error(None, error.detail)
            form.show_again(require_owner(request))
        else:
            messages.success(request, _("Saved."))
            return redirect("workshop:profile")
    return render(request, "workshop/profile.html", {"form": form, "artisan": artisan, "picture_hint": HINT})


@login_required
@require_POST
def portrait(request: HttpRequest) -> HttpResponse:
    """Upload another picture, or with `remove` show none."""
    artisan, actor, file = require_owner(request), require_user(request), request.FILES.get("portrait")
    try:
        if "remove" in request.POST:
            portrait_remove(artisan=artisan, actor=actor)
            messages.success(request, _("The portrait was removed."))
        elif file is None:
            messages.error(request, _("Choose a file first."))
        else:
            portrait_set(artisan=artisan, file=file, actor=actor)
            messages.success(request, _("The portrait was saved."))
    except DomainError as refusal:
        messages.error(request, refusal.detail)
    return redirect("workshop:profile")
