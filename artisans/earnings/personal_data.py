"""What holds and debts store about an artisan (artisans/core/personal_data.py)."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from artisans.core.personal_data import COLLECTORS, Holding, Person, register
from artisans.earnings.models import Debt, Hold, Settlement


def of_artisan(person: Person) -> Q:
    return Q(artisan__in=person.of("artisans"))


def of_debts(person: Person) -> Q:
    return Q(debt__artisan__in=person.of("artisans"))


def find_holds(person: Person) -> Iterable[UUID]:
    return Hold.objects.filter(of_artisan(person)).values_list("pk", flat=True)


def find_debts(person: Person) -> Iterable[UUID]:
    return Debt.objects.filter(of_artisan(person)).values_list("pk", flat=True)


def find_settlements(person: Person) -> Iterable[UUID]:
    return Settlement.objects.filter(of_debts(person)).values_list("pk", flat=True)


register(
    Holding(
        "earnings.Hold",
        "holds",
        of_artisan,
        export=("created_at", "currency", "amount_minor", "reason", "note", "until", "released_at"),
        scrub=("note",),
    ),
    Holding(
        "earnings.Debt",
        "debts",
        of_artisan,
        export=("number", "created_at", "currency", "ended_at", "mailed_at"),
    ),
    Holding(
        "earnings.Settlement",
        "payments_of_debts",
        of_debts,
        export=(
            *("created_at", "means", "status", "currency", "amount_minor", "value_date", "reference", "note"),
            *("reversed_at", "reversal_reason"),
        ),
        scrub=("note", "reversal_reason"),
    ),
    impersonal={
        "earnings.Hold": {"currency", "reason"},
        "earnings.Debt": {"number", "currency"},
        # a bank's reference identifies the transfer in the books, which the law requires to be kept
        "earnings.Settlement": {"means", "status", "currency", "reference", "reference_key"},
    },
)
# Approval requests and the audit log name them.
COLLECTORS.update({"holds": find_holds, "debts": find_debts, "payments_of_debts": find_settlements})
