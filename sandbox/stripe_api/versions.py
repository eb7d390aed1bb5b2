"""API versions: which ones exist, and how older ones show objects and events. https://docs.stripe.com/changelog

Only the differences that affect a card shop are simulated; parameters are always those of the current version.
"""

from sandbox.http_messages import Json
from sandbox.stripe_api.account import API_VERSION, Account
from sandbox.stripe_api.errors import INVALID, ApiError

KNOWN_TEXT = """
    2019-02-11 2019-02-19 2019-03-14 2019-05-16 2019-08-14 2019-09-09 2019-10-08 2019-10-17 2019-11-05 2019-12-03
    2020-03-02 2020-08-27 2022-08-01 2022-11-15 2023-08-16 2023-10-16 2024-04-10 2024-06-20
    2024-09-30.acacia 2024-10-28.acacia 2024-11-20.acacia 2024-12-18.acacia 2025-01-27.acacia 2025-02-24.acacia
    2025-03-31.basil 2025-04-30.basil 2025-05-28.basil 2025-06-30.basil 2025-07-30.basil 2025-08-27.basil
    2025-09-30.clover 2025-10-29.clover 2025-11-17.clover 2025-12-15.clover 2026-01-28.clover 2026-02-25.clover
    2026-03-25.dahlia 2026-04-22.dahlia 2026-05-27.dahlia 2026-09-30.endive 2026-10-28.endive
"""
KNOWN = frozenset(KNOWN_TEXT.split())


def check_version(version: str) -> str:
    """Raises Stripe's error for a version that does not exist."""
    if version not in KNOWN:
        raise ApiError(400, INVALID, f"Invalid Stripe API version: {version}", stored=False)
    return version


def event_type_in(version: str, kind: str) -> str:
    if version < "2020-08-27" and kind == "payment_method.automatically_updated":
        return "payment_method.card_automatically_updated"
    return kind


def object_in(account: Account, version: str, row: Json) -> Json:
    """Return an object as this version shows it."""
    if version == API_VERSION:
        return row
    kind = row.get("object")
    if kind == "payment_intent" and version < "2022-11-15":
        charges = [charge for charge in account.rows("charge") if charge["payment_intent"] == row["id"]]
        shown = [object_in(account, version, charge) for charge in reversed(charges)]
        return row | {"charges": as_list(shown, f"/v1/charges?payment_intent={row['id']}")}
    if kind == "charge" and version < "2022-11-15":
        refunds = [refund for refund in account.rows("refund") if refund["charge"] == row["id"]]
        return row | {"refunds": as_list(refunds[::-1], f"/v1/charges/{row['id']}/refunds")}
    if kind == "checkout.session" and version < "2025-03-31":
        return in_presentment_currency(row)
    return row


def as_list(rows: list[Json], url: str) -> Json:
    return {"object": "list", "data": rows, "has_more": False, "total_count": len(rows), "url": url}


def in_presentment_currency(session: Json) -> Json:
    """Until basil, a session with Adaptive Pricing was in the buyer's currency.

    https://docs.stripe.com/changelog/basil/2025-03-31/add_presentment_details
    """
    shown = {name: value for name, value in session.items() if name != "presentment_details"}
    if details := session.get("presentment_details"):
        amount = details["presentment_amount"]
        shown |= {
            "amount_subtotal": amount,
            "amount_total": amount,
            "currency": details["presentment_currency"],
        }
        shown["currency_conversion"] = {
            "amount_subtotal": session["amount_subtotal"],
            "amount_total": session["amount_total"],
            "fx_rate": str(round(amount / session["amount_total"], 6)),
            "source_currency": session["currency"],
        }
    return shown
