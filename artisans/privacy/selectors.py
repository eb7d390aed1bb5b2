"""Finds people and what the registered tables store about them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from allauth.account.models import EmailAddress
from django.apps import apps
from django.db.models import Model, QuerySet

from artisans.accounts.models import User, normal_email
from artisans.core.personal_data import COLLECTORS, HOLDINGS, REFUSALS, Holding, Person
from artisans.privacy.models import Erasure, ErasureState


def person_of_user(user: User) -> Person:
    """The user, with guest orders of their verified addresses.

    An address that they did not verify may be another person's: it counts as theirs only if no verified account and no
    guest order has it.
    """
    known = EmailAddress.objects.filter(user=user)
    verified = {normal_email(row.email) for row in known if row.verified}
    unverified = {user.email, *(normal_email(row.email) for row in known)} - verified
    own = {address for address in unverified if not is_used_by_others(address, user)}
    return collect(Person(user_id=str(user.pk), addresses=tuple(sorted(verified | own))))


def is_used_by_others(address: str, user: User) -> bool:
    others = EmailAddress.objects.filter(email__iexact=address, verified=True).exclude(user=user)
    return others.exists() or bool(person_of_guest(address))


def person_of_guest(email: str) -> Person:
    """The guest orders of an address, without any account."""
    return collect(Person(addresses=(normal_email(email),)))


def person_find(email: str, *, is_guest: bool = False) -> Person:
    """The account with this address, verified or the main one, or else the guest with it."""
    address = normal_email(email)
    user = None if is_guest else User.objects.filter(email=address).first()
    if user is None and not is_guest:
        known = EmailAddress.objects.filter(email__iexact=address, verified=True).select_related("user")
        user = next((row.user for row in known), None)
    return person_of_user(user) if user else person_of_guest(address)


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


def erasures_running() -> QuerySet[Erasure]:
    return Erasure.objects.filter(state=ErasureState.RUNNING).order_by("created_at")


def row_counts(person: Person) -> dict[str, int]:
    """How many rows of each table an erasure would change or delete."""
    counts: Counter[str] = Counter()
    for holding in HOLDINGS:
        if holding.clear or holding.scrub or holding.is_deleted:
            counts[str(model_of(holding)._meta.verbose_name_plural)] += rows_of(holding, person).count()
    return {table: count for table, count in counts.items() if count}
