"""What payments store about a buyer: how it is found, exported and erased (artisans/core/personal_data.py)."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.core.personal_data import (
    ACTIONS,
    COLLECTORS,
    PENDING,
    REFUSALS,
    Holding,
    Person,
    register,
    scrub_texts,
)
from payments.bookkeeping.provider_calls import provider_call_enqueue
from payments.bookkeeping.saved_methods import list_changed, user_lock
from payments.models import (
    CallState,
    Dispute,
    EventState,
    Operation,
    Payment,
    PaymentFlag,
    PaymentMethodInfo,
    PaymentRefund,
    ProviderCall,
    ProviderCustomer,
    RefundDecision,
    WebhookEvent,
)
from payments.statuses import OPEN, DisputeStatus, PaymentStatus, RefundStatus

KEPT_OF_REQUESTS = ("token_version", "object_id", "cause", "payment_id")
SETTLED_CALLS = (CallState.DONE, CallState.REFUSED)  # the others need their request, or staff do
SETTLED_EVENTS = (EventState.DONE, EventState.IGNORED, EventState.DEAD)
REPEAT_AFTER = timedelta(hours=25)  # providers repeat their response to the same key for a day
ABOUT_METHODS = (Operation.SAVE, Operation.DETACH)


def request_erased(person: Person, request: dict[str, Any]) -> dict[str, Any]:
    """Only the parts of a call that later calls and events refer to."""
    return {
        name: value
        for name, value in request.items()
        if name in KEPT_OF_REQUESTS or name.startswith("approved_by_")
    }


def content_erased(person: Person, content: Any) -> Any:
    """An event without its payload and the ids of customers and methods."""
    gone = {"payload", "customer_id", "method_id"}
    return {name: scrub_texts(person, value) for name, value in content.items() if name not in gone}


def of_payment(person: Person) -> Q:
    return Q(payment__in=person.of("payments"))


def of_refund(person: Person) -> Q:
    return Q(refund__in=person.of("refunds"))


def calls_of(person: Person) -> Q:
    own = of_payment(person) | Q(method__in=person.of("saved_methods"))
    return own | Q(user=person.user_id) if person.user_id else own


def events_of(person: Person) -> Q:
    """Events about payments, and about saved methods by the provider's ids."""
    known = person.of("provider_ids")
    about_methods = Q(content__customer_id__in=known) | Q(content__setup_id__in=known)
    return Q(state__in=SETTLED_EVENTS) & (of_payment(person) | (about_methods if known else Q(pk__in=[])))


