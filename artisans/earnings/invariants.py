"""What is always true of artisans' debts (docs/invariants.md); `payments` compares them with the ledger."""

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from artisans.core.invariants import Invariant, one_statement, register_invariants
from artisans.earnings.models import Settlement, SettlementStatus
from payments.models import CashDeposit, DepositStatus, Receipt


@one_statement
def find_other_currencies() -> QuerySet[Settlement, tuple[str, str, str]]:
    wrong = Settlement.objects.exclude(currency=F("debt__currency")).order_by("pk")
    return wrong.values_list("debt__number", "currency", "debt__currency")


@one_statement
def find_recorded_elsewhere() -> QuerySet[Settlement, tuple[str, str]]:
    of_key = {"reference_key": OuterRef("reference_key")}
    receipts = Receipt.objects.filter(reversal=None, **of_key)
    deposits = CashDeposit.objects.filter(status=DepositStatus.RECORDED, **of_key)
    standing = Settlement.objects.filter(~Q(reference_key=""), status=SettlementStatus.RECORDED)
    wrong = standing.filter(Exists(receipts) | Exists(deposits)).order_by("pk")
    return wrong.values_list("debt__number", "reference")


INVARIANTS = (
    Invariant(
        "settlement_currency",
        "P10",
        _("What is paid of a debt, or written off, has its currency."),
        _("A payment or write-off of the debt %(row)s is in %(stored)s, not in %(expected)s."),
        find_other_currencies,
        tables=(Settlement,),
    ),
    Invariant(
        "settlement_once",
        "P3",
        _("A reference of the bank stands for a payment of a debt or for other money, not for both."),
        _(
            "The reference %(stored)s stands for a payment of the debt %(row)s, and for a receipt or deposit of cash."
        ),
        find_recorded_elsewhere,
        tables=(Settlement,),
        remedy=_("Compare both with the bank’s statement, and reverse the one that is wrong."),
    ),
)

register_invariants(*INVARIANTS, reads=(Settlement, Receipt, CashDeposit))
