"""What is always true of artisans' debts (docs/invariants.md); `payments` compares them with the ledger."""

from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from artisans.core.invariants import Invariant, one_statement, register_invariants
from artisans.earnings.models import Settlement


@one_statement
def find_other_currencies() -> QuerySet[Settlement, tuple[str, str, str]]:
    wrong = Settlement.objects.exclude(currency=F("debt__currency")).order_by("pk")
    return wrong.values_list("debt__number", "currency", "debt__currency")


INVARIANTS = (
    Invariant(
        "settlement_currency",
        "P10",
        _("What is paid of a debt, or written off, has its currency."),
        _("A payment or write-off of the debt %(row)s is in %(stored)s, not in %(expected)s."),
        find_other_currencies,
        tables=(Settlement,),
    ),
)

register_invariants(*INVARIANTS, reads=(Settlement,))
