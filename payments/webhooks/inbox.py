"""The webhook inbox: events are stored once and acknowledged, then processed by a worker until they are
settled.

An event says what to read at the provider; its content is not trusted. `tries` counts claims and serves as a
fencing token: only the claim that set it may save the outcome.
"""

import logging
import random
from contextlib import nullcontext
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.changes import changes_note
from artisans.core.compiled import compiled
from artisans.core.errors import InvalidInput
from artisans.core.queue import enqueue_after_commit
from artisans.core.security.redaction import scrub
from artisans.core.test_mode import is_test_mode
from payments.bookkeeping.fraud_warnings import fraud_warning_record
from payments.bookkeeping.provider_alerts import alert_raise, alerts_sync
from payments.bookkeeping.review_flags import flag_raise
from payments.errors import AlreadyRecorded, NoPermission, PaymentBusy
from payments.gateway.connection import execute, provider
from payments.gateway.payments import payment_sync_loaded
from payments.methods import MANUAL
from payments.models import EventState, FlagKind, Payment, WebhookEvent
from payments.providers.contract import (
    CannotVerify,
    PaymentProvider,
    ProviderError,
    ProviderEvent,
    Refused,
    RemoteStatus,
    Unknown,
)
from payments.selectors import payment_of_object
from payments.webhooks.bank_feed import process_feed_event
from payments.webhooks.events import (
    Outcome,
    Subject,
    dump_event,
    has_news,
    is_claim,
    is_missing_capture,
    load_event,
)
from payments.webhooks.method_events import process_method_event

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)  # longer than a call and a read with their timeouts can take
GIVE_UP_AFTER = timedelta(days=3)
LONGEST_PAUSE = 3600
MESSAGES = "messages"
WAITS = (EventState.RECEIVED, EventState.WAITING)


# ---- receiving ---------------------------------------------------------------------------------------------------


def webhook_receive(*, name: str, provider_event: ProviderEvent) -> None:
    """Store a verified event and enqueue it; a duplicate is only counted, and the first copy is kept."""
    event = WebhookEvent(
        provider=name,
        event_id=provider_event.event_id,
        kind=provider_event.kind[:80],
        content=dump_event(provider_event),
        sent_at=provider_event.created_at,
        is_test=is_test_mode() or not provider_event.is_live,
    )
    known = WebhookEvent.objects.filter(provider=name, event_id=provider_event.event_id).exclude(pk=event.pk)
    with transaction.atomic():
        WebhookEvent.objects.bulk_create([event], ignore_conflicts=True)
        if not known.update(copies=F("copies") + 1):
            enqueue_after_commit("payments.process_webhook", event.pk)
            return
        first = known.only("kind", "content", "created_at").get()
        event_note(first)
    ids = event.content["object_ids"]
    if (first.kind, first.content.get("object_ids", ids)) != (event.kind, ids):
        logger.error(
            "webhook_id_reused",
            extra={"provider": name, "webhook": provider_event.event_id, "kind": event.kind},
        )


def is_past(event: WebhookEvent) -> bool:
    """Whether it may be of a day before yesterday. The figures of later days are counted again all the time."""
    return event.created_at < timezone.now() - timedelta(days=1)


def event_note(event: WebhookEvent) -> None:
    """For the figures of its day."""
    if is_past(event):
        changes_note(("messages", event.created_at))


def raise_unverified_alert(name: str, problem: CannotVerify) -> None:
    """Alert staff at once, because providers retry events that cannot be verified for a few days only."""
    if problem.code != "not_configured":
        alert_raise(provider=name, part=MESSAGES, detail=str(problem))


# ---- processing ----------------------------------------------------------------------------------------------------


def webhooks_due(*, limit: int = 500) -> list[UUID]:
    """Events that are due and not claimed, the longest overdue first."""
    return list(events_due().order_by("next_try_at").values_list("pk", flat=True)[:limit])


def events_due() -> QuerySet[WebhookEvent]:
    now = timezone.now()
    is_free = Q(lease_until=None) | Q(lease_until__lt=now)
    return WebhookEvent.objects.filter(is_free, state__in=WAITS, next_try_at__lte=now)


def webhook_process(event_id: UUID) -> None:
    """Process an event that is due and not claimed. Never raises for errors of the processing."""
    event = event_due(event_id)
    if event is None:
        return
    try:
        subject = read_subject(event)
    except Exception as error:  # such as content that this release cannot decode
        if event_claim(event):
            postpone_failed(event, error)
        return
    if known := precheck(event, subject):
        save_outcome(event, known, tries=event.tries + 1, ended_at=timezone.now())
    elif event_claim(event):
        process_claimed(event, subject)


