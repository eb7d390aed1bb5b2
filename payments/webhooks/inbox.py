"""The inbox of messages from providers: stored once and acknowledged, then processed by a worker until settled.

A message says where to look, not what to believe. Which worker is at one is fenced by `tries`: it counts every claim,
and only the claim that set it may write how it ended.
"""

import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.core.cache import cache
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.errors import InvalidInput
from artisans.core.models import only_row
from artisans.core.queue import run_after_commit
from artisans.core.security.redaction import scrub
from payments.bookkeeping.provider_alerts import alert_raise, alerts_follow
from payments.bookkeeping.review_flags import flag
from payments.errors import AlreadyRecorded, NoPermission, PaymentBusy
from payments.gateway.payments import payment_sync
from payments.methods import Provider
from payments.models import EventState, FlagKind, Payment, WebhookEvent
from payments.providers.contract import (
    CannotVerify,
    PaymentProvider,
    ProviderError,
    ProviderEvent,
    RemoteStatus,
    Unknown,
)
from payments.providers.registry import provider
from payments.selectors import payment_of_object
from payments.webhooks.bank_feed import feed_outcome
from payments.webhooks.events import Outcome, content_of, has_news, is_claim, is_missing_capture, told_of

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)  # longer than a call and a reading with their time-outs can last
GIVE_UP_AFTER = timedelta(days=3)
LONGEST_PAUSE = 3600
MESSAGES = "messages"
WAITS = (EventState.RECEIVED, EventState.WAITING)

# Who takes messages about saved ways to pay, by provider; services/method_events.py enters itself.
SetupHandler = Callable[[WebhookEvent, ProviderEvent], Outcome]
setup_handlers: dict[str, SetupHandler] = {}


# ---- in ----------------------------------------------------------------------------------------------------------


def webhook_receive(*, name: str, told: ProviderEvent) -> None:
    """Store a verified message and ring for it; one that is known is only counted. The first one of an id stands."""
    event = WebhookEvent(provider=name, event_id=told.event_id, kind=told.kind[:80], content=content_of(told))
    known = WebhookEvent.objects.filter(provider=name, event_id=told.event_id).exclude(pk=event.pk)
    with transaction.atomic():
        WebhookEvent.objects.bulk_create([event], ignore_conflicts=True)
        if not known.update(copies=F("copies") + 1):
            run_after_commit("payments.webhook", event.pk)
            return
    first = known.only("kind", "content").get()
    if (first.kind, first.content["object_ids"]) != (event.kind, event.content["object_ids"]):
        logger.error(
            "webhook_id_reused", extra={"provider": name, "event": told.event_id, "kind": event.kind}
        )


def refusal_note(name: str) -> None:
    """Count a message that the provider did not send."""
    key = f"webhook:{name}:refused"
    cache.add(key, 0, None)
    try:
        cache.incr(key)
    except ValueError:  # it was dropped between the two lines
        cache.set(key, 1, None)


def refusals_of(name: str) -> int:
    """How many were refused since the cache began."""
    return int(cache.get(f"webhook:{name}:refused", 0))


def unverified_note(name: str, trouble: CannotVerify) -> None:
    """Messages that cannot be verified are sent again for some days only, so staff hear of it at once."""
    if trouble.code != "not_configured":
        alert_raise(provider=name, part=MESSAGES, detail=str(trouble))


# ---- worked at -----------------------------------------------------------------------------------------------------


def webhooks_due(*, limit: int = 500) -> list[UUID]:
    """Messages whose time has come and that nobody is at, the longest waiting first."""
    now = timezone.now()
    due = WebhookEvent.objects.filter(
        Q(lease_until=None) | Q(lease_until__lt=now), state__in=WAITS, next_try_at__lte=now
    )
    return list(due.order_by("next_try_at").values_list("pk", flat=True)[:limit])


def webhook_process(event_id: UUID) -> None:
    """Work at a message that is due, if nobody else is at it. Never raises for what the message leads to."""
    event = event_due(event_id)
    if event is None:
        return
    if known := glance(event):
        write(event, known, tries=event.tries + 1, ended_at=timezone.now())
    elif event_claim(event):
        work_at(event)


def work_at(event: WebhookEvent) -> None:
    """For the worker that has claimed it. What was stored was verified, so messages can be verified again."""
    alerts_follow(event.provider, {MESSAGES: ""})
    if event.lease_until is not None and is_old(event):
        postpone(event, Outcome(EventState.RECEIVED, "Its workers died with it, again and again."))
        return
    try:
        outcome = outcome_of(event)
    except Unknown as unknown:
        postpone(event, Outcome(EventState.RECEIVED, str(unknown)), at_least=unknown.retry_after)
    except (ProviderError, AlreadyRecorded, PaymentBusy) as error:
        postpone(event, Outcome(EventState.RECEIVED, f"{type(error).__name__}: {error}"))
    except Exception as error:  # whatever it is, the message is kept and the others go on
        logger.exception("webhook_failed", extra={"event": str(event.pk), "kind": event.kind})
        postpone(event, Outcome(EventState.RECEIVED, f"{type(error).__name__}: {error}"))
    else:
        if outcome.state in WAITS:
            postpone(event, outcome)
        else:
            write(event, outcome, ended_at=timezone.now())


