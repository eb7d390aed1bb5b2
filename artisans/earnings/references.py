"""Names of payments and write-offs of debts on the ledger's pages, where the number of a debt finds its entries."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from artisans.earnings.models import Settlement
from artisans.ledger.references import NAMED_FACTS, SEARCHES, NamedFact
from payments.selectors import keys_of


def entries_of_debt(text: str) -> Q:
    return Q(fact_id__in=keys_of(Settlement.objects.filter(debt__number=text.strip().upper())))


def references_register() -> None:
    NAMED_FACTS.append(NamedFact(Settlement, "debt__number", "pk", _("debt %(number)s")))
    SEARCHES.append(entries_of_debt)
