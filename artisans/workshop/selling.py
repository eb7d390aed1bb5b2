"""Pages of becoming an artisan: what selling means, the terms, and the own application."""

import re

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from artisans.accounts.models import User
from artisans.accounts.principals import require_user
from artisans.catalog.access import membership_of, require_owner
from artisans.catalog.applications import (
    application_of,
    application_start,
    application_submit,
    application_withdraw,
    check_may_apply,
    checklist_of,
)
from artisans.catalog.models import Application, Terms
from artisans.catalog.profile import profile_change
from artisans.catalog.statuses import APPLICATIONS_OPEN, ApplicationStatus
from artisans.catalog.terms import terms_accept, terms_now, terms_to_accept
from artisans.core.errors import DomainError
from artisans.workshop.selling_forms import AnswerForm, DetailsForm, StartForm

VERSION = re.compile("[1-9][0-9]{0,5}")


@require_http_methods(["GET", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """What selling here means, for everyone. POST by someone who may apply begins an application."""
    user = request.user if isinstance(request.user, User) else None
    mine = application_of(user) if user else None
    if mine and mine.status != ApplicationStatus.WITHDRAWN:
        return redirect("selling:application")
    if user and membership_of(user):
        return redirect("orders:parcel_list")
    refusal = refusal_of(user)
    form = StartForm(request.POST or None, initial=initial_of(mine))
    if request.method == "POST" and user and form.is_valid():
        try:
            application_start(user=user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            return redirect("selling:application")
    context = {"form": form, "refusal": refusal, "terms": terms_now(), "mine": mine}
    return render(request, "workshop/sell.html", context)


def refusal_of(user: User | None) -> str:
    """Why the user cannot apply now; "" for someone who is not signed in."""
    try:
        if user:
            check_may_apply(user)
    except DomainError as error:
        return error.detail
    return ""


def initial_of(application: Application | None) -> dict[str, str]:
    if application is None:
        return {}
    artisan = application.artisan
    return {"name": artisan.name, "craft": artisan.craft, "town": artisan.town}


@require_http_methods(["GET", "POST"])
def terms(request: HttpRequest) -> HttpResponse:
    """The terms that hold, or an earlier version (`?version=1`). POST by an owner accepts what the form names."""
    if request.method == "POST":
        return accept(request)
    asked, newest = request.GET.get("version"), terms_now()
    shown = newest if asked is None else terms_named(asked)
    if shown is None:
        raise Http404
    user = request.user if isinstance(request.user, User) else None
    found = membership_of(user) if user else None
    is_owner = found is not None and found.is_owner
    context = {
        "terms": shown,
        "newest": newest,
        "is_owner": is_owner,
        "accepted": found and is_owner and found.artisan.terms_accepted.filter(terms=shown).first(),
        "has_application": user is not None and application_of(user) is not None,
    }
    return render(request, "workshop/terms.html", context)


def terms_named(number: str) -> Terms:
    """Errors: Http404."""
    if not VERSION.fullmatch(number):
        raise Http404
    return get_object_or_404(Terms, number=number)


def accept(request: HttpRequest) -> HttpResponse:
    artisan, actor = require_owner(request), require_user(request)
    wanted = terms_named(request.POST.get("terms", ""))
    try:
        terms_accept(artisan=artisan, terms_id=wanted.pk, actor=actor)
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect("selling:terms")
    messages.success(request, _("Accepted. We have noted the version and the time."))
    mine = application_of(actor)
    is_applying = mine is not None and mine.status in APPLICATIONS_OPEN
    return redirect("selling:application" if is_applying else "orders:parcel_list")


@login_required
@require_http_methods(["GET"])
def application(request: HttpRequest) -> HttpResponse:
    """The steps, what was asked and answered, and what the shop decided."""
    mine = own_application(request)
    return show(request, mine, AnswerForm(application=mine))


def show(request: HttpRequest, mine: Application, form: AnswerForm) -> HttpResponse:
    steps = checklist_of(mine.artisan)
    context = {
        "application": mine,
        "artisan": mine.artisan,
        "steps": steps,
        "form": form,
        "terms": terms_now(),
        "accepted": not terms_to_accept(mine.artisan),
        "products": mine.artisan.products.filter(parent=None, archived_at=None).count(),
        "events": mine.events.exclude(text="", status=ApplicationStatus.DRAFT),
        "is_open": mine.status in APPLICATIONS_OPEN,
    }
    return render(request, "workshop/application.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def details(request: HttpRequest) -> HttpResponse:
    """What buyers will read about the workshop."""
    mine = own_application(request)
    if mine.status not in APPLICATIONS_OPEN:
        return redirect("selling:application")
    form = DetailsForm(request.POST or None, artisan=mine.artisan)
    if request.method == "POST" and form.is_valid():
        version = form.cleaned_data["version"]
        try:
            profile_change(
                artisan=mine.artisan, actor=require_user(request), values=form.values(), version=version
            )
        except DomainError as error:
            form.add_error(None, error.detail)
            form.show_again(own_application(request).artisan)
        else:
            messages.success(request, _("Saved."))
            return redirect("selling:application")
    return render(request, "workshop/application_details.html", {"form": form})


@login_required
@require_POST
def submit(request: HttpRequest) -> HttpResponse:
    mine = own_application(request)
    form = AnswerForm(request.POST, application=mine)
    if form.is_valid():
        text = form.cleaned_data["text"]
        try:
            application_submit(application_id=mine.pk, actor=require_user(request), text=text)
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("Sent. We will email you as soon as the shop has read it."))
            return redirect("selling:application")
    return show(request, own_application(request), form)


@login_required
@require_http_methods(["GET", "POST"])
def withdraw(request: HttpRequest) -> HttpResponse:
    """GET asks, POST withdraws."""
    mine = own_application(request)
    if request.method == "GET":
        if mine.status not in APPLICATIONS_OPEN:
            return redirect("selling:application")
        return render(request, "workshop/application_withdraw.html", {"application": mine})
    try:
        application_withdraw(application_id=mine.pk, actor=require_user(request))
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect("selling:application")
    messages.success(request, _("Your application was withdrawn. What you have prepared is kept."))
    return redirect("selling:start")


def own_application(request: HttpRequest) -> Application:
    """Errors: Http404."""
    mine = application_of(require_user(request))
    if mine is None:
        raise Http404
    return mine
