"""Changes that do not come through Stripe's API: delayed jobs, Dashboard actions, buyers' payments."""

from sandbox.control_actions import Action, ControlActions
from sandbox.http_messages import Json
from sandbox.stripe_api import (
    challenges,
    charges,
    checkout_sessions,
    confirmation,
    customers,
    disputes,
    events,
    fraud_warnings,
    refunds,
    setup_intents,
)
from sandbox.stripe_api.account import API_VERSION, NAME, Account
from sandbox.stripe_api.errors import ApiError
from sandbox.stripe_api.payment_intents import cancel_row
from sandbox.stripe_api.payment_methods import card_of
from sandbox.stripe_api.versions import check_version
from sandbox.webhook_delivery import ENDPOINTS

ENDPOINT_FIELDS = ("secrets", "url", "enabled_events", "status", "api_version")
REPLACEABLE = ("exp_month", "exp_year", "last4")


def register_jobs(account: Account) -> None:
    """Register the handlers of this account's scheduled jobs."""

    def process(job: Json) -> None:
        confirmation.finish_processing(account, job["intent"], job["outcome"])
        checkout_sessions.after_processing(account, account.find("payment_intent", job["intent"]))

    def settle(job: Json) -> None:
        method = account.find("payment_method", account.find("charge", job["charge"])["payment_method"])
        charges.settle(account, job["charge"], available=card_of(account, method).available)

    def dispute(job: Json) -> None:
        try:
            disputes.open_dispute(account, job["charge"], job["reason"])
        except ApiError:
            return  # already refunded: nothing left to dispute

    def expire(job: Json) -> None:
        row = account.find("checkout.session", job["session"])
        if row["status"] == "open":
            checkout_sessions.close(account, row)

    account.simulator.register_jobs(
        NAME,
        {
            "process": process,
            "settle": settle,
            "dispute": dispute,
            "warn": lambda job: fraud_warnings.warn(account, job["charge"], job["fraud_type"]),
            "session.deadline": expire,
            "refund": lambda job: refunds.settle(account, job["refund"], job["status"], job["reason"]),
            "verdict": lambda job: disputes.close_dispute(account, job["dispute"], job["verdict"]),
        },
    )


