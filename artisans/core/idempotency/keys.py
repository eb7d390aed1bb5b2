"""Idempotency keys: a request repeated under the same key has no second effect.

A key is claimed by an INSERT in its own transaction, so that none is open while the work runs. The claim ends when the
response is stored or the key is released; if the process dies, when its lease expires. Services record their effect
with `effect_record` in the same transaction: a retry after a crash is answered from it, and a process that lost its
lease cannot commit.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from artisans.core.errors import N_, Conflict, InvalidInput, UnprocessableContent
from artisans.core.models import IdempotencyKey, IdempotencyState, get_or_none
from artisans.core.retention import Retention

LIFE = timedelta(hours=24)
LEASE = timedelta(seconds=60)
KEY = re.compile(r"[\x21-\x7e]{1,255}")
CARD_FIELDS = frozenset(
    {"card_number", "number", "pan", "card_cvc", "cvc", "card_cvv", "cvv", "security_code", "card"}
)
EXPIRED_KEYS = Retention(
    "idempotency_keys",
    lambda before: IdempotencyKey.objects.filter(expires_at__lt=before),
    clock="expires_at",
)
TRIES = 3  # the key may be released between the failed INSERT and reading the row

working: ContextVar[IdempotencyKey | None] = ContextVar("working", default=None)


class KeyInvalid(InvalidInput):
    """The Idempotency-Key is empty, too long, or contains spaces or non-ASCII characters."""

    code = "idempotency_key_invalid"
    remedy = "Send a key of 1 to 255 visible ASCII characters, such as a UUID."

    def __init__(self) -> None:
        super().__init__(_("An Idempotency-Key must have 1 to 255 visible ASCII characters, without spaces."))


class KeyInUse(Conflict):
    """The first request with this Idempotency-Key is still running.

    `wait`: seconds after which to try again.
    """

    code = "idempotency_key_in_use"
    title = N_("The first request is still running")
    remedy = "Send the same request again after the seconds in `Retry-After`; it has no second effect."
    retryable = True
    wait = 1

    def __init__(self) -> None:
        super().__init__(
            _("A request with this Idempotency-Key is still running; send it again in a moment.")
        )


class KeyReused(UnprocessableContent):
    """This Idempotency-Key was used before with another body or address."""

    code = "idempotency_key_reused"
    title = N_("The Idempotency-Key was used for another request")
    remedy = "Use a new key for a new operation; repeat a request with its original body."

    def __init__(self) -> None:
        super().__init__(_("This Idempotency-Key was used with another body or URL. Use a new key."))


# ---- the effect ------------------------------------------------------------------------------------------------


def effect_record(reference: str) -> None:
    """Record the effect ("order:<id>") under the current request's key, if it has one.

    Call it in the transaction of the effect; the last call counts. Errors: KeyInUse if the lease was lost to another
    request, so that the transaction does not commit. Locks: the key.
    """
    row = working.get()
    if row is None:
        return
    if not transaction.get_connection().in_atomic_block:
        message = "Call effect_record in the transaction of the effect."  # not for translation
        raise transaction.TransactionManagementError(message)
    if not held_row(row).update(effect=reference):
        raise KeyInUse


def effect_id(reference: str) -> UUID:
    """The id in a reference such as "order:<id>"."""
    return UUID(reference.partition(":")[2])


# ---- the key ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """A request with a key. `fingerprints`: one per valid SECRET_KEY, the current one first."""

    principal: str
    route: str
    key: str
    fingerprints: tuple[str, ...]


class ClaimResult(NamedTuple):
    """`is_mine`: this request does the work. Otherwise the row has a response or an earlier request's effect."""

    row: IdempotencyKey
    is_mine: bool


def key_claim(claim: KeyClaim) -> ClaimResult:
    """Claim the key or find its earlier outcome. Errors: KeyInvalid, KeyInUse, KeyReused."""
    if not KEY.fullmatch(claim.key):
        raise KeyInvalid
    for _attempt in range(TRIES):
        if row := key_insert(claim):
            return ClaimResult(row, is_mine=True)
        found = IdempotencyKey.objects.filter(principal=claim.principal, route=claim.route, key=claim.key)
        row = get_or_none(found)
        if row is None:
            continue
        if row.expires_at <= timezone.now():
            found.filter(pk=row.pk).delete()
            continue
        if row.fingerprint not in claim.fingerprints:
            raise KeyReused
        if row.state == IdempotencyState.DONE or row.effect:
            return ClaimResult(row, is_mine=False)
        return ClaimResult(key_reclaim(row), is_mine=True)
    raise KeyInUse


def key_insert(claim: KeyClaim) -> IdempotencyKey | None:
    now = timezone.now()
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(
                principal=claim.principal,
                route=claim.route,
                key=claim.key,
                fingerprint=claim.fingerprints[0],
                lease_until=now + LEASE,
                expires_at=now + LIFE,
            )
    except IntegrityError:
        return None


def key_reclaim(row: IdempotencyKey) -> IdempotencyKey:
    """Take over from a request whose lease has expired. Errors: KeyInUse if it has not, or if another was faster."""
    now = timezone.now()
    if row.lease_until > now or not held_row(row).filter(effect=row.effect).update(lease_until=now + LEASE):
        raise KeyInUse
    row.lease_until = now + LEASE
    return row


@contextmanager
def key_current(row: IdempotencyKey) -> Iterator[None]:
    """Make this the current key: effects recorded in the block belong to it."""
    token = working.set(row)
    try:
        yield
    finally:
        working.reset(token)


def key_store(row: IdempotencyKey, *, status_code: int, body: str, headers: Mapping[str, str]) -> None:
    """Store the response. Does nothing if another request has taken over."""
    held_row(row).update(
        state=IdempotencyState.DONE, status_code=status_code, body=body, headers=dict(headers)
    )


def key_release(row: IdempotencyKey) -> None:
    """Release a key without effect. With one, the lease ends, and a retry is answered from the effect."""
    deleted, _by_model = held_row(row).filter(effect="").delete()
    if not deleted:
        held_row(row).update(lease_until=timezone.now())


def held_row(row: IdempotencyKey) -> QuerySet[IdempotencyKey]:
    """The row, if the lease is still ours."""
    return IdempotencyKey.objects.filter(
        pk=row.pk, lease_until=row.lease_until, state=IdempotencyState.RUNNING
    )


# ---- the body --------------------------------------------------------------------------------------------------


def fingerprints_of(*parts: Any) -> tuple[str, ...]:
    """Keyed hashes of JSON values; a body may hold a password, which could be guessed from a plain hash."""
    text = json.dumps(strip_card_fields(list(parts)), sort_keys=True, default=plain)
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return tuple(
        salted_hmac("core.idempotency", text, secret=secret, algorithm="sha256").hexdigest()
        for secret in secrets
    )


def plain(value: Any) -> str:
    """Of an upload, its name and the digest of its content."""
    if not isinstance(value, File):
        return str(value)
    digest = hashlib.sha256()
    for chunk in value.chunks():
        digest.update(chunk)
    value.seek(0)
    return f"{value.name} {digest.hexdigest()}"


def strip_card_fields(value: Any) -> Any:
    """Remove card data at any depth; not even a hash of it is kept."""
    if isinstance(value, Mapping):
        return {k: strip_card_fields(v) for k, v in value.items() if str(k).lower() not in CARD_FIELDS}
    if isinstance(value, list):
        return [strip_card_fields(inner) for inner in value]
    return value
