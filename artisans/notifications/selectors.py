"""Emails about orders, by what the apps above know of them."""

from collections.abc import Callable, Iterable

from django.db.models import QuerySet

from artisans.notifications.models import Notification, mails_of_orders

ORDER_SEARCHES: list[Callable[[str], Iterable[str]]] = []  # filled by apps: a term to numbers of orders


def mails_of_orders_named(term: str) -> QuerySet[Notification]:
    """The emails about the orders that the term names, such as by the buyer's name."""
    return mails_of_orders([number for search in ORDER_SEARCHES for number in search(term)])
