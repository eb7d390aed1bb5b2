"""Response schemas of payments, for the API's description."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from artisans.approvals.statuses import ApprovalStatus
from artisans.core.api.fields import StrictCharField
from artisans.core.api.openapi import AmountShape, example
from orders.schemas import ORDER_ID
from payments.methods import PaymentMethod
from payments.models import Bearer
from payments.providers.registry import provider_choices, remote_providers
from payments.statuses import PaymentStatus, RefundStatus

PROVIDER_CHOICES = provider_choices()
EXAMPLE_PROVIDER = remote_providers()[0]

PAYMENT_ID = "f0e1d2c3-b4a5-4968-8778-695a4b3c2d1e"
METHOD_ID = "5d4c3b2a-1f0e-4d9c-8b7a-695847362514"
PAYMENT = {
    "id": PAYMENT_ID,
    "payment_number": "P4H8WZ2NC",
    "order_id": ORDER_ID,
    "amount": "99.99",
    "received_amount": "0.00",
    "refunded_amount": "0.00",
    "currency": "USD",
    "payment_method": "bank_transfer",
    "payment_provider": "manual",
    "status": "PENDING",
    "next_action": {
        "type": "transfer_money",
        "amount": "99.99",
        "currency": "USD",
        "reference": "K7M2XQ4RT",
        "due": "2026-12-03",
        "details": [{"label": "IBAN", "value": "DE02 1203 0000 0000 2020 51"}],
        "text": ["Transfers take 1 to 3 days."],
    },
    "provider_payment_id": "",
    "failure_reason": "",
    "created_at": "2026-11-26T09:00:00Z",
    "processed_at": None,
    "completed_at": None,
}


class DetailShape(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]  # a member of the answer
    value = serializers.CharField()


class NextActionShape(serializers.Serializer[Any]):
    """What the client has to do next. `type` determines the other fields; new types may be added."""

    type = serializers.CharField()
    provider = serializers.CharField(required=False)
    client_secret = serializers.CharField(required=False, help_text="For the provider's script; not stored.")
    publishable_key = serializers.CharField(required=False)
    script = serializers.CharField(required=False, help_text="URL of the provider's script.")
    url = serializers.CharField(required=False, help_text="Where to redirect the buyer.")
    expand = serializers.CharField(required=False, help_text="Where to read the full next action.")
    poll = serializers.CharField(required=False, help_text="What to poll.")
    amount = AmountShape(required=False)
    currency = serializers.CharField(required=False)
    reference = serializers.CharField(required=False)
    due = serializers.CharField(required=False, allow_null=True)
    details = DetailShape(many=True, required=False)
    text = serializers.ListField(child=serializers.CharField(), required=False)


@example(PAYMENT)
class PaymentShape(serializers.Serializer[Any]):
    client_secret = serializers.CharField(
        required=False,
        allow_null=True,
        help_text="As in `next_action`, when the provider was just read.",
    )
    id = serializers.UUIDField()
    payment_number = serializers.CharField()
    order_id = serializers.UUIDField()
    amount = AmountShape()
    received_amount = AmountShape()
    refunded_amount = AmountShape(help_text="Completed refunds only.")
    currency = serializers.CharField()
    payment_method = serializers.ChoiceField(PaymentMethod.choices)
    payment_provider = serializers.ChoiceField(provider_choices())
    status = serializers.ChoiceField(PaymentStatus.choices)
    next_action = NextActionShape(allow_null=True)
    provider_payment_id = serializers.CharField(allow_blank=True, allow_null=True)
    failure_reason = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    processed_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)


@example(
    {
        "id": METHOD_ID,
        "payment_method": "credit_card",
        "provider": EXAMPLE_PROVIDER.name,
        "card_brand": "visa",
        "card_last_four": "4242",
        "card_exp_month": 12,
        "card_exp_year": 2030,
        "account_email": "",
        "is_default": True,
        "is_expired": False,
        "created_at": "2026-11-26T09:00:00Z",
    }
)
class MethodShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    payment_method = serializers.ChoiceField(PaymentMethod.choices)
    provider = serializers.ChoiceField(provider_choices())
    card_brand = serializers.CharField(allow_blank=True)
    card_last_four = serializers.CharField(allow_blank=True)
    card_exp_month = serializers.IntegerField(allow_null=True)
    card_exp_year = serializers.IntegerField(allow_null=True)
    account_email = serializers.CharField(allow_blank=True, help_text="Of a saved account; empty for a card.")
    is_default = serializers.BooleanField()
    is_expired = serializers.BooleanField()
    created_at = serializers.DateTimeField()


@extend_schema_serializer(many=False)
@example({"next": None, "previous": None, "results": []})
class MethodPageShape(serializers.Serializer[Any]):
    """The list is short, so this is always the only page."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = MethodShape(many=True)


