"""What checks of VAT IDs store about a person (artisans/core/personal_data.py).

A VAT ID itself is found by the orders that have it: see orders/personal_data.py.
"""

from django.db.models import Q

from artisans.core.personal_data import Holding, register

HOLDINGS = (
    Holding(
        "tax_ids.TaxId",
        "vat_ids",
        lambda person: Q(pk__in=person.of("vat_ids")),
        export=("value", "country", "status", "verified_name", "verified_address", "checked_at", "used_at"),
        is_deleted=True,  # the next buyer of the same business has it checked again
    ),
    Holding(
        "tax_ids.TaxIdNotice",
        "vat_id_notices",
        lambda person: Q(email__in=person.addresses),
        export=("tax_id__value", "created_at"),
        is_deleted=True,
    ),
)
IMPERSONAL = {"tax_ids.TaxId": {"country", "status", "failure", "request_identifier", "reason"}}

register(*HOLDINGS, impersonal=IMPERSONAL)
