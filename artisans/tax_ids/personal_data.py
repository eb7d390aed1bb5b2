"""What checks of VAT IDs store about a person (artisans/core/personal_data.py).

A VAT ID itself is found by the orders and carts that have it, and by who waits for it: see carts/personal_data.py.
"""

from django.db.models import Q

from artisans.core.personal_data import Holding, Person, register


def own_notices(person: Person) -> Q:
    return Q(email__in=person.addresses) & person.in_time()


HOLDINGS = (
    Holding(
        "tax_ids.TaxIdNotice",
        "vat_id_notices",
        own_notices,
        export=("tax_id__value", "created_at"),
        is_deleted=True,
    ),
    Holding(
        "tax_ids.TaxIdNotice",  # before the VAT IDs to which they refer
        "vat_id_notices_of_others",
        lambda person: Q(tax_id__in=person.of("vat_ids")) & ~own_notices(person),
        is_deleted=True,
    ),
    Holding(
        "tax_ids.TaxId",
        "vat_ids",
        lambda person: Q(pk__in=person.of("vat_ids")),
        export=("value", "country", "status", "verified_name", "verified_address", "checked_at", "used_at"),
        is_deleted=True,  # the next buyer of the same business has it checked again
    ),
)
IMPERSONAL = {"tax_ids.TaxId": {"country", "status", "failure", "request_identifier", "reason"}}

register(*HOLDINGS, impersonal=IMPERSONAL)
