from typing import Any

from django import template

from artisans.catalog.statuses import ArtisanState
from artisans.catalog.terms import terms_to_accept

register = template.Library()


@register.inclusion_tag("workshop/_notices.html", takes_context=True)
def workshop_notices(context: Any) -> dict[str, Any]:
    """What state the workshop is in unless it is active, and for owners the terms to accept."""
    membership = context["request"].membership  # of require_membership
    artisan = membership.artisan
    is_active = artisan.state == ArtisanState.ACTIVE
    asks = membership.is_owner and artisan.state not in {ArtisanState.PENDING, ArtisanState.CLOSED}
    return {
        "state": artisan.state,
        "reason": "" if is_active else artisan.state_changes.values_list("reason", flat=True).first(),
        "terms": terms_to_accept(artisan) if asks else None,
        "is_owner": membership.is_owner,
    }
