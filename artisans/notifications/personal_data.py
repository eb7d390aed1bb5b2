"""What emails store about a person (artisans/core/personal_data.py)."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from artisans.core.personal_data import COLLECTORS, PENDING, Holding, Person, register, replaced_address
from artisans.notifications.models import UNSENT, MailState, Notification, mails_of_orders


def mails_to(person: Person) -> Q:
    return Q(recipient__in=person.addresses) & person.in_time()


def find_mails(person: Person) -> Iterable[UUID]:
    """Of someone without account and orders the shop may have nothing else, such as an answer to a password reset."""
    return Notification.objects.filter(mails_to(person)).values_list("pk", flat=True)


def mails_about(person: Person) -> Q:
    """About the person's orders, to anyone, such as the address for an artisan."""
    return Q(pk__in=mails_of_orders(person.of("order_numbers")).values("pk"))


def own_mails(person: Person) -> Q:
    """To the person, also to addresses that they entered for their orders."""
    return mails_to(person) | (mails_about(person) & Q(recipient__in=person.of("order_emails")))


def is_last(person: Person) -> Q:
    """The email that confirms the erasure."""
    return Q(dedupe_key=person.last_mail)


def unsent_mails(person: Person) -> Q:
    """Also emails to others that failed: without their contents nobody could send them again."""
    failed = mails_about(person) & Q(state=MailState.DEAD)
    return ((own_mails(person) & Q(state__in=UNSENT)) | failed) & ~is_last(person)


def sent_mails(person: Person) -> Q:
    return (mails_to(person) | mails_about(person)) & Q(state=MailState.SENT)


def last_mail(person: Person) -> Q:
    """Once it was sent or failed for the last time."""
    return is_last(person) & ~Q(state=MailState.WAITING)


def mails_awaited(person: Person) -> Iterator[str]:
    waiting = Notification.objects.filter(state=MailState.WAITING)
    if waiting.filter(is_last(person)).exists():
        yield _("The email that confirms the erasure is not sent yet.")
    if waiting.filter(mails_about(person)).exclude(own_mails(person)).exists():
        yield _("An email to someone else about an order is not sent yet.")


ERASED_COLUMNS = {"recipient": replaced_address, "context": lambda person, stored: {}, "last_error": ""}

HOLDINGS = (
    Holding("notifications.Notification", "unsent_emails", unsent_mails, is_deleted=True),
    Holding(
        "notifications.Notification",
        "emails",
        mails_to,
        export=("created_at", "sent_at", "kind", "recipient", "subject", "context"),
    ),
    Holding(
        "notifications.Notification", "sent_emails", sent_mails, clear=ERASED_COLUMNS, scrub=("subject",)
    ),
    Holding(
        "notifications.Notification",
        "last_email",
        last_mail,
        clear=ERASED_COLUMNS | {"recipient": lambda person, stored: person.alias},
    ),
)
IMPERSONAL = {"notifications.Notification": {"kind", "dedupe_key", "state"}}

register(*HOLDINGS, impersonal=IMPERSONAL)
COLLECTORS["emails"] = find_mails
PENDING.append(mails_awaited)
