"""Emails about artisans' money."""

from typing import Any

from django.conf import settings
from django.db.models import TextChoices
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from artisans.core.money import Money
from artisans.earnings.models import Debt
from artisans.notifications.services import MailMessage
from orders.mails import store_context
from orders.models import StoreRules


class EarningsMail(TextChoices):
    BALANCE_OWED = "balance_owed", _("Balance owed (to the artisan)")


def debt_mail(debt: Debt, owed: Money, store: StoreRules) -> MailMessage:
    context = {
        "store": store_context(store),
        "owed": owed,
        "since": timezone.localtime(debt.created_at).date(),
        "number": debt.number,
        "currency": debt.currency,
    }
    kind = EarningsMail.BALANCE_OWED
    return MailMessage(kind, debt.artisan.email, f"{kind}:{debt.pk}", context)


def lines_page(facts: dict[str, Any]) -> str:
    query = f"?currency={facts['currency']}"
    return f"{settings.SITE_URL}{reverse('earnings:line_list')}{query}"


LINKS = {"earning_lines_url": lines_page}
