"""Attempts to pay at a provider: recorded once each, limited per payment, and watched per network."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.core.changes import changes_note
from artisans.core.models import save_columns
from artisans.core.money import Money
from artisans.core.security.encryption import keyed_hash
from orders.models import Order
from payments.bookkeeping.provider_alerts import alert_raise
from payments.models import AttemptOutcome, DeclineReason, Payment, PaymentAttempt, ProviderAlert, Receipt
from payments.models.attempt import UNDECIDED
from payments.providers.contract import DeclineGroup, RemoteAttempt
from payments.selectors import payment_lock

logger = logging.getLogger(__name__)

TOO_MANY_DECLINES = "too_many_declines"  # the `failure_code` of a payment that was closed for them
ALARM = "declined payments"  # the part of a ProviderAlert
WINDOW = timedelta(hours=1)
CHALLENGE_LIFE = timedelta(hours=1)
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
DECIDED = [
    "attempt_id",
    "outcome",
    "decline_group",
    "decline_code",
    "decided_at",
    "fingerprint_hash",
    "risk_score",
]


def attempts_record(payment: Payment, order: Order | None, attempts: Sequence[RemoteAttempt]) -> bool:
    """Record the attempts that are not known yet, and the outcome of those that were not decided; returns whether one
    was declined just now. The caller holds the payment's lock and saves it. `order`: to watch its network.

    Never raises: attempts are facts beside the money, which is booked without them. A later read or the nightly
    reconciliation records what is missing.
    """
    if not attempts:
        return False
    try:
        with transaction.atomic():
            declined = rows_record(payment, attempts)
            if declined and order is not None:
                watch_network(payment, order)
    except Exception:
        logger.exception("attempts_not_recorded", extra={"payment": str(payment.pk)})
        return False
    payment.declines += declined
    return declined > 0


def rows_record(payment: Payment, attempts: Sequence[RemoteAttempt]) -> int:
    """Returns how many were declined just now."""
    known = list(payment.attempts.all())
    decided = [attempt for attempt in attempts if not attempt.is_challenged and is_news(attempt, known)]
    fresh = [attempt for attempt in decided if not attempt_decide(payment, known, attempt)]
    rows = [
        build_attempt(payment, attempt, number) for number, attempt in enumerate(fresh, next_number(known))
    ]
    challenged = [
        attempt for attempt in attempts if attempt.is_challenged and is_new_challenge(attempt, known)
    ]
    rows += [build_challenge(payment, attempt, [*known, *rows]) for attempt in challenged]
    if rows:
        PaymentAttempt.objects.bulk_create(rows, ignore_conflicts=True)
    if rows or decided:
        attempts_note(payment, [*known, *rows])
    if any(row.outcome == AttemptOutcome.CHALLENGED for row in known):
        challenges_abandon(payment, is_over=any(attempt.is_success for attempt in attempts))
    return sum(attempt_outcome(attempt) == AttemptOutcome.DECLINED for attempt in decided)


def attempts_note(payment: Payment, attempts: Iterable[PaymentAttempt]) -> None:
    """For the figures of all attempts of a payment: another of them can be the first now."""
    times = {at for row in attempts for at in (row.tried_at, row.decided_at)}
    changes_note(("payments", payment.created_at), *(("attempts", at) for at in times))


def next_number(known: Iterable[PaymentAttempt]) -> int:
    """A number is left out if its attempt could not be recorded."""
    return max((row.number for row in known), default=0) + 1


def is_news(attempt: RemoteAttempt, known: Sequence[PaymentAttempt]) -> bool:
    """Whether an attempt is not recorded yet, or was pending and is not any more. One without a charge has the id of
    its challenge, which an earlier challenge of the same card can have too."""
    if attempt.attempt_id == attempt.challenge_id and find_challenged(known, attempt.challenge_id):
        return True
    recorded = {row.attempt_id: row.outcome for row in known}.get(attempt.attempt_id)
    return recorded is None or (recorded == AttemptOutcome.PENDING and not attempt.is_pending)


def attempt_decide(payment: Payment, known: Sequence[PaymentAttempt], attempt: RemoteAttempt) -> bool:
    """Record the outcome of an attempt that was not decided; False if there is none."""
    pending = (row for row in known if row.outcome == AttemptOutcome.PENDING)
    row = next((row for row in pending if row.attempt_id == attempt.attempt_id), None)
    if row is None:
        return challenge_decide(payment, known, attempt)
    decided = build_attempt(payment, attempt, row.number)
    decided.decided_at = timezone.now()  # the provider names the time of the attempt only
    decided.provider_reason = decided.provider_reason or row.provider_reason  # why it was pending
    row_decide(row, decided)
    return True


def row_decide(row: PaymentAttempt, decided: PaymentAttempt) -> None:
    columns = [*DECIDED, *FACTS]
    for name in columns:
        setattr(row, name, getattr(decided, name))
    # a charge that another payment has, too, must not leave out the other attempts
    with suppress(IntegrityError), transaction.atomic():
        save_columns(row, columns)


def attempts_fill(provider: str, found: Mapping[UUID, Sequence[RemoteAttempt]]) -> int:
    """Record attempts of payments that no read of them showed; returns how many payments had some. Locks: order,
    payment."""
    ids = [attempt.attempt_id for attempts in found.values() for attempt in attempts]
    recorded = PaymentAttempt.objects.filter(provider=provider, attempt_id__in=ids).order_by()
    known, filled = set(recorded.values_list("attempt_id", flat=True)), 0
    for payment_id, attempts in found.items():
        missing = [attempt for attempt in attempts if attempt.attempt_id not in known]
        if not missing:
            continue
        with transaction.atomic():
            payment, _order = payment_lock(payment_id)
            attempts_record(payment, None, missing)
            save_columns(payment, ["declines"])
        filled += 1
    return filled


# ---- offline -----------------------------------------------------------------------------------------------------


def receipt_attempt_record(payment: Payment, receipt: Receipt) -> None:
    """Money that arrived is an attempt that succeeded. The caller holds the payment's lock. Never raises."""
    offline_attempt_record(payment, str(receipt.pk), receipt.amount, receipt.created_at)


