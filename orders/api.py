from django.db.models import QuerySet
from rest_framework import mixins, viewsets

from artisans.accounts.permissions import IsSomebody
from artisans.accounts.principals import Principal
from artisans.core.api import UUID_PATTERN, NewestFirst
from artisans.core.api_views import ApiView
from orders.models import Order
from orders.selectors import orders_visible_to
from orders.serializers import OrderOut


class OrderViewSet(ApiView, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Order]):
    """Own orders by token, or one order by its link's token. `carts.api` adds what makes and ends an order."""

    permission_classes = (IsSomebody,)
    serializer_class = OrderOut
    pagination_class = NewestFirst
    lookup_value_regex = UUID_PATTERN

    def get_queryset(self) -> QuerySet[Order]:
        return orders_visible_to(Principal.of_api(self.request)).prefetch_related("lines", "parcels")
