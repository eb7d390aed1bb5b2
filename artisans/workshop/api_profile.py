"""An artisan's profile and portrait by API."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.models import Scope
from artisans.accounts.principals import require_user
from artisans.catalog.access import owned_artisan_of
from artisans.catalog.api import absolute
from artisans.catalog.artisan_states import WorkshopClosed
from artisans.catalog.models import Artisan
from artisans.catalog.pictures import PictureRefused
from artisans.catalog.portraits import portrait_remove, portrait_set
from artisans.catalog.profile import ProfileChanged, profile_change, profile_of, version_of
from artisans.core.api.fields import validated
from artisans.core.api.openapi import operation
from artisans.core.api.parsers import StrictMultiPartParser
from artisans.core.api.views import ApiView
from artisans.core.errors import InvalidInput, NotFound, ServiceUnavailable
from artisans.workshop.schemas_profile import PortraitIn, ProfileIn, ProfileShape


def profile_out(artisan: Artisan) -> dict[str, Any]:
    shown = {
        "name": artisan.name,
        "slug": artisan.slug,
        "state": artisan.state.value,
        "portrait": absolute(artisan.portrait.url) if artisan.portrait else None,
    }
    return shown | {"version": version_of(artisan)} | profile_of(artisan)


class OwnWorkshopView(ApiView, viewsets.ViewSet):
    def artisan(self) -> Artisan:
        """Errors: NotFound."""
        artisan = owned_artisan_of(require_user(self.request))
        if artisan is None:
            raise NotFound(_("You don’t own a workshop."))
        return artisan


class ProfileViewSet(OwnWorkshopView):
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
        """Only the fields that are sent. If someone else changed one of them since, 409 `profile_changed`."""
        data = validated(ProfileIn, request.data)
        version = data.pop("version")
        changed = profile_change(
            artisan=self.artisan(), actor=require_user(request), values=data, version=version
        )
        return Response(profile_out(changed))


class PortraitViewSet(OwnWorkshopView):
    scopes = dict.fromkeys(("upload", "remove"), Scope.PRODUCTS.value)
    parser_classes = (StrictMultiPartParser,)

    @operation(
        "portrait_set",
        "Upload the portrait",
        request=PortraitIn,
        responses=ProfileShape,
        problems=(PictureRefused, WorkshopClosed, ServiceUnavailable, NotFound),
    )
    def upload(self, request: Request) -> Response:
        """With `multipart/form-data`, in place of the former one. A copy of it is shown, made before the answer."""
        file = validated(PortraitIn, request.data)["file"]
        changed = portrait_set(artisan=self.artisan(), file=file, actor=require_user(request))
        return Response(profile_out(changed))

    @operation(
        "portrait_remove", "Remove the portrait", responses={204: None}, problems=(WorkshopClosed, NotFound)
    )
    def remove(self, request: Request) -> Response:
        """With its file. Safe to repeat."""
        portrait_remove(artisan=self.artisan(), actor=require_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
