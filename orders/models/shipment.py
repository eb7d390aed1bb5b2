from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone

from artisans.core.models import BaseModel
from orders.models.carrier import Carrier
from orders.models.line import OrderLine
from orders.models.parcel import Parcel


class Shipment(BaseModel):
    """Units of a parcel that were handed to a carrier together; amounts and the artisan's share stay with the parcel.

    `Parcel.carrier` and `Parcel.tracking` are copies of the last one. Release 0.1.0 ships whole parcels and writes no
    shipment: `orders.shipments.shipments_of` derives it. Units are counted with the order locked.
    """

    parcel = models.ForeignKey(Parcel, models.PROTECT, related_name="shipments", db_index=False)
    number = models.PositiveSmallIntegerField()
    carrier = models.CharField(max_length=60, blank=True)
    tracking = models.CharField(max_length=80, blank=True)
    listed_carrier = models.ForeignKey(
        Carrier, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    shipped_at = models.DateTimeField(default=timezone.now)
    shipped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )

    class Meta:
        default_permissions = ("view",)
        ordering = ("parcel_id", "number")
        constraints = [
            models.UniqueConstraint(fields=["parcel", "number"], name="shipment_number_unique_in_parcel"),
        ]
        indexes = [models.Index(Upper("tracking"), condition=~Q(tracking=""), name="shipment_tracking")]

    def __str__(self) -> str:
        return f"{self.parcel}-{self.number}"

    @property
    def tracking_url(self) -> str:
        """The carrier's page about the shipment; empty if the carrier is not listed or has none."""
        return self.listed_carrier.link(self.tracking) if self.listed_carrier else ""


class ShipmentLine(models.Model):
    """How many units of an order line are in a shipment."""

    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="lines", db_index=False)
    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="shipment_lines")
    quantity = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["shipment", "line"], name="shipment_line_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="shipment_line_quantity_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line_id}"


class ShipmentCorrection(BaseModel):
    """A corrected carrier or tracking number: what it was before, and who corrected it."""

    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="corrections")
    carrier = models.CharField(max_length=60, blank=True)
    tracking = models.CharField(max_length=80, blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)

    class Meta:
        default_permissions = ()
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return f"{self.carrier} {self.tracking}"
