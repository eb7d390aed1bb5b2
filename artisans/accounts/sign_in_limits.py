"""Limits on attempts to sign in, by page and API: per account and network, and per account over all networks.

Networks from which the account has signed in before are exempt from the second limit, so that strangers cannot lock its
owner out; a password reset by email adds the network of the request. Attempts on accounts of staff are counted in the
database, because counters in the cache start over while it is unavailable.
"""

import time

from django.conf import settings
from django.db.models import Case, F, Value, When
from django.http import HttpRequest

from artisans.accounts.models import User, normal_email
from artisans.core.security.client_ip import client_line, network_hash
from artisans.core.security.rate_limits import RateLimited, count, quota_of

LIMIT = "login_everywhere"
NETWORKS, LENGTH = 10, 16  # how many networks an account has, and how many characters each hash


def sign_in_count(email: str, request: HttpRequest) -> None:
    """Count an attempt before the password is checked. Errors: RateLimited."""
    email = normal_email(email)
    count("login_account", email, client_line(request))
    user = User.objects.filter(email=email).first()
    if user is None:
        count(LIMIT, email)
    elif network_of(request) in user.sign_in_networks.split():
        return
    elif user.is_staff:
        count_in_database(user)
    else:
        count(LIMIT, email)


def count_in_database(user: User) -> None:
    now, seconds = int(time.time()), settings.RATE_LIMITS[LIMIT][1]
    window = now // seconds
    row = User.objects.filter(pk=user.pk)
    again = Case(When(sign_in_window=window, then=F("sign_in_count") + 1), default=Value(1))
    row.update(sign_in_count=again, sign_in_window=window)
    quota = quota_of(LIMIT, row.values_list("sign_in_count", flat=True).get(), now)
    if quota.is_exceeded:
        raise RateLimited(quota)


def network_remember(user: User, request: HttpRequest) -> None:
    """Call when the user has proved who they are."""
    known, network = user.sign_in_networks.split(), network_of(request)
    if network and known[:1] != [network]:
        known = [network, *(other for other in known if other != network)][:NETWORKS]
        User.objects.filter(pk=user.pk).update(sign_in_networks=" ".join(known))


def network_of(request: HttpRequest) -> str:
    return network_hash(request)[:LENGTH]
