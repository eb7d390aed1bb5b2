"""Parcels for their artisans: what to send and where, and the word that it left, arrived, or will not."""

from collections.abc import Callable
from typing import Any

from django.db.models import F, QuerySet
from django_filters import rest_framework as filters
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.principals import require_user
from artisans.core.api.fields import (
    UUID_PATTERN,
    IdField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
    validated,
)
from artisans.core.api.filters import QueryFilterBackend, TextFilter, TimestampFilter
from artisans.core.api.openapi import described, example, operation
from artisans.core.api.pagination import CreatedCursorPagination
from artisans.core.api.views import ApiView
from artisans.core.errors import IllegalTransition, InvalidInput
from orders.errors import NotReleased, ParcelOnHold
from orders.models import Parcel
from orders.schemas import ArtisanParcelShape
from orders.selectors import parcels_of_artisan
from orders.serializers import ArtisanParcelOut
from orders.services import parcel_deliver, parcel_ship, parcel_start
from orders.statuses import ParcelStatus
from payments.lifecycle.cancel_and_expire import parcel_cannot_deliver
from payments.lifecycle.parcels import parcel_return


@example({"carrier": "USPS", "tracking": "9400 1000 0000 0000 0000 00"})
class ShipIn(StrictSerializer):
    carrier = StrictCharField(max_length=60, help_text="Who carries it.")
    tracking = StrictCharField(max_length=80, required=False, allow_blank=True, default="")


@example({})
class EmptyIn(StrictSerializer):
    """An empty object, or no body."""


class UnitsIn(StrictSerializer):
    line = IdField(help_text="Id of an item of the parcel.")
    quantity = StrictIntegerField(min_value=0)


@example({"restock": True, "reason": "Refused at the door."})
class ReturnedIn(StrictSerializer):
    restock = StrictBooleanField(help_text="Put its goods back on sale.")
    units = UnitsIn(
        many=True, required=False, help_text="With `restock`: how many of each item are fit for sale."
    )
    reason = StrictCharField(max_length=250, required=False, allow_blank=True, default="")


@example({"reason": "The bowl broke in the kiln."})
class CannotDeliverIn(StrictSerializer):
    reason = StrictCharField(max_length=250, help_text="The buyer reads it.")


class ParcelFilters(filters.FilterSet):
    released__gte = TimestampFilter("released_at", "gte", help_text="To be sent since this moment or later.")
    status = filters.ChoiceFilter(choices=ParcelStatus.choices, help_text="How far the parcel has come.")
    order_number = TextFilter("order__order_number", help_text="The number of its order.")


class ReleasedCursorPagination(CreatedCursorPagination):
    """By the moment since which a parcel may be sent: that is when it appears in the list."""

    ordering = ("-released_at", "-id")


@described(
    list=operation(
        "parcel_list",
        "List own parcels",
        responses=ArtisanParcelShape(many=True),
        description="What the artisan of this account has to send or has sent, once it may go out.",
    ),
    retrieve=operation(
        "parcel_get",
        "Show a parcel",
        responses=ArtisanParcelShape,
        description="Its lines, where it goes, and what is earned. Nothing of other artisans, nothing of the payment.",
    ),
)
class ParcelViewSet(
    ApiView, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Parcel]
):
    queryset = Parcel.objects.none()  # for the description; rows come from get_queryset
    serializer_class = ArtisanParcelOut
    pagination_class = ReleasedCursorPagination
    filter_backends = (QueryFilterBackend,)
    filterset_class = ParcelFilters
    lookup_value_regex = UUID_PATTERN

    def get_queryset(self) -> QuerySet[Parcel]:
        own = parcels_of_artisan(require_user(self.request))
        return own.annotate(released_at=F("order__released_at"))

    @operation(
        "parcel_start",
        "Begin with a parcel",
        request=EmptyIn,
        responses=ArtisanParcelShape,
        problems=(NotReleased, ParcelOnHold, IllegalTransition),
    )
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """The artisan begins to make or pack it. From now on the buyer cannot cancel, but has to ask."""
        validated(EmptyIn, request.data)
        return self.done(request, parcel_start)

    @operation(
        "parcel_ship",
        "Send a parcel",
        request=ShipIn,
        responses=ArtisanParcelShape,
        problems=(NotReleased, ParcelOnHold, IllegalTransition),
    )
    @action(detail=True, methods=["post"])
    def ship(self, request: Request, pk: str) -> Response:
        """The parcel was handed to the carrier; the buyer gets a mail with the tracking number."""
        return self.done(request, parcel_ship, **validated(ShipIn, request.data))

    @operation(
        "parcel_deliver",
        "Say that a parcel arrived",
        request=EmptyIn,
        responses=ArtisanParcelShape,
        problems=(IllegalTransition,),
    )
    @action(detail=True, methods=["post"])
    def deliver(self, request: Request, pk: str) -> Response:
        """The parcel reached the buyer. Only what was sent can arrive."""
        validated(EmptyIn, request.data)
        return self.done(request, parcel_deliver)

    @operation(
        "parcel_returned",
        "Say that a parcel came back",
        request=ReturnedIn,
        responses=ArtisanParcelShape,
        problems=(InvalidInput, IllegalTransition),
    )
    @action(detail=True, methods=["post"])
    def returned(self, request: Request, pk: str) -> Response:
        """The parcel was sent and came back: refused, undeliverable, or sent back by the buyer.

        What was paid of it is owed to the buyer; what was not paid is owed no more.
        """
        data = validated(ReturnedIn, request.data)
        units = {unit["line"]: unit["quantity"] for unit in data.pop("units", ())} or None
        return self.done(request, parcel_return, **data, units=units)

    @operation(
        "parcel_cannot_deliver",
        "Say that a parcel will not come",
        request=CannotDeliverIn,
        responses=ArtisanParcelShape,
        problems=(InvalidInput, IllegalTransition),
    )
    @action(detail=True, methods=["post"])
    def cannot_deliver(self, request: Request, pk: str) -> Response:
        """Cancel a parcel that was not sent. Its goods are for sale again, so lower the stock if they are lost.

        The buyer gets a mail with the reason; what was paid of it is listed for staff to be returned.
        """
        return self.done(request, parcel_cannot_deliver, **validated(CannotDeliverIn, request.data))

    def done(self, request: Request, service: Callable[..., Parcel], **data: Any) -> Response:
        """Do it to the own parcel of the address. Errors: Http404, and those of the service."""
        service(parcel_id=self.get_object().pk, actor=require_user(request), **data)
        return Response(self.get_serializer(self.get_object()).data)