def process_claimed(event: WebhookEvent, subject: Subject) -> None:
    """For the worker that claimed it. A stored event was verified, so verification works again and its alert
    is resolved."""
    alerts_sync(event.provider, {MESSAGES: ""})
    if event.lease_until is not None and is_old(event):
        postpone(event, Outcome(EventState.RECEIVED, _("Processing crashed repeatedly.")))
        return
    try:
        outcome = decide_outcome(event, subject)
    except Unknown as unknown:
        postpone(event, Outcome(EventState.RECEIVED, str(unknown)), minimum_seconds=unknown.retry_after)
    except (ProviderError, AlreadyRecorded, PaymentBusy) as error:
        postpone(event, Outcome(EventState.RECEIVED, f"{type(error).__name__}: {error}"))
    except Exception as error:  # whatever the error, the event is kept and the others are processed
        postpone_failed(event, error)
    else:
        if outcome.state in WAITS:
            postpone(event, outcome)
        else:
            save_outcome(event, outcome, ended_at=timezone.now())


def event_due(event_id: UUID) -> WebhookEvent | None:
    event, now = events_by_id.first(event_id), timezone.now()
    if event is None or event.state not in WAITS or event.next_try_at > now:
        return None
    return None if event.lease_until is not None and event.lease_until > now else event


@compiled
def events_by_id(event_id: UUID) -> QuerySet[WebhookEvent]:
    return WebhookEvent.objects.filter(pk=event_id).order_by()


def event_claim(event: WebhookEvent) -> bool:
    """Claim an event that is due, unless another worker was faster. If the worker crashes, the event is due
    again after a growing delay; `lease_until` on the returned event is the previous lease, if any."""
    tries, now = event.tries + 1, timezone.now()
    untouched = WebhookEvent.objects.filter(pk=event.pk, tries=event.tries, state=event.state)
    if not untouched.update(tries=tries, lease_until=now + LEASE, next_try_at=now + back_off(tries)):
        return False
    event.tries = tries
    return True


def is_old(event: WebhookEvent) -> bool:
    return event.created_at < timezone.now() - GIVE_UP_AFTER


def postpone(event: WebhookEvent, outcome: Outcome, *, minimum_seconds: int = 0) -> None:
    """Retry later with increasing delays; three days after its arrival the event is given up and left to
    staff."""
    now = timezone.now()
    if is_old(event):
        logger.error("webhook_dead", extra={"webhook": str(event.pk), "kind": event.kind})
        outcome = Outcome(
            EventState.DEAD,
            _("Given up after three days. %(note)s") % {"note": outcome.note},
            outcome.payment_id,
        )
        save_outcome(event, outcome, ended_at=now)
        return
    pause = max(timedelta(seconds=minimum_seconds), back_off(event.tries))
    save_outcome(event, outcome, next_try_at=now + pause, ended_at=event.processed_at)


def postpone_failed(event: WebhookEvent, error: Exception) -> None:
    logger.error("webhook_failed", exc_info=error, extra={"webhook": str(event.pk), "kind": event.kind})
    postpone(event, Outcome(EventState.RECEIVED, f"{type(error).__name__}: {error}"))


def save_outcome(
    event: WebhookEvent,
    outcome: Outcome,
    *,
    ended_at: datetime | None,
    next_try_at: datetime | None = None,
    tries: int | None = None,
) -> None:
    """Save the outcome of a try, unless the lease expired and another worker has claimed the event."""
    with transaction.atomic() if is_past(event) else nullcontext():
        WebhookEvent.objects.filter(pk=event.pk, tries=event.tries, state=event.state).update(
            state=outcome.state,
            note=scrub(outcome.note)[:300],
            payment_id=outcome.payment_id or event.payment_id,
            tries=tries or event.tries,
            next_try_at=next_try_at or event.next_try_at,
            lease_until=None,
            processed_at=ended_at,
            first_processed_at=event.first_processed_at or ended_at,
        )
        event_note(event)


def back_off(tries: int) -> timedelta:
    """Full jitter between one second and 2^tries seconds, an hour at most."""
    return timedelta(seconds=random.uniform(1, min(LONGEST_PAUSE, 2 ** min(tries, 12))))  # noqa: S311  # spread


# ---- outcomes --------------------------------------------------------------------------------------------------------


