"""The reference that identifies a bank transaction, a check or a cash receipt, normalized."""

import unicodedata


def reference_key(reference: str) -> str:
    """The letters and digits alone, casefolded: "Stmt 1" and "STMT-1" are the same reference. "" when there
    are none.

    Amount and date are not part of the key, because they may be mistyped when a transaction is recorded
    twice. Banks do reuse references, and one transfer can pay several orders; staff then add a suffix that
    distinguishes them.
    """
    folded = unicodedata.normalize("NFKC", reference).casefold()
    return "".join(sign for sign in folded if sign.isalnum())[:120]
