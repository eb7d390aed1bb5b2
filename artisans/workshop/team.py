"""Pages of a workshop's team, and the page of an invitation."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from artisans.accounts.models import User
from artisans.accounts.principals import require_user
from artisans.catalog.access import membership_of, require_membership, require_owner
from artisans.catalog.applications import application_of
from artisans.catalog.members import (
    InvitationGone,
    invitation_accept,
    invitation_read,
    invitation_resend,
    invitation_withdraw,
    member_invite,
    member_leave,
    member_remove,
)
from artisans.catalog.models import MemberRole
from artisans.catalog.statuses import APPLICATIONS_ENDED
from artisans.core.errors import DomainError


class InvitationForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("Email address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "inputmode": "email"}),
    )
    role = forms.ChoiceField(
        label=gettext_lazy("Role"), choices=MemberRole.choices, initial=MemberRole.HELPER
    )


@login_required
@require_http_methods(["GET", "POST"])
def team(request: HttpRequest) -> HttpResponse:
    """Who is in the team. POST invites someone."""
    membership = require_membership(request)
    artisan = require_owner(request) if request.method == "POST" else membership.artisan
    form = InvitationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email, role = form.cleaned_data["email"], MemberRole(form.cleaned_data["role"])
        try:
            member_invite(artisan=artisan, actor=require_user(request), email=email, role=role)
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("Invited. We have emailed a link to %(email)s.") % {"email": email})
            return redirect("workshop:team")
    context = {
        "artisan": artisan,
        "form": form,
        "members": artisan.members.select_related("user"),
        "invitations": artisan.invitations.all() if membership.is_owner else (),
    }
    return render(request, "workshop/team.html", context)


@login_required
@require_POST
def invitation_again(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    artisan, actor = require_owner(request), require_user(request)
    try:
        invitation_resend(artisan=artisan, invitation_id=invitation_id, actor=actor)
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("We have sent the invitation again. Only the newest link works."))
    return redirect("workshop:team")


@login_required
@require_POST
def invitation_end(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    artisan, actor = require_owner(request), require_user(request)
    try:
        invitation_withdraw(artisan=artisan, invitation_id=invitation_id, actor=actor)
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("Withdrawn. Its link no longer works."))
    return redirect("workshop:team")


@login_required
@require_http_methods(["GET", "POST"])
def remove(request: HttpRequest, member_id: UUID) -> HttpResponse:
    """GET asks, POST removes."""
    artisan = require_owner(request)
    member = get_object_or_404(artisan.members.select_related("user"), pk=member_id)
    if request.method == "GET":
        return render(request, "workshop/team_leave.html", {"artisan": artisan, "member": member})
    try:
        member_remove(artisan=artisan, member_id=member_id, actor=require_user(request))
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("Removed from your team immediately."))
    return redirect("workshop:team")


@login_required
@require_http_methods(["GET", "POST"])
def leave(request: HttpRequest) -> HttpResponse:
    """GET asks, POST leaves."""
    artisan = require_membership(request).artisan
    if request.method == "GET":
        return render(request, "workshop/team_leave.html", {"artisan": artisan})
    try:
        member_leave(artisan=artisan, user=require_user(request))
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect("workshop:team")
    messages.success(request, _("You have left the team of %(artisan)s.") % {"artisan": artisan.name})
    return redirect("catalog:product_list")


@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """What the link in an invitation shows. Only POST accepts it, by someone who is signed in."""
    user = request.user if isinstance(request.user, User) else None
    found, refusals = invitation_read(token), []
    if request.method == "POST" and user is not None:
        try:
            artisan = invitation_accept(token=token, user=user)
        except InvitationGone:
            if membership_of(user):  # sent twice
                return redirect("orders:parcel_list")
        except DomainError as error:
            refusals.append(error.detail)
        else:
            messages.success(
                request, _("You are now in the team of %(artisan)s.") % {"artisan": artisan.name}
            )
            return redirect("orders:parcel_list")
    mine = application_of(user) if user else None
    context = {
        "invitation": found,
        "refusals": refusals,
        "has_ended_application": mine is not None and mine.status in APPLICATIONS_ENDED,
    }
    return render(request, "workshop/invitation.html", context, status=200 if found else 404)
