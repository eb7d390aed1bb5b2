from django.db.models import Q, QuerySet
from django.utils import timezone

from artisans.accounts.models import AuthToken, User


def tokens_of(user: User) -> QuerySet[AuthToken]:
    """The user's valid tokens, newest first."""
    alive = Q(expiry=None) | Q(expiry__gt=timezone.now())
    rows: QuerySet[AuthToken] = AuthToken.objects.filter(alive, user=user)
    return rows.select_related("user").order_by("-created", "-public_id")
