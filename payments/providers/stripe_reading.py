"""Reading at Stripe: one payment with all that became of it, many for the comparison, and what a lost call made."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import stripe

from payments.providers.base import RefundRequest, RemotePayment, RemoteRefund
from payments.providers.stripe_link import StripeLink, row_of
from payments.providers.stripe_objects import (
    Row,
    captured_in,
    charges_in,
    id_of,
    is_captured,
    payment_of,
    refund_of,
    session_of,
)
from payments.providers.stripe_requests import IN_INTENT, IN_SESSION

PAGE = 100
LIFE_OF_SESSION = timedelta(hours=25)  # 24, and what clocks may differ
Disputes = dict[str, list[Row]]


class StripeReading:
    def __init__(self, link: StripeLink) -> None:
        self._link = link

    # ---- one -----------------------------------------------------------------------------------------------------

    def intent(self, intent_id: str) -> RemotePayment:
        return self._link.ask(
            lambda api: whole(api, row_of(api.v1.payment_intents.retrieve(intent_id, {"expand": IN_INTENT})))
        )

    def session(self, session_id: str) -> RemotePayment:
        def read(api: stripe.StripeClient) -> RemotePayment:
            row = row_of(api.v1.checkout.sessions.retrieve(session_id, {"expand": IN_SESSION}))
            intent = row.get("payment_intent")
            return session_of(row, whole(api, intent) if intent else None)

        return self._link.ask(read)

    # ---- what a call made whose own answer is an error for good ----------------------------------------------------

    def intent_of_call(self, key: str) -> RemotePayment | None:
        """Stripe's search shows a new object within a minute or so; until then nothing is found."""
        if not is_searchable(key):
            return None
        query = f"metadata['call']:'{key}'"
        found = self._link.ask(
            lambda api: [one.id for one in api.v1.payment_intents.search({"query": query}).data]
        )
        return self.intent(found[0]) if len(found) == 1 else None

    def session_of_call(self, key: str) -> RemotePayment | None:
        since = int((datetime.now(UTC) - LIFE_OF_SESSION).timestamp())

        def look(api: stripe.StripeClient) -> list[str]:
            sessions = api.v1.checkout.sessions.list({"created": {"gte": since}, "limit": PAGE})
            return [row["id"] for row in rows_of(sessions) if (row.get("metadata") or {}).get("call") == key]

        found = self._link.ask(look)
        return self.session(found[0]) if len(found) == 1 else None

    def refund_of_call(self, ask: RefundRequest) -> RemoteRefund | None:
        def look(api: stripe.StripeClient) -> list[RemoteRefund]:
            refunds = api.v1.refunds.list({"charge": ask.capture_id, "limit": PAGE})
            return [one for one in map(refund_of, rows_of(refunds)) if one.reference == ask.refund_id]

        found = self._link.ask(look)
        return found[0] if len(found) == 1 else None

    # ---- many ----------------------------------------------------------------------------------------------------

    def between(self, since: datetime, until: datetime) -> list[RemotePayment]:
        """Each payment once: as its session when that was made in this time, else as its intent."""
        return self._link.ask(lambda api: list(self._between(api, since, until)))

    def _between(self, api: stripe.StripeClient, since: datetime, until: datetime) -> Iterator[RemotePayment]:
        start, end = int(since.timestamp()), int(until.timestamp())
        earlier = int((since - LIFE_OF_SESSION).timestamp())
        disputes = disputes_since(api, start)
        session_of_intent: dict[str, str] = {}
        sessions = api.v1.checkout.sessions.list(
            {
                "created": {"gte": earlier, "lt": end},
                "limit": PAGE,
                "expand": [f"data.{path}" for path in IN_SESSION],
            }
        )
        listed: set[str] = set()
        for row in rows_of(sessions):
            if row["mode"] != "payment":
                continue
            intent = row.get("payment_intent")
            if intent:
                session_of_intent[intent["id"]] = row["id"]
            if row["created"] >= start:
                listed.add(id_of(intent))
                made = whole(api, intent, disputes) if intent else None
                yield replace(session_of(row, made), action=None)
        intents = api.v1.payment_intents.list(
            {
                "created": {"gte": start, "lt": end},
                "limit": PAGE,
                "expand": [f"data.{path}" for path in IN_INTENT],
            }
        )
        for row in rows_of(intents):
            if row["id"] not in listed:
                session = session_of_intent.get(row["id"])
                remote = whole(api, row, disputes)
                yield replace(remote, action=None, related_ids=(session,) if session else ())


def whole(api: stripe.StripeClient, intent: Row, disputes: Disputes | None = None) -> RemotePayment:
    """The intent with every charge that took money, and their refunds and disputes.

    An inquiry of a bank does not mark the charge as disputed, so disputes are asked for wherever money was taken.
    """
    charges = all_charges(api, intent)
    captured = [charge for charge in charges if is_captured(charge)]
    refunds = [row for charge in captured for row in all_refunds(api, charge)]
    if disputes is not None:
        found: Iterable[Row] = disputes.get(intent["id"], ())
    elif captured:
        found = rows_of(api.v1.disputes.list({"payment_intent": intent["id"], "limit": PAGE}))
    else:
        found = ()
    return payment_of(intent, charges=charges, refunds=refunds, disputes=found)


def all_charges(api: stripe.StripeClient, intent: Row) -> Sequence[Row]:
    """The latest charge says all, unless it does not account for the money that the intent received."""
    charges = charges_in(intent)
    if captured_in(charges) == intent.get("amount_received", 0):
        return charges
    listing = api.v1.charges.list({"payment_intent": intent["id"], "limit": PAGE, "expand": ["data.refunds"]})
    return list(rows_of(listing))


def all_refunds(api: stripe.StripeClient, charge: Row) -> Iterable[Row]:
    """The list inside a charge is its first page."""
    inside = charge.get("refunds")
    if inside and not inside["has_more"]:
        return list(inside["data"])
    return rows_of(api.v1.refunds.list({"charge": charge["id"], "limit": PAGE}))


def disputes_since(api: stripe.StripeClient, start: int) -> Disputes:
    """By intent; a dispute is younger than its payment."""
    found: Disputes = defaultdict(list)
    for row in rows_of(api.v1.disputes.list({"created": {"gte": start}, "limit": PAGE})):
        found[id_of(row.get("payment_intent"))].append(row)
    return found


def rows_of(listing: Any) -> Iterator[Row]:
    """All pages."""
    return (row_of(one) for one in listing.auto_paging_iter())


def is_searchable(key: str) -> bool:
    return not {"'", '"', "\\"} & set(key)
