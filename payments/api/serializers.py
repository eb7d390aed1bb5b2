from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.response import Response

from artisans.approvals.models import ApprovalRequest
from artisans.core.api.fields import (
    IdField,
    StrictBooleanField,
    StrictCharField,
    StrictDecimalField,
    StrictIntegerField,
    StrictSerializer,
    utc,
)
from artisans.core.api.openapi import example
from orders.models import Order, StoreRules
from orders.schemas import ORDER_ID
from orders.selectors import store_rules
from payments.api.schemas import EXAMPLE_PROVIDER, MethodField, ProviderField, RemoteProviderField
from payments.gateway.payments import PaymentResult
from payments.lifecycle.instructions import payment_instructions
from payments.lifecycle.offer import parse_method
from payments.lifecycle.saved_methods import MethodSetup
from payments.methods import OFFLINE_METHODS, PaymentMethod
from payments.models import Payment
from payments.providers.contract import Action, ActionKind
from payments.providers.facts import PageKind
from payments.providers.registry import find_facts, public_values, remote_providers
from payments.statuses import OPEN, PaymentStatus

REMOTE_PROVIDERS = [facts.name for facts in remote_providers()]
REMOTE_METHODS = [method.value for method in PaymentMethod if method not in OFFLINE_METHODS]


class ExpandIn(StrictSerializer):
    expand = serializers.ChoiceField(
        choices=["next_action"],
        required=False,
        help_text="Read the provider and return the full `next_action`.",
    )


@example({"payment_intent_id": "pi_1234567890", "payment_method_id": "pm_1234567890"})
class ConfirmIn(StrictSerializer):
    payment_intent_id = StrictCharField(
        max_length=120, help_text="The provider's id of the payment, or ours."
    )
    payment_method_id = StrictCharField(
        max_length=120,
        required=False,
        help_text="A saved method, or the provider's token; if omitted, the payment is read from the provider.",
    )


class MethodIn(StrictSerializer):
    """A token, or `setup` to start a setup in the browser, or `setup_id` to finish it."""

    provider = RemoteProviderField()
    payment_method = serializers.ChoiceField(choices=REMOTE_METHODS, required=False)
    provider_method_id = StrictCharField(
        max_length=120, required=False, help_text="The token created by the provider's script."
    )
    setup = StrictBooleanField(required=False, help_text="Start a setup in the browser.")
    setup_id = StrictCharField(max_length=120, required=False, help_text="Finish the setup that was started.")
    is_default = StrictBooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        ways = [name for name in ("provider_method_id", "setup", "setup_id") if attrs.get(name)]
        if len(ways) != 1:
            raise serializers.ValidationError(
                _("Send exactly one of provider_method_id, setup and setup_id."), "one_wanted"
            )
        if "payment_method" in attrs:
            parse_method(attrs["payment_method"], attrs["provider"])
        return attrs


@example(
    {
        "payment_method": "credit_card",
        "provider": EXAMPLE_PROVIDER.name,
        "provider_method_id": "pm_1234567890",
        "is_default": True,
    },
    In_the_browser={"provider": EXAMPLE_PROVIDER.name, "setup": True},
    Test_card={
        "payment_method": "credit_card",
        "provider": EXAMPLE_PROVIDER.name,
        "card_number": "4242424242424242",
        "card_exp_month": 12,
        "card_exp_year": 2025,
        "card_cvc": "123",
        "is_default": True,
    },
)
class MethodBody(MethodIn):
    """In test mode a published test number of the provider may replace its token; any other is refused."""

    card_number = StrictCharField(max_length=40, required=False, help_text="Test mode only.")
    card_exp_month = StrictIntegerField(required=False, help_text="Test mode only; ignored.")
    card_exp_year = StrictIntegerField(required=False, help_text="Test mode only; ignored.")
    card_cvc = StrictCharField(max_length=10, required=False, help_text="Test mode only; ignored.")


@example({"is_default": True})
class MethodChangeIn(StrictSerializer):
    is_default = StrictBooleanField(help_text="Only true; to change the default, choose another method.")


@example(
    {
        "order_id": ORDER_ID,
        "amount": "99.99",
        "currency": "USD",
        "payment_method": "bank_transfer",
        "payment_provider": "manual",
    }
)
class IntentIn(StrictSerializer):
    order_id = IdField()
    payment_method = MethodField()
    payment_provider = ProviderField(required=False)
    amount = StrictDecimalField(required=False)
    currency = StrictCharField(max_length=3, required=False)
    customer_email = serializers.EmailField(required=False)


