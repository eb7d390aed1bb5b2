"""Parses Stripe's objects (plain dicts) into those of the contract.

A part that is missing or invalid becomes one of the `problems` and does not affect the others. An object without type
or id is unreadable (KeyError, TypeError, ValueError).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from artisans.core.money import Money
from payments.providers.contract import (
    Action,
    ActionKind,
    Capture,
    Check,
    Liability,
    RemoteAttempt,
    RemoteDispute,
    RemoteDisputeStatus,
    RemoteMethod,
    RemotePayment,
    RemoteRefund,
    RemoteRefundStatus,
    RemoteSetup,
    RemoteStatus,
    Verdict,
)
from payments.providers.reading import Parts, an_id, mapping, plain, positive
from payments.providers.stripe.declines import FRAUD, group_of
from payments.providers.stripe.money import from_stripe

Row = Mapping[str, Any]
E = TypeVar("E", bound=StrEnum)

INTENT_STATUS = {
    "requires_payment_method": RemoteStatus.OPEN,
    "requires_confirmation": RemoteStatus.OPEN,
    "requires_action": RemoteStatus.OPEN,
    "requires_capture": RemoteStatus.APPROVED,
    "processing": RemoteStatus.PROCESSING,
    "succeeded": RemoteStatus.SUCCEEDED,
    "canceled": RemoteStatus.CANCELLED,
}
REFUND_STATUS = {
    "pending": RemoteRefundStatus.PENDING,
    "requires_action": RemoteRefundStatus.PENDING,
    "succeeded": RemoteRefundStatus.SUCCEEDED,
    "failed": RemoteRefundStatus.FAILED,
    "canceled": RemoteRefundStatus.FAILED,
}
DISPUTE_STATUS = {
    "warning_needs_response": RemoteDisputeStatus.OPEN,
    "warning_under_review": RemoteDisputeStatus.OPEN,
    "needs_response": RemoteDisputeStatus.OPEN,
    "under_review": RemoteDisputeStatus.OPEN,
    "appeal_needs_response": RemoteDisputeStatus.OPEN,
    "appeal_under_review": RemoteDisputeStatus.OPEN,
    "warning_closed": RemoteDisputeStatus.WON,  # a closed inquiry: no money was moved
    "prevented": RemoteDisputeStatus.WON,
    "won": RemoteDisputeStatus.WON,
    "lost": RemoteDisputeStatus.LOST,
}
LAST_FOUR = re.compile(r"[0-9]{4}", re.ASCII)
CHARGE_STATUS = {"succeeded", "pending", "failed"}
SESSION_STATUS = {
    "open": RemoteStatus.OPEN,
    "complete": RemoteStatus.EXPIRED,
    "expired": RemoteStatus.EXPIRED,
}
WAITING = {RemoteStatus.OPEN, RemoteStatus.FAILED}
# Fully authenticated or attempted: Visa and American Express 05, 06, Mastercard 02, 01.
LIABILITY_SHIFTED = {"01", "02", "05", "06"}
AUTHENTICATED = {"authenticated", "attempt_acknowledged"}


def id_of(value: object) -> str:
    """The id in a field that contains an id, the expanded object, or null."""
    if isinstance(value, Mapping):
        return str(value["id"])
    return value if isinstance(value, str) else ""


def expect(row: Row, kind: str) -> None:
    if row["object"] != kind:
        raise ValueError(f"Not a {kind}.")


# ---- payments --------------------------------------------------------------------------------------------------


def payment_of(
    intent: Row,
    *,
    charges: Sequence[Row] | None = None,
    refunds: Iterable[Row] = (),
    disputes: Iterable[Row] = (),
    lists: Mapping[str, str] | None = None,
) -> RemotePayment:
    """Parse a PaymentIntent. `charges`: all of its charges; by default its latest one, if expanded.

    Errors: KeyError, TypeError or ValueError if the object cannot be identified; anything else becomes a problem.
    """
    expect(intent, "payment_intent")
    parts = Parts(an_id(intent["id"]))
    charges = charges_in(intent) if charges is None else charges
    captures = parts.each("charge", charges, capture_of)
    check_received(parts, intent, captures)
    status = intent_status(intent, parts)
    error = mapping(intent.get("last_payment_error"))
    code, decline_code = plain(error.get("code")), plain(error.get("decline_code"))
    return RemotePayment(
        object_id=intent["id"],
        status=status,
        amount=parts.read("amount", lambda: from_stripe(intent["amount"], intent["currency"]), None),
        reference=plain(mapping(intent.get("metadata")).get("payment_id")),
        is_live=live_mode(intent, parts),
        captures=captures,
        attempts=attempts_of(intent, charges),
        refunds=parts.each("refund", refunds, partial(parse_refund, parts=parts)),
        disputes=parts.each("dispute", disputes, partial(dispute_of, parts=parts)),
        action=parts.read("next_action", lambda: action_of(intent), None) if status in WAITING else None,
        decline=group_of(decline_code, code) if error else None,
        decline_code=decline_code or code,
        method=parts.read("payment_method_details", lambda: saved_in(intent, charges), None),
        customer_id=parts.read("customer", lambda: id_of(intent.get("customer")), ""),
        problems=tuple(parts.problems),
        lists=lists or {},
    )


def live_mode(row: Row, parts: Parts) -> bool | None:
    if isinstance(row.get("livemode"), bool):
        return bool(row["livemode"])
    parts.note("livemode", f"unknown value {row.get('livemode')!r}")
    return None


def check_received(parts: Parts, intent: Row, captures: Sequence[Capture]) -> None:
    """Compare the charges with the amount that the intent received; what the charges show is certain in any case."""
    received = intent.get("amount_received", 0)
    if received == 0 and not captures:
        return
    wanted = parts.read("amount_received", lambda: from_stripe(received, intent["currency"]), None)
    if wanted is not None and captures_total(captures, wanted.currency) != wanted.minor:
        parts.note("charges", f"they do not account for the {wanted} that it received")


def captures_total(captures: Iterable[Capture], currency: str) -> int:
    return sum(capture.amount.minor for capture in captures if capture.amount.currency == currency)


def intent_status(intent: Row, parts: Parts | None = None) -> RemoteStatus:
    if intent.get("status") == "requires_payment_method" and intent.get("last_payment_error"):
        return RemoteStatus.FAILED
    parts = parts or Parts("payment_intent")
    return parts.lookup("status", INTENT_STATUS, intent.get("status"), RemoteStatus.UNKNOWN)


def action_of(intent: Row) -> Action | None:
    """After confirmation by the server Stripe returns a URL; its script continues with the client secret alone."""
    secret = intent.get("client_secret") or ""
    step = mapping(intent.get("next_action"))
    if intent.get("status") == "requires_action" and step.get("type") == "redirect_to_url":
        return Action(ActionKind.REDIRECT, url=step["redirect_to_url"]["url"], client_secret=secret)
    return Action(ActionKind.CONFIRM, client_secret=secret) if secret else None


def charges_in(intent: Row) -> list[Row]:
    latest = intent.get("latest_charge")
    return [latest] if isinstance(latest, Mapping) else []


def is_captured(charge: Row) -> bool:
    return bool(charge["status"] == "succeeded" and charge["captured"])


def captured_in(charges: Iterable[Row]) -> int:
    return sum(charge["amount_captured"] for charge in charges if is_captured(charge))


def capture_of(charge: Row) -> Capture | None:
    """The money that a charge captured; None if it captured none. Errors: ValueError for an unknown status."""
    if charge["status"] not in CHARGE_STATUS:
        raise ValueError(f"unknown status {charge['status']!r}")
    if not is_captured(charge):
        return None
    amount = positive(from_stripe(charge["amount_captured"], charge["currency"]))
    return Capture(an_id(charge["id"]), amount)


def attempts_of(intent: Row, charges: Sequence[Row]) -> tuple[RemoteAttempt, ...]:
    """The decided charges, the last error if it names none of them, such as a failed authentication, and the one that
    requires 3-D Secure.

    An attempt that cannot be parsed is left out: it is a statistic, not money.
    """
    parts = Parts("attempts")
    attempts = list(reversed(parts.each("charge", charges, attempt_of)))
    error = mapping(intent.get("last_payment_error"))
    failed = parts.read("last_payment_error", lambda: failed_attempt(intent, error), None) if error else None
    if failed is not None and failed.attempt_id not in {attempt.attempt_id for attempt in attempts}:
        attempts.append(failed)
    challenged = parts.read("next_action", lambda: challenged_attempt(intent), None)
    return (*attempts, challenged) if challenged else tuple(attempts)


def challenge_id_of(intent: Row) -> str:
    """The id of an attempt without a charge; "" if the intent requires no 3-D Secure."""
    method_id = id_of(intent.get("payment_method"))
    is_required = intent.get("status") == "requires_action" and method_id
    return challenge_of(intent["id"], method_id) if is_required else ""


def challenge_of(intent_id: str, method_id: str) -> str:
    """Ids of payment methods are not stored in plain text."""
    method_hash = hashlib.sha256(method_id.encode()).hexdigest()[:16]
    return f"{intent_id}:{method_hash}" if intent_id and method_id else ""


def challenged_attempt(intent: Row) -> RemoteAttempt | None:
    """What it says of the card is known once it is decided."""
    challenge_id = challenge_id_of(intent)
    if not challenge_id:
        return None
    return RemoteAttempt(
        attempt_id=an_id(challenge_id),
        amount=positive(from_stripe(intent["amount"], intent["currency"])),
        is_success=False,
        is_challenged=True,
        challenge_id=challenge_id,
        method="card",
        three_d_secure_flow="challenge",
    )


def attempt_of(charge: Row) -> RemoteAttempt | None:
    if charge["status"] not in {"succeeded", "failed"}:
        return None
    is_success = charge["status"] == "succeeded"
    outcome, code = mapping(charge.get("outcome")), plain(charge.get("failure_code"))
    details = mapping(charge.get("payment_method_details"))
    reason = plain(outcome.get("reason"))
    decline_code = "" if is_success else reason or code
    return RemoteAttempt(
        attempt_id=an_id(charge["id"]),
        amount=positive(from_stripe(charge["amount"], charge["currency"])),
        is_success=is_success,
        challenge_id=challenge_of(id_of(charge.get("payment_intent")), id_of(charge.get("payment_method"))),
        at=datetime.fromtimestamp(charge["created"], UTC),
        is_fraud_suspected=not is_success and not FRAUD.isdisjoint({decline_code, code}),
        decline=None if is_success else group_of(decline_code, code),
        decline_code=decline_code,
        liability=liability_of(mapping(details.get("card"))) if is_success else Liability.UNKNOWN,
        risk_level=plain(outcome.get("risk_level")),
        risk_score=number_in(range(101), outcome.get("risk_score")),
        verdict=known(Verdict, outcome.get("type")),
        network_status=plain(outcome.get("network_status")),
        network_decline_code=plain(outcome.get("network_decline_code")),
        advice_code=plain(outcome.get("advice_code")) or plain(outcome.get("network_advice_code")),
        provider_reason=reason,
        **card_facts(details),
    )


def failed_attempt(intent: Row, error: Row) -> RemoteAttempt:
    code, decline_code = plain(error.get("code")), plain(error.get("decline_code"))
    method = mapping(error.get("payment_method"))
    challenge_id = challenge_of(intent["id"], plain(method.get("id")))
    return RemoteAttempt(
        attempt_id=an_id(error.get("charge") or challenge_id or f"{intent['id']}:{code}"),
        amount=positive(from_stripe(intent["amount"], intent["currency"])),
        is_success=False,
        challenge_id=challenge_id,
        is_fraud_suspected=not FRAUD.isdisjoint({decline_code, code}),
        decline=group_of(decline_code, code),
        decline_code=decline_code or code,
        **card_facts(method),
    )


def card_facts(details: Row) -> dict[str, Any]:
    """What a charge or a payment method says of its card."""
    card = mapping(details.get("card"))
    checks, authentication = mapping(card.get("checks")), mapping(card.get("three_d_secure"))
    return {
        "method": plain(details.get("type")),
        "brand": plain(card.get("brand")),
        "last_four": last_four_of(card),
        "funding": plain(card.get("funding")),
        "card_country": plain(card.get("country")),
        "wallet": plain(mapping(card.get("wallet")).get("type")),
        "cvc_check": known(Check, checks.get("cvc_check")),
        "address_check": known(Check, checks.get("address_line1_check")),
        "postal_code_check": known(Check, checks.get("address_postal_code_check")),
        "three_d_secure": plain(authentication.get("result")),
        "three_d_secure_flow": plain(authentication.get("authentication_flow")),
        "fingerprint": plain(card.get("fingerprint")),
    }


def known(values: type[E], value: object) -> E:
    """The member with this value; the one for "" if there is none."""
    try:
        return values(plain(value))
    except ValueError:
        return values("")


def liability_of(card: Row) -> Liability:
    """By the network's indicator (ECI), otherwise by the result of 3-D Secure. A payment without 3-D Secure is the
    shop's risk, except by a wallet, which authenticates in its own way. https://docs.stripe.com/payments/3d-secure"""
    authentication = mapping(card.get("three_d_secure"))
    indicator, result = authentication.get("electronic_commerce_indicator"), authentication.get("result")
    if not authentication and card.get("wallet"):
        return Liability.UNKNOWN
    is_shifted = indicator in LIABILITY_SHIFTED if indicator else result in AUTHENTICATED
    return Liability.SHIFTED if is_shifted else Liability.NOT_SHIFTED


