from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.permissions import IsSomebody
from artisans.accounts.principals import Principal
from artisans.core.api import UUID_PATTERN, NewestFirst, validated
from artisans.core.errors import Conflict, Missing
from artisans.core.filters import CreatedFilters, IdFilter
from artisans.core.openapi import ORDER_TOKEN, described, operation
from artisans.core.query import StrictQuery
from orders.selectors import orders_visible_to, store_rules
from payments.errors import AmountMismatch, MethodNotOffered, NothingDue
from payments.methods import PaymentMethod, Provider
from payments.models import Payment
from payments.schemas import PaymentShape
from payments.selectors import payments_visible_to
from payments.serializers import IntentIn, PaymentOut, payment_out
from payments.services.payments import method_read, payment_choose
from payments.statuses import PaymentStatus


class PaymentFilters(CreatedFilters):
    order = IdFilter("order_id", help_text="Id of the order.")
    status = filters.ChoiceFilter(choices=PaymentStatus.choices, help_text="How far the payment has come.")
    payment_method = filters.ChoiceFilter(choices=PaymentMethod.choices, help_text="How it is paid.")
    payment_provider = filters.ChoiceFilter(choices=Provider.choices, help_text="Who takes the money.")


@described(
    list=operation(
        "payment_list",
        "List own payments",
        responses=PaymentShape(many=True),
        description="With a bearer token all payments of the account, with an order's token those of that order.",
    ),
    retrieve=operation(
        "payment_get",
        "Show a payment",
        responses=PaymentShape,
        description="`status` says how far it has come, `next_action` what is to be done, by whom and until when.",
    ),
)
class PaymentViewSet(
    StrictQuery, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Payment]
):
    permission_classes = (IsSomebody,)
    serializer_class = PaymentOut
    pagination_class = NewestFirst
    filter_backends = (filters.DjangoFilterBackend,)
    filterset_class = PaymentFilters
    guest_schemes = (ORDER_TOKEN,)
    lookup_value_regex = UUID_PATTERN

    def get_queryset(self) -> QuerySet[Payment]:
        return payments_visible_to(Principal.of_api(self.request)).select_related("order")

    def get_serializer_context(self) -> dict[str, Any]:
        return {"store": store_rules()}

    @operation(
        "payment_intent",
        "Pay an order",
        request=IntentIn,
        responses={200: PaymentShape, 201: PaymentShape},
        problems=(MethodNotOffered, AmountMismatch, NothingDue, Conflict, Missing),
    )
    @action(detail=False, methods=["post"])
    def intents(self, request: Request) -> Response:
        """Pay an order: answers 201 with a new payment, 200 with the open one of the same method."""
        data = validated(IntentIn, request.data)
        principal = Principal.of_api(request)
        order = orders_visible_to(principal).filter(pk=data["order_id"]).first()
        if order is None:
            raise Missing("There is no such order.")
        payment, is_new = payment_choose(
            order_id=order.pk,
            method=method_read(data["payment_method"], data.get("payment_provider")),
            actor=principal.user,
            amount=data.get("amount"),
            currency=data.get("currency"),
        )
        return Response(payment_out(payment, payment.order, store_rules()), status=201 if is_new else 200)
