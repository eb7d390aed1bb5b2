"""Moving money or changing credentials requires a sign-in within the last minutes."""

import time

from allauth.account.authentication import get_authentication_records
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.http import HttpRequest


def is_fresh(request: HttpRequest) -> bool:
    """Whether the user signed in or reauthenticated within ACCOUNT_REAUTHENTICATION_TIMEOUT."""
    records = get_authentication_records(request, request.user)
    return any(time.time() - record["at"] < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT for record in records)


def require_fresh_sign_in(request: HttpRequest) -> None:
    """Errors: ReauthenticationRequired, which redirects to the reauthentication page."""
    if not is_fresh(request):
        raise ReauthenticationRequired