HOLDINGS = (
    Holding(
        "payments.Payment",
        "payments",
        lambda person: Q(pk__in=person.of("payments")),
        export=(
            *(
                "id",
                "payment_number",
                "order_id",
                "created_at",
                "status",
                "payment_method",
                "payment_provider",
            ),
            *(
                "currency",
                "amount_minor",
                "received_minor",
                "refunded_minor",
                "completed_at",
                "failure_reason",
            ),
        ),
        scrub=("failure_reason",),
    ),
    Holding(
        "payments.PaymentTransition",
        "payment_history",
        of_payment,
        export=("payment_id", "at", "old", "new", "cause"),
        scrub=("cause", "actor_name"),
    ),
    Holding(
        "payments.PaymentAttempt",
        "payment_attempts",
        of_payment,
        export=(
            "payment_id",
            "tried_at",
            "outcome",
            "currency",
            "amount_minor",
            "method",
            "brand",
            "last_four",
        ),
        clear={"last_four": "", "fingerprint_hash": ""},
    ),
    Holding("payments.Capture", "captures", of_payment, scrub=("actor_name",)),
    Holding(
        "payments.Receipt",
        "receipts",
        of_payment,
        export=("payment_id", "created_at", "value_date", "currency", "amount_minor", "bank_reference"),
        scrub=("actor_name",),
    ),
    Holding(
        "payments.ReceiptReversal",
        "receipt_reversals",
        lambda person: Q(receipt__payment__in=person.of("payments")),
        export=("receipt_id", "created_at", "reason", "note"),
        scrub=("note", "actor_name"),
    ),
    Holding(
        "payments.PaymentRefund",
        "refunds",
        lambda person: Q(pk__in=person.of("refunds")),
        export=(
            *("id", "refund_number", "payment_id", "created_at", "status", "currency", "amount_minor"),
            *("reason", "bank_reference"),
        ),
        scrub=("reason", "failure_reason"),
    ),
    Holding(
        "payments.RefundTransition",
        "refund_history",
        of_refund,
        export=("refund_id", "at", "old", "new", "cause"),
        scrub=("cause", "actor_name"),
    ),
    Holding(
        "payments.Dispute",
        "disputes",
        of_payment,
        export=("payment_id", "created_at", "status", "currency", "amount_minor", "reason"),
    ),
    Holding(
        "payments.FraudWarning",
        "fraud_warnings",
        of_payment,
        export=("payment_id", "warned_at", "fraud_type"),
    ),
    Holding(
        "payments.DisputeTransition",
        "dispute_history",
        lambda person: Q(dispute__payment__in=person.of("payments")),
        scrub=("cause", "actor_name"),
    ),
    Holding("payments.PaymentFlag", "payment_flags", of_payment, scrub=("detail", "resolution")),
    Holding(
        "payments.PaymentMethodInfo",
        "saved_methods",
        lambda person: Q(pk__in=person.of("saved_methods")),
        export=(
            *(
                "id",
                "created_at",
                "consented_at",
                "payment_method",
                "provider",
                "card_brand",
                "card_last_four",
            ),
            *("card_exp_month", "card_exp_year", "account_email", "is_active"),
        ),
        clear={
            "provider_method_id": "",
            "provider_method_hash": "",
            "card_brand": "",
            "card_last_four": "",
            "card_exp_month": None,
            "card_exp_year": None,
            "account_email": "",
        },
        identify=("account_email",),
    ),
    Holding(
        "payments.ProviderCustomer",
        "provider_customers",
        lambda person: Q(user__in=person.of("users")),
        export=("provider", "customer_id"),
    ),  # deleted by `provider_accounts_forget`
    Holding(
        "payments.ProviderCall",
        "provider_calls",
        lambda person: calls_of(person) & Q(state__in=SETTLED_CALLS),
        clear={"request": request_erased},
        scrub=("error",),
    ),
    Holding(
        "payments.WebhookEvent",
        "provider_events",
        events_of,
        export=("created_at", "provider", "kind", "content"),
        clear={"content": content_erased},
        scrub=("note",),
    ),
)
IMPERSONAL = {
    "payments.Payment": {
        *(
            "payment_number",
            "payment_method",
            "payment_provider",
            "status",
            "currency",
            "provider_payment_id",
        ),
        *("failure_code", "pending_reason", "pending_code"),
    },
    "payments.PaymentTransition": {"old", "new"},
    "payments.PaymentAttempt": {
        *(
            "provider",
            "attempt_id",
            "outcome",
            "decline_group",
            "decline_code",
            "currency",
            "method",
            "brand",
        ),
        *(
            "funding",
            "card_country",
            "wallet",
            "cvc_check",
            "postal_code_check",
            "three_d_secure",
            "risk_level",
        ),
        *("address_check", "three_d_secure_flow", "liability", "verdict", "network_status"),
        *("network_decline_code", "advice_code", "provider_reason"),
    },
    "payments.Capture": {"provider", "provider_capture_id", "currency"},
    "payments.ProviderMovement": {
        *("provider", "external_id", "kind", "code", "source_id", "provider_capture_id", "currency"),
        *("charged_currency", "explained_by", "close_reason"),  # of the staff
    },
    # a bank's reference identifies the transfer in the books, which the law requires to be kept
    "payments.Receipt": {"currency", "bank_reference", "reference_key", "holder"},
    "payments.CashDeposit": {
        *("status", "holder", "currency", "bank_reference", "reference_key"),
        "reversal_reason",  # of the staff
    },
    "payments.CashDepositLine": {"status", "currency"},
    "payments.ReceiptReversal": {"reason"},
    "payments.PaymentRefund": {
        *("refund_number", "status", "origin", "currency", "decision", "provider_refund_id"),
        *("bank_reference", "reference_key", "borne_by", "paid_from"),
    },
    "payments.RefundLine": {"currency"},
    "payments.RefundShare": {"currency"},
    "payments.Earning": {"currency", "status"},
    "payments.RefundTransition": {"old", "new"},
    "payments.Dispute": {"provider", "provider_dispute_id", "currency", "status", "reason"},
    "payments.FraudWarning": {"provider", "provider_warning_id", "fraud_type"},
    "payments.DisputeTransition": {"old", "new", "currency"},
    "payments.PaymentFlag": {"kind"},
    "payments.PaymentMethodInfo": {"payment_method", "provider", "account"},
    "payments.ProviderCustomer": {"provider", "customer_id", "account"},
    "payments.ProviderCall": {"provider", "operation", "object_id", "state"},
    "payments.ProviderRequest": {"provider", "operation", "outcome", "error_code", "request_id"},
    "payments.Transaction": {"key", "kind"},  # as in the ledger
    "payments.ProviderAlert": {"provider", "part", "detail"},
    "payments.ReconciliationRun": {
        "balances",
        "provider",
        "differences",
        "closed",
        "error",
    },  # ids and amounts
    "payments.WebhookRefusal": {"provider", "reason"},
    "payments.WebhookEvent": {"provider", "event_id", "kind", "state"},
}


# ---- finding rows ----------------------------------------------------------------------------------------------------


def find_payments(person: Person) -> Iterable[UUID]:
    return Payment.objects.filter(Q(order__in=person.of("orders"))).values_list("pk", flat=True)


def find_refunds(person: Person) -> Iterable[UUID]:
    return PaymentRefund.objects.filter(Q(payment__in=person.of("payments"))).values_list("pk", flat=True)


def find_methods(person: Person) -> Iterable[UUID]:
    return PaymentMethodInfo.objects.filter(Q(user__in=person.of("users"))).values_list("pk", flat=True)


