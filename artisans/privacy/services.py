"""Erasure of a person: started in one transaction, then continued by a task until nothing is left to do."""

import json
import logging
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models import F, Model
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.credentials import access_end
from artisans.accounts.models import User, normal_email
from artisans.audit.services import Action, audit_record
from artisans.core.personal_data import ERASED_DOMAIN, PENDING, Person
from artisans.core.queue import enqueue_after_commit, run_each
from artisans.core.security.encryption import keyed_hash, keyed_hashes
from artisans.notifications.services import MailMessage, notifications_enqueue
from artisans.privacy.erasing import erase
from artisans.privacy.exports import person_export
from artisans.privacy.mails import PrivacyMail
from artisans.privacy.models import Erasure, ErasureSource, ErasureState
from artisans.privacy.selectors import (
    collect,
    erasure_refusals,
    erasures_running,
    person_find,
    person_of_user,
)

logger = logging.getLogger(__name__)


class CannotErase(Exception):
    """The person cannot be erased now. `reasons`: sentences for people; none if nothing is stored about them."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


def user_erase(user: User) -> Erasure:
    """By the users themselves. Errors: CannotErase."""
    return erasure_start(email=user.email, source=ErasureSource.PAGE, actor=user, user_id=user.pk)


def person_export_audited(
    person: Person, *, actor: User | None, max_rows: int | None = None
) -> dict[str, Any]:
    """The export, with an entry in the audit log. Errors: TooMuchData."""
    export = person_export(person, max_rows=max_rows)
    audit_record(actor=actor, action=Action.PERSON_EXPORT, target=subject_of(person), actor_name="command")
    return export


def subject_of(person: Person) -> Model:
    """The row that an audit entry about the person names: the account, or a guest's first order or cart."""
    targets = (("users", "accounts.User"), ("orders", "orders.Order"), ("carts", "carts.Cart"))
    rows = (
        apps.get_model(label)._base_manager.get(pk=person.of(section)[0])
        for section, label in targets
        if person.of(section)
    )
    row: Model = next(rows)
    return row


@transaction.atomic
def erasure_start(
    *,
    email: str,
    source: ErasureSource,
    actor: User | None,
    is_guest: bool = False,
    user_id: UUID | None = None,
) -> Erasure:
    """End the person's access and write the erasure and the email about it; a task erases the rows after commit.

    Returns the one in progress, if there is one. Locks: the user. Errors: CannotErase.
    """
    address = normal_email(email)
    running = Erasure.objects.filter(address_hash__in=keyed_hashes(address)).first()
    if running is not None:
        enqueue_after_commit("privacy.continue_erasure", running.pk)
        return running
    person = person_find(email, is_guest=is_guest)
    user = (
        User.objects.select_for_update(of=("self",))
        .filter(pk__in=[user_id] if user_id else person.of("users"))
        .first()
    )
    if user is not None:
        person = person_of_user(user)
    if reasons := erasure_refusals(person):
        raise CannotErase(reasons)
    if not person:
        raise CannotErase([_("The shop stores nothing under this email address.")])
    key = uuid4()
    person = replace(person, alias=f"{key.hex}@{ERASED_DOMAIN}", last_mail=f"erasure:{key}")
    erasure = Erasure.objects.create(
        pk=key,
        source=source,
        user=user,
        requested_by=actor,
        alias=person.alias,
        address_hash=keyed_hash(address),
        facts=json.dumps(person.as_json()),
    )
    recipient = user.email if user else address
    notifications_enqueue(MailMessage(PrivacyMail.DATA_ERASED, recipient, person.last_mail))
    audit_record(
        actor=actor, action=Action.PERSON_ERASE, target=erasure, data={"source": source}, actor_name="command"
    )
    if user is not None:
        User.objects.filter(pk=user.pk).update(is_active=False)
        access_end(user)
    enqueue_after_commit("privacy.continue_erasure", erasure.pk)
    return erasure


def erasure_continue(erasure_id: UUID) -> bool:
    """Erase what is left, or wait while something of the person is open. Returns whether the erasure is done: the email
    was sent, and no provider is still asked."""
    erasure = Erasure.objects.filter(pk=erasure_id, state=ErasureState.RUNNING).first()
    if erasure is None:
        return True
    person = Person.from_json(json.loads(erasure.facts or "{}"))
    person = person.merged_with(collect(person))  # a request may have placed an order while the erasure began
    Erasure.objects.filter(pk=erasure.pk).update(facts=json.dumps(person.as_json()), runs=F("runs") + 1)
    if erasure_refusals(person):
        return False  # until it is settled
    is_waiting = is_pending(person)  # before, so that what ends in between is erased by the next run
    erase(person, erasure.pk, kept_years=settings.ERASURE_KEEP_YEARS)
    if is_waiting or is_pending(person):
        return False
    Erasure.objects.filter(pk=erasure.pk).update(
        state=ErasureState.DONE, facts=None, address_hash="", finished_at=timezone.now()
    )
    logger.info("person_erased", extra={"erasure": str(erasure.pk)})
    return True


def is_pending(person: Person) -> bool:
    return any(is_under_way(person) for is_under_way in PENDING)


def erasures_continue() -> None:
    """Periodic: all that are in progress."""
    keys = list(erasures_running().values_list("pk", flat=True)[:100])
    run_each(keys, erasure_continue, event="erasure_failed")
