"""What holds and debts store about an artisan (artisans/core/personal_data.py)."""

from django.db.models import Q

from artisans.core.personal_data import Holding, Person, register


def of_artisan(person: Person) -> Q:
    return Q(artisan__in=person.of("artisans"))


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
        lambda person: Q(debt__artisan__in=person.of("artisans")),
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