def saved_in(intent: Row, charges: Sequence[Row]) -> RemoteMethod | None:
    """The card that this payment saved for its customer."""
    customer = id_of(intent.get("customer"))
    paid = next((charge for charge in charges if is_captured(charge)), None)
    if not customer or not intent.get("setup_future_usage") or paid is None or not paid.get("payment_method"):
        return None
    details = paid["payment_method_details"]
    if details["type"] != "card":
        return None
    return card_of(paid["payment_method"], customer, details["card"])


def session_of(session: Row, intent: RemotePayment | None = None) -> RemotePayment:
    """Parse a Checkout Session, with its intent once the buyer has tried to pay. Errors: as payment_of."""
    expect(session, "checkout.session")
    parts = Parts(an_id(session["id"]))
    status = session_status(session, intent, parts)
    reference = session.get("client_reference_id") or mapping(session.get("metadata")).get("payment_id")
    return RemotePayment(
        object_id=session["id"],
        status=status,
        amount=parts.read("amount_total", lambda: session_amount(session), None),
        reference=plain(reference),
        is_live=live_mode(session, parts),
        captures=intent.captures if intent else (),
        attempts=intent.attempts if intent else (),
        refunds=intent.refunds if intent else (),
        disputes=intent.disputes if intent else (),
        related_ids=(intent.object_id,) if intent else (),
        action=parts.read("url", lambda: Action(ActionKind.REDIRECT, url=session["url"]), None)
        if status in WAITING
        else None,
        decline=intent.decline if intent else None,
        decline_code=intent.decline_code if intent else "",
        method=intent.method if intent else None,
        customer_id=parts.read("customer", lambda: id_of(session.get("customer")), ""),
        problems=(*parts.problems, *(intent.problems if intent else ())),
        lists=intent.lists if intent else {},
    )


