from allauth.usersessions.models import UserSession
from celery import shared_task
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef
from django.utils import timezone

from artisans.accounts.models import AuthToken
from artisans.core.idempotency.keys import keys_purge_expired


@shared_task(name="accounts.purge")
def purge_task() -> None:
    """Deletes expired tokens and sessions, and stored responses, which contain personal data."""
    now = timezone.now()
    AuthToken.objects.filter(expiry__lt=now).delete()
    Session.objects.filter(expire_date__lt=now).delete()
    still_there = Session.objects.filter(session_key=OuterRef("session_key"))
    UserSession.objects.filter(~Exists(still_there)).delete()
    keys_purge_expired()