def read_subject(event: WebhookEvent) -> Subject:
    """Decode the event and find its payment. This holds until the event is processed: its content never
    changes, and an object keeps its payment; the payment is read again under its lock before anything is
    booked."""
    provider_event, configured = load_event(event), provider(event.provider)
    if configured is None:
        return Subject(provider_event)
    foreign = find_account_mismatch(configured, provider_event)
    if not foreign and (provider_event.setup_id or provider_event.method_id):
        return Subject(provider_event)
    found = payment_of_object(event.provider, provider_event.object_ids, provider_event.reference)
    payment, object_id = found or (None, "")
    return Subject(provider_event, payment, object_id, foreign)


def precheck(event: WebhookEvent, subject: Subject) -> Outcome | None:
    """The outcome of an event that needs no processing because our books show all that it claims. Reads only,
    so no lease is needed.

    None: it has to be processed, as does an event that staff replay.
    """
    payment, claimed = subject.payment, subject.provider_event
    if event.processed_at is not None or payment is None or subject.foreign:
        return None
    if claimed.amount not in {None, payment.amount} or has_news(claimed, payment, subject.object_id):
        return None
    return Outcome(EventState.IGNORED, _("Nothing new."), payment.pk)


def decide_outcome(event: WebhookEvent, subject: Subject) -> Outcome:
    """Process the event. Errors: those of the provider when it cannot be read; nothing has changed then."""
    provider_event, payment = subject.provider_event, subject.payment
    if event.provider == MANUAL:
        return process_feed_event(provider_event)
    if provider(event.provider) is None:
        raise Unknown("not_configured", _("%(provider)s is not configured.") % {"provider": event.provider})
    if subject.foreign:
        return ignore_foreign(event, subject)
    if provider_event.setup_id or provider_event.method_id or provider_event.customer_id:
        return process_method_event(event, provider_event)
    if payment is None:
        return handle_unknown_object(event, provider_event)
    if provider_event.warning_id:
        return process_fraud_warning(payment, provider_event)
    return process_payment_event(event, subject, payment)


def process_fraud_warning(payment: Payment, provider_event: ProviderEvent) -> Outcome:
    fraud_warning_record(
        payment=payment,
        warning_id=provider_event.warning_id,
        fraud_type=provider_event.fraud_type,
        warned_at=provider_event.created_at,
    )
    return Outcome(EventState.DONE, _("Early fraud warning."), payment.pk)


def process_payment_event(event: WebhookEvent, subject: Subject, payment: Payment) -> Outcome:
    """Read the payment if the event can be about it. Errors: those of the provider when it cannot be read."""
    provider_event = subject.provider_event
    if provider_event.amount not in {None, payment.amount}:
        detail = _("%(kind)s is for %(amount)s, the payment for %(our_amount)s.") % {
            "kind": event.kind,
            "amount": provider_event.amount,
            "our_amount": payment.amount,
        }
        return flag_mismatch(event, payment, detail)
    approval = event.event_id if provider_event.status == RemoteStatus.APPROVED else ""
    result = payment_sync_loaded(payment, cause=event.kind, object_id=subject.object_id, approval=approval)
    if note := find_unconfirmed_claim(subject, result.payment, is_whole=result.is_whole):
        return Outcome(EventState.RECEIVED, note, payment.pk)
    status = result.payment.get_status_display().lower()
    return Outcome(
        EventState.DONE,
        _("Read from the provider; the payment is %(status)s.") % {"status": status},
        payment.pk,
    )


def find_unconfirmed_claim(subject: Subject, payment: Payment, *, is_whole: bool) -> str:
    """What the event reported but the provider does not show, so that the event is retried; "" when all is
    confirmed."""
    provider_event = subject.provider_event
    if is_missing_capture(provider_event, payment):
        return _("The provider does not show the reported payment.")
    is_beside = bool(provider_event.dispute_id or provider_event.refund_id)
    if is_beside and not is_whole and has_news(provider_event, payment, subject.object_id):
        return _("The reported change cannot be read from the provider at the moment.")
    return ""


def find_account_mismatch(configured: PaymentProvider, provider_event: ProviderEvent) -> str:
    """Why the event belongs to another mode or account of the provider; "" when it is ours."""
    if provider_event.is_live != configured.is_live:
        if provider_event.is_live:
            return _("The event belongs to the provider’s live mode.")
        return _("The event belongs to the provider’s test mode.")
    if provider_event.account and not configured.is_own(provider_event.account):
        return _("The event belongs to another account (%(account)s).") % {
            "account": provider_event.account[:60]
        }
    return ""


