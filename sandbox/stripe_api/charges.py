"""https://docs.stripe.com/api/charges and https://docs.stripe.com/api/balance_transactions"""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from uuid import uuid4

from sandbox.http_messages import Json
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.cards import BY_NAME, CVC, LINE, LIVE, POSTAL_CODE, Card, Decline
from sandbox.stripe_api.money import MINIMUMS, amount_error, fee_of, format_amount, places_of
from sandbox.stripe_api.parameters import Text
from sandbox.stripe_api.routes import Call, Route, list_params, page


def create_charge(
    account: Account, intent: Json, method: Json, status: str, decline: Decline | None = None
) -> Json:
    """`status`: succeeded, pending or failed."""
    charge_id = account.new_id("ch")
    good = status == "succeeded"
    presented = {name: intent[name] for name in ("presentment_details",) if name in intent}
    return account.save(
        {
            "id": charge_id,
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount"] if good else 0,
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": None,
            "billing_details": method["billing_details"],
            "calculated_statement_descriptor": "ARTISANS ALLEY SANDBOX",
            "captured": good,
            "created": account.now(),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": decline.code if decline else None,
            "failure_message": decline.message if decline else None,
            "fraud_details": {},
            "livemode": False,
            "metadata": dict(intent["metadata"]),
            "on_behalf_of": None,
            "outcome": outcome(decline, card_of(account, method)) if status != "pending" else None,
            "paid": status != "failed",
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": {
                "card": card_details(account, intent, method, decline),
                "type": "card",
            },
            "receipt_email": intent["receipt_email"],
            "receipt_number": None,
            "receipt_url": f"{account.simulator.base_url}/receipts/{charge_id}" if good else None,
            "refunded": False,
            "review": None,
            "shipping": intent["shipping"],
            "source": None,
            "source_transfer": None,
            "statement_descriptor": intent["statement_descriptor"],
            "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
            "status": status,
            "transfer_data": None,
            "transfer_group": intent["transfer_group"],
            **presented,
        }
    )


def card_of(account: Account, method: Json) -> Card:
    return BY_NAME.get(account.internal(method["id"])["card"], LIVE)


def outcome(decline: Decline | None, card: Card) -> Json:
    """https://docs.stripe.com/api/charges/object#charge_object-outcome"""
    blocked = decline is not None and decline.reason == "fraudulent"
    in_review = decline is None and card.is_risky
    return {
        "advice_code": decline.advice if decline else None,
        "network_advice_code": None,
        "network_decline_code": decline.network_code if decline else None,
        "network_status": "not_sent_to_network"
        if blocked
        else "declined_by_network"
        if decline
        else "approved_by_network",
        "reason": "highest_risk_level"
        if blocked
        else "elevated_risk_level"
        if in_review
        else decline.reason
        if decline
        else None,
        "risk_level": "highest" if blocked else "elevated" if card.is_risky else "normal",
        "risk_score": 92 if blocked else 68 if card.is_risky else 12,
        "seller_message": seller_message(decline, blocked=blocked, in_review=in_review),
        "type": "blocked"
        if blocked
        else "issuer_declined"
        if decline
        else "manual_review"
        if in_review
        else "authorized",
    }


def seller_message(decline: Decline | None, *, blocked: bool, in_review: bool) -> str:
    if blocked:
        return "Stripe blocked this payment as too risky."
    if in_review:
        return "Stripe evaluated this payment as having elevated risk, and placed it in your manual review queue."
    if decline is None:
        return "Payment complete."
    return f"The bank returned the decline code `{decline.reason or decline.code}`."


def card_details(account: Account, intent: Json, method: Json, decline: Decline | None) -> Json:
    names = (
        "brand",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "regulated_status",
        "wallet",
    )
    return {
        **{name: method["card"][name] for name in names},
        "amount_authorized": intent["amount"],
        "authorization_code": None,
        "checks": checks(method, decline, card_of(account, method)),
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": method["card"]["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
        "three_d_secure": three_d_secure(account, intent, method),
        "transaction_link_id": None,
    }


def checks(method: Json, decline: Decline | None, card: Card) -> Json:
    """What the bank said of the code and address that came with the card."""
    address = method["billing_details"]["address"]
    usual = "unchecked" if card.unchecked else "pass"
    said = {
        LINE: usual if address["line1"] else None,
        POSTAL_CODE: usual if address["postal_code"] else None,
        "cvc_check": "fail" if decline is CVC else "pass",
    }
    return {name: "fail" if value and name in card.failed_checks else value for name, value in said.items()}


def three_d_secure(account: Account, intent: Json, method: Json) -> Json | None:
    """The result, if the buyer has authenticated this attempt."""
    if account.internal(intent["id"]).get("authenticated") != method["id"]:
        return None
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "02" if method["card"]["brand"] == "mastercard" else "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": str(uuid4()),
        "version": "2.2.0",
    }


