"""Checks after each test what is always true of the database (artisans/core/invariants.py)."""

import re
from typing import Any

from django.db import connection

from artisans.catalog.search_index import documents_lagging
from artisans.core.invariants import INVARIANTS, find_violations

BOOKS = re.compile(
    r'(INSERT|REPLACE|UPDATE|DELETE|TRUNCATE)\b[^"]*"?(carts|catalog|earnings|ledger|orders|payments)_',
    re.IGNORECASE,
)
# All but stock, which orders change too.
SEARCHED = re.compile(
    r'(INSERT INTO|UPDATE|DELETE FROM) "?catalog_(?!stockmove)(?!product" SET ("updated_at" = \S+ )?"stock")'
)
# Tests write the stock of their products without counting it, and no test but its own removes a trigger.
LEFT_OUT = {"stock_moves", "append_only"}


class Writes:
    """Whether a statement of this connection wrote to a table of the books, or to what the search finds, since they
    were last checked."""

    is_seen = is_searched = True

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        if BOOKS.match(str(sql)):
            self.is_seen = True
            self.is_searched = self.is_searched or bool(SEARCHED.match(str(sql)))
        return execute(sql, params, many, context)


writes = Writes()


def note_writes(*, also_unseen: bool = False) -> None:
    """Start recording writes; `also_unseen` when other connections write."""
    writes.is_seen = writes.is_seen or also_unseen
    writes.is_searched = writes.is_searched or also_unseen
    if writes not in connection.execute_wrappers:
        connection.execute_wrappers.append(writes)


def check_invariants_after_writes() -> None:
    """Check the invariants only if a table of the books was written to."""
    if writes.is_seen:
        check_invariants()
    if writes.is_searched:
        assert documents_lagging() == 0


def check_invariants() -> None:
    """Fail with all violations."""
    sentences = find_broken()
    assert not sentences, sentences


def find_broken() -> str:
    violations = find_violations(row for name, row in INVARIANTS.items() if name not in LEFT_OUT)
    return "\n".join(map(str, violations))