def rejection_attempt_record(payment: Payment) -> None:
    """A payment that staff reject is an attempt that was declined."""
    offline_attempt_record(payment, "", payment.amount, timezone.now())


def offline_attempt_record(payment: Payment, receipt_id: str, amount: Money, at: datetime) -> None:
    try:
        with transaction.atomic():
            number = (payment.attempts.aggregate(last=Max("number"))["last"] or 0) + 1
            attempt = build_offline(payment, receipt_id, amount, at, number)
            attempt.save(force_insert=True)
            attempts_note(payment, [attempt])
    except Exception:
        logger.exception("attempts_not_recorded", extra={"payment": str(payment.pk)})


def build_offline(
    payment: Payment, receipt_id: str, amount: Money, at: datetime, number: int
) -> PaymentAttempt:
    return PaymentAttempt(
        payment=payment,
        provider=payment.payment_provider,
        attempt_id=receipt_id or f"{payment.pk}:{number}",
        number=number,
        outcome=AttemptOutcome.SUCCEEDED if receipt_id else AttemptOutcome.DECLINED,
        decline_group="" if receipt_id else DeclineReason.REJECTED,
        currency=amount.currency,
        amount_minor=amount.minor,
        tried_at=at,
        decided_at=at,
        method=payment.payment_method,
    )


# ---- 3-D Secure --------------------------------------------------------------------------------------------------


def find_challenged(known: Iterable[PaymentAttempt], challenge_id: str) -> PaymentAttempt | None:
    """The attempt with this challenge that is not decided."""
    pending = (row for row in known if row.outcome == AttemptOutcome.CHALLENGED)
    return next((row for row in pending if has_challenge(row, challenge_id)), None)


def has_challenge(row: PaymentAttempt, challenge_id: str) -> bool:
    return row.attempt_id == challenge_id or row.attempt_id.startswith(f"{challenge_id}:")


def is_new_challenge(attempt: RemoteAttempt, known: Sequence[PaymentAttempt]) -> bool:
    """Not the one that was recorded, or abandoned, and is still required at the provider."""
    waiting = {AttemptOutcome.CHALLENGED, AttemptOutcome.ABANDONED}
    return not any(row.outcome in waiting and has_challenge(row, attempt.challenge_id) for row in known)