def find_provider_ids(person: Person) -> Iterable[str]:
    """The person's customers and setups at the providers."""
    customers = ProviderCustomer.objects.filter(Q(user__in=person.of("users")))
    setups = ProviderCall.objects.filter(Q(user__in=person.of("users")), operation=Operation.SAVE)
    yield from customers.values_list("customer_id", flat=True)
    yield from setups.exclude(object_id="").values_list("object_id", flat=True)


# ---- refusals --------------------------------------------------------------------------------------------------------


def payment_refusals(person: Person) -> Iterator[str]:
    payments = Payment.objects.filter(Q(pk__in=person.of("payments"))).select_related("order")
    for payment in payments.filter(status__in=OPEN).order_by("created_at"):
        number = {"number": payment.order.order_number}
        if payment.status == PaymentStatus.PROCESSING:
            yield _("A payment for order %(number)s is being processed.") % number
        else:
            yield _("A payment for order %(number)s is open.") % number
    about: dict[str, QuerySet[Any]] = {
        _("A refund for order %(number)s is in progress."): PaymentRefund.objects.filter(
            Q(status__in=[RefundStatus.REQUESTED, RefundStatus.PROCESSING])
            | Q(decision=RefundDecision.PENDING)
        ),
        _("A payment for order %(number)s is disputed."): Dispute.objects.filter(status=DisputeStatus.OPEN),
        _("A payment for order %(number)s is being reviewed by the shop’s staff."): (
            PaymentFlag.objects.filter(resolved_at=None)
        ),
        _("A notification from the payment provider about order %(number)s is not processed yet."): (
            WebhookEvent.objects.exclude(state__in=SETTLED_EVENTS)
        ),
    }
    for sentence, rows in about.items():
        numbers = rows.filter(of_payment(person)).order_by("created_at")
        for number in numbers.values_list("payment__order__order_number", flat=True):
            yield sentence % {"number": number}


def call_refusals(person: Person) -> Iterator[str]:
    calls = ProviderCall.objects.filter(calls_of(person), state=CallState.OPEN)
    if calls.filter(operation=Operation.SAVE).exists():
        yield _("A payment method is being saved.")
    for number in calls.filter(payment__isnull=False).values_list("payment__order__order_number", flat=True):
        yield _("A payment for order %(number)s is being processed.") % {"number": number}


# ---- at the providers ------------------------------------------------------------------------------------------------


def provider_accounts_forget(person: Person) -> None:
    """Remove the saved methods and customers here, and write the calls that delete them at the providers. A call that
    was refused is repeated each day: staff delete the customer in the provider's dashboard meanwhile."""
    for user_id in person.of("users"):
        with transaction.atomic():
            user = user_lock(UUID(user_id))
            saving = ProviderCall.objects.filter(user=user, operation=Operation.SAVE, state=CallState.DONE)
            saving.filter(method=None).update(state=CallState.REFUSED)  # no later event saves a method
            for method in PaymentMethodInfo.objects.filter(user=user, is_active=True):
                provider_call_enqueue(
                    Operation.DETACH,
                    provider=method.provider,
                    user=user,
                    method=method,
                    request={"method_id": method.provider_method_id},
                )
                method.is_active = method.is_default = False
                method.save(update_fields=["is_active", "is_default", "updated_at"])
            for customer in ProviderCustomer.objects.filter(user=user):
                provider_call_enqueue(
                    Operation.DETACH,
                    provider=customer.provider,
                    user=user,
                    request={"customer_id": customer.customer_id},
                )
                customer.delete()
            refused_calls_repeat(user)
            list_changed(user.pk)


def refused_calls_repeat(user: User) -> None:
    now = timezone.now()
    refused = ProviderCall.objects.filter(user=user, operation=Operation.DETACH, state=CallState.STUCK)
    refused.filter(request_deleted_at=None, finished_at__lt=now - REPEAT_AFTER).update(
        state=CallState.OPEN, finished_at=None, next_try_at=now, updated_at=now
    )


def provider_answers_awaited(person: Person) -> Iterator[str]:
    calls = ProviderCall.objects.filter(Q(user__in=person.of("users")), operation__in=ABOUT_METHODS)
    if calls.filter(state=CallState.OPEN).exists():
        yield _("A payment provider has not responded yet.")
    for call in calls.filter(state=CallState.STUCK):
        yield _(
            "%(provider)s refused to delete a saved payment method or the customer: %(error)s. Delete it in the "
            "provider’s dashboard; the shop repeats the request each day."
        ) % {"provider": call.get_provider_display(), "error": call.error or "–"}


register(*HOLDINGS, impersonal=IMPERSONAL)
COLLECTORS.update(
    {
        "payments": find_payments,
        "refunds": find_refunds,
        "saved_methods": find_methods,
        "provider_ids": find_provider_ids,
    }
)
REFUSALS.extend([payment_refusals, call_refusals])
ACTIONS.append(provider_accounts_forget)
PENDING.append(provider_answers_awaited)
