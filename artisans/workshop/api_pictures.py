"""The pictures of an artisan's product by API."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework import status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.models import Scope
from artisans.accounts.principals import require_user
from artisans.catalog.access import artisan_of
from artisans.catalog.api import absolute
from artisans.catalog.models import PictureState, Product, ProductPicture
from artisans.catalog.pictures import (
    PictureRefused,
    TooManyPictures,
    check_size,
    picture_add,
    picture_change,
    picture_remove,
    pictures_of,
)
from artisans.core.api.fields import validated
from artisans.core.api.openapi import operation
from artisans.core.api.parsers import StrictMultiPartParser
from artisans.core.api.views import ApiView
from artisans.core.errors import Conflict, NotFound, ServiceUnavailable
from artisans.core.idempotency.api import idempotent
from artisans.core.idempotency.keys import effect_id
from artisans.core.models import get_or_none
from artisans.workshop.schemas_pictures import PictureChangeIn, PictureIn, PictureShape, PicturesShape


def picture_out(picture: ProductPicture) -> dict[str, Any]:
    shown = picture.shown if picture.state == PictureState.READY else None
    return {
        "id": str(picture.pk),
        "position": picture.position,
        "state": picture.state,
        "refusal": picture.refusal,
        "detail": picture.get_refusal_display(),
        "alt": picture.alt,
        "name": picture.original_name,
        "url": absolute(shown.url) if shown else None,
        "width": shown.width or None if shown else None,
        "height": shown.height or None if shown else None,
    }


def picture_replay(request: Request, reference: str) -> Response | None:
    artisan = artisan_of(require_user(request))
    found = ProductPicture.objects.filter(pk=effect_id(reference), product__artisan=artisan)
    picture = get_or_none(found) if artisan else None
    return Response(picture_out(picture), status=status.HTTP_201_CREATED) if picture else None


class PictureViewSet(ApiView, viewsets.ViewSet):
    scopes = dict.fromkeys(("create", "partial_update", "destroy"), Scope.PRODUCTS.value)

    def get_parsers(self) -> Any:
        """Uploads are forms, everything else is JSON. `action` is not set yet."""
        method = self.request.method if self.request else ""  # none at first while the API is described
        return [StrictMultiPartParser()] if method == "POST" else super().get_parsers()

    @operation("picture_list", "List a product's pictures", responses=PicturesShape)
    def list(self, request: Request, product_id: str) -> Response:
        """All of them in their order, at most eight; also those that are being prepared or were refused."""
        pictures = pictures_of(self.own_product(product_id))
        return Response({"results": [picture_out(picture) for picture in pictures]})

    @operation(
        "picture_add",
        "Upload a picture",
        request=PictureIn,
        responses={201: PictureShape},
        problems=(PictureRefused, TooManyPictures, NotFound, ServiceUnavailable),
    )
    @idempotent(replay=picture_replay)
    def create(self, request: Request, product_id: str) -> Response:
        """As the product's last picture, with `multipart/form-data`. The file is checked at once, and prepared in a
        moment: see `state`. A file that the product has already is that picture."""
        product, data = self.own_product(product_id), validated(PictureIn, request.data)
        file = data["file"]
        check_size(file.size)
        picture = picture_add(
            product_id=product.pk,
            content=file.read(),
            name=file.name,
            alt=data["alt"],
            actor=require_user(request),
        )
        return Response(picture_out(picture), status=status.HTTP_201_CREATED)

    @operation(
        "picture_change",
        "Describe or move a picture",
        request=PictureChangeIn,
        responses=PictureShape,
        problems=(Conflict, NotFound),
    )
    def partial_update(self, request: Request, product_id: str, pk: str) -> Response:
        """Only the fields that are sent, all or nothing. Safe to repeat."""
        product, data = self.own_product(product_id), validated(PictureChangeIn, request.data)
        picture_change(product_id=product.pk, picture_id=UUID(pk), actor=require_user(request), **data)
        return Response(picture_out(product.pictures.get(pk=pk)))

    @operation("picture_remove", "Remove a picture", responses={204: None}, problems=(NotFound,))
    def destroy(self, request: Request, product_id: str, pk: str) -> Response:
        """With its files. Those behind it move up."""
        product = self.own_product(product_id)
        picture_remove(product_id=product.pk, picture_id=UUID(pk), actor=require_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def own_product(self, product_id: str) -> Product:
        """Errors: Http404, also for a variant: it shows its product's pictures."""
        artisan = artisan_of(require_user(self.request))
        own = Product.objects.filter(artisan=artisan, parent=None) if artisan else Product.objects.none()
        return get_object_or_404(own, pk=product_id)
