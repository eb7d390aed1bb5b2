"""An artisan's profile by API."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.models import Scope
from artisans.accounts.principals import require_user
from artisans.catalog.access import owned_artisan_of
from artisans.catalog.artisan_states import WorkshopClosed
from artisans.catalog.models import Artisan
from artisans.catalog.profile import ProfileChanged, profile_change, profile_of, version_of
from artisans.core.api.fields import validated
from artisans.core.api.openapi import operation
from artisans.core.api.views import ApiView
from artisans.core.errors import InvalidInput, NotFound
from artisans.workshop.schemas_profile import ProfileIn, ProfileShape


def profile_out(artisan: Artisan) -> dict[str, Any]:
    shown = {"name": artisan.name, "slug": artisan.slug, "state": artisan.state.value}
    return shown | {"version": version_of(artisan)} | profile_of(artisan)


class ProfileViewSet(ApiView, viewsets.ViewSet):
    scopes = {"change": Scope.PRODUCTS.value}

    @operation("profile_get", "Show the own profile", responses=ProfileShape, problems=(NotFound,))
    def show(self, request: Request) -> Response:
        """What buyers read about the workshop, and its holiday."""
        return Response(profile_out(self.artisan()))

    @operation(
        "profile_change",
        "Change the own profile",
        request=ProfileIn,
        responses=ProfileShape,
        problems=(ProfileChanged, WorkshopClosed, InvalidInput, NotFound),
    )
    def change(self, request: Request) -> Response:
        """Only the fields that are sent. If somebody else changed one of them since, 409 `profile_changed`."""
        data = validated(ProfileIn, request.data)
        version = data.pop("version")
        changed = profile_change(
            artisan=self.artisan(), actor=require_user(request), values=data, version=version
        )
        return Response(profile_out(changed))

    def artisan(self) -> Artisan:
        """Errors: NotFound."""
        artisan = owned_artisan_of(require_user(self.request))
        if artisan is None:
            raise NotFound(_("You own no workshop."))
        return artisan
