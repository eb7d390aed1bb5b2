"""An owner's own shipping methods by API, as on the page *Delivery*."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.models import Scope
from artisans.accounts.principals import require_user
from artisans.core.api.fields import validated
from artisans.core.api.openapi import operation
from artisans.core.errors import InvalidInput, NotFound
from artisans.core.models import get_or_none
from artisans.core.money import Money
from artisans.shipping.models import ChargedPer, ShippingMethod, ShippingRate, ShippingZone
from artisans.workshop.api_profile import OwnWorkshopView
from artisans.workshop.schemas_shipping import (
    OwnMethodChangeIn,
    OwnMethodIn,
    OwnMethodShape,
    OwnMethodsShape,
)
from orders.services.places import areas_text, prices_text, shipping_method_delete, shipping_method_save

KEY = re.compile(r"[0-9]{1,9}", re.ASCII)
AS_STORED = ("name", "kind", "min_days", "max_days", "is_active")


def method_out(method: ShippingMethod) -> dict[str, Any]:
    prices = [
        {
            "currency": rate.currency,
            "price": rate.price.amount,
            "min_weight_g": rate.min_weight_g,
            "min_goods": Money.stored(rate.min_goods_minor, rate.currency).amount,
        }
        for rate in method.rates.all()
    ]
    shown = {name: getattr(method, name) for name in AS_STORED}
    return {"id": method.pk, "zone_id": method.zone_id} | shown | {"prices": prices}


class OwnMethodViewSet(OwnWorkshopView):
    scopes = dict.fromkeys(("create", "change", "remove"), Scope.PRODUCTS.value)

    @operation(
        "own_shipping_methods", "List own shipping methods", responses=OwnMethodsShape, problems=(NotFound,)
    )
    def show(self, request: Request) -> Response:
        """With the zones of the shop. An artisan with methods of their own in a zone ships there by these alone."""
        methods = self.artisan().shipping_methods.prefetch_related("rates")
        zones = ShippingZone.objects.prefetch_related("areas")
        return Response(
            {
                "zones": [
                    {"id": zone.pk, "name": zone.name, "areas": areas_text(zone.areas.all()).splitlines()}
                    for zone in zones
                ],
                "methods": [method_out(method) for method in methods],
            }
        )

    @operation(
        "own_shipping_method_create",
        "Add a shipping method",
        request=OwnMethodIn,
        responses={201: OwnMethodShape},
        problems=(InvalidInput, NotFound),
    )
    def create(self, request: Request) -> Response:
        """Charged for each parcel of the workshop."""
        method = ShippingMethod(artisan=self.artisan(), charged_per=ChargedPer.PARCEL)
        saved = self.write(method, validated(OwnMethodIn, request.data))
        return Response(saved, status=status.HTTP_201_CREATED)

    @operation(
        "own_shipping_method_change",
        "Change a shipping method",
        request=OwnMethodChangeIn,
        responses=OwnMethodShape,
        problems=(InvalidInput, NotFound),
    )
    def change(self, request: Request, method_id: str) -> Response:
        """Only what is sent; orders keep what they were placed with."""
        return Response(self.write(self.method(method_id), validated(OwnMethodChangeIn, request.data)))

    @operation(
        "own_shipping_method_delete",
        "Delete a shipping method",
        responses={204: None},
        problems=(NotFound,),
    )
    def remove(self, request: Request, method_id: str) -> Response:
        """With its prices; orders keep its name."""
        shipping_method_delete(self.method(method_id), actor=require_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def method(self, method_id: str) -> ShippingMethod:
        key = int(method_id) if KEY.fullmatch(method_id) else 0
        method = get_or_none(self.artisan().shipping_methods.filter(pk=key))
        if method is None:
            raise NotFound(_("Shipping method not found."))
        return method

    def write(self, method: ShippingMethod, data: Mapping[str, Any]) -> dict[str, Any]:
        fields = {name: data[name] for name in AS_STORED if name in data}
        if "zone_id" in data:
            zone = get_or_none(ShippingZone.objects.filter(pk=data["zone_id"]))
            if zone is None:
                raise InvalidInput(_("There is no such shipping zone."))
            fields["zone"] = zone
        rates = map(rate_from, data["prices"]) if "prices" in data else method.rates.all()
        actor = require_user(self.request)
        return method_out(shipping_method_save(method, fields=fields, prices=prices_text(rates), actor=actor))


def rate_from(row: Mapping[str, Any]) -> ShippingRate:
    """Errors: InvalidInput."""
    try:
        price, goods = (
            Money.parse(amount, row["currency"])
            for amount in (row["price"], row.get("min_goods", Decimal(0)))
        )
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    return ShippingRate(
        currency=row["currency"],
        min_weight_g=row.get("min_weight_g", 0),
        min_goods_minor=goods.minor,
        price_minor=price.minor,
    )