def event_due(event_id: UUID) -> WebhookEvent | None:
    event, now = only_row(WebhookEvent.objects.filter(pk=event_id)), timezone.now()
    if event is None or event.state not in WAITS or event.next_try_at > now:
        return None
    return None if event.lease_until is not None and event.lease_until > now else event


def event_claim(event: WebhookEvent) -> bool:
    """Take a message that is due, unless somebody was faster. Whoever dies with it leaves it to the sweep, later and
    later; `lease_until` on it stays the lease of the one before, if there was one.
    """
    tries, now = event.tries + 1, timezone.now()
    untouched = WebhookEvent.objects.filter(pk=event.pk, tries=event.tries, state=event.state)
    if not untouched.update(tries=tries, lease_until=now + LEASE, next_try_at=now + back_off(tries)):
        return False
    event.tries = tries
    return True


def is_old(event: WebhookEvent) -> bool:
    return event.created_at < timezone.now() - GIVE_UP_AFTER


def postpone(event: WebhookEvent, outcome: Outcome, *, at_least: int = 0) -> None:
    """Again later, more and more seldom; three days after its arrival it is given up and left to a person."""
    now = timezone.now()
    if is_old(event):
        logger.error("webhook_dead", extra={"event": str(event.pk), "kind": event.kind})
        outcome = Outcome(EventState.DEAD, f"Given up after three days. {outcome.note}", outcome.payment_id)
        write(event, outcome, ended_at=now)
        return
    pause = max(timedelta(seconds=at_least), back_off(event.tries))
    write(event, outcome, next_try_at=now + pause, ended_at=event.processed_at)


def write(
    event: WebhookEvent,
    outcome: Outcome,
    *,
    ended_at: datetime | None,
    next_try_at: datetime | None = None,
    tries: int | None = None,
) -> None:
    """How a try ended, unless the lease ran out and another worker took over."""
    WebhookEvent.objects.filter(pk=event.pk, tries=event.tries, state=event.state).update(
        state=outcome.state,
        note=scrub(outcome.note)[:300],
        payment_id=outcome.payment_id or event.payment_id,
        tries=tries or event.tries,
        next_try_at=next_try_at or event.next_try_at,
        lease_until=None,
        processed_at=ended_at,
    )


def back_off(tries: int) -> timedelta:
    """Full jitter between one second and 2^tries seconds, an hour at most."""
    return timedelta(seconds=random.uniform(1, min(LONGEST_PAUSE, 2 ** min(tries, 12))))  # noqa: S311  # spread


# ---- what it leads to ------------------------------------------------------------------------------------------------


def glance(event: WebhookEvent) -> Outcome | None:
    """What a message leads to that needs no work, since all of it is known. Reads only, so that no lease is needed.

    None: it has to be worked at. So has one that a person replays, who wants to know for certain.
    """
    configured = provider(event.provider)
    if configured is None or event.processed_at is not None:
        return None
    try:
        told = told_of(event)
    except (KeyError, ValueError):
        return None
    if told.setup_id or told.method_id or foreign_to(configured, told):
        return None
    found = payment_of_object(event.provider, told.object_ids, told.reference)
    if found is None or (told.amount is not None and told.amount != found[0].amount):
        return None
    payment, object_id = found
    return (
        None
        if has_news(told, payment, object_id)
        else Outcome(EventState.IGNORED, "Nothing new.", payment.pk)
    )


def outcome_of(event: WebhookEvent) -> Outcome:
    """Errors: those of the provider when it cannot be read; nothing has changed then."""
    told = told_of(event)
    if event.provider == Provider.MANUAL:
        return feed_outcome(told)
    configured = provider(event.provider)
    if configured is None:
        raise Unknown("not_configured", f"{event.provider} has no keys here.")
    if foreign := foreign_to(configured, told):
        return refuse_foreign(event, told, foreign)
    if told.setup_id or told.method_id:
        return setup_event(event, told)
    found = payment_of_object(event.provider, told.object_ids, told.reference)
    if found is None:
        return not_ours_yet(told)
    payment, object_id = found
    if told.amount is not None and told.amount != payment.amount:
        detail = f"{event.kind} is over {told.amount}, the payment over {payment.amount}."
        return distrust(event, payment, detail)
    has_agreed = told.status == RemoteStatus.APPROVED
    reached = payment_sync(payment.pk, cause=event.kind, object_id=object_id, has_agreed=has_agreed)
    if note := what_is_missing(told, payment, object_id, is_whole=reached.is_whole):
        return Outcome(EventState.RECEIVED, note, payment.pk)
    status = reached.payment.get_status_display().lower()
    return Outcome(EventState.DONE, f"The provider was asked; the payment is {status}.", payment.pk)


