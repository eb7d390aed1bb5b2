"""Parcels for their artisans: what to ship and where, and reporting that it was shipped, delivered or
cancelled."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.principals import require_user
from artisans.catalog.access import Membership, artisan_of, membership_of
from artisans.core.api.fields import (
    IdField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictLineField,
    StrictSerializer,
    validated,
)
from artisans.core.api.filters import CreatedFilters, IdFilter, TimestampFilter
from artisans.core.api.openapi import described, example, operation
from artisans.core.api.pagination import CreatedCursorPagination
from artisans.core.api.views import ApiView
from artisans.core.errors import IllegalTransition, InvalidInput
from orders.errors import (
    AlreadyCorrected,
    AlreadyShipped,
    NotCancellable,
    NotReleased,
    ParcelOnHold,
    UnitsChanged,
)
from orders.models import Carrier, LineCancellation, Parcel
from orders.parcel_lists import CONDITIONS, ParcelList, parcels_found
from orders.schemas import ArtisanParcelShape, CancellationShape, CarrierShape
from orders.selectors import cancellations_of_artisan, parcels_of_artisan
from orders.serializers import ArtisanParcelOut, CancellationOut, carrier_out
from orders.services.parcels import parcel_deliver, parcel_ship, parcel_start, shipment_correct
from orders.statuses import ParcelStatus
from payments.lifecycle.cancel_and_expire import parcel_cannot_deliver
from payments.lifecycle.parcels import parcel_return


class UnitsIn(StrictSerializer):
    line = IdField(help_text="Id of an item of the parcel.")
    quantity = StrictIntegerField(min_value=0)


@example({"carrier": "USPS", "tracking": "9400 1000 0000 0000 0000 00"})
class ShipIn(StrictSerializer):
    carrier = StrictLineField(max_length=60, help_text="The carrier.")
    tracking = StrictLineField(max_length=80, required=False, allow_blank=True, default="")
    units = UnitsIn(
        many=True, required=False, help_text="What is shipped now; everything that is left if not given."
    )
    seen = StrictIntegerField(
        min_value=0,
        required=False,
        help_text="The number of the parcel's shipments that you know: another number now is `already_shipped`.",
    )


@example({"carrier": "USPS", "tracking": "9400 1000 0000 0000 0000 01"})
class CorrectIn(StrictSerializer):
    carrier = StrictLineField(max_length=60, help_text="The carrier.")
    tracking = StrictLineField(max_length=80, required=False, allow_blank=True, default="")


@example({})
class EmptyIn(StrictSerializer):
    """An empty object, or no body."""


@example({"restock": True, "reason": "Refused by the recipient."})
class ReturnedIn(StrictSerializer):
    restock = StrictBooleanField(help_text="Put its items back on sale.")
    units = UnitsIn(
        many=True, required=False, help_text="With `restock`: how many of each item can be sold again."
    )
    reason = StrictCharField(max_length=250, required=False, allow_blank=True, default="")


@example({"reason": "The bowl broke in the kiln."})
class CannotDeliverIn(StrictSerializer):
    reason = StrictCharField(max_length=250, help_text="Shown to the buyer.")
    units = UnitsIn(
        many=True,
        required=False,
        help_text="What cannot be delivered; the whole parcel if not given, possible until a part was shipped.",
    )
    restock = StrictBooleanField(required=False, default=True, help_text="Put these items back on sale.")
    seen = StrictIntegerField(
        min_value=0,
        required=False,
        help_text="How many units you know to be left to ship: another number now is `units_changed`.",
    )


def units_requested(data: Mapping[str, Any]) -> dict[UUID, int] | None:
    """Units by order line; None if `units` was not given. Errors: InvalidInput for an empty list, or a line twice."""
    if "units" not in data:
        return None
    units = {unit["line"]: unit["quantity"] for unit in data["units"]}
    if not units:
        raise InvalidInput(_("List at least one item in “units”, or leave “units” out."))
    if len(units) < len(data["units"]):
        raise InvalidInput(_("An order line is listed twice."))
    return units


class ParcelFilters(filters.FilterSet):
    released__gte = TimestampFilter(
        "released_at", "gte", help_text="Released for shipping at or after this time."
    )
    status = filters.ChoiceFilter(choices=ParcelStatus.choices, help_text="The parcel's status.")
    order_number = filters.CharFilter("order__order_number", help_text="The order number.")
    list = filters.ChoiceFilter(
        choices=ParcelList.choices, method="filter_list", help_text="One of the lists of the artisan's page."
    )
    q = filters.CharFilter(
        method="filter_found", help_text="The begin of an order number, a name, or a tracking number."
    )

    def filter_list(self, rows: QuerySet[Parcel], name: str, value: str) -> QuerySet[Parcel]:
        return rows.filter(CONDITIONS[value])

    def filter_found(self, rows: QuerySet[Parcel], name: str, value: str) -> QuerySet[Parcel]:
        return parcels_found(rows, value)


class CancellationFilters(CreatedFilters):
    parcel = IdFilter("line__parcel_id", help_text="Id of a parcel.")


@described(
    list=operation(
        "cancellation_list",
        "List units that could not be delivered",
        responses=CancellationShape(many=True),
        description="Of the artisan's parcels, newest first; each with the reason that the buyer was given.",
    )
)
class CancellationViewSet(ApiView, mixins.ListModelMixin, viewsets.GenericViewSet[LineCancellation]):
    queryset = LineCancellation.objects.none()  # for the schema; rows come from get_queryset
    serializer_class = CancellationOut
    filterset_class = CancellationFilters

    def get_queryset(self) -> QuerySet[LineCancellation]:
        return cancellations_of_artisan(artisan_of(require_user(self.request)))


class ReleasedCursorPagination(CreatedCursorPagination):
    """Ordered by `released_at`, the time since which a parcel may be shipped and is listed."""

    ordering = ("-released_at", "-id")


@described(
    list=operation(
        "parcel_list",
        "List own parcels",
        responses=ArtisanParcelShape(many=True),
        description="The artisan's parcels, from the time they may be shipped.",
    ),
    retrieve=operation(
        "parcel_get",
        "Show a parcel",
        responses=ArtisanParcelShape,
        description="Its lines, delivery address and (for owners of the workshop) earnings, without other "
        "artisans’ lines or payment data.",
    ),
)
class ParcelViewSet(
    ApiView, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Parcel]
):
    queryset = Parcel.objects.none()  # for the schema; rows come from get_queryset
    serializer_class = ArtisanParcelOut
    pagination_class = ReleasedCursorPagination
    filterset_class = ParcelFilters

    def get_queryset(self) -> QuerySet[Parcel]:
        artisan = self.membership.artisan if self.membership else None
        return parcels_of_artisan(artisan).annotate(released_at=F("order__released_at"))

    def get_serializer_context(self) -> dict[str, Any]:
        is_helper = self.membership is not None and not self.membership.is_owner
        return {**super().get_serializer_context(), "shows_earnings": not is_helper}

    @cached_property
    def membership(self) -> Membership | None:
        return membership_of(require_user(self.request))

    @operation(
        "parcel_start",
        "Start a parcel",
        request=EmptyIn,
        responses=ArtisanParcelShape,
        problems=(NotReleased, ParcelOnHold, IllegalTransition),
    )
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Start preparing the parcel. From now on the buyer cannot cancel without contacting the shop."""
        validated(EmptyIn, request.data)
        return self.done(request, parcel_start)

    @operation(
        "parcel_ship",
        "Ship a parcel",
        request=ShipIn,
        responses=ArtisanParcelShape,
        problems=(NotReleased, ParcelOnHold, IllegalTransition, AlreadyShipped, InvalidInput),
    )
    @action(detail=True, methods=["post"])
    def ship(self, request: Request, pk: str) -> Response:
        """Mark the parcel, or some of its units, as handed to the carrier; the buyer is emailed the tracking number.

        The parcel is `SHIPPED` with its last unit. Shipped units can no longer be cancelled.
        """
        data = validated(ShipIn, request.data)
        return self.done(request, parcel_ship, **data | {"units": units_requested(data)})

    @operation(
        "shipment_correct",
        "Correct a shipment",
        request=CorrectIn,
        responses=ArtisanParcelShape,
        problems=(AlreadyCorrected,),
    )
    @action(detail=True, methods=["patch"], url_path=r"shipments/(?P<number>[^/]+)")
    def shipment(self, request: Request, pk: str, number: str) -> Response:
        """Correct carrier and tracking number of a shipment.

        The buyer is emailed them unless the parcel has arrived.
        """
        data = validated(CorrectIn, request.data)
        return self.done(request, shipment_correct, number=int(number) if number.isdecimal() else 0, **data)

    @operation("carrier_list", "List carriers", responses=CarrierShape(many=True))
    @action(detail=False, pagination_class=None, filterset_class=None)
    def carriers(self, request: Request) -> Response:
        """Carriers whose numbers get a tracking link when a shipment names them. Others may be entered too."""
        return Response([carrier_out(carrier) for carrier in Carrier.objects.all()])

    @operation(
        "parcel_deliver",
        "Mark a parcel as delivered",
        request=EmptyIn,
        responses=ArtisanParcelShape,
        problems=(IllegalTransition,),
    )
    @action(detail=True, methods=["post"])
    def deliver(self, request: Request, pk: str) -> Response:
        """Mark the parcel as delivered. Only a shipped parcel can be delivered."""
        validated(EmptyIn, request.data)
        return self.done(request, parcel_deliver)

    @operation(
        "parcel_returned",
        "Mark a parcel as returned",
        request=ReturnedIn,
        responses=ArtisanParcelShape,
        problems=(InvalidInput, IllegalTransition),
    )
    @action(detail=True, methods=["post"])
    def returned(self, request: Request, pk: str) -> Response:
        """Mark a shipped parcel as returned: refused, undeliverable, or sent back by the buyer.

        The amount paid for it is due to the buyer; an unpaid amount is no longer due.
        """
        data = validated(ReturnedIn, request.data)
        return self.done(request, parcel_return, **data | {"units": units_requested(data)})

    @operation(
        "parcel_cannot_deliver",
        "Cancel a parcel, or units of it, that cannot be delivered",
        request=CannotDeliverIn,
        responses=ArtisanParcelShape,
        problems=(NotReleased, NotCancellable, UnitsChanged, InvalidInput, IllegalTransition),
    )
    @action(detail=True, methods=["post"])
    def cannot_deliver(self, request: Request, pk: str) -> Response:
        """Cancel a parcel that was not shipped, or some of its units; the others are shipped as usual.

        The buyer is emailed the reason, and is not charged for the units and their tax; the amount paid for them is
        listed for staff as a refund due. The delivery is still charged, unless nothing of the parcel is shipped: it is
        `CANCELLED` then.
        """
        data = validated(CannotDeliverIn, request.data)
        return self.done(request, parcel_cannot_deliver, **data | {"units": units_requested(data)})

    def done(self, request: Request, service: Callable[..., Parcel], **data: Any) -> Response:
        """Apply the action to the artisan's own parcel. Errors: Http404, and those of the service."""
        service(parcel_id=self.get_object().pk, actor=require_user(request), **data)
        return Response(self.get_serializer(self.get_object()).data)
