"""Finds people and what the registered tables store about them."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from allauth.account.models import EmailAddress
from django.apps import apps
from django.db.models import Model, QuerySet, TextChoices
from django.utils.translation import gettext_lazy as _

from artisans.accounts.models import User, normal_email
from artisans.core.personal_data import COLLECTORS, HOLDINGS, PENDING, REFUSALS, Holding, Person
from artisans.privacy.models import Erasure, ErasureState


class Whose(TextChoices):
    """Whose data an address stands for: anyone can sign up with it or order with it."""

    CONFIRMED = "confirmed", _("The account that confirmed this address, or else guest orders")
    GUEST = "guest", _("Only guest orders of this address, without an account")
    UNCONFIRMED = "unconfirmed", _("The account that has not confirmed this address")


def person_of_user(user: User) -> Person:
    """The user, with guest orders and emails of their verified addresses. An address that they did not verify may be
    another person's, and finds nothing."""
    verified = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    addresses = tuple(sorted({normal_email(email) for email in verified}))
    return collect(Person(user_id=str(user.pk), addresses=addresses))


def person_of_guest(email: str) -> Person:
    """The guest orders of an address, without any account."""
    return collect(Person(addresses=(normal_email(email),)))


def person_find(email: str, whose: Whose = Whose.CONFIRMED) -> Person:
    """The person that the address stands for; without a row if there is none."""
    address = normal_email(email)
    if whose == Whose.UNCONFIRMED:
        user = user_unconfirmed(address)
        return person_of_user(user) if user else Person()
    user = user_confirmed(address) if whose == Whose.CONFIRMED else None
    return person_of_user(user) if user else person_of_guest(address)


def user_confirmed(email: str) -> User | None:
    known = EmailAddress.objects.filter(email__iexact=email, verified=True).select_related("user")
    return next((row.user for row in known), None)


def user_unconfirmed(email: str) -> User | None:
    """The user whose main address this is, but who did not confirm it."""
    user = User.objects.filter(email=normal_email(email)).first()
    is_confirmed = EmailAddress.objects.filter(user=user, email__iexact=email, verified=True).exists()
    return None if is_confirmed else user


def person_of_erasure(facts: str) -> Person:
    """`facts`: of an erasure in progress."""
    return Person.from_json(json.loads(facts))


def collect(person: Person) -> Person:
    """The person with the keys and texts of their rows."""
    for section, find in COLLECTORS.items():
        person = person.with_keys(section, find(person))
    return replace(person, texts=tuple(sorted(set(identifying_texts(person)))))


def identifying_texts(person: Person) -> Iterator[str]:
    for holding in HOLDINGS:
        for row in rows_of(holding, person).values_list(*holding.identify) if holding.identify else ():
            for value in row:
                yield from texts_in(value)


def texts_in(value: Any) -> Iterator[str]:
    """Of an address: names, lines and phone numbers; towns and codes alone identify nobody."""
    if isinstance(value, str):
        yield from filter(None, (part.strip() for part in value.splitlines()))
    elif isinstance(value, dict):
        for name in ("name", "line1", "line2", "phone", "text"):
            yield from texts_in(value.get(name))


def model_of(holding: Holding) -> type[Model]:
    return apps.get_model(holding.model)


def rows_of(holding: Holding, person: Person) -> QuerySet[Any]:
    return model_of(holding)._base_manager.filter(holding.rows(person)).order_by("pk")


def erasure_refusals(person: Person) -> list[str]:
    """Why the person cannot be erased now, without repetitions."""
    return list(dict.fromkeys(reason for refuse in REFUSALS for reason in refuse(person)))


def pending_reasons(person: Person) -> list[str]:
    """What an erasure waits for after the rows are erased."""
    return list(dict.fromkeys(reason for awaited in PENDING for reason in awaited(person)))


def erasures_running() -> QuerySet[Erasure]:
    return Erasure.objects.filter(state=ErasureState.RUNNING).order_by("created_at")


def row_counts(person: Person) -> dict[str, int]:
    """How many rows of each table an erasure would change or delete."""
    counts: Counter[str] = Counter()
    for holding in HOLDINGS:
        if holding.clear or holding.scrub or holding.is_deleted:
            counts[str(model_of(holding)._meta.verbose_name_plural)] += rows_of(holding, person).count()
    return {table: count for table, count in counts.items() if count}
