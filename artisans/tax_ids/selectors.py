from django.db.models import QuerySet
from django.utils import timezone

from artisans.core.models import get_or_none
from artisans.tax_ids.models import TaxId, TaxIdStatus
from artisans.tax_ids.numbers import country_of


def tax_id_named(value: str) -> TaxId | None:
    """None without a value; one that nobody has used yet is not stored. Shape: `value` as of vat_id_read."""
    if not value:
        return None
    return get_or_none(TaxId.objects.filter(value=value)) or TaxId(value=value, country=country_of(value))


def is_check_due(value: str) -> bool:
    """Whether using it starts a check."""
    tax_id = tax_id_named(value)
    return tax_id is None or tax_id.is_due(timezone.now())


def tax_ids_to_decide() -> QuerySet[TaxId]:
    return TaxId.objects.filter(status=TaxIdStatus.UNAVAILABLE)


def checks_due() -> QuerySet[TaxId]:
    return TaxId.objects.filter(status=TaxIdStatus.PENDING, next_try_at__lte=timezone.now())