def on_captured(account: Account, charge: Json, card: Card) -> None:
    """Record a captured charge, send its event, and schedule its settlement, dispute and warning."""
    account.record("charge.captured", charge)
    account.emit("charge.succeeded", charge)
    account.simulator.schedule("stripe.settle", charge=charge["id"])
    if card.dispute:
        account.simulator.schedule("stripe.dispute", charge=charge["id"], reason=card.dispute)
    if card.fraud_warning:
        account.simulator.schedule("stripe.warn", charge=charge["id"], fraud_type=card.fraud_warning)


def settle(account: Account, charge_id: str, *, available: bool) -> None:
    """Add the charge to the balance; until now it has no balance_transaction, as at Stripe."""
    charge = account.find("charge", charge_id)
    before = dict(charge)
    charge["balance_transaction"] = book(
        account, "charge", charge, charge["amount"], fee_of=fee_of, available=available
    )
    account.save(charge)
    account.emit("charge.updated", charge, before)


def book(
    account: Account,
    kind: str,
    source: Json,
    amount: int,
    *,
    fee_of: Callable[[int], int] = lambda amount: 0,
    available: bool = True,
) -> str:
    """Create a balance transaction (`amount` may be negative, in the source's currency). Returns its ID.

    With the setting `settlement` it is converted. `fee_of`: the fee of the amount that moves.
    """
    now = account.now()
    adjustment = "dispute" if amount < 0 else "dispute_reversal"
    amount, currency, rate = settled(account, amount, source["currency"])
    fee = fee_of(amount)
    row: Json = {
        "id": account.new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now if available else now + 2 * 86400,
        "balance_type": "payments",
        "created": now,
        "currency": currency,
        "description": source.get("description"),
        "exchange_rate": rate,
        "fee": fee,
        "fee_details": [],
        "net": amount - fee,
        "reporting_category": {"adjustment": adjustment, "stripe_fee": "fee"}.get(kind, kind),
        "source": source.get("id"),
        "status": "available" if available else "pending",
        "type": kind,
    }
    if fee:
        part = {"amount": fee, "application": None, "currency": row["currency"], "type": "stripe_fee"}
        row["fee_details"] = [part | {"description": "Stripe processing fees"}]
    return str(account.save(row)["id"])


def settled(account: Account, amount: int, currency: str) -> tuple[int, str, float | None]:
    """The amount as it moves the balance, its currency, and the exchange rate if it was converted."""
    settlement = account.settings["settlement"]
    if not settlement or settlement["currency"] == currency:
        return amount, currency, None
    rate = Decimal(str(settlement["rate"]))
    units = Decimal(amount).scaleb(places_of(settlement["currency"]) - places_of(currency)) * rate
    return int(units.quantize(Decimal(1), ROUND_HALF_UP)), settlement["currency"], float(rate)


def check_converted(account: Account, amount: int, currency: str, param: str = "amount") -> None:
    """A charge that is converted must reach the minimum of the settlement currency."""
    units, settlement, rate = settled(account, amount, currency)
    least = MINIMUMS.get(settlement, 0)
    if rate is not None and units < least:
        raise amount_error(
            f"Amount must convert to at least {format_amount(least, settlement)}. {format_amount(amount, currency)} "
            f"converts to approximately {format_amount(units, settlement)}.",
            "amount_too_small",
            param,
        )


def balance(account: Account, _: Call) -> Json:
    sums: dict[str, dict[str, int]] = {"available": {}, "pending": {}}
    for row in account.rows("balance_transaction"):
        due = "available" if row["available_on"] <= account.now() else "pending"
        for side in sums.values():
            side.setdefault(row["currency"], 0)
        sums[due][row["currency"]] += row["net"]
    for currency, shift in account.settings["balance_shift"].items():
        sums["available"][currency] = sums["available"].get(currency, 0) + shift
    sides = {
        name: [
            {"amount": amount, "currency": currency, "source_types": {"card": amount}}
            for currency, amount in sorted((side or {"usd": 0}).items())
        ]
        for name, side in sums.items()
    }
    return {"object": "balance", "livemode": False, **sides}


def retrieve(account: Account, _: Call, charge_id: str) -> Json:
    return account.find("charge", charge_id)


def list_all(account: Account, call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("customer", "payment_intent", "transfer_group")}
    return page(account, call, "charge", "/v1/charges", **filters)


def list_transactions(account: Account, call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("source", "type", "currency")}
    return page(account, call, "balance_transaction", "/v1/balance_transactions", **filters)


def retrieve_transaction(account: Account, _: Call, transaction_id: str) -> Json:
    return account.find("balance_transaction", transaction_id)


ROUTES = (
    Route(
        "GET",
        "/v1/charges",
        list_all,
        list_params(customer=Text(), payment_intent=Text(), transfer_group=Text()),
    ),
    Route("GET", "/v1/charges/{id}", retrieve),
    Route("GET", "/v1/balance", balance),
    Route(
        "GET",
        "/v1/balance_transactions",
        list_transactions,
        list_params(source=Text(), type=Text(), currency=Text()),
    ),
    Route("GET", "/v1/balance_transactions/{id}", retrieve_transaction),
)
