from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import Artisan
from orders.models import Order, Parcel
from orders.owed import IS_OWED
from orders.statuses import OrderStatus, ParcelInstruction
from payments.methods import PaymentMethod
from payments.models import Payment, PaymentFlag, PaymentRefund, RefundDecision
from payments.selectors import payments_awaiting_decision
from payments.statuses import RefundStatus

REFUND_DUE = IS_OWED  # `Order.refund_due` above zero


class PaymentNeedsFilter(admin.SimpleListFilter):
    title = _("action needed")
    parameter_name = "needs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("decision", gettext("Awaiting approval"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        if self.value() == "decision":
            return queryset.filter(pk__in=payments_awaiting_decision().order_by().values("pk"))
        return queryset


class RefundNeedsFilter(admin.SimpleListFilter):
    title = _("action needed")
    parameter_name = "needs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("decision", gettext("Awaiting decision")), ("time", gettext("None: in progress"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PaymentRefund]) -> QuerySet[PaymentRefund]:
        if self.value() == "decision":
            return queryset.filter(decision=RefundDecision.PENDING)
        if self.value() == "time":
            return queryset.filter(status__in=[RefundStatus.REQUESTED, RefundStatus.PROCESSING])
        return queryset


class FlagNeedsFilter(admin.SimpleListFilter):
    title = _("action needed")
    parameter_name = "needs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("review", gettext("Needs review"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PaymentFlag]) -> QuerySet[PaymentFlag]:
        return queryset.filter(resolved_at=None) if self.value() == "review" else queryset


class OrderNeedsFilter(admin.SimpleListFilter):
    title = _("action needed")
    parameter_name = "needs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("return", gettext("Refunds due")),
            ("shipping", gettext("To ship")),
            ("parcels", gettext("Parcels on hold")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() == "return":
            return queryset.filter(REFUND_DUE)
        if self.value() == "parcels":
            held = Parcel.objects.filter(instruction=ParcelInstruction.HOLD).order_by().values("order")
            return queryset.filter(pk__in=held)
        if self.value() == "shipping":
            return queryset.filter(status__in=[OrderStatus.CONFIRMED, OrderStatus.PROCESSING])
        return queryset


class SellerFilter(admin.SimpleListFilter):
    """Rows of orders that contain a parcel of one artisan. `path` leads from the row to its order."""

    title = _("artisan")
    parameter_name = "seller"
    path = "pk"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(slug, name) for slug, name in Artisan.objects.values_list("slug", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        orders = Parcel.objects.filter(artisan__slug=self.value()).order_by().values("order")
        return queryset.filter(**{f"{self.path}__in": orders})


class SellerOfPaymentFilter(SellerFilter):
    path = "order_id"


class MethodOfOrderFilter(admin.SimpleListFilter):
    title = _("payment method")
    parameter_name = "method"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, str(label)) for value, label in PaymentMethod.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if not self.value():
            return queryset
        payments = Payment.objects.filter(payment_method=self.value()).order_by().values("order")
        return queryset.filter(pk__in=payments)
