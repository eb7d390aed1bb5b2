import re
from typing import Any

from django.db.models import Q, QuerySet
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
from payments.models import Payment, ProviderCall
from payments.selectors import payments_visible_to
from payments.serializers import ConfirmIn, ExpandIn, IntentIn, PaymentOut, payment_out, reached_out
from payments.services.choosing import payment_choose
from payments.services.methods import payment_pay
from payments.services.payments import method_read
from payments.services.remote import payment_action, payment_reach


def payment_replay(request: Request, reference: str) -> Response:
    payment = Payment.objects.select_related("order").get(pk=effect_id(reference))
    return Response(reached_out(payment_reach(payment)), status=201)


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

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """With `?expand=next_action` the provider is asked, and the answer holds what a buyer needs to pay now."""
        payment = self.get_object()
        wish = validated(ExpandIn, request.query_params.dict())
        action = payment_action(payment) if wish.get("expand") else None
        payment = self.get_object() if wish.get("expand") else payment
        return Response(payment_out(payment, payment.order, store_rules(), action))

    @limited("confirms")
    @action(detail=False, methods=["post"])
    def confirm(self, request: Request) -> Response:
        """Pay with a saved method or a token of the provider's script; asked again after success, the same answer.

        Without `payment_method_id` the provider is asked whether the buyer paid in the browser.
        """
        data = validated(ConfirmIn, request.data)
        payment = self.by_intent(data["payment_intent_id"])
        user = Principal.of_api(request).user
        reached = payment_pay(payment.pk, user=user, wish=data.get("payment_method_id", ""))
        return Response(reached_out(reached))

    def by_intent(self, intent_id: str) -> Payment:
        """By the provider's id (also of an intent that another one has replaced), or by ours."""
        earlier = ProviderCall.objects.filter(object_id=intent_id, refund=None).values("payment")
        found = self.get_queryset().filter(
            Q(provider_payment_id=intent_id) | Q(payment_number=intent_id) | Q(pk__in=earlier)
        )
        payment = found.first() or (
            self.get_queryset().filter(pk=intent_id).first()
            if re.fullmatch(UUID_PATTERN, intent_id)
            else None
        )
        if payment is None:
            raise Missing("There is no such payment.")
        return payment

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
        chosen = payment_choose(
            order_id=order.pk,
            method=method_read(data["payment_method"], data.get("payment_provider")),
            actor=principal.user,
            amount=data.get("amount"),
            currency=data.get("currency"),
        )
        return Response(reached_out(chosen.reached), status=201 if chosen.is_new else 200)