def method_out(row: dict[str, Any]) -> dict[str, Any]:
    """A saved method, from a row of `methods_of`, without its provider's token."""
    return row | {"created_at": utc(row["created_at"])}


def setup_out(setup: MethodSetup, provider: str) -> dict[str, Any]:
    """A setup that the buyer has to complete."""
    shape = action_out(setup.action, provider) if setup.action else None
    return {"setup_id": setup.setup_id, "status": "pending", "next_action": shape}


def next_action(
    payment: Payment, order: Order, store: StoreRules, action: Action | None = None
) -> dict[str, Any] | None:
    """What the client has to do next; None when there is nothing.

    `action`: what the provider requires of the buyer, if it was just read. Without it only the type is given,
    because secrets are not stored: `GET …?expand=next_action` reads them again.
    """
    if payment.is_remote:
        return remote_action(payment, action)
    found = payment_instructions(payment, order, store)
    if found is None:
        return None
    kind = "pay_on_delivery" if found.kind == "cash_on_delivery" else "transfer_money"
    return {
        "type": kind,
        "amount": found.amount.amount,
        "currency": found.amount.currency,
        "reference": found.reference,
        "due": found.due.isoformat() if found.due else None,
        "details": [{"label": row.label, "value": row.value} for row in found.rows],
        "text": list(found.text),
    }


def remote_action(payment: Payment, action: Action | None) -> dict[str, Any] | None:
    if payment.status == PaymentStatus.PROCESSING:
        text = "Do not pay again. We are checking; ask for the payment in a moment."
        return {"type": "wait", "poll": f"/payments/{payment.pk}", "text": [text]}
    if payment.status not in OPEN:
        return None
    if action is not None:
        return action_out(action, payment.payment_provider)
    facts = find_facts(payment.payment_provider)
    is_element = facts is not None and facts.page is not None and facts.page.kind == PageKind.ELEMENT
    kind = ActionKind.CONFIRM if is_element else ActionKind.REDIRECT
    shape = action_kind(kind, payment.payment_provider)
    return shape | {"expand": f"/payments/{payment.pk}?expand=next_action"}


def action_out(action: Action, provider: str) -> dict[str, Any]:
    shape = action_kind(action.kind, provider)
    return shape | ({"url": action.url} if action.url else {"client_secret": action.client_secret})


def action_kind(kind: ActionKind, provider: str) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": kind.value, "provider": provider}
    if kind == ActionKind.CONFIRM:
        shape |= public_values(provider)
    return shape


def payment_out(
    payment: Payment, order: Order, store: StoreRules, action: Action | None = None
) -> dict[str, Any]:
    secret = {"client_secret": action.client_secret} if action and action.client_secret else {}
    return secret | {
        "id": str(payment.pk),
        "payment_number": payment.payment_number,
        "order_id": str(payment.order_id),
        "amount": payment.amount.amount,
        "received_amount": payment.received.amount,
        "refunded_amount": payment.refunded.amount,
        "currency": payment.currency,
        "payment_method": payment.payment_method,
        "payment_provider": payment.payment_provider,
        "status": payment.status,
        "next_action": next_action(payment, order, store, action),
        "provider_payment_id": payment.provider_payment_id,
        "failure_reason": payment.failure_reason,
        "created_at": utc(payment.created_at),
        "processed_at": utc(payment.processed_at),
        "completed_at": utc(payment.completed_at),
    }


def result_out(result: PaymentResult) -> dict[str, Any]:
    """A payment after a call to its provider."""
    payment = result.payment
    return payment_out(payment, payment.order, store_rules(), result.action)


class PaymentOut(serializers.BaseSerializer[Payment]):
    def to_representation(self, payment: Payment) -> dict[str, Any]:
        return payment_out(payment, payment.order, self.context["store"])


def approval_answer(approval: ApprovalRequest) -> Response:
    """202: the request awaits a second person's approval."""
    body = {
        "approval_id": approval.pk,
        "status": approval.status,
        "title": approval.title,
        "expires_at": approval.expires_at,
    }
    return Response(body, status=202)
