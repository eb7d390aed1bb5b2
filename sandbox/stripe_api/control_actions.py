"""What happens at Stripe without a call of the API: time passes, a person clicks in the dashboard, a buyer pays."""

from collections.abc import Callable

from sandbox.http_messages import Json
from sandbox.journal import Origin, origin
from sandbox.stripe_api import (
    challenges,
    charges,
    checkout_sessions,
    confirmation,
    disputes,
    events,
    refunds,
    setup_intents,
)
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.errors import ApiError
from sandbox.stripe_api.payment_intents import cancel_row
from sandbox.stripe_api.payment_methods import card_of
from sandbox.webhook_delivery import ENDPOINTS

Act = Callable[[Json], Json]


def plan_jobs(account: Account) -> None:
    """What the program does for this account when its time has come."""

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
            return  # refunded meanwhile: nothing is left to dispute

    def expire(job: Json) -> None:
        row = account.find("checkout.session", job["session"])
        if row["status"] == "open":
            checkout_sessions.close(account, row)

    jobs: dict[str, Callable[[Json], object]] = {
        "process": process,
        "settle": settle,
        "dispute": dispute,
        "session.deadline": expire,
        "refund": lambda job: refunds.settle(account, job["refund"], job["status"], "declined"),
        "verdict": lambda job: disputes.close_dispute(account, job["dispute"], job["verdict"]),
    }
    for kind, act in jobs.items():
        account.program.job_kind(f"stripe.{kind}", act)


class Desk:
    """The control API of this face: `POST /_sandbox/stripe/<action>` with JSON."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._acts: dict[str, tuple[str, Act]] = {
            "pay": ("browser", self._pay),
            "authenticate": ("browser", self._authenticate),
            "refund": ("dashboard", self._refund),
            "cancel": ("dashboard", self._cancel),
            "dispute": ("dashboard", self._dispute),
            "close_dispute": ("provider", self._close_dispute),
            "settle_refund": ("provider", self._settle_refund),
            "event": ("provider", self._event),
            "endpoint": ("provider", self._endpoint),
        }

    def act(self, action: str, wish: Json) -> Json:
        """Raises LookupError for an unknown action or object, ValueError when it is not possible."""
        if action not in self._acts:
            raise LookupError(f"stripe/{action}")
        actor, act = self._acts[action]
        token = origin.set(Origin(actor))
        with self._account.program.lock:
            try:
                return dict(act(wish))
            except ApiError as error:
                raise (LookupError if error.status == 404 else ValueError)(str(error)) from error  # noqa: PLR2004
            finally:
                origin.reset(token)
                self._account.store.commit()

    def overview(self) -> list[Json]:
        """The latest intents for the console page."""
        names = ("id", "amount", "currency", "status", "latest_charge", "created")
        return [
            {name: row[name] for name in names} for row in self._account.rows("payment_intent")[-50:][::-1]
        ]

    def _pay(self, wish: Json) -> Json:
        """As the buyer does in the card form or on the hosted page, without a browser; a decline is in the answer."""
        account = self._account
        method = {"payment_method": wish.get("payment_method", "pm_card_visa")}
        try:
            if "session" in wish:
                return checkout_sessions.pay(
                    account, account.find("checkout.session", wish["session"]), method
                )
            if "setup_intent" in wish:
                setup = account.find("setup_intent", wish["setup_intent"])
                return setup_intents.confirm_row(account, setup, method, public=True)
            return confirmation.confirm(
                account, account.find("payment_intent", wish["payment_intent"]), method, public=True
            )
        except ApiError as error:
            if error.status == 402:  # noqa: PLR2004 (card errors)
                return {"error": error.body}
            raise

    def _authenticate(self, wish: Json) -> Json:
        """The buyer's answer to 3-D Secure: `{"payment_intent": …, "passed": true}`, or `setup_intent`."""
        kind = "setup_intent" if "setup_intent" in wish else "payment_intent"
        intent = self._account.find(kind, wish[kind])
        challenge = challenges.of_intent(self._account, intent)
        if challenge is None:
            raise ValueError("This intent does not wait for 3-D Secure.")
        answer_challenge(self._account, challenge, passed=wish.get("passed", True))
        return intent

    def _refund(self, wish: Json) -> Json:
        params: Json = {name: wish[name] for name in ("amount", "reason", "metadata") if name in wish}
        reference: Json = {name: wish[name] for name in ("payment_intent", "charge") if name in wish}
        return refunds.refund(self._account, refunds.charge_of(self._account, reference), params)

    def _cancel(self, wish: Json) -> Json:
        return cancel_row(
            self._account, self._account.find("payment_intent", wish["payment_intent"]), wish.get("reason")
        )

    def _dispute(self, wish: Json) -> Json:
        charge = (
            wish.get("charge")
            or self._account.find("payment_intent", wish["payment_intent"])["latest_charge"]
        )
        return disputes.open_dispute(self._account, charge, wish.get("reason", "fraudulent"))

    def _close_dispute(self, wish: Json) -> Json:
        return disputes.close_dispute(self._account, wish["dispute"], wish.get("verdict", "lost"))

    def _settle_refund(self, wish: Json) -> Json:
        return refunds.settle(
            self._account, wish["refund"], wish["status"], wish.get("failure_reason", "declined")
        )

    def _event(self, wish: Json) -> Json:
        """`{"type": …, "id": id of any object, "changes": {"object": {…}, "livemode": true}}`."""
        row = self._any(wish["id"])
        return events.fire(self._account, wish["type"], row, wish.get("changes", {}))

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
            if row := self._account.peek(kind, object_id):
                return row
        raise LookupError(object_id)

    def _endpoint(self, wish: Json) -> Json:
        """Add `{"url", "secret", "enabled_events"}`, or give one that exists (`id`) its `secrets`, for a rotation."""
        if "id" not in wish:
            return events.add_endpoint(
                self._account, wish["url"], wish["secret"], wish.get("enabled_events", ["*"])
            )
        row = events.endpoint_of(self._account, wish["id"])
        row |= {name: wish[name] for name in ("secrets", "url", "enabled_events", "status") if name in wish}
        self._account.store.save(ENDPOINTS, row["id"], row)
        return row


def answer_challenge(account: Account, challenge_id: str, *, passed: bool) -> Json | None:
    """Go on with the intent that waited; returns the intent, None when nobody waits any more."""
    found = challenges.current(account, challenge_id)
    if found is None:
        return None
    challenge, intent = found
    challenges.close(account, challenge)
    resource = setup_intents if intent["object"] == "setup_intent" else confirmation
    resource.authenticated(account, intent, passed=passed)
    if session := account.peek("checkout.session", account.secret(intent["id"]).get("session")):
        checkout_sessions.complete(account, session)
    return intent
