import re
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.permissions import IsUserOrGuest
from artisans.accounts.principals import Principal
from artisans.core.api.fields import UUID_PATTERN, validated
from artisans.core.api.filters import CreatedFilters, IdFilter
from artisans.core.api.openapi import ORDER_TOKEN, described, operation
from artisans.core.api.views import ApiView, limited
from artisans.core.errors import NotFound
from artisans.core.idempotency.api import idempotent
from artisans.core.idempotency.keys import effect_id
from artisans.core.security.card_data import RawCardData
from orders.holds import TooManyOpenOrders, TooManyUnitsHeld
from orders.selectors import orders_visible_to, store_rules
from payments.api.schemas import PaymentShape
from payments.api.serializers import ConfirmIn, ExpandIn, IntentIn, PaymentOut, payment_out, result_out
from payments.errors import (
    AmountMismatch,
    AmountTooLarge,
    AmountTooSmall,
    CurrencyNotTaken,
    MethodNotOffered,
    MethodNotUsable,
    MethodRemoved,
    NotConfirmable,
    NothingDue,
    PaymentBusy,
    PaymentDeclined,
    PaymentInProgress,
    ProviderUnavailable,
)
from payments.gateway.payments import payment_action, payment_ensure_at_provider
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.offer import parse_method
from payments.lifecycle.saved_methods import payment_pay
from payments.methods import PaymentMethod
from payments.models import Payment, ProviderCall
from payments.providers.registry import provider_choices
from payments.selectors import payments_readable_by, payments_visible_to
from payments.statuses import PaymentStatus

READ = ("list", "retrieve")
UNSEEN = ("order__shipping_address", "order__billing_address")  # not in the response


def payment_replay(request: Request, reference: str) -> Response:
    visible = payments_visible_to(Principal.from_api(request)).select_related("order")
    payment = visible.filter(pk=effect_id(reference)).first()
    if payment is None:
        raise NotFound(_("Payment not found."))
    return Response(result_out(payment_ensure_at_provider(payment)), status=201)


class ProviderFilter(filters.ChoiceFilter):
    """Accepts the providers that are registered when it is used."""

    @property
    def field(self) -> Any:
        self.__dict__.pop("_field", None)  # built from the choices of an earlier use
        self.extra["choices"] = provider_choices()
        return super().field


class PaymentFilters(CreatedFilters):
    order = IdFilter("order_id", help_text="Id of the order.")
    status = filters.ChoiceFilter(choices=PaymentStatus.choices, help_text="The payment's status.")
    payment_method = filters.ChoiceFilter(choices=PaymentMethod.choices, help_text="The payment method.")
    payment_provider = ProviderFilter(choices=provider_choices(), help_text="The payment provider.")


@described(
    list=operation(
        "payment_list",
        "List payments",
        responses=PaymentShape(many=True),
        description="With a bearer token all payments of the account, with an order's token those of that order. "
        "Staff with the permission see all payments, with a token of scope `staff` or `refunds`.",
    ),
)
class PaymentViewSet(
    ApiView, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Payment]
):
    permission_classes = (IsUserOrGuest,)
    serializer_class = PaymentOut
    filterset_class = PaymentFilters
    guest_schemes = (ORDER_TOKEN,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Access by a link is checked before an earlier response is repeated. Errors: NotFound."""
        super().initial(request, *args, **kwargs)
        principal = Principal.from_api(request)
        is_by_link = principal.order_link is not None and "Idempotency-Key" in request.headers
        if is_by_link and not orders_visible_to(principal).exists():
            raise NotFound(_("Order not found."))

    def get_queryset(self) -> QuerySet[Payment]:
        principal, reads = Principal.from_api(self.request), self.action in READ
        found = payments_readable_by(principal) if reads else payments_visible_to(principal)
        return found.select_related("order").defer(*UNSEEN)

    def get_serializer_context(self) -> dict[str, Any]:
        return {"store": store_rules()}

    @operation(
        "payment_get",
        "Show a payment",
        query=ExpandIn,
        responses=PaymentShape,
        problems=(ProviderUnavailable,),
    )
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """`status` is the payment's state, `next_action` what has to be done, by whom and until when.

        With `?expand=next_action` the provider is read, and the response contains what the buyer needs to pay
        now.
        """
        payment = self.get_object()
        fields = validated(ExpandIn, request.query_params.dict())
        action = payment_action(payment) if fields.get("expand") else None
        payment = self.get_object() if fields.get("expand") else payment
        return Response(payment_out(payment, payment.order, store_rules(), action))

    @operation(
        "payment_confirm",
        "Confirm a payment",
        request=ConfirmIn,
        responses=PaymentShape,
        problems=(
            PaymentDeclined,
            MethodNotUsable,
            AmountTooLarge,
            RawCardData,
            NotConfirmable,
            NothingDue,
            AmountMismatch,
            PaymentBusy,
            PaymentInProgress,
            MethodRemoved,
            NotFound,
            ProviderUnavailable,
        ),
    )
    @limited("confirms")
    @action(detail=False, methods=["post"])
    def confirm(self, request: Request) -> Response:
        """Pay with a saved method or a token of the provider's script. Repeating it after success returns the
        same response.

        Without `payment_method_id` the provider is read to see whether the buyer paid in the browser. If the
        bank requires authentication, that is no error: `next_action` of the response says where. A payment over
        another amount than the one due is not charged; start a new one.
        """
        data = validated(ConfirmIn, request.data)
        payment = self.by_intent(data["payment_intent_id"])
        user = Principal.from_api(request).user
        result = payment_pay(payment.pk, user=user, method_reference=data.get("payment_method_id", ""))
        return Response(result_out(result))

    def by_intent(self, intent_id: str) -> Payment:
        """A payment by the provider's id (current or replaced), or by ours."""
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
            raise NotFound(_("Payment not found."))
        return payment

    @operation(
        "payment_intent",
        "Pay an order",
        request=IntentIn,
        responses={200: PaymentShape, 201: PaymentShape},
        problems=(
            MethodNotOffered,
            AmountTooSmall,
            AmountTooLarge,
            CurrencyNotTaken,
            AmountMismatch,
            NothingDue,
            PaymentInProgress,
            TooManyOpenOrders,
            TooManyUnitsHeld,
            NotFound,
        ),
    )
    @limited("intents")
    @idempotent(replay=payment_replay)
    @action(detail=False, methods=["post"])
    def intents(self, request: Request) -> Response:
        """Pay an order: 201 with a new payment, or 200 with the open one of the same method.

        `next_action` says what to do next: confirm with the client secret, redirect to a page, or make a
        transfer. If the provider does not respond, that is no error: the payment is PROCESSING and is not
        charged a second time.
        """
        data = validated(IntentIn, request.data)
        principal = Principal.from_api(request)
        order = orders_visible_to(principal).filter(pk=data["order_id"]).first()
        if order is None:
            raise NotFound(_("Order not found."))
        chosen = payment_choose_method(
            order_id=order.pk,
            method=parse_method(data["payment_method"], data.get("payment_provider")),
            provider=data.get("payment_provider", ""),
            actor=principal.user,
            amount=data.get("amount"),
            currency=data.get("currency"),
        )
        return Response(result_out(chosen.result), status=201 if chosen.is_new else 200)
