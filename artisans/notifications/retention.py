from datetime import datetime
from typing import Any

from django.db.models import Case, JSONField, Q, QuerySet, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import JSONObject
from django.utils import timezone

from artisans.core.retention import Retention
from artisans.notifications.models import MailState, Notification

IS_OF_ORDER = Q(context__order_number__isnull=False)


def sent_before(time: datetime) -> QuerySet[Notification]:
    """Failed and waiting emails are kept until they are sent."""
    return Notification.objects.filter(state=MailState.SENT, created_at__lt=time)


def delete_content(mails: QuerySet[Any]) -> None:
    """All but the order's number, by which the order's page finds its emails."""
    number = JSONObject(order_number=KT("context__order_number"))
    nothing = Value({}, output_field=JSONField())
    context = Case(When(IS_OF_ORDER, then=number), default=nothing, output_field=JSONField())
    mails.update(context=context, content_deleted_at=timezone.now())


MAIL_RULES = (
    Retention("emails", sent_before, minimum_days=35),
    Retention(
        "email_content",
        lambda before: sent_before(before).filter(content_deleted_at__isnull=True),
        remove=delete_content,
        minimum_days=7,
    ),
)
