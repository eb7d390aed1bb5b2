"""What identifies a line of the bank's statement, a check or a cash slip: its reference, in one spelling."""

import unicodedata


def reference_key(reference: str) -> str:
    """Letters and digits alone, in one case: "Stmt 1" and "STMT-1" are one reference. "" when there are none.

    Amount and date are no part of it: whoever records a line a second time may well mistype them. Banks do use a
    reference again, and one transfer can pay several orders; people then add what sets the lines apart.
    """
    folded = unicodedata.normalize("NFKC", reference).casefold()
    return "".join(sign for sign in folded if sign.isalnum())[:120]
