from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import mixins, viewsets

from artisans.accounts.permissions import IsUserOrGuest
from artisans.accounts.principals import Principal
from artisans.core.api.filters import CreatedFilters, IdFilter
from artisans.core.api.openapi import ORDER_TOKEN, described, operation
from artisans.core.api.views import ApiView
from orders.models import Order
from orders.schemas import OrderShape
from orders.selectors import orders_visible_to, shipments_loaded
from orders.serializers import OrderOut
from orders.statuses import OrderPaymentStatus, OrderStatus


class OrderFilters(CreatedFilters):
    status = filters.ChoiceFilter(choices=OrderStatus.choices, help_text="Order status.")
    payment_status = filters.ChoiceFilter(choices=OrderPaymentStatus.choices, help_text="Payment status.")
    order_number = filters.CharFilter(help_text="The order number shown to people.")
    artisan = IdFilter("parcels__artisan_id", help_text="Orders with a parcel of this artisan.")


@described(
    list=operation(
        "order_list",
        "List own orders",
        responses=OrderShape(many=True),
        description="With a bearer token, all orders of the account; with an order's token, that order only.",
    ),
    retrieve=operation(
        "order_get",
        "Show an order",
        responses=OrderShape,
        description="The order with its lines, parcels and amounts paid and refunded.",
    ),
)
class OrderViewSet(ApiView, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Order]):
    """The user's orders, or the one order of a link's token. `carts.api` adds placing and cancelling."""

    permission_classes = (IsUserOrGuest,)
    serializer_class = OrderOut
    filterset_class = OrderFilters
    guest_schemes = (ORDER_TOKEN,)

    def get_queryset(self) -> QuerySet[Order]:
        return orders_visible_to(Principal.from_api(self.request)).prefetch_related(
            "lines", "parcels", shipments_loaded("parcels__")
        )
