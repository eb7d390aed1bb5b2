"""Filters of the admin's lists: what needs action by staff."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter

from artisans.catalog.models import Artisan
from artisans.core.admin.filters import midnight
from artisans.core.admin.pages import StrOrPromise
from artisans.core.models import is_uuid
from orders.models import Parcel
from orders.owed import IS_OWED
from orders.selectors import ORDER_OUTCOMES
from orders.statuses import PARCELS_ENDED, OrderStatus, ParcelInstruction
from payments.methods import PaymentMethod
from payments.models import Payment, RefundDecision, WebhookEvent
from payments.selectors import (
    PAYMENT_OUTCOME,
    payments_awaiting_decision,
    payments_received_since,
    webhooks_for_staff,
)
from payments.statuses import PaymentStatus, RefundStatus

REFUND_DUE = IS_OWED  # `Order.refund_due` above zero
# Parcels whose cash was reported as collected and is not recorded, or not all of it.
CASH_TO_RECORD = Q(
    cash_reported_at__isnull=False, cash_received_minor__lt=F("total_minor") - F("cancelled_minor")
) & ~Q(status__in=PARCELS_ENDED)


class ConditionFilter(admin.SimpleListFilter):
    """`conditions` maps the values of the parameter to their labels and conditions."""

    conditions: ClassVar[dict[str, tuple[StrOrPromise, Q]]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, str(label)) for value, (label, _condition) in self.conditions.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        _label, condition = self.conditions.get(self.value() or "", ("", Q()))
        return queryset.filter(condition)


class NeedsFilter(ConditionFilter):
    title = _("action needed")
    parameter_name = "needs"


class PaymentNeedsFilter(NeedsFilter):
    conditions = {
        "decision": (
            _("Awaiting approval"),
            Q(pk__in=payments_awaiting_decision().order_by().values("pk")),
        ),
        "cash": (
            _("Cash reported"),
            Q(status=PaymentStatus.PENDING, payment_method=PaymentMethod.CASH_ON_DELIVERY)
            & Q(Exists(Parcel.objects.filter(CASH_TO_RECORD, order=OuterRef("order")).order_by())),
        ),
    }


class PaymentOutcomeFilter(admin.SimpleListFilter):
    title = _("outcome")
    parameter_name = "outcome"
    outcomes: ClassVar[dict[str, tuple[StrOrPromise, tuple[str, ...]]]] = {
        "paid": (_("Paid, whatever was refunded later"), ("paid",)),
        "lost": (_("Lost"), ("lost",)),
        "ended": (_("Paid or lost"), ("paid", "lost")),
        "switched": (_("Replaced by another payment"), ("switched",)),
        "open": (_("Open"), ("open",)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, str(label)) for value, (label, _outcomes) in self.outcomes.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        _label, outcomes = self.outcomes.get(self.value() or "", ("", ()))
        return queryset.alias(outcome=PAYMENT_OUTCOME).filter(outcome__in=outcomes) if outcomes else queryset


class OrderOutcomeFilter(ConditionFilter):
    title = _("outcome")
    parameter_name = "outcome"
    conditions = {
        "paid": (_("Paid, whatever was refunded later"), ORDER_OUTCOMES["paid"]),
        "closed": (_("Closed unpaid"), ORDER_OUTCOMES["closed"]),
        "ended": (_("Paid or closed"), ORDER_OUTCOMES["ended"]),
        "open": (_("Waiting for money"), ORDER_OUTCOMES["open"]),
    }


class RefundNeedsFilter(NeedsFilter):
    conditions = {
        "decision": (_("Awaiting decision"), Q(decision=RefundDecision.PENDING)),
        "time": (
            _("None: in progress"),
            Q(status__in=[RefundStatus.REQUESTED, RefundStatus.PROCESSING]),
        ),
    }


class WebhookNeedsFilter(admin.SimpleListFilter):
    title = _("action needed")
    parameter_name = "needs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("attention", gettext("Failed, overdue or for staff"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookEvent]) -> QuerySet[WebhookEvent]:
        return queryset & webhooks_for_staff() if self.value() == "attention" else queryset


class ReceivedFilter(admin.SimpleListFilter):
    title = _("money received")
    parameter_name = "received"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("today", gettext("Today"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        received = payments_received_since(midnight()).order_by().values("pk")
        return queryset.filter(pk__in=received) if self.value() == "today" else queryset


class FlagNeedsFilter(NeedsFilter):
    conditions = {"review": (_("Needs review"), Q(resolved_at=None))}


class AlertNeedsFilter(NeedsFilter):
    conditions = {"failing": (_("Failing"), Q(resolved_at=None))}


class MovementNeedsFilter(NeedsFilter):
    conditions = {
        "explanation": (_("Unexplained"), Q(explained_by="", closed_at=None)),
        "nothing": (_("Closed as not the shop’s"), Q(closed_at__isnull=False)),
    }


class OrderNeedsFilter(NeedsFilter):
    conditions = {
        "return": (_("Refunds due"), REFUND_DUE),
        "shipping": (_("To ship"), Q(status__in=[OrderStatus.CONFIRMED, OrderStatus.PROCESSING])),
        "parcels": (
            _("Parcels on hold"),
            Q(pk__in=Parcel.objects.filter(instruction=ParcelInstruction.HOLD).order_by().values("order")),
        ),
    }


class OrderArtisanFilter(DropdownFilter):
    """By key: Django's own filter joins the parcels, and then has to remove duplicates among all rows."""

    title = _("artisan")
    parameter_name = "artisan"
    order = "pk"  # the lookup from a row of the list to its order

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(artisan.pk), str(artisan)) for artisan in Artisan.objects.order_by("name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        if not is_uuid(self.value()):
            return queryset.none()
        parcels = Parcel.objects.filter(artisan=self.value()).order_by()
        return queryset.filter(**{f"{self.order}__in": parcels.values("order")})


class PaymentArtisanFilter(OrderArtisanFilter):
    order = "order"


class OrderMethodFilter(admin.SimpleListFilter):
    title = _("payment method")
    parameter_name = "method"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(method.value, str(method.label)) for method in PaymentMethod]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        payments = Payment.objects.filter(payment_method=self.value()).order_by()
        return queryset.filter(pk__in=payments.values("order")) if self.value() else queryset
