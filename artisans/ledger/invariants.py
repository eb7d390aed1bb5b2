"""What is always true of the ledger itself (docs/invariants.md); `payments` compares it with the money."""

from collections.abc import Iterator

from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from artisans.core.invariants import (
    TRIGGERS,
    Invariant,
    Mismatch,
    find_missing_triggers,
    one_statement,
    register_invariants,
    sentence_of,
    violations_of,
)
from artisans.ledger.models import LedgerCheckpoint, LedgerEntry, LedgerPeriod, LedgerPosting
from artisans.ledger.selectors import trial_balance

# The task payments.check_ledger checks them every night.
SEE_RUNBOOK = _("See docs/runbook.md#ledgerdiffers.")


@one_statement
def find_unbalanced() -> QuerySet[LedgerPosting, tuple[str, str, int]]:
    sums = LedgerPosting.objects.order_by("entry__key", "currency").values("entry__key", "currency")
    wrong = sums.annotate(sum=Sum("amount_minor")).exclude(sum=0)
    return wrong.values_list("entry__key", "currency", "sum")


@one_statement
def find_lonely() -> QuerySet[LedgerEntry, tuple[str]]:
    wrong = LedgerEntry.objects.annotate(count=Count("postings")).filter(count__lt=2).order_by("key")
    return wrong.values_list("key")


@one_statement
def find_other_currencies() -> QuerySet[LedgerPosting, tuple[str, str, str]]:
    wrong = LedgerPosting.objects.exclude(currency=F("account__currency")).order_by("pk")
    return wrong.values_list("entry__key", "currency", "account__currency")


def find_wrong_trial_balances() -> Iterator[Mismatch]:
    """Of the last closed month, whose balances contain those of the months before."""
    last = LedgerPeriod.objects.order_by("-last_day").first()
    if last is not None and last.trial_balance != trial_balance(last.last_day):
        yield Mismatch(last)


def find_wrong_checkpoints() -> Iterator[Mismatch]:
    """Of the last closed month, from which balances are computed."""
    last = LedgerPeriod.objects.order_by("-last_day").first()
    if last is None:
        return
    before = LedgerPosting.objects.filter(
        account=OuterRef("account"), id__lte=OuterRef("last_posting")
    ).order_by()
    total = Coalesce(Subquery(before.values("account").annotate(sum=Sum("amount_minor")).values("sum")), 0)
    wrong = (
        LedgerCheckpoint.objects.filter(period=last).annotate(total=total).exclude(total=F("balance_minor"))
    )
    for row in wrong.select_related("account__artisan").order_by("pk"):
        yield Mismatch(row.account, last)


INVARIANTS = (
    Invariant(
        "ledger_balanced",
        "P8",
        _("Every entry of the ledger sums to zero in each currency."),
        _("%(row)s does not sum to zero in %(stored)s: %(expected)s."),
        find_unbalanced,
        tables=(LedgerPosting,),
        remedy=SEE_RUNBOOK,
        is_nightly=False,
    ),
    Invariant(
        "ledger_postings",
        "P8",
        _("An entry of the ledger has two postings or more."),
        _("%(row)s has fewer than two postings."),
        find_lonely,
        tables=(LedgerEntry,),
        remedy=SEE_RUNBOOK,
        is_nightly=False,
    ),
    Invariant(
        "ledger_currency",
        "P10",
        _("A posting has the currency of its account."),
        _("%(row)s has a posting in %(stored)s to an account in %(expected)s."),
        find_other_currencies,
        tables=(LedgerPosting,),
        remedy=SEE_RUNBOOK,
        is_nightly=False,
    ),
    Invariant(
        "ledger_trial_balance",
        "P8",
        _("The trial balance of the last closed month is the sum of its postings."),
        _("The trial balance of %(row)s is not the sum of its postings."),
        find_wrong_trial_balances,
        tables=(LedgerPeriod,),
        remedy=SEE_RUNBOOK,
        is_nightly=False,
    ),
    Invariant(
        "ledger_checkpoint",
        "P8",
        _("The checkpoints of the last closed month are the sums of their postings."),
        _("The checkpoint of %(row)s at the end of %(stored)s is not the sum of its postings."),
        find_wrong_checkpoints,
        tables=(LedgerPeriod,),
        remedy=SEE_RUNBOOK,
        is_nightly=False,
    ),
)


def find_errors() -> Iterator[str]:
    """One sentence for each violated rule of the ledger itself. Reads all postings."""
    for found in find_missing_triggers():
        if str(found.stored).startswith("ledger_"):
            yield sentence_of(TRIGGERS, found)
    for invariant in INVARIANTS:
        yield from (violation.sentence for violation in violations_of(invariant))


register_invariants(*INVARIANTS, reads=(LedgerEntry, LedgerPosting, LedgerPeriod))
