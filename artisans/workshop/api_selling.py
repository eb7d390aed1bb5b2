"""Becoming an artisan by API: the own application, and the terms for artisans."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.principals import require_user
from artisans.catalog.access import owned_artisan_of
from artisans.catalog.applications import (
    application_of,
    application_start,
    application_submit,
    application_withdraw,
    checklist_of,
)
from artisans.catalog.artisan_states import OwnersOnly
from artisans.catalog.members import AlreadyInTeam
from artisans.catalog.models import Application, Artisan, Terms
from artisans.catalog.statuses import ApplicationStatus
from artisans.catalog.terms import TermsChanged, terms_accept, terms_now
from artisans.core.api.fields import utc, validated
from artisans.core.api.openapi import operation
from artisans.core.api.views import ApiView
from artisans.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from artisans.core.models import get_or_none
from artisans.workshop.schemas_selling import ApplicationIn, ApplicationShape, SubmitIn, TermsIn, TermsShape


def application_out(application: Application) -> dict[str, Any]:
    checklist = checklist_of(application.artisan)
    events = application.events.exclude(text="", status=ApplicationStatus.DRAFT)
    return {
        "status": application.status,
        "submitted_at": utc(application.submitted_at),
        "checklist": {
            "profile": checklist.has_profile,
            "products": checklist.has_products,
            "terms": checklist.has_terms,
        },
        "messages": [
            {
                "by": "shop" if event.is_of_staff else "applicant",
                "status": event.status,
                "text": event.text,
                "created_at": utc(event.created_at),
            }
            for event in events
        ],
    }


def terms_out(terms: Terms, artisan: Artisan | None) -> dict[str, Any]:
    accepted = get_or_none(terms.acceptances.filter(artisan=artisan)) if artisan else None
    return {
        "number": terms.number,
        "text": terms.text,
        "changes": terms.changes,
        "published_at": utc(terms.created_at),
        "accepted_at": utc(accepted.created_at) if accepted else None,
    }


class ApplicationViewSet(ApiView, viewsets.ViewSet):
    @operation(
        "application_get", "Show the own application", responses=ApplicationShape, problems=(NotFound,)
    )
    def show(self, request: Request) -> Response:
        """Its status, what is left to do, and what the shop asked or decided."""
        return Response(application_out(self.own()))

    @operation(
        "application_start",
        "Apply to sell",
        request=ApplicationIn,
        responses={201: ApplicationShape},
        problems=(Forbidden, Conflict, AlreadyInTeam),
    )
    def start(self, request: Request) -> Response:
        """Begin an application, or take up again one that was withdrawn; an open one stays as it is. A token made after
        it can have the scope `products`, with which products and profile are prepared."""
        data = validated(ApplicationIn, request.data)
        application = application_start(user=require_user(request), **data)
        return Response(application_out(application), status=status.HTTP_201_CREATED)

    @operation(
        "application_submit",
        "Send the application, or an answer",
        request=SubmitIn,
        responses=ApplicationShape,
        problems=(InvalidInput, Conflict, NotFound),
    )
    def submit(self, request: Request) -> Response:
        """To the shop, once everything in `checklist` is done, or with the answer to what the shop asked. Safe to
        repeat."""
        data = validated(SubmitIn, request.data)
        actor = require_user(request)
        done = application_submit(application_id=self.own().pk, actor=actor, text=data["message"])
        return Response(application_out(done))

    @operation(
        "application_withdraw",
        "Withdraw the application",
        responses=ApplicationShape,
        problems=(Conflict, NotFound),
    )
    def withdraw(self, request: Request) -> Response:
        """What was prepared is kept. Safe to repeat."""
        done = application_withdraw(application_id=self.own().pk, actor=require_user(request))
        return Response(application_out(done))

    def own(self) -> Application:
        """Errors: NotFound."""
        application = application_of(require_user(self.request))
        if application is None:
            raise NotFound(_("You have not applied to sell."))
        return application


class TermsViewSet(ApiView, viewsets.ViewSet):
    @operation("terms_get", "Show the terms for artisans", responses=TermsShape, problems=(NotFound,))
    def show(self, request: Request) -> Response:
        """The version that holds."""
        terms = terms_now()
        if terms is None:
            raise NotFound(_("The shop has published no terms."))
        return Response(terms_out(terms, owned_artisan_of(require_user(request))))

    @operation(
        "terms_accept",
        "Accept the terms for artisans",
        request=TermsIn,
        responses=TermsShape,
        problems=(OwnersOnly, TermsChanged, NotFound),
    )
    def accept(self, request: Request) -> Response:
        """For the own workshop. Version and time are noted. Safe to repeat."""
        data, actor = validated(TermsIn, request.data), require_user(request)
        artisan = owned_artisan_of(actor)
        terms = get_or_none(Terms.objects.filter(number=data["number"]))
        if artisan is None or terms is None:
            raise NotFound(_("You don’t own a workshop, or there is no such version."))
        terms_accept(artisan=artisan, terms_id=terms.pk, actor=actor)
        return Response(terms_out(terms, artisan))
