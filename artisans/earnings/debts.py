"""Artisans who owe the shop: when that began, and the email that asks for it. Nothing is taken automatically."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from artisans.catalog.models import Artisan
from artisans.core.models import get_or_none
from artisans.core.money import Money
from artisans.earnings.holds import artisan_lock, hold_finish, hold_make
from artisans.earnings.mails import debt_mail
from artisans.earnings.models import Debt, Hold, HoldReason
from artisans.earnings.selectors import available_minor
from artisans.ledger.accounts import AccountKind
from artisans.ledger.models import LedgerPosting
from artisans.ledger.selectors import accounts_with_balances
from artisans.notifications.services import notifications_enqueue
from orders.selectors import store_rules

CHUNK = 500
HOURS = 24
RECENT = 20_000  # postings
ArtisanCurrency = tuple[UUID, str]


def debts_to_sync() -> Iterator[ArtisanCurrency]:
    """Artisans with an open debt, and those whose available balance is below zero; so many accounts in a query.

    Balances are read of accounts with recent postings, and each hour of another part of all accounts: each once a day.
    """
    yield from Debt.objects.filter(ended_at__isnull=True).order_by("pk").values_list("artisan", "currency")
    recent = LedgerPosting.objects.order_by("-id").values("account")[:RECENT]
    accounts: Any = accounts_with_balances().filter(kind=AccountKind.SELLER_AVAILABLE).order_by("pk")
    accounts = accounts.alias(hour=F("pk") % HOURS).filter(Q(pk__in=recent) | Q(hour=timezone.now().hour))
    last = 0
    while chunk := list(accounts.filter(pk__gt=last)[:CHUNK]):
        for account in chunk:
            if account.artisan_id and account.balance_minor > 0:
                yield account.artisan_id, account.currency
        last = chunk[-1].pk


@transaction.atomic
def debt_sync(key: ArtisanCurrency) -> Debt | None:
    """Record that an artisan's debt in a currency began or ended, and email them about an old one, once."""
    artisan_id, currency = key
    artisan = artisan_lock(artisan_id)
    reserves_apply(artisan, currency)
    owed = Money(max(0, -available_minor(artisan_id, currency)), currency)
    debt = get_or_none(Debt.objects.filter(artisan=artisan, currency=currency, ended_at__isnull=True))
    now, store = timezone.now(), store_rules()
    if not owed:
        if debt is not None:
            debt.ended_at = now
            debt.save(update_fields=["ended_at", "updated_at"])
        return debt
    if debt is None:
        return Debt.objects.create(artisan=artisan, currency=currency)
    if debt.mailed_at is None and debt.created_at <= now - timedelta(days=store.debt_days):
        debt.mailed_at = now
        debt.save(update_fields=["mailed_at", "updated_at"])
        notifications_enqueue(debt_mail(debt, owed, store))
    return debt


def reserves_apply(artisan: Artisan, currency: str) -> None:
    """Take what an artisan owes from their reserves, which are held back for that; of the last one, the rest stays.

    The caller holds the artisan's lock.
    """
    missing = -available_minor(artisan.pk, currency)
    reserves = Hold.objects.filter(
        artisan=artisan, currency=currency, reason=HoldReason.RESERVE, released_at__isnull=True
    )
    for hold in reserves.order_by("until", "pk") if missing > 0 else ():
        hold_finish(hold)
        missing -= hold.amount_minor
        if missing < 0:
            hold_make(
                Hold(
                    artisan=artisan,
                    currency=currency,
                    amount_minor=-missing,
                    reason=HoldReason.RESERVE,
                    order=hold.order,
                    until=hold.until,
                )
            )
        if missing <= 0:
            return


def debt_reopen(debt: Debt) -> None:
    """What ended a debt was reversed: it goes on, unless they owe under another number by now. The caller holds the
    artisan's lock."""
    same = Debt.objects.filter(artisan=debt.artisan_id, currency=debt.currency, ended_at__isnull=True)
    if (
        debt.ended_at is not None
        and available_minor(debt.artisan_id, debt.currency) < 0
        and not same.exists()
    ):
        debt.ended_at = None
        debt.save(update_fields=["ended_at", "updated_at"])