@example(
    {
        "setup_id": "seti_1234567890",
        "status": "pending",
        "next_action": {
            "type": "confirm_with_client_secret",
            "provider": EXAMPLE_PROVIDER.name,
            **EXAMPLE_PROVIDER.public(EXAMPLE_PROVIDER.config()),
            "publishable_key": "pk_test_1234567890",
            "client_secret": "seti_1234567890_secret_1234567890",
        },
    }
)
class SavingShape(serializers.Serializer[Any]):
    """A setup that the buyer completes in the browser; send `setup_id` afterwards."""

    setup_id = serializers.CharField()
    status = serializers.ChoiceField(["pending"])
    next_action = NextActionShape(allow_null=True)


class RefundLineShape(serializers.Serializer[Any]):
    line = serializers.UUIDField(help_text="Id of the order item.")
    quantity = serializers.IntegerField(min_value=1)
    amount = AmountShape()


@example(
    {
        "id": "0a1b2c3d-4e5f-4061-8273-8495a6b7c8d9",
        "refund_number": "R5T9XK2M4",
        "payment_id": PAYMENT_ID,
        "amount": "50.00",
        "shipping": "0.00",
        "currency": "USD",
        "status": "COMPLETED",
        "reason": "Customer requested refund",
        "lines": [],
        "restock": False,
        "borne_by": "artisan",
        "provider_refund_id": "re_1234567890",
        "failure_reason": "",
        "created_at": "2026-11-27T09:00:00Z",
        "processed_at": "2026-11-27T09:00:01Z",
    }
)
class RefundShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    refund_number = serializers.CharField()
    payment_id = serializers.UUIDField()
    amount = AmountShape()
    shipping = AmountShape(help_text="The part of the amount that is shipping.")
    currency = serializers.CharField()
    status = serializers.ChoiceField(RefundStatus.choices)
    reason = serializers.CharField(allow_blank=True)
    lines = RefundLineShape(many=True)
    restock = serializers.BooleanField()
    borne_by = serializers.ChoiceField(Bearer.choices)
    provider_refund_id = serializers.CharField(allow_blank=True, allow_null=True)
    failure_reason = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    processed_at = serializers.DateTimeField(allow_null=True)


@example(
    {
        "approval_id": "7b6a5948-3726-4150-9e8d-7c6b5a493827",
        "status": "PENDING",
        "title": "Record $5,000.00 for order 7KQ2M9XBG",
        "expires_at": "2026-11-29T09:00:00Z",
    }
)
class ApprovalShape(serializers.Serializer[Any]):
    """Nothing has changed yet: a second person decides in the admin."""

    approval_id = serializers.UUIDField()
    status = serializers.ChoiceField(ApprovalStatus.choices)
    title = serializers.CharField()
    expires_at = serializers.DateTimeField()


FACT_KINDS = ["payment", "capture", "receipt", "receipt_taken_back", "refund", "dispute"]
FACT = {
    "at": "2026-11-26T09:00:00Z",
    "kind": "payment",
    "number": "P4H8WZ2NC",
    "old": "PENDING",
    "new": "COMPLETED",
    "amount": None,
    "currency": None,
}


class FactShape(serializers.Serializer[Any]):
    """A change of status has `new`, and `old` unless it is the first; money received has neither."""

    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(FACT_KINDS)
    number = serializers.CharField(allow_blank=True)
    old = serializers.CharField(allow_null=True)
    new = serializers.CharField(allow_null=True)
    amount = AmountShape(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    actor = serializers.CharField(required=False, allow_blank=True, help_text="For staff.")
    cause = serializers.CharField(required=False, allow_blank=True, help_text="For staff.")


@example({"results": [FACT]})
class TimelineShape(serializers.Serializer[Any]):
    results = FactShape(many=True)


class OpenChoiceField(serializers.ChoiceField):
    """Documented by its choices, but accepts any string: whether a method is offered depends on the order."""

    def to_internal_value(self, data: Any) -> str:
        word: str = StrictCharField(max_length=32).run_validation(data)
        return word


class MethodField(OpenChoiceField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=PaymentMethod.choices, **kwargs)


class ProviderField(OpenChoiceField):
    """If omitted, the provider of the method."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=provider_choices(), **kwargs)


class RemoteProviderField(serializers.ChoiceField):
    """A registered provider that takes money itself."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[facts.name for facts in remote_providers()], **kwargs)
