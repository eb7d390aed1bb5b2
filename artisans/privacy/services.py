"""Erasure of a person: started in one transaction, then continued by a task until nothing is left to do."""

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Model
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.credentials import access_end
from artisans.accounts.models import User, normal_email
from artisans.audit.services import Action, audit_record
from artisans.core.personal_data import ERASED_DOMAIN, Person
from artisans.core.queue import enqueue_after_commit, run_each
from artisans.core.security.encryption import keyed_hash, keyed_hashes
from artisans.notifications.services import MailMessage, notifications_enqueue
from artisans.privacy.erasing import erase
from artisans.privacy.exports import person_export
from artisans.privacy.mails import PrivacyMail
from artisans.privacy.models import Erasure, ErasureSource, ErasureState
from artisans.privacy.selectors import (
    Whose,
    collect,
    erasure_refusals,
    erasures_running,
    pending_reasons,
    person_find,
    person_of_erasure,
    person_of_user,
)

logger = logging.getLogger(__name__)

UNDER_WAY = timedelta(minutes=5)  # longer than a request that began before the erasure


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
    """What an audit entry about the person names: the account, or a guest's first order, cart, email or VAT ID."""
    targets = (
        ("users", "accounts.User"),
        ("orders", "orders.Order"),
        ("carts", "carts.Cart"),
        ("emails", "notifications.Notification"),
        ("vat_ids", "tax_ids.TaxId"),
    )
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
    whose: Whose = Whose.CONFIRMED,
    user_id: UUID | None = None,
) -> Erasure:
    """End the person's access and write the erasure and the email about it; a task erases the rows after commit.

    Returns the one in progress, if there is one. Locks: the user. Errors: CannotErase.
    """
    address = normal_email(email)
    person, user = person_locked(address, whose, user_id)
    running = erasure_in_progress(user, address)
    if running is not None:
        enqueue_after_commit("privacy.continue_erasure", running.pk)
        return running
    if reasons := erasure_refusals(person):
        raise CannotErase(reasons)
    if not person:
        raise CannotErase([_("The shop stores nothing under this email address.")])
    key = uuid4()
    person = replace(
        person,
        alias=f"{key.hex}@{ERASED_DOMAIN}",
        last_mail=last_mail_key(key),
        until=(timezone.now() + UNDER_WAY).isoformat(),
    )
    try:
        with transaction.atomic():
            erasure = Erasure.objects.create(
                pk=key,
                source=source,
                user=user,
                requested_by=actor,
                alias=person.alias,
                address_hash=hash_for(person, user, address),
                facts=json.dumps(person.as_json()),
            )
    except IntegrityError:  # two requests about the same guest at the same time
        running = erasure_in_progress(user, address)
        if running is None:
            raise
        return running
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


def last_mail_key(erasure_id: UUID) -> str:
    return f"erasure:{erasure_id}"


def person_locked(address: str, whose: Whose, user_id: UUID | None) -> tuple[Person, User | None]:
    """The person, read again once their user is locked."""
    person = Person(user_id=str(user_id)) if user_id else person_find(address, whose)
    users = [person.user_id] if person.user_id else []
    user = User.objects.select_for_update(of=("self",)).filter(pk__in=users).first()
    return (person_of_user(user) if user else person), user


def erasure_in_progress(user: User | None, address: str) -> Erasure | None:
    """Of this account, or else the one that takes in the guest orders of the address."""
    if user is not None:
        return erasures_running().filter(user=user).first()
    return Erasure.objects.filter(address_hash__in=keyed_hashes(address)).first()


def hash_for(person: Person, user: User | None, address: str) -> str:
    """Of the address, which finds the erasure of its guest orders; of the account's id if the account did not confirm
    the address, or an erasure of its guest orders is in progress."""
    if user is None:
        return keyed_hash(address)
    is_covered = address in person.addresses and erasure_in_progress(None, address) is None
    return keyed_hash(address if is_covered else str(user.pk))


def erasure_continue(erasure_id: UUID) -> bool:
    """Erase what is left, or wait while something of the person is open. Returns whether the erasure is done: the email
    was sent or failed for the last time, and every provider has deleted what it was asked to."""
    running = Erasure.objects.filter(pk=erasure_id, state=ErasureState.RUNNING)
    erasure = running.first()
    if erasure is None:
        return True
    # first, so that an erasure that fails gives way to others
    running.update(runs=F("runs") + 1, updated_at=timezone.now())
    person = person_of_erasure(erasure.facts or "{}")
    person = person.merged_with(collect(person))  # a request may have placed an order while the erasure began
    running.update(facts=json.dumps(person.as_json()))
    if erasure_refusals(person):
        return False  # until it is settled
    is_waiting = bool(
        pending_reasons(person)
    )  # before, so that what ends in between is erased by the next run
    erase(person, erasure.pk, kept_years=settings.ERASURE_KEEP_YEARS)
    if is_waiting or pending_reasons(person):
        return False
    running.update(state=ErasureState.DONE, facts=None, address_hash="", finished_at=timezone.now())
    logger.info("person_erased", extra={"erasure": str(erasure.pk)})
    return True


def erasures_continue() -> None:
    """Periodic: those in progress, first the ones that waited longest for their turn."""
    keys = list(erasures_running().order_by("updated_at").values_list("pk", flat=True)[:100])
    run_each(keys, erasure_continue, event="erasure_failed")
