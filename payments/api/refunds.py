"""Refunds and payment timelines. Buyers read their own; staff with the permission read all, and refund."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.models import Scope
from artisans.accounts.permissions import IsUserOrGuest
from artisans.accounts.principals import Principal
from artisans.approvals.errors import ApprovalPending, NobodyElse
from artisans.approvals.models import ApprovalRequest
from artisans.core.api.fields import validated
from artisans.core.api.filters import CreatedFilters, IdFilter
from artisans.core.api.openapi import ORDER_TOKEN, described, operation
from artisans.core.api.views import ApiView, limited
from artisans.core.errors import InvalidInput, NotFound
from artisans.core.idempotency.api import idempotent
from artisans.core.idempotency.keys import effect_id
from orders.errors import NotReleased, ParcelChanged
from payments.api.refund_serializers import (
    RefundIn,
    RefundOut,
    fact_out,
    parse_amount,
    parse_decisions,
    parse_selection,
    refund_out,
)
from payments.api.schemas import ApprovalShape, RefundShape, TimelineShape
from payments.api.serializers import approval_answer
from payments.approvals import refund_submit
from payments.errors import (
    NoPermission,
    NothingToRestock,
    OwnOrder,
    PaymentDisputed,
    RecordedOnly,
    RefundExceedsReceived,
    RefundMismatch,
    UnitsAlreadyRefunded,
)
from payments.history import facts_of
from payments.models import Bearer, Payment, PaymentRefund
from payments.refunds.staff import refund_send
from payments.selectors import payments_for_staff, payments_readable_by, refunds_readable_by
from payments.statuses import RefundStatus


def refund_replay(request: Request, reference: str) -> Response:
    if reference.startswith("approval:"):
        return approval_answer(ApprovalRequest.objects.get(pk=effect_id(reference)))
    refund = PaymentRefund.objects.get(pk=effect_id(reference))
    return Response(refund_out(refund_send(refund)), status=201)


class RefundFilters(CreatedFilters):
    payment = IdFilter("payment_id", help_text="Id of the payment.")
    status = filters.ChoiceFilter(choices=RefundStatus.choices, help_text="The refund's status.")


@described(
    list=operation(
        "refund_list",
        "List refunds",
        responses=RefundShape(many=True),
        description="Refunds of your own payments; staff with the permission see all, with a token of scope `staff` or "
        "`refunds`.",
    ),
    retrieve=operation(
        "refund_get",
        "Show a refund",
        responses=RefundShape,
        description="A refund can fail after it was COMPLETED, when the bank returns it.",
    ),
)
class RefundViewSet(
    ApiView, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[PaymentRefund]
):
    permission_classes = (IsUserOrGuest,)
    serializer_class = RefundOut
    filterset_class = RefundFilters
    guest_schemes = (ORDER_TOKEN,)
    scopes = {"create": Scope.REFUNDS.value}

    def get_queryset(self) -> QuerySet[PaymentRefund]:
        return refunds_readable_by(Principal.from_api(self.request)).prefetch_related("lines")

    @operation(
        "refund_make",
        "Refund a payment",
        request=RefundIn,
        responses={201: RefundShape, 202: ApprovalShape},
        problems=(
            InvalidInput,
            NoPermission,
            OwnOrder,
            NotFound,
            RecordedOnly,
            PaymentDisputed,
            RefundExceedsReceived,
            RefundMismatch,
            UnitsAlreadyRefunded,
            NothingToRestock,
            ApprovalPending,
            NobodyElse,
            NotReleased,
            ParcelChanged,
        ),
    )
    @limited("refunds")
    @idempotent(replay=refund_replay)
    def create(self, request: Request) -> Response:
        """Refund an amount, or units of the order. The provider is called at once, and 201 returns the
        result.

        PROCESSING or REQUESTED: in progress or unknown; poll with GET. The amount stays reserved.
        """
        data = validated(RefundIn, request.data)
        principal = Principal.from_api(request)
        payment = payments_readable_by(principal).filter(pk=data["payment_id"]).first()
        if payment is None:
            raise NotFound(_("Payment not found."))
        if principal.user is None:
            raise NoPermission
        refund = refund_submit(
            payment_id=payment.pk,
            reason=data["reason"],
            actor=principal.user,
            amount=parse_amount(data, payment),
            items=parse_selection(data),
            parcels=parse_decisions(data),
            borne_by=Bearer(data.get("borne_by", Bearer.ARTISAN)),
        )
        if isinstance(refund, ApprovalRequest):
            return approval_answer(refund)
        return Response(refund_out(refund_send(refund)), status=201)


class TimelineViewSet(ApiView, viewsets.GenericViewSet[Payment]):
    permission_classes = (IsUserOrGuest,)
    guest_schemes = (ORDER_TOKEN,)

    def get_queryset(self) -> QuerySet[Payment]:
        return payments_readable_by(Principal.from_api(self.request))

    @operation("payment_timeline", "Show the timeline of a payment", responses=TimelineShape)
    @action(detail=True, methods=["get"])
    def timeline(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Everything that happened to a payment, oldest first: statuses, receipts, refunds, disputes."""
        payment = self.get_object()
        is_staff = payments_for_staff(Principal.from_api(request)).filter(pk=payment.pk).exists()
        return Response({"results": [fact_out(fact, is_staff=is_staff) for fact in facts_of([payment])]})