def what_is_missing(told: ProviderEvent, payment: Payment, object_id: str, *, is_whole: bool) -> str:
    """What it told of that could not be seen at the provider, so that the message is not done; "" for nothing."""
    if is_missing_capture(told, payment):
        return "The provider does not show the money that it told of."
    is_beside = bool(told.dispute_id or told.refund_id)
    if is_beside and not is_whole and has_news(told, payment, object_id):
        return "What it told of cannot be seen at the provider now."
    return ""


def foreign_to(configured: PaymentProvider, told: ProviderEvent) -> str:
    """Which other mode or account of the provider it comes from; "" from ours."""
    if told.is_live != configured.is_live:
        return f"It belongs to the provider's {'live' if told.is_live else 'test'} mode."
    if told.account and not configured.is_own(told.account):
        return f"It belongs to another account ({told.account[:60]})."
    return ""


def refuse_foreign(event: WebhookEvent, told: ProviderEvent, detail: str) -> Outcome:
    logger.warning("webhook_foreign", extra={"event": str(event.pk), "kind": event.kind, "why": detail})
    found = payment_of_object(event.provider, told.object_ids, told.reference)
    if found is None:
        return Outcome(EventState.IGNORED, detail)
    return distrust(event, found[0], detail)


def distrust(event: WebhookEvent, payment: Payment, detail: str) -> Outcome:
    """What it claims about a payment of ours cannot be: nothing is booked, a person looks."""
    logger.warning(
        "webhook_mismatch", extra={"event": str(event.pk), "kind": event.kind, "payment": str(payment.pk)}
    )
    flag(payment, FlagKind.MISMATCH, detail)
    return Outcome(EventState.IGNORED, detail, payment.pk)


def not_ours_yet(told: ProviderEvent) -> Outcome:
    """What claims something about an object that we do not know may be faster than our own commit."""
    if is_claim(told) and told.object_ids:
        return Outcome(EventState.WAITING, f"No payment here knows {told.object_ids[0]}.")
    return Outcome(EventState.IGNORED, "Not a kind that the shop follows.")


def setup_event(event: WebhookEvent, told: ProviderEvent) -> Outcome:
    handler = setup_handlers.get(event.provider)
    if handler is None:
        return Outcome(EventState.IGNORED, "Not a kind that the shop follows.")
    return handler(event, told)


# ---- people ----------------------------------------------------------------------------------------------------------


def webhook_replay(*, event_id: UUID, reason: str, actor: User) -> WebhookEvent:
    """Process a message once more, whatever came of it; the provider is asked even when nothing seems new.

    Errors: NoPermission, InvalidInput without a reason, AlreadyRecorded while a worker is at it.
    """
    with transaction.atomic():
        event = event_for(event_id, "payments.replay_webhook", reason, actor, what="process messages again")
        if event.lease_until is not None and event.lease_until > timezone.now():
            raise AlreadyRecorded("A worker is at this message right now; look again in a moment.")
        audit_event(event, Action.WEBHOOK_REPLAY, reason, actor)
        event.state, event.next_try_at, event.lease_until = EventState.RECEIVED, timezone.now(), None
        event.save(update_fields=["state", "next_try_at", "lease_until", "updated_at"])
        run_after_commit("payments.webhook", event.pk)
    return event


def webhook_close(*, event_id: UUID, reason: str, actor: User) -> WebhookEvent:
    """A person has settled what the bank's feed told. Errors: NoPermission, InvalidInput, AlreadyRecorded."""
    with transaction.atomic():
        event = event_for(
            event_id, "payments.approve_manual", reason, actor, what="settle what the bank told"
        )
        if event.state != EventState.STAFF:
            raise AlreadyRecorded("Nothing about this message waits for a person.")
        audit_event(event, Action.WEBHOOK_CLOSE, reason, actor)
        event.state, event.note = EventState.DONE, f"{reason.strip()} ({actor.email})"[:300]
        event.processed_at = timezone.now()
        event.save(update_fields=["state", "note", "processed_at", "updated_at"])
    return event


def event_for(event_id: UUID, permission: str, reason: str, actor: User, *, what: str) -> WebhookEvent:
    """The message, locked, for a person who may do this and says why."""
    if not (actor.is_staff and actor.has_perm(permission)):
        raise NoPermission(what)
    if not reason.strip():
        raise InvalidInput("Say why.")
    return WebhookEvent.objects.select_for_update(of=("self",)).get(pk=event_id)


def audit_event(event: WebhookEvent, action: Action, reason: str, actor: User) -> None:
    data = {"event": event.event_id, "kind": event.kind, "state": event.state, "reason": reason.strip()}
    audit_record(actor=actor, action=action, target=event, data=data)
