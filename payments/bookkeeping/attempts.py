"""Attempts to pay at a provider: recorded once each, limited per payment, and watched per network."""

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.core.security.encryption import keyed_hash
from orders.models import Order
from payments.bookkeeping.provider_alerts import alert_raise
from payments.models import AttemptOutcome, Payment, PaymentAttempt, ProviderAlert
from payments.providers.contract import DeclineGroup, RemoteAttempt

TOO_MANY_DECLINES = "too_many_declines"  # the `failure_code` of a payment that was closed for them
ALARM = "declined payments"  # the part of a ProviderAlert
WINDOW = timedelta(hours=1)
FACTS = [  # columns with the name and text of the contract's
    "method",
    "brand",
    "last_four",
    "funding",
    "card_country",
    "wallet",
    "cvc_check",
    "address_check",
    "postal_code_check",
    "three_d_secure",
    "three_d_secure_flow",
    "liability",
    "risk_level",
    "verdict",
    "network_status",
    "network_decline_code",
    "advice_code",
    "provider_reason",
]


def attempts_record(payment: Payment, order: Order, attempts: Sequence[RemoteAttempt]) -> bool:
    """Record the attempts that are not known yet; returns whether a new one was declined. The caller holds the
    payment's lock and saves it."""
    if not attempts:
        return False
    known = set(payment.attempts.values_list("attempt_id", flat=True))
    new = [attempt for attempt in attempts if attempt.attempt_id not in known]
    rows = [build_attempt(payment, attempt, number) for number, attempt in enumerate(new, len(known) + 1)]
    if not rows:
        return False
    PaymentAttempt.objects.bulk_create(rows, ignore_conflicts=True)
    declined = sum(not attempt.is_success for attempt in new)
    payment.declines += declined
    if declined:
        watch_network(payment, order)
    return declined > 0


def known_attempts(payment: Payment) -> frozenset[str]:
    """The provider's ids of the payment's recorded attempts."""
    if not (payment.declines or payment.received_minor):
        return frozenset()
    return frozenset(payment.attempts.values_list("attempt_id", flat=True))


def build_attempt(payment: Payment, attempt: RemoteAttempt, number: int) -> PaymentAttempt:
    facts = {name: str(getattr(attempt, name))[:30] for name in FACTS}
    return PaymentAttempt(
        payment=payment,
        provider=payment.payment_provider,
        attempt_id=attempt.attempt_id,
        number=number,
        outcome=AttemptOutcome.SUCCEEDED if attempt.is_success else AttemptOutcome.DECLINED,
        decline_group="" if attempt.is_success else (attempt.decline or DeclineGroup.DECLINED).value,
        decline_code="" if attempt.is_success else attempt.decline_code[:80],
        currency=attempt.amount.currency,
        amount_minor=attempt.amount.minor,
        tried_at=attempt.at or timezone.now(),
        fingerprint_hash=keyed_hash(attempt.fingerprint) if attempt.fingerprint else "",
        risk_score=attempt.risk_score,
        **facts,
    )


def is_declined_too_often(payment: Payment) -> bool:
    """Whether the payment has to be closed: whoever tests stolen cards tries many, straight at the provider."""
    return bool(payment.declines >= settings.MAX_DECLINES_PER_PAYMENT)


def watch_network(payment: Payment, order: Order) -> None:
    """Alert staff about many declines of one network within an hour, whatever orders they belong to."""
    if not order.network:
        return
    recent = PaymentAttempt.objects.filter(
        outcome=AttemptOutcome.DECLINED,
        created_at__gt=timezone.now() - WINDOW,
        payment__order__network=order.network,
    )
    count = recent.count()
    if count >= settings.DECLINES_PER_NETWORK_ALARM:
        detail = _(
            "%(count)s attempts from one network were declined within an hour, the last for %(number)s."
        )
        alert_raise(
            provider=payment.payment_provider,
            part=ALARM,
            detail=detail % {"count": count, "number": order.order_number},
        )


def decline_alarms_resolve() -> None:
    """Resolve alerts about declines that stopped an hour ago."""
    now = timezone.now()
    ProviderAlert.objects.filter(part=ALARM, resolved_at=None, last_seen_at__lt=now - WINDOW).update(
        resolved_at=now
    )


def closed_providers(order: Order) -> set[str]:
    """Providers at which a payment of this order was closed because of its declines."""
    closed = order.payments.filter(failure_code=TOO_MANY_DECLINES)
    return set(closed.values_list("payment_provider", flat=True))


def too_many_declines() -> str:
    return _("Several payment attempts were declined. Please choose another payment method.")
