"""Reading from Stripe: one payment with everything related to it, many for reconciliation, and what a lost call
created."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import stripe

from payments.providers.contract import (
    Access,
    ChangedPayments,
    ListedAttempt,
    RefundRequest,
    Refused,
    RemoteFraudWarning,
    RemotePayment,
    RemoteRefund,
    Unknown,
)
from payments.providers.reading import LONGEST_TEXT, UNREADABLE, Parts, an_id, mapping, plain
from payments.providers.stripe.link import StripeLink, row_of
from payments.providers.stripe.objects import (
    Row,
    attempt_of,
    captured_in,
    charges_in,
    id_of,
    is_captured,
    parse_refund,
    payment_of,
    session_of,
)
from payments.providers.stripe.requests import IN_INTENT, IN_SESSION
from payments.providers.stripe.webhooks import token

# Part of the API, the permission of a restricted key, and a read-only call that checks it.
ACCESS: Final[tuple[tuple[str, str, Callable[[stripe.StripeClient], object]], ...]] = (
    ("payments", "PaymentIntents: Write", lambda api: api.v1.payment_intents.list({"limit": 1})),
    ("charges", "Charges and Refunds: Write", lambda api: api.v1.charges.list({"limit": 1})),
    ("refunds", "Charges and Refunds: Write", lambda api: api.v1.refunds.list({"limit": 1})),
    ("disputes", "Disputes: Read", lambda api: api.v1.disputes.list({"limit": 1})),
    ("sessions", "Checkout Sessions: Write", lambda api: api.v1.checkout.sessions.list({"limit": 1})),
    ("customers", "Customers: Write", lambda api: api.v1.customers.list({"limit": 1})),
    ("setups", "SetupIntents: Write", lambda api: api.v1.setup_intents.list({"limit": 1})),
    (
        "balance",
        "Balance transaction sources: Read",
        lambda api: api.v1.balance_transactions.list({"limit": 1}),
    ),
    (
        "fraud warnings",
        "Radar: Read",
        lambda api: api.v1.radar.early_fraud_warnings.list({"limit": 1}),
    ),
    ("account balance", "Balance: Read", lambda api: api.v1.balance.retrieve()),
)
PAGE = 100
LIFE_OF_SESSION = timedelta(hours=25)  # 24 hours, plus clock skew


class StripeReading:
    def __init__(self, link: StripeLink) -> None:
        self._link = link

    # ---- one -----------------------------------------------------------------------------------------------------

    def intent(self, intent_id: str, known_attempts: Collection[str] = ()) -> RemotePayment:
        path = f"/v1/payment_intents/{quote(intent_id, safe='')}"
        intent = self._link.execute(lambda api: fetch(api, path, {"expand": IN_INTENT}))
        return self._link.understand(lambda: self.whole(intent, known_attempts=known_attempts))

    def session(self, session_id: str, known_attempts: Collection[str] = ()) -> RemotePayment:
        row = self._link.execute(
            lambda api: row_of(api.v1.checkout.sessions.retrieve(session_id, {"expand": IN_SESSION}))
        )
        intent = row.get("payment_intent")
        made = (
            self._link.understand(lambda: self.whole(intent, known_attempts=known_attempts))
            if intent
            else None
        )
        return self._link.understand(lambda: session_of(row, made))

    def whole(
        self,
        intent: Row,
        disputes: Sequence[Row] | None = None,
        charges: Sequence[Row] = (),
        *,
        known_attempts: Collection[str] = (),
    ) -> RemotePayment:
        """The intent with every charge, and their refunds and disputes. `charges`: those that were listed already.
        `known_attempts`: ids of charges that need not be listed again.

        A bank's inquiry does not mark the charge as disputed, so disputes are fetched wherever money was captured. A
        list that fails is recorded and does not hide the captures.
        """
        beside = Beside(self._link)
        if not (charges and accounts_for(intent, charges)):
            charges = self._charges(intent, known_attempts, beside)
        captured = [charge for charge in charges if took_money(charge)]
        refunds = [row for charge in captured for row in self._refunds(charge, beside)]
        if disputes is None and captured:
            disputes = beside.fetch("disputes", {"payment_intent": intent["id"], "limit": PAGE})
        return payment_of(
            intent, charges=charges, refunds=refunds, disputes=disputes or (), lists=beside.lists
        )

    def _charges(self, intent: Row, known_attempts: Collection[str], beside: "Beside") -> Sequence[Row]:
        """All charges, since each is an attempt to pay; the latest one alone if there is nothing new before it."""
        charges = charges_in(intent)
        is_new = any(has_news(charge, known_attempts) for charge in charges)
        is_there = bool(charges) or not intent.get("latest_charge")
        if is_there and not is_new and accounts_for(intent, charges):
            return charges
        found = beside.fetch(
            "charges", {"payment_intent": intent["id"], "limit": PAGE, "expand": ["data.refunds"]}
        )
        is_complete = not beside.lists["charges"] and accounts_for(intent, found)
        return found if is_complete else charges or charge_named_by(intent)

    def _refunds(self, charge: Row, beside: "Beside") -> Sequence[Row]:
        """The list inside a charge is only its first page."""
        inside = mapping(charge.get("refunds"))
        if inside.get("has_more") is False and isinstance(inside.get("data"), list):
            return list(inside["data"])
        return beside.rows(
            "refunds", lambda api: api.v1.refunds.list({"charge": charge["id"], "limit": PAGE})
        )

    # ---- objects of calls whose response is a stored error ---------------------------------------------------------

    def intent_of_call(self, key: str) -> RemotePayment | None:
        """Stripe's search finds a new object within about a minute; until then it finds nothing."""
        if not is_searchable(key):
            return None
        query = f"metadata['call']:'{key}'"
        found = self._link.execute(
            lambda api: [one.id for one in api.v1.payment_intents.search({"query": query}).data]
        )
        return self.intent(found[0]) if len(found) == 1 else None

    def session_of_call(self, key: str) -> RemotePayment | None:
        since = int((datetime.now(UTC) - LIFE_OF_SESSION).timestamp())

        def search(api: stripe.StripeClient) -> list[str]:
            sessions = api.v1.checkout.sessions.list({"created": {"gte": since}, "limit": PAGE})
            return [row["id"] for row in rows_of(sessions) if (row.get("metadata") or {}).get("call") == key]

        found = self._link.execute(search)
        return self.session(found[0]) if len(found) == 1 else None

    def refund_of_call(self, request: RefundRequest) -> RemoteRefund | None:
        def search(api: stripe.StripeClient) -> list[RemoteRefund]:
            refunds = api.v1.refunds.list({"charge": request.capture_id, "limit": PAGE})
            return [one for one in map(parse_refund, rows_of(refunds)) if one.reference == request.refund_id]

        found = self._link.execute(search)
        return found[0] if len(found) == 1 else None

    # ---- many ----------------------------------------------------------------------------------------------------

    def between(self, since: datetime, until: datetime) -> Iterator[RemotePayment]:
        """Each payment once: as its session if that was created in this period, otherwise as its intent. With its
        latest charge, which is the one that captured its money; earlier ones are left out."""
        start, end = int(since.timestamp()), int(until.timestamp())
        beside = Beside(self._link)
        disputes = by_intent(
            beside.rows(
                "disputes", lambda api: api.v1.disputes.list({"created": {"gte": start}, "limit": PAGE})
            )
        )

        def whole(intent: Row) -> RemotePayment:
            """From the lists, without requests for each intent."""
            return self.whole(intent, disputes.get(intent["id"], ()), charges_in(intent))

        def listed(remote: RemotePayment) -> RemotePayment:
            return replace(remote, action=None, lists=dict(remote.lists) | beside.lists)

        session_of_intent: dict[str, str] = {}
        shown: set[str] = set()
        for row in self._sessions(start - int(LIFE_OF_SESSION.total_seconds()), end):
            intent = row.get("payment_intent")
            if intent:
                session_of_intent[id_of(intent)] = row["id"]
            if row["created"] >= start:
                yield listed(session_of(row, whole(intent) if intent else None))
                shown.add(id_of(intent))
        for row in self._intents(start, end):
            if row["id"] not in shown:
                session = session_of_intent.get(row["id"])
                yield listed(replace(whole(row), related_ids=(session,) if session else ()))

    def _sessions(self, start: int, end: int) -> Iterator[Row]:
        params: Any = {"created": {"gte": start, "lt": end}, "limit": PAGE}
        params["expand"] = [f"data.{path}" for path in IN_SESSION]
        for page in self._link.pages(lambda api: api.v1.checkout.sessions.list(params)):
            yield from (row for row in page if row["mode"] == "payment")

    def _intents(self, start: int, end: int) -> Iterator[Row]:
        params: Any = {"created": {"gte": start, "lt": end}, "limit": PAGE}
        params["expand"] = [f"data.{path}" for path in IN_INTENT]
        for page in self._link.pages(lambda api: api.v1.payment_intents.list(params)):
            yield from page

    def attempts_between(self, since: datetime, until: datetime) -> Iterator[ListedAttempt]:
        """The decided charges of intents."""
        created = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
        params: Any = {"created": created, "limit": PAGE}
        for page in self._link.pages(lambda api: api.v1.charges.list(params)):
            for charge in page:
                listed = Parts("charges").read("charge", partial(listed_attempt, charge), None)
                if listed:
                    yield listed

    def access(self) -> list[Access]:
        return [Access(part, permission, self._link.error_of(read)) for part, permission, read in ACCESS]

    # ---- activity on payments of any age ---------------------------------------------------------------------------

    def moved(self, since: datetime, until: datetime) -> Iterator[ChangedPayments]:
        """By the time of the refund, dispute, balance transaction or fraud warning itself."""
        created = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
        params: Any = {"created": created, "limit": PAGE}
        beside = Beside(self._link)
        for page in beside.pages("refunds", lambda api: api.v1.refunds.list(params)):
            yield changed(page)
        for page in beside.pages("disputes", lambda api: api.v1.disputes.list(params)):
            yield changed(page)
        whole: Any = params | {
            "expand": ["data.source"]
        }  # the refund, dispute or charge; payouts and fees name no payment
        for page in beside.pages("balance", lambda api: api.v1.balance_transactions.list(whole)):
            yield changed([mapping(row.get("source")) for row in page])
        warnings, found = "fraud warnings", Parts("fraud warnings")
        for page in beside.pages(warnings, lambda api: api.v1.radar.early_fraud_warnings.list(params)):
            yield ChangedPayments(fraud_warnings=found.each("fraud warning", page, fraud_warning))
        unread = beside.lists.pop(warnings) or "; ".join(map(str, found.problems))
        yield ChangedPayments(lists=beside.lists, other_lists={warnings: unread[:LONGEST_TEXT]})