class StripeActions(ControlActions):
    """What buyers, the merchant and Stripe do outside the API."""

    def __init__(self, account: Account) -> None:
        self._account = account
        actions: dict[str, tuple[str, Action]] = {
            "pay": ("browser", self._pay),
            "authenticate": ("browser", self._authenticate),
            "refund": ("dashboard", self._refund),
            "cancel": ("dashboard", self._cancel),
            "dispute": ("dashboard", self._dispute),
            "warn": ("provider", self._warn),
            "delete_customer": ("dashboard", self._delete_customer),
            "update_card": ("provider", self._update_card),
            "update_dispute": ("provider", self._update_dispute),
            "close_dispute": ("provider", self._close_dispute),
            "settle_refund": ("provider", self._settle_refund),
            "movement": ("provider", self._movement),
            "forget_movement": ("provider", self._forget_movement),
            "event": ("provider", self._event),
            "endpoint": ("provider", self._endpoint),
            "settings": ("provider", account.configure),
        }
        super().__init__(NAME, account.simulator, actions)

    def overview(self) -> list[Json]:
        """Return the latest intents for the console."""
        names = ("id", "amount", "currency", "status", "latest_charge", "created")
        return [
            {name: row[name] for name in names} for row in self._account.rows("payment_intent")[-50:][::-1]
        ]

    def _pay(self, body: Json) -> Json:
        """Pay as in the card form or on the hosted page; a decline is returned as `error`."""
        account = self._account
        method = {"payment_method": body.get("payment_method", "pm_card_visa")}
        try:
            if "session" in body:
                return checkout_sessions.pay(
                    account, account.find("checkout.session", body["session"]), method
                )
            if "setup_intent" in body:
                setup = account.find("setup_intent", body["setup_intent"])
                return setup_intents.confirm_row(account, setup, method, public=True)
            return confirmation.confirm(
                account, account.find("payment_intent", body["payment_intent"]), method, public=True
            )
        except ApiError as error:
            if error.status == 402:  # noqa: PLR2004 (card errors)
                return {"error": error.body}
            raise

    def _authenticate(self, body: Json) -> Json:
        """Complete or fail 3-D Secure: `{"payment_intent": …, "passed": true}`, or `setup_intent`."""
        kind = "setup_intent" if "setup_intent" in body else "payment_intent"
        intent = self._account.find(kind, body[kind])
        challenge = challenges.of_intent(self._account, intent)
        if challenge is None:
            raise ValueError("This intent does not require 3-D Secure.")
        answer_challenge(self._account, challenge, passed=body.get("passed", True))
        return intent

    def _refund(self, body: Json) -> Json:
        params: Json = {name: body[name] for name in ("amount", "reason", "metadata") if name in body}
        reference: Json = {name: body[name] for name in ("payment_intent", "charge") if name in body}
        return refunds.refund(self._account, refunds.charge_of(self._account, reference), params)

    def _cancel(self, body: Json) -> Json:
        return cancel_row(
            self._account, self._account.find("payment_intent", body["payment_intent"]), body.get("reason")
        )

    def _dispute(self, body: Json) -> Json:
        charge = (
            body.get("charge")
            or self._account.find("payment_intent", body["payment_intent"])["latest_charge"]
        )
        return disputes.open_dispute(self._account, charge, body.get("reason", "fraudulent"))

    def _warn(self, body: Json) -> Json:
        """The bank suspects fraud: `{"charge", "fraud_type"?}`."""
        return fraud_warnings.warn(self._account, body["charge"], body.get("fraud_type", "misc"))

    def _delete_customer(self, body: Json) -> Json:
        return customers.delete_row(self._account, self._account.find("customer", body["customer"]))

    def _update_card(self, body: Json) -> Json:
        """The card network replaced a saved card: `{"payment_method", "exp_month"?, "exp_year"?, "last4"?}`."""
        row = self._account.find("payment_method", body["payment_method"])
        before = dict(row)
        row["card"] = row["card"] | {name: body[name] for name in REPLACEABLE if name in body}
        self._account.emit("payment_method.automatically_updated", self._account.save(row), before)
        return row

    def _update_dispute(self, body: Json) -> Json:
        return disputes.set_status(self._account, body["dispute"], body["status"])

    def _close_dispute(self, body: Json) -> Json:
        return disputes.close_dispute(self._account, body["dispute"], body.get("outcome", "lost"))

    def _settle_refund(self, body: Json) -> Json:
        return refunds.settle(
            self._account, body["refund"], body["status"], body.get("failure_reason", "declined")
        )

    def _movement(self, body: Json) -> Json:
        """Add a balance transaction: `{"type", "amount", "currency"?, "fee"?, "source"?}`. A payout to the bank has a
        negative amount; the types "payout", "stripe_fee" and "charge" are Stripe's, and any other is possible."""
        source: Json = {"id": body.get("source"), "currency": body.get("currency", "usd")}
        fee = body.get("fee", 0)
        line = charges.book(self._account, body["type"], source, body["amount"], fee_of=lambda amount: fee)
        return self._account.find("balance_transaction", line)

    def _forget_movement(self, body: Json) -> Json:
        """Remove the balance transactions of `source` from the list and the balance."""
        rows = [row for row in self._account.rows("balance_transaction") if row["source"] == body["source"]]
        for row in rows:
            self._account.store.remove(f"{NAME}.balance_transaction", row["id"])
        return {"removed": len(rows)}

    def _event(self, body: Json) -> Json:
        """`{"type": …, "id": id of any object, "changes": {"object": {…}, "livemode": true}}`."""
        row = self._any(body["id"])
        return events.fire(self._account, body["type"], row, body.get("changes", {}))

    def _any(self, object_id: str) -> Json:
        kinds = (
            "payment_intent",
            "charge",
            "refund",
            "dispute",
            "setup_intent",
            "checkout.session",
            "customer",
        )
        for kind in (*kinds, "payment_method"):
            if row := self._account.get(kind, object_id):
                return row
        raise LookupError(object_id)

    def _endpoint(self, body: Json) -> Json:
        """Add `{"url", "secret", "enabled_events", "api_version"}`, or change one (`id`), such as its `secrets`."""
        version = check_version(body.get("api_version", API_VERSION))
        if "id" not in body:
            return events.add_endpoint(
                self._account, body["url"], body["secret"], body.get("enabled_events", ["*"]), version
            )
        row = events.endpoint_of(self._account, body["id"])
        row |= {name: body[name] for name in ENDPOINT_FIELDS if name in body}
        self._account.store.save(ENDPOINTS, row["id"], row)
        return row


def answer_challenge(account: Account, challenge_id: str, *, passed: bool) -> Json | None:
    """Continue the intent of a challenge. Returns the intent, or None if the challenge is no longer current."""
    found = challenges.current(account, challenge_id)
    if found is None:
        return None
    challenge, intent = found
    challenges.close(account, challenge)
    resource = setup_intents if intent["object"] == "setup_intent" else confirmation
    resource.finish_authentication(account, intent, passed=passed)
    if session := account.get("checkout.session", account.internal(intent["id"]).get("session")):
        checkout_sessions.complete(account, session)
    return intent
