"""What emails store about a person (artisans/core/personal_data.py)."""

from django.db.models import Q

from artisans.core.personal_data import PENDING, Holding, Person, register, replaced_address
from artisans.notifications.models import UNSENT, MailState, Notification, mails_of_orders


def is_last(person: Person) -> Q:
    """The email that confirms the erasure, until it was sent."""
    return Q(dedupe_key=person.last_mail, state=MailState.WAITING)


def unsent_mails(person: Person) -> Q:
    return Q(recipient__in=person.addresses, state__in=UNSENT) & ~Q(dedupe_key=person.last_mail)


def mails_about(person: Person) -> Q:
    """To the person, or about their orders, such as the address for an artisan."""
    orders = mails_of_orders(person.of("order_numbers")).values("pk")
    return (Q(recipient__in=person.addresses) | Q(pk__in=orders)) & ~is_last(person)


def is_last_mail_waiting(person: Person) -> bool:
    return Notification.objects.filter(is_last(person)).exists()


HOLDINGS = (
    Holding("notifications.Notification", "unsent_emails", unsent_mails, is_deleted=True),
    Holding(
        "notifications.Notification",
        "emails",
        mails_about,
        export=("created_at", "sent_at", "kind", "recipient", "subject", "context"),
        clear={"recipient": replaced_address, "context": lambda person, stored: {}, "last_error": ""},
        scrub=("subject",),
    ),
)
IMPERSONAL = {"notifications.Notification": {"kind", "dedupe_key", "state"}}

register(*HOLDINGS, impersonal=IMPERSONAL)
PENDING.append(is_last_mail_waiting)