def listed_attempt(charge: Row) -> ListedAttempt | None:
    attempt, intent_id = attempt_of(charge), id_of(charge.get("payment_intent"))
    if attempt is None or not intent_id:
        return None
    return ListedAttempt(intent_id, plain(mapping(charge.get("metadata")).get("payment_id")), attempt)


def changed(rows: Iterable[Row]) -> ChangedPayments:
    return ChangedPayments(tuple(dict.fromkeys(ids for row in rows if (ids := payment_ids(row)))))


def fraud_warning(row: Row) -> RemoteFraudWarning:
    """Errors: UNREADABLE."""
    warned_at = datetime.fromtimestamp(row["created"], UTC)
    return RemoteFraudWarning(an_id(row["id"]), payment_ids(row), token(row.get("fraud_type")), warned_at)


def payment_ids(row: Row) -> tuple[str, ...]:
    """The intent and charge named by a refund, dispute, charge or fraud warning."""
    charge = row.get("id") if row.get("object") == "charge" else row.get("charge")
    return tuple(found for value in (row.get("payment_intent"), charge) if (found := id_of(value)))


class Beside:
    """Lists related to a payment. A refused or failed one is recorded; after a timeout no further ones are fetched."""

    def __init__(self, link: StripeLink) -> None:
        self._link = link
        self._is_silent = False
        self.lists: dict[str, str] = {}

    def rows(self, name: str, send: Callable[[stripe.StripeClient], Any]) -> Sequence[Row]:
        return self._all(name, self.pages(name, send))

    def fetch(self, name: str, params: dict[str, Any]) -> Sequence[Row]:
        """The list at this path of the API, for each payment that is read."""
        path = f"/v1/{name}"
        return self._all(
            name, self._read(name, lambda: [self._link.execute(lambda api: fetch_all(api, path, params))])
        )

    def pages(self, name: str, send: Callable[[stripe.StripeClient], Any]) -> Iterator[Sequence[Row]]:
        return self._read(name, lambda: self._link.pages(send))

    def _all(self, name: str, pages: Iterable[Sequence[Row]]) -> Sequence[Row]:
        """None if one of the pages fails."""
        found = [row for page in pages for row in page]
        return () if self.lists[name] else found

    def _read(self, name: str, read: Callable[[], Iterable[Sequence[Row]]]) -> Iterator[Sequence[Row]]:
        if self._is_silent:
            self.lists[name] = self.lists.get(name) or "not asked: the provider did not answer just before"
            return
        try:
            yield from read()
        except (Refused, Unknown) as error:
            self._is_silent = isinstance(error, Unknown) and error.is_outage
            self.lists[name] = str(error)[:LONGEST_TEXT]
            return
        self.lists.setdefault(name, "")