def session_amount(session: Row) -> Money:
    return from_stripe(session["amount_total"], session["currency"])


def session_status(session: Row, intent: RemotePayment | None, parts: Parts) -> RemoteStatus:
    """The payment takes precedence; a completed session without one (it failed later) has expired."""
    if intent and intent.status in {RemoteStatus.SUCCEEDED, RemoteStatus.PROCESSING, RemoteStatus.UNKNOWN}:
        return intent.status
    status = parts.lookup("status", SESSION_STATUS, session.get("status"), RemoteStatus.UNKNOWN)
    if status == RemoteStatus.OPEN and intent and intent.status == RemoteStatus.FAILED:
        return RemoteStatus.FAILED
    return status


# ---- refunds and disputes -----------------------------------------------------------------------------------------


def parse_refund(row: Row, parts: Parts | None = None) -> RemoteRefund:
    """Errors: KeyError, TypeError or ValueError without an id or an amount."""
    expect(row, "refund")
    refund_id = an_id(row["id"])
    parts = parts or Parts("refund")
    return RemoteRefund(
        refund_id=refund_id,
        amount=positive(from_stripe(row["amount"], row["currency"])),
        status=parts.lookup(
            f"status of {refund_id}", REFUND_STATUS, row.get("status"), RemoteRefundStatus.UNKNOWN
        ),
        reference=plain(mapping(row.get("metadata")).get("refund_id")),
        reason=plain(row.get("failure_reason")) or plain(row.get("reason")),
    )


