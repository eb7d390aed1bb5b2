"""VAT IDs that buyers enter in the checkout, on its pages and by API."""

from django.http import HttpRequest

from artisans.core.security.rate_limits import RateLimited, consume_scope
from artisans.tax_ids.models import TaxId
from artisans.tax_ids.selectors import is_check_due
from artisans.tax_ids.services import tax_id_record_use


def vat_id_use(request: HttpRequest, *, vat_id: str, email: str = "") -> TaxId:
    """Have it checked unless an earlier answer holds; checks are limited. Errors: RateLimited."""
    if is_check_due(vat_id):
        for quota in consume_scope("tax_ids", request):
            if quota.is_exceeded:
                raise RateLimited(quota)
    return tax_id_record_use(value=vat_id, email=email)
