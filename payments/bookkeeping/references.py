"""The reference that identifies a bank transaction, a check or a cash receipt, normalized."""

import unicodedata

from django.db import connection


def reference_key(reference: str) -> str:
    """The letters and digits alone, casefolded: "Stmt 1" and "STMT-1" are the same reference. "" when there
    are none.

    Amount and date are not part of the key, because they may be mistyped when a transaction is recorded
    twice. Banks do reuse references, and one transfer can pay several orders; staff then add a suffix that
    distinguishes them.
    """
    folded = unicodedata.normalize("NFKC", reference).casefold()
    return "".join(sign for sign in folded if sign.isalnum())[:120]


def reference_lock(key: str) -> None:
    """Serialize what is recorded with this reference, in whichever table, until the transaction ends.

    A no-op on SQLite, which has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"reference:{key}"])
