from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, QuerySet

from artisans.accounts.models import AuthToken
from artisans.core.retention import Retention


def ended_sessions() -> QuerySet[UserSession]:
    rows: QuerySet[UserSession] = UserSession.objects.all()
    return rows.filter(~Exists(Session.objects.filter(session_key=OuterRef("session_key"))))


ACCOUNT_RULES = (
    Retention("sessions", lambda before: Session.objects.filter(expire_date__lt=before), clock="expire_date"),
    Retention("session_details", lambda before: ended_sessions(), clock="pk"),
    Retention("tokens", lambda before: AuthToken.objects.filter(expiry__lt=before), clock="pk"),
)