def ignore_foreign(event: WebhookEvent, subject: Subject) -> Outcome:
    detail = subject.foreign
    logger.warning("webhook_foreign", extra={"webhook": str(event.pk), "kind": event.kind, "why": detail})
    if subject.payment is None:
        return Outcome(EventState.IGNORED, detail)
    return flag_mismatch(event, subject.payment, detail)


def flag_mismatch(event: WebhookEvent, payment: Payment, detail: str) -> Outcome:
    """Flag an impossible claim about one of our payments for review; nothing is booked."""
    logger.warning(
        "webhook_mismatch", extra={"webhook": str(event.pk), "kind": event.kind, "payment": str(payment.pk)}
    )
    flag_raise(payment, FlagKind.MISMATCH, detail)
    return Outcome(EventState.IGNORED, detail, payment.pk)


def handle_unknown_object(event: WebhookEvent, provider_event: ProviderEvent) -> Outcome:
    """Another application on the same account has objects of its own. An event about one that the provider does
    not show yet waits. Errors: Unknown."""
    if not is_claim(provider_event) or not provider_event.object_ids:
        return Outcome(EventState.IGNORED, _("This type of event is not used."))
    object_ids, waiting = provider_event.object_ids, EventState.WAITING
    note = _("No payment found for %(object_id)s.") % {"object_id": object_ids[0]}
    try:
        reference = execute(event.provider, lambda provider: provider.find_reference(object_ids))
    except Refused:
        return Outcome(waiting, note)
    if payment_of_object(event.provider, (), reference):
        return Outcome(waiting, note)
    logger.info("webhook_of_others", extra={"webhook": str(event.pk), "kind": event.kind})
    detail = _("%(object_id)s belongs to another application (reference: %(reference)s).")
    values = {"object_id": object_ids[0], "reference": reference[:60] or "–"}
    return Outcome(EventState.IGNORED, detail % values)


# ---- staff actions ---------------------------------------------------------------------------------------------------


def webhook_replay(*, event_id: UUID, reason: str, actor: User) -> WebhookEvent:
    """Process an event again, whatever its outcome; the provider is read even if nothing seems new.

    Errors: NoPermission, InvalidInput without a reason, AlreadyRecorded while a worker is processing it.
    """
    with transaction.atomic():
        event = event_for(event_id, "payments.replay_webhook", reason, actor)
        if event.lease_until is not None and event.lease_until > timezone.now():
            raise AlreadyRecorded(_("This event is being processed. Try again in a moment."))
        if event.content_deleted_at is not None:
            raise AlreadyRecorded(_("The content of this event was deleted, so it cannot be reprocessed."))
        audit_event(event, Action.WEBHOOK_REPLAY, reason, actor)
        event.state, event.next_try_at, event.lease_until = EventState.RECEIVED, timezone.now(), None
        event.save(update_fields=["state", "next_try_at", "lease_until", "updated_at"])
        event_note(event)
        enqueue_after_commit("payments.process_webhook", event.pk)
    return event


def webhook_close(*, event_id: UUID, reason: str, actor: User) -> WebhookEvent:
    """Close a bank feed event that staff have dealt with. Errors: NoPermission, InvalidInput,
    AlreadyRecorded."""
    with transaction.atomic():
        event = event_for(event_id, "payments.approve_manual", reason, actor)
        if event.state != EventState.STAFF:
            raise AlreadyRecorded(_("This event does not need a decision."))
        audit_event(event, Action.WEBHOOK_CLOSE, reason, actor)
        event.state, event.note = EventState.DONE, f"{reason.strip()} ({actor.email})"[:300]
        event.processed_at = timezone.now()
        event.first_processed_at = event.first_processed_at or event.processed_at
        event.save(update_fields=["state", "note", "processed_at", "first_processed_at", "updated_at"])
        event_note(event)
    return event


def event_for(event_id: UUID, permission: str, reason: str, actor: User) -> WebhookEvent:
    """The locked event, for staff with the permission who give a reason."""
    if not (actor.is_staff and actor.has_perm(permission)):
        raise NoPermission
    if not reason.strip():
        raise InvalidInput(_("Enter a reason."))
    return WebhookEvent.objects.select_for_update(of=("self",)).get(pk=event_id)


def audit_event(event: WebhookEvent, action: Action, reason: str, actor: User) -> None:
    data = {"event": event.event_id, "kind": event.kind, "state": event.state, "reason": reason.strip()}
    audit_record(actor=actor, action=action, target=event, data=data)
