"""Names of payments and write-offs of debts on the ledger's pages, where the number of a debt finds its entries."""

from collections.abc import Collection

from django.db.models import Q
from django.utils.translation import gettext as _

from artisans.core.admin.pages import admin_page_url
from artisans.earnings.models import Settlement
from artisans.ledger.models import LedgerEntry
from artisans.ledger.references import SEARCHES, SOURCES, Key, Reference
from payments.selectors import keys_of


def settlement_references(entries: Collection[LedgerEntry]) -> dict[Key, Reference]:
    facts = {entry.fact_id for entry in entries}
    return {
        row.pk: Reference(_("debt %(number)s") % {"number": row.debt}, admin_page_url(row))
        for row in Settlement.objects.filter(pk__in=facts).select_related("debt")
    }


def entries_of_debt(text: str) -> Q:
    return Q(fact_id__in=keys_of(Settlement.objects.filter(debt__number=text.strip().upper())))


def references_register() -> None:
    SOURCES.append(settlement_references)
    SEARCHES.append(entries_of_debt)
