"""For whom a signed-in user acts."""

from django.http import Http404, HttpRequest

from artisans.accounts.models import User
from artisans.accounts.principals import require_user
from artisans.catalog.models import Artisan
from artisans.core.models import get_or_none


def artisan_of(user: User) -> Artisan | None:
    """The artisan for whom this user acts."""
    return get_or_none(Artisan.objects.filter(user=user))


def require_artisan(request: HttpRequest) -> Artisan:
    """Errors: Http404 for everybody else."""
    user = require_user(request)
    artisan = artisan_of(user) if user.is_artisan else None
    if artisan is None:
        raise Http404
    return artisan