def build_challenge(
    payment: Payment, attempt: RemoteAttempt, known: Sequence[PaymentAttempt]
) -> PaymentAttempt:
    """The number is part of the id when an earlier challenge of the same card failed."""
    row = build_attempt(payment, attempt, next_number(known))
    if attempt.attempt_id in {earlier.attempt_id for earlier in known}:
        row.attempt_id = f"{attempt.attempt_id}:{row.number}"
    return row


def challenge_decide(payment: Payment, known: Sequence[PaymentAttempt], attempt: RemoteAttempt) -> bool:
    """Record the outcome of a challenge; False if none is pending. A charge replaces the id of the challenge; a failed
    authentication has none."""
    row = find_challenged(known, attempt.challenge_id)
    if row is None:
        return False
    decided = build_attempt(payment, attempt, row.number)
    # the provider's time is in whole seconds
    decided.decided_at = max(row.tried_at, decided.decided_at or row.tried_at)
    decided.three_d_secure_flow = decided.three_d_secure_flow or row.three_d_secure_flow
    if attempt.attempt_id == attempt.challenge_id:
        decided.attempt_id = row.attempt_id
    row_decide(row, decided)
    return True


def challenges_abandon(payment: Payment, *, is_over: bool) -> None:
    """Abandon attempts whose challenge is an hour old; all of them once the payment `is_over`."""
    pending = payment.attempts.filter(outcome=AttemptOutcome.CHALLENGED)
    abandon(pending if is_over else expired_challenges(pending))


def challenges_expire() -> None:
    """Abandon what no read of its payment abandons, such as one that was never read again."""
    abandon(expired_challenges(PaymentAttempt.objects.filter(outcome=AttemptOutcome.CHALLENGED)))


def expired_challenges(attempts: QuerySet[PaymentAttempt]) -> QuerySet[PaymentAttempt]:
    return attempts.filter(tried_at__lt=timezone.now() - CHALLENGE_LIFE)


def abandon(attempts: QuerySet[PaymentAttempt]) -> None:
    with transaction.atomic():
        rows = list(attempts.order_by().values_list("pk", "tried_at", "payment__created_at"))
        if rows:
            ids = [pk for pk, _tried_at, _started_at in rows]
            attempts.filter(pk__in=ids).update(outcome=AttemptOutcome.ABANDONED, decided_at=timezone.now())
            changes_note(
                *(("attempts", tried_at) for _pk, tried_at, _started_at in rows),
                *(("payments", started_at) for _pk, _tried_at, started_at in rows),
            )


# ---- rows --------------------------------------------------------------------------------------------------------


def known_attempts(payment: Payment) -> frozenset[str]:
    """The provider's ids of the payment's recorded attempts."""
    if not (payment.declines or payment.received_minor):
        return frozenset()
    return frozenset(payment.attempts.values_list("attempt_id", flat=True))


def build_attempt(payment: Payment, attempt: RemoteAttempt, number: int) -> PaymentAttempt:
    facts, outcome = {name: str(getattr(attempt, name))[:30] for name in FACTS}, attempt_outcome(attempt)
    is_declined, at = outcome == AttemptOutcome.DECLINED, attempt.at or timezone.now()
    return PaymentAttempt(
        payment=payment,
        provider=payment.payment_provider,
        attempt_id=attempt.attempt_id,
        number=number,
        outcome=outcome,
        decline_group=decline_reason(attempt) if is_declined else "",
        decline_code=attempt.decline_code[:80] if is_declined else "",
        currency=attempt.amount.currency,
        amount_minor=attempt.amount.minor,
        tried_at=at,
        decided_at=None if outcome in UNDECIDED else at,
        fingerprint_hash=keyed_hash(attempt.fingerprint) if attempt.fingerprint else "",
        risk_score=attempt.risk_score,
        **facts,
    )


def decline_reason(attempt: RemoteAttempt) -> str:
    if attempt.is_fraud_suspected:
        return DeclineReason.FRAUD.value
    return (attempt.decline or DeclineGroup.DECLINED).value


def attempt_outcome(attempt: RemoteAttempt) -> AttemptOutcome:
    if attempt.is_challenged:
        return AttemptOutcome.CHALLENGED
    if attempt.is_pending:
        return AttemptOutcome.PENDING
    return AttemptOutcome.SUCCEEDED if attempt.is_success else AttemptOutcome.DECLINED


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
    ).exclude(decline_group=DeclineReason.REJECTED)
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
    return _("Too many attempts to pay this way were declined. Please choose another payment method.")
