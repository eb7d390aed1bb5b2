from django.db import models

from artisans.core.append_only import AppendOnlyModel
from orders.models.order import Order
from orders.models.parcel import Parcel


class Transition(AppendOnlyModel):
    """One status change. Append-only."""

    personal = ("cause", "actor_name")

    id = models.BigAutoField(primary_key=True)
    old = models.CharField(max_length=18, blank=True)
    new = models.CharField(max_length=18)
    cause = models.CharField(max_length=300)
    actor_name = models.CharField(max_length=150)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        default_permissions = ("view",)
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.old or 'start'} → {self.new}"


class OrderTransition(Transition):
    order = models.ForeignKey(Order, models.PROTECT, related_name="transitions")


class ParcelTransition(Transition):
    parcel = models.ForeignKey(Parcel, models.PROTECT, related_name="transitions")
