"""Emails about artisans' money."""

from typing import Any

from django.conf import settings
from django.db.models import TextChoices
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from artisans.core.money import Money
from artisans.core.security.encryption import decrypt_if_set, encrypt, read_decrypted
from artisans.earnings.models import Debt
from artisans.notifications.facts import fact_renderer, render_later
from artisans.notifications.services import MailMessage
from orders.mails import store_context
from orders.models import StoreRules


class EarningsMail(TextChoices):
    BALANCE_OWED = "balance_owed", _("Balance owed (to the artisan)")


def debt_mail(debt: Debt, owed: Money, store: StoreRules) -> MailMessage:
    iban, bic = (read_decrypted(store, f"account_{name}") for name in ("iban", "bic"))
    context = {
        "store": store_context(store),
        "owed": owed,
        "since": debt.created_at.date(),
        "number": debt.number,
        "currency": debt.currency,
        "account": render_later(
            account_rows,
            holder=store.account_holder,
            iban=encrypt(iban) if iban else "",
            bic=encrypt(bic) if bic else "",
            bank=store.account_bank,
        ),
    }
    kind = EarningsMail.BALANCE_OWED
    return MailMessage(kind, debt.artisan.email, f"{kind}:{debt.pk}", context)


@fact_renderer
def account_rows(holder: str, iban: str, bic: str, bank: str) -> list[tuple[str, str]]:
    """The shop's bank account, as labels and values; empty if none is set."""
    if not iban:
        return []
    rows = [
        (str(_("Account holder")), holder),
        (str(_("Account number")), decrypt_if_set(iban)),
        (str(_("BIC")), decrypt_if_set(bic)),
        (str(_("Bank")), bank),
    ]
    return [row for row in rows if row[1]]


def lines_page(facts: dict[str, Any]) -> str:
    query = f"?currency={facts['currency']}"
    return f"{settings.SITE_URL}{reverse('earnings:line_list')}{query}"


LINKS = {"earning_lines_url": lines_page}