def dispute_of(row: Row, parts: Parts | None = None) -> RemoteDispute:
    """Errors: KeyError, TypeError or ValueError without an id."""
    expect(row, "dispute")
    dispute_id = an_id(row["id"])
    parts = parts or Parts("dispute")
    return RemoteDispute(
        dispute_id=dispute_id,
        amount=parts.read(
            f"amount of {dispute_id}", lambda: positive(from_stripe(row["amount"], row["currency"])), None
        ),
        status=parts.lookup(
            f"status of {dispute_id}", DISPUTE_STATUS, row.get("status"), RemoteDisputeStatus.UNKNOWN
        ),
        reason=plain(row.get("reason")),
    )


# ---- saved cards -----------------------------------------------------------------------------------------------


def card_of(method_id: str, customer_id: str, card: Row) -> RemoteMethod:
    """What identifies the card to its owner may be missing; its id may not."""
    funding = plain(card.get("funding"))
    return RemoteMethod(
        method_id=an_id(method_id),
        customer_id=customer_id,
        kind="card",
        brand=plain(card.get("brand")),
        last_four=last_four_of(card),
        exp_month=number_in(range(1, 13), card.get("exp_month")),
        exp_year=number_in(range(2000, 10000), card.get("exp_year")),
        funding=funding if funding in {"credit", "debit", "prepaid"} else "",
        fingerprint=plain(card.get("fingerprint")),
    )


def last_four_of(card: Row) -> str:
    """The last four digits; "" if the response has anything else there."""
    digits = plain(card.get("last4"))
    return digits if LAST_FOUR.fullmatch(digits) else ""


def number_in(possible: range, value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value in possible else None


def method_of(row: Row) -> RemoteMethod:
    """Errors: ValueError if it is not a card."""
    expect(row, "payment_method")
    if row["type"] != "card":
        raise ValueError("Not a card.")
    return card_of(row["id"], id_of(row.get("customer")), row["card"])


def setup_of(row: Row) -> RemoteSetup:
    """Parse a SetupIntent with its payment method expanded."""
    expect(row, "setup_intent")
    is_done = row["status"] == "succeeded"
    is_over = is_done or row["status"] == "canceled"
    return RemoteSetup(
        setup_id=row["id"],
        customer_id=id_of(row.get("customer")),
        is_done=is_done,
        action=None if is_over else action_of(row),
        method=method_of(row["payment_method"]) if is_done else None,
    )
