"""Checks of VAT IDs. A buyer who enters one starts a check; a task asks VIES; staff decide where it gives no answer."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.errors import InvalidInput, NotFound
from artisans.core.models import get_or_none, save_columns
from artisans.core.queue import enqueue_after_commit
from artisans.notifications.services import MailMessage, notifications_enqueue
from artisans.tax_ids.errors import TaxIdChanged, ViesNotUsed
from artisans.tax_ids.mails import TaxIdMail
from artisans.tax_ids.models import TaxId, TaxIdNotice, TaxIdStatus
from artisans.tax_ids.numbers import country_of
from artisans.tax_ids.vies import Answer, Unavailable, check_vat_number

logger = logging.getLogger(__name__)

S = TaxIdStatus
LEASE = timedelta(minutes=1)  # of a task that asks VIES; longer than its time-outs
CHANGING = (
    *("status", "version", "asked_at", "checked_at", "tries", "next_try_at", "failure", "used_at"),
    *("verified_name", "verified_address", "request_identifier", "decided_by", "reason"),
)
PAUSES = (timedelta(seconds=10), timedelta(minutes=1))  # between tries; after the last one, staff decide


@transaction.atomic
def tax_id_record_use(*, value: str, email: str = "") -> TaxId:
    """Note that a buyer uses a VAT ID, and start a check unless the last answer still holds.

    Shape: `value` as of vat_id_read; `email`: who is told of an answer that comes late. Locks: the VAT ID.
    """
    tax_id = tax_id_lock_or_add(value)
    now = tax_id.used_at = timezone.now()
    if tax_id.is_due(now):
        check_start(tax_id, now)
    save_columns(tax_id, CHANGING)
    if email and tax_id.status in {S.PENDING, S.UNAVAILABLE}:
        promised = {"is_promised": tax_id.status == S.UNAVAILABLE}
        TaxIdNotice.objects.get_or_create(tax_id=tax_id, email=email, defaults=promised)
    return tax_id


def tax_id_lock_or_add(value: str) -> TaxId:
    """Two tries: a row that is there may be purged or erased before it is locked."""
    for _try in range(2):
        TaxId.objects.bulk_create([TaxId(value=value, country=country_of(value))], ignore_conflicts=True)
        if tax_id := get_or_none(TaxId.objects.select_for_update().filter(value=value)):
            return tax_id
    raise TaxId.DoesNotExist


def check_start(tax_id: TaxId, now: datetime) -> None:
    """Of a locked VAT ID that the caller saves. Where VIES is not asked, staff decide."""
    is_asked = bool(settings.VIES_API_BASE)
    tax_id_move(tax_id, S.PENDING if is_asked else S.UNAVAILABLE)
    tax_id.asked_at, tax_id.tries, tax_id.failure = now, 0, "" if is_asked else "not_asked"
    if is_asked:
        tax_id.next_try_at = now
        enqueue_after_commit("tax_ids.check", tax_id.pk)


def tax_id_move(tax_id: TaxId, status: TaxIdStatus) -> None:
    tax_id.status, tax_id.version = status, tax_id.version + 1
    tax_id.next_try_at, tax_id.decided_by, tax_id.reason = None, None, ""


def tax_id_check(tax_id_id: UUID) -> None:
    """Ask VIES about a VAT ID whose check is due. It calls another host, so no transaction may be open."""
    now = timezone.now()
    due = TaxId.objects.filter(pk=tax_id_id, status=S.PENDING, next_try_at__lte=now)
    if not due.update(next_try_at=now + LEASE, tries=F("tries") + 1):
        return
    tax_id = TaxId.objects.get(pk=tax_id_id)
    answer: Answer | Unavailable
    try:
        answer = check_vat_number(tax_id.value)
    except Unavailable as silence:
        answer = silence
    answer_record(tax_id, answer)


@transaction.atomic
def answer_record(asked: TaxId, answer: Answer | Unavailable) -> None:
    """Not if the status has changed since VIES was asked. Locks: the VAT ID."""
    rows = TaxId.objects.filter(pk=asked.pk, status=S.PENDING, version=asked.version, tries=asked.tries)
    tax_id = get_or_none(rows.select_for_update())
    if tax_id is None:
        return
    if isinstance(answer, Unavailable):
        tax_id.failure = answer.code
        if answer.may_pass and tax_id.tries <= len(PAUSES):
            tax_id.next_try_at = timezone.now() + PAUSES[tax_id.tries - 1]
        else:
            tax_id_move(tax_id, S.UNAVAILABLE)
            tax_id.notices.update(is_promised=True)
        logger.warning("vies_unavailable", extra={"code": answer.code, "tries": tax_id.tries})
    else:
        tax_id_move(tax_id, S.VERIFIED if answer.is_valid else S.UNVERIFIED)
        tax_id.checked_at, tax_id.failure = timezone.now(), ""
        tax_id.verified_name, tax_id.verified_address = answer.name, answer.address
        tax_id.request_identifier = answer.request_identifier
        notices_send(tax_id)
        logger.info("tax_id_checked", extra={"country": tax_id.country, "status": tax_id.status})
    save_columns(tax_id, CHANGING)


@transaction.atomic
def tax_id_decide(*, tax_id_id: UUID, version: int, is_valid: bool, reason: str, actor: User) -> TaxId:
    """Staff decide whether it is valid. `version`: the one that they have seen.

    Errors: InvalidInput without a reason, NotFound, TaxIdChanged. Locks: the VAT ID.
    """
    if not reason.strip():
        raise InvalidInput(_("Enter a reason, such as how the VAT ID was checked."))
    tax_id = tax_id_lock(tax_id_id, version)
    before = tax_id.status
    tax_id_move(tax_id, S.VERIFIED if is_valid else S.UNVERIFIED)
    tax_id.decided_by, tax_id.reason, tax_id.checked_at = actor, reason.strip(), timezone.now()
    tax_id.request_identifier = ""
    save_columns(tax_id, CHANGING)
    notices_send(tax_id)
    data = {"before": before, "status": tax_id.status, "reason": tax_id.reason}
    audit_record(actor=actor, action=Action.TAX_ID_DECIDE, target=tax_id, data=data)
    return tax_id


@transaction.atomic
def tax_id_ask_again(*, tax_id_id: UUID, version: int, actor: User) -> TaxId:
    """Ask VIES again. Errors: ViesNotUsed, NotFound, TaxIdChanged. Locks: the VAT ID."""
    if not settings.VIES_API_BASE:
        raise ViesNotUsed
    tax_id = tax_id_lock(tax_id_id, version)
    before = tax_id.status
    check_start(tax_id, timezone.now())
    save_columns(tax_id, CHANGING)
    audit_record(actor=actor, action=Action.TAX_ID_ASK_AGAIN, target=tax_id, data={"before": before})
    return tax_id


def tax_id_lock(tax_id_id: UUID, version: int) -> TaxId:
    tax_id = get_or_none(TaxId.objects.select_for_update().filter(pk=tax_id_id))
    if tax_id is None:
        raise NotFound(_("VAT ID not found."))
    if tax_id.version != version:
        raise TaxIdChanged
    return tax_id


def notices_send(tax_id: TaxId) -> None:
    """Tell those who were promised an email what was found."""
    promised = tax_id.notices.filter(is_promised=True).values_list("email", flat=True)
    context = {"vat_id": tax_id.value, "is_valid": tax_id.status == S.VERIFIED}
    key = f"tax_id:{tax_id.pk}:{tax_id.version}"
    notifications_enqueue(
        *[MailMessage(TaxIdMail.TAX_ID_DECIDED, to, f"{key}:{to}", context) for to in promised]
    )
    tax_id.notices.all().delete()
