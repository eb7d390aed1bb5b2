"""Counting several products at once: a table with a field for each, and what came of it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from artisans.accounts.models import User
from artisans.catalog.models import Artisan, CountCause, CountOutcome, Product, StockMove
from artisans.catalog.services import MAX_COUNTED, Count, StockSnapshot, stock_count, stock_snapshots
from artisans.core.forms import LineField
from artisans.core.models import is_uuid

MOST_ROWS = 50
NUMBER = re.compile(r"[0-9]{1,7}", re.ASCII)
SEEN = re.compile(r"([0-9]{1,9}):([0-9]{1,18})", re.ASCII)  # stock and last count
TONES = {
    CountOutcome.COUNTED: "ok",
    CountOutcome.UNCHANGED: "muted",
    CountOutcome.REPEATED: "muted",
    CountOutcome.CONFLICT: "warn",
    CountOutcome.REFUSED: "bad",
}


class WhyForm(forms.Form):
    """Why the stock changes. Clean data: arguments of `stock_count`."""

    cause = forms.ChoiceField(label=gettext_lazy("Reason"), choices=CountCause)
    reason = LineField(
        label=gettext_lazy("Note"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Kept in the history of each product."),
    )


class ThresholdForm(forms.Form):
    """Of a product, or of all. Clean data: an argument of `threshold_set` and `artisan_threshold_set`."""

    threshold = forms.IntegerField(
        label=gettext_lazy("Alert me when stock falls to"),
        min_value=0,
        max_value=MAX_COUNTED,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, otherwise: int, **kwargs: Any) -> None:
        """`otherwise`: what applies without a number."""
        super().__init__(*args, **kwargs)
        self.fields["threshold"].help_text = _("Empty: %(units)d. 0: only when a product is sold out.") % {
            "units": otherwise
        }


@dataclass
class CountRow:
    """A product in the table: what is shown, what was typed, and what came of it."""

    product: Product
    snapshot: StockSnapshot
    typed: str = ""
    outcome: str = ""
    text: str = ""

    @property
    def seen(self) -> str:
        return f"{self.snapshot.stock}:{self.snapshot.last_count}"

    @property
    def label(self) -> str:
        return str(CountOutcome(self.outcome).label) if self.outcome else ""

    @property
    def tone(self) -> str:
        return TONES[CountOutcome(self.outcome)] if self.outcome else ""

    @property
    def has_error(self) -> bool:
        return self.outcome in {CountOutcome.CONFLICT, CountOutcome.REFUSED}


@dataclass
class CountTable:
    rows: list[CountRow]
    why: WhyForm = field(default_factory=WhyForm)

    @property
    def has_errors(self) -> bool:
        return bool(self.why.errors) or any(row.has_error for row in self.rows)

    @property
    def outcomes(self) -> list[str]:
        return [row.outcome for row in self.rows if row.outcome]


def table_of(products: Iterable[Product]) -> CountTable:
    products = list(products)
    shown = stock_snapshots(product.pk for product in products)
    return CountTable([CountRow(product, shown[product.pk]) for product in products])


def posted_table(data: QueryDict, *, artisan: Artisan, actor: User) -> CountTable:
    """Count what was typed. Rows that cannot be counted keep it, and show the stock as it is now.

    Errors: Http404 for a product of someone else.
    """
    ids = list(dict.fromkeys(data.getlist("product")))[:MOST_ROWS]
    if not all(map(is_uuid, ids)):
        raise Http404
    products = artisan.products.in_bulk([UUID(pk) for pk in ids])
    if len(products) != len(ids):
        raise Http404
    typed = {UUID(pk): data.get(f"counted-{pk}", "").strip() for pk in ids}
    seen = {UUID(pk): data.get(f"seen-{pk}", "") for pk in ids}
    why = WhyForm(data)
    if not why.is_valid():
        return CountTable([shown_again(products[pk], typed[pk], seen[pk]) for pk in typed], why)
    refused = {pk: text for pk in typed if (text := refusal(typed[pk], seen[pk]))}
    counts = [
        Count(pk, int(text), read_seen(seen[pk])) for pk, text in typed.items() if text and pk not in refused
    ]
    done = {
        counted.product.pk: counted for counted in stock_count(counts=counts, actor=actor, **why.cleaned_data)
    }
    rows = {row.product.pk: row for row in table_of(products[pk] for pk in typed).rows}
    for pk, text in refused.items():
        if SEEN.fullmatch(seen[pk]):
            rows[pk] = shown_again(products[pk], typed[pk], seen[pk])
        rows[pk].typed, rows[pk].outcome, rows[pk].text = typed[pk], CountOutcome.REFUSED, text
    for pk, counted in done.items():
        rows[pk].outcome = counted.outcome
        if counted.problem:
            rows[pk].typed, rows[pk].text = typed[pk], counted.problem.text
    return CountTable(list(rows.values()), why)


def refusal(typed: str, seen: str) -> str:
    """Why a row cannot be counted; "" if it can, or is empty."""
    if not typed:
        return ""
    if not NUMBER.fullmatch(typed) or int(typed) > MAX_COUNTED:
        return _("Enter a whole number from 0 to 1,000,000.")
    if not SEEN.fullmatch(seen):
        return _(
            "The page did not say which stock it showed. Compare with the stock shown now, and send again."
        )
    return ""


def read_seen(text: str) -> StockSnapshot:
    found = SEEN.fullmatch(text)
    return StockSnapshot(int(found[1]), int(found[2])) if found else StockSnapshot(0, 0)


def shown_again(product: Product, typed: str, seen: str) -> CountRow:
    """With what the page showed before, so that nothing that happened since counts as seen."""
    return CountRow(product, read_seen(seen), typed)


def result_message(outcomes: Iterable[str]) -> str:
    outcomes = list(outcomes)
    counted = outcomes.count(CountOutcome.COUNTED)
    text = ngettext("%(n)d product was changed.", "%(n)d products were changed.", counted) % {"n": counted}
    same = len(outcomes) - counted
    if same:
        text += " " + ngettext("%(n)d already correct.", "%(n)d already correct.", same) % {"n": same}
    return text


def who(move: StockMove, reader: User) -> str:
    """The person who counted; staff are the shop, and orders have none."""
    actor = move.actor
    if actor is None:
        return ""
    if actor == reader:
        return _("You")
    return _("The shop") if actor.is_staff else actor.name or actor.email
