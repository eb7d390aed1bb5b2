"""What the shop stores about a person. Each app registers its tables in `apps.py`; `artisans/privacy` exports and
erases them, and a test demands that every column that can hold text is registered or listed as impersonal.

Erasing may be interrupted and repeated at any point: rows are found by the user's id and by keys that were collected
before the first change.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

ERASED = "[erased]"
ERASED_DOMAIN = "erased.invalid"  # reserved by RFC 2606: no email can be delivered there
SHORTEST_TEXT = 3  # shorter names are parts of other words


@dataclass(frozen=True, slots=True)
class Person:
    """`addresses`: the email addresses that they confirmed, or a guest's, in lower case; only these find rows. `keys`:
    the ids of their rows by section, such as "orders". `texts`: their names, addresses and phone numbers, removed from
    free texts. `alias`: the address that replaces theirs. `last_mail`: the key of the email that confirms the erasure,
    which is sent before it is erased. `until`: the time, as text, before which a row was written that is found by an
    address; "" for no limit."""

    user_id: str = ""
    addresses: tuple[str, ...] = ()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    alias: str = ""
    last_mail: str = ""
    until: str = ""

    def of(self, section: str) -> tuple[str, ...]:
        return self.keys.get(section, ())

    def with_keys(self, section: str, keys: Iterable[UUID | str]) -> "Person":
        return replace(self, keys={**self.keys, section: tuple(map(str, keys))})

    def in_time(self, column: str = "created_at") -> Q:
        """Rows that are not too late: after an erasure, the same address may belong to new orders."""
        return Q(**{f"{column}__lt": self.until}) if self.until else Q()

    def merged_with(self, found: "Person") -> "Person":
        """With rows and texts that were written since this one was collected."""
        sections = self.keys.keys() | found.keys.keys()
        keys = {name: tuple(dict.fromkeys(self.of(name) + found.of(name))) for name in sorted(sections)}
        return replace(self, keys=keys, texts=tuple(sorted({*self.texts, *found.texts})))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Person":
        keys = {section: tuple(found) for section, found in stored["keys"].items()}
        lists = {name: tuple(stored[name]) for name in ("addresses", "texts")}
        return cls(**{**stored, "keys": keys, **lists})

    def __bool__(self) -> bool:
        """Whether anything is stored about them."""
        return bool(self.user_id) or any(self.keys.values())


Value = Any  # a stored value, or a function of the person and the stored value that returns the new one


@dataclass(frozen=True, slots=True)
class Holding:
    """What one table stores about a person.

    `section`: its name in exports. `rows`: finds the person's rows. `export`: columns of an export. `clear`: columns
    with the value that replaces theirs. `scrub`: columns of free text or JSON from which the person's texts are
    removed. `identify`: columns with texts that identify the person. `is_deleted`: the rows are deleted instead.
    """

    model: str
    section: str
    rows: Callable[[Person], Q]
    export: tuple[str, ...] = ()
    clear: Mapping[str, Value] = field(default_factory=dict)
    scrub: tuple[str, ...] = ()
    identify: tuple[str, ...] = ()
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class LegalRecord:
    """What the law requires to be kept of an object ("orders.Order:<id>") until a day, encrypted."""

    target: str
    content: Mapping[str, Any]
    kept_from: date

    def as_text(self) -> str:
        return json.dumps(self.content, ensure_ascii=False)

    def kept_until(self, years: int) -> datetime:
        """The end of the calendar year, as retention periods of tax law count."""
        return timezone.make_aware(datetime(self.kept_from.year + years + 1, 1, 1))  # noqa: DTZ001  # made aware here


HOLDINGS: list[Holding] = []
# Columns with text that is not about a person, or only about the shop and its staff, by model.
IMPERSONAL: dict[str, frozenset[str]] = {}
# The ids of a person's rows by section, in this order; a function may use what earlier ones found.
COLLECTORS: dict[str, Callable[[Person], Iterable[UUID | str]]] = {}
# Why a person cannot be erased now, in sentences for them and for staff.
REFUSALS: list[Callable[[Person], Iterable[str]]] = []
# What has to happen before rows are erased, such as a call to a provider. Each may be repeated.
ACTIONS: list[Callable[[Person], None]] = []
# What has to follow the erased rows, such as a search index. Each may be repeated.
AFTERWARDS: list[Callable[[Person], object]] = []
# What the law requires to be kept.
LEGAL_RECORDS: list[Callable[[Person], Iterable[LegalRecord]]] = []
# What is still under way before an erasure is done, in sentences for staff.
PENDING: list[Callable[[Person], Iterable[str]]] = []


def register(*holdings: Holding, impersonal: Mapping[str, Collection[str]] | None = None) -> None:
    HOLDINGS.extend(holdings)
    for model, columns in (impersonal or {}).items():
        IMPERSONAL[model] = IMPERSONAL.get(model, frozenset()) | frozenset(columns)


def is_erased_address(email: str) -> bool:
    return email.endswith(f"@{ERASED_DOMAIN}")


def replaced_address(person: Person, stored: str) -> str:
    """The alias in place of one of the person's addresses or of their orders; other addresses stay."""
    is_own = stored.lower() in person.addresses or stored in person.of("order_emails")
    return person.alias if is_own else stored


def scrub_texts(person: Person, value: Any) -> Any:
    """The text or JSON without the person's names, addresses and numbers."""
    pattern = text_pattern(person.texts + person.addresses)
    return scrub_value(pattern, value) if pattern else value


def text_pattern(texts: Iterable[str]) -> re.Pattern[str] | None:
    """Matches whole words in any case; longer texts first."""
    known = sorted({text for text in texts if len(text) >= SHORTEST_TEXT}, key=len, reverse=True)
    found = "|".join(map(re.escape, known))
    return re.compile(rf"(?<!\w)(?:{found})(?!\w)", re.IGNORECASE) if found else None


def scrub_value(pattern: re.Pattern[str], value: Any) -> Any:
    if isinstance(value, str):
        return pattern.sub(ERASED, value)
    if isinstance(value, list):
        return [scrub_value(pattern, part) for part in value]
    if isinstance(value, dict):
        return {name: scrub_value(pattern, part) for name, part in value.items()}
    return value
