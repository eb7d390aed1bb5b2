from typing import Any

from django.db.models import QuerySet
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.permissions import IsSomebody
from artisans.accounts.principals import Principal
from artisans.core.api import UUID_PATTERN, NewestFirst, validated
from artisans.core.api_views import ApiView, idempotent, limited
from artisans.core.errors import Missing
from artisans.core.idempotency import effect_id
from orders.selectors import orders_visible_to, store_rules
from payments.models import Payment
from payments.selectors import payments_visible_to
from payments.serializers import IntentIn, PaymentOut, payment_out
from payments.services.payments import method_read, payment_choose


def payment_replay(request: Request, reference: str) -> Response:
    payment = Payment.objects.select_related("order").get(pk=effect_id(reference))
    return Response(payment_out(payment, payment.order, store_rules()), status=201)


class PaymentViewSet(
    ApiView, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Payment]
):
    permission_classes = (IsSomebody,)
    serializer_class = PaymentOut
    pagination_class = NewestFirst
    lookup_value_regex = UUID_PATTERN

    def get_queryset(self) -> QuerySet[Payment]:
        return payments_visible_to(Principal.of_api(self.request)).select_related("order")

    def get_serializer_context(self) -> dict[str, Any]:
        return {"store": store_rules()}

    @limited("intents")
    @idempotent(replay=payment_replay)
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