def has_news(charge: Row, known_attempts: Collection[str]) -> bool:
    """Whether an intent's latest charge is an attempt that is not known, so that others may have preceded it. One that
    is pending becomes an attempt when it is decided."""
    return charge.get("status") != "pending" and plain(charge.get("id")) not in known_attempts


def took_money(charge: Row) -> bool:
    try:
        return is_captured(charge)
    except UNREADABLE:
        return False


def charge_named_by(intent: Row) -> list[Row]:
    """The charge of a paid intent that contains only its id; at most one charge captures an intent's money."""
    charge_id, received = intent.get("latest_charge"), intent.get("amount_received")
    if not isinstance(charge_id, str) or not received:
        return []
    taken = {"amount_captured": received, "currency": intent.get("currency")}
    return [{"id": charge_id, "status": "succeeded", "captured": True, "refunds": None, **taken}]


def accounts_for(intent: Row, charges: Sequence[Row]) -> bool:
    try:
        return bool(captured_in(charges) == intent.get("amount_received", 0))
    except UNREADABLE:
        return False


def by_intent(disputes: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in disputes:
        found[id_of(row.get("payment_intent"))].append(row)
    return found


def rows_of(listing: Any) -> Iterator[Row]:
    """All pages."""
    return (row_of(one) for one in listing.auto_paging_iter())


def is_searchable(key: str) -> bool:
    return not {"'", '"', "\\"} & set(key)


# Reading a payment skips the SDK's objects, which are built from JSON and taken apart again: 20% of the CPU time of an
# event that completes a payment.


def fetch(api: stripe.StripeClient, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The object at this path. Errors: TypeError for another kind of JSON."""
    return as_row(api.raw_request("get", path, **params).data)


def fetch_all(api: stripe.StripeClient, path: str, params: Mapping[str, Any]) -> list[Row]:
    """All pages of a list."""
    page = fetch(api, path, params)
    rows: list[Row] = [as_row(row) for row in page["data"]]
    if not page["has_more"]:
        return rows
    return rows + fetch_all(api, path, {**params, "starting_after": rows[-1]["id"]})


def as_row(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("Not an object.")
    return value
