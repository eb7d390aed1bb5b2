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
    impersonal={
        "earnings.Hold": {"currency", "reason"},
        "earnings.Debt": {"number", "currency"},
    },
)
