"""What happens at PayPal without a call of the API: time passes, a buyer acts without a browser, a person clicks."""

import copy
from collections.abc import Callable

from sandbox.http_messages import Json
from sandbox.journal import Origin, origin
from sandbox.paypal_api import (
    access_tokens,
    captures,
    disputes,
    forced_errors,
    orders,
    refunds,
    serializers,
    vault,
    webhooks,
)
from sandbox.paypal_api.account import Account
from sandbox.paypal_api.buyers import BY_NAME
from sandbox.paypal_api.errors import ApiError
from sandbox.paypal_api.money import units_of

Act = Callable[[Json], Json]
TELLERS: dict[str, Callable[[Account, str], Json]] = {
    "order": serializers.order,
    "capture": serializers.capture,
    "refund": serializers.refund,
    "dispute": serializers.dispute,
    "payment_token": serializers.payment_token,
}
RESOURCE_TYPES = {"order": "checkout-order"}


def plan_jobs(account: Account) -> None:
    """What the program does for this account when its time has come."""

    def dispute(job: Json) -> None:
        try:
            disputes.open_dispute(account, job["capture"])
        except ValueError:
            return  # refunded meanwhile: nothing is left to dispute

    def expire(job: Json) -> None:
        if account.peek("order", job["order"]):
            orders.void(account, job["order"])

    def forget_setup(job: Json) -> None:
        row = account.peek("setup_token", job["token"])
        if row and row["status"] != "VAULTED":
            account.remove("setup_token", job["token"])

    jobs: dict[str, Callable[[Json], object]] = {
        "capture": lambda job: captures.settle(account, job["capture"], job["status"]),
        "refund": lambda job: refunds.settle(account, job["refund"], job["status"]),
        "dispute": dispute,
        "order.deadline": expire,
        "setup_token.deadline": forget_setup,
    }
    for kind, act in jobs.items():
        account.program.job_kind(f"paypal.{kind}", act)


class Desk:
    """The control API of this face: `POST /_sandbox/paypal/<action>` with JSON."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._acts: dict[str, tuple[str, Act]] = {
            "approve": ("browser", self._approve),
            "decline": ("browser", lambda wish: self._approve({"buyer": "declined"} | wish)),
            "cancel": ("browser", self._cancel),
            "refund": ("dashboard", self._refund),
            "dispute": ("dashboard", self._dispute),
            "delete_token": ("dashboard", self._delete_token),
            "update_dispute": ("provider", self._update_dispute),
            "close_dispute": ("provider", self._close_dispute),
            "settle_capture": ("provider", self._settle_capture),
            "settle_refund": ("provider", self._settle_refund),
            "reverse": ("provider", self._reverse),
            "void": ("provider", lambda wish: orders.void(account, wish["order"])),
            "refuse": ("provider", self._refuse),
            "event": ("provider", self._event),
            "endpoint": ("provider", self._endpoint),
            "switches": ("provider", account.switch),
            "expire_tokens": ("provider", lambda _: {"expired": access_tokens.expire(account)}),
            "ca": ("provider", lambda _: {"pem": account.certificates.ca_pem}),
        }

    def act(self, action: str, wish: Json) -> Json:
        """Raises LookupError for an unknown action or object, ValueError when it is not possible."""
        if action not in self._acts:
            raise LookupError(f"paypal/{action}")
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
        """The latest orders for the console page."""
        return [
            {
                "id": row["id"],
                "amount": units_of(row["purchase_units"][0]["amount"]),
                "currency": row["purchase_units"][0]["amount"]["currency_code"].lower(),
                "status": self._status(row),
                "created": row["create_time"],
            }
            for row in self._account.rows("order")[-50:][::-1]
        ]

    def _status(self, order: Json) -> str:
        paid = serializers.captures_of(self._account, order["id"])
        return f"{order['status']}, capture {paid[-1]['status']}" if paid else str(order["status"])

    def _approve(self, wish: Json) -> Json:
        """As the buyer does on the page: `{"order" | "setup_token", "buyer"?, "instrument"?}`; tells where to go on."""
        account = self._account
        if "setup_token" in wish:
            row = account.find("setup_token", wish["setup_token"])
            vault.approve(account, row, BY_NAME[wish.get("buyer", "pays")])
            return {"setup_token": row, "address": vault.page_address(account, row, "return_url")}
        row = account.find("order", wish["order"])
        buyer = str(wish.get("buyer") or account.secret(row["id"]).get("buyer", "pays"))
        orders.approve(account, row, BY_NAME[buyer], wish.get("instrument"))
        return {
            "order": serializers.order(account, row["id"]),
            "address": orders.return_address(account, row),
        }

    def _cancel(self, wish: Json) -> Json:
        row = self._account.find("order", wish["order"])
        if not orders.waits(self._account, row):
            raise ValueError("This order does not wait for its buyer.")
        self._account.effect("order.cancelled", row["id"], **serializers.order_facts(row))
        return {"address": orders.cancel_address(self._account, row)}

    def _capture_of(self, wish: Json) -> Json:
        """The capture that is named, or that of the order that is named."""
        if "capture" in wish:
            return self._account.find("capture", wish["capture"])
        order = self._account.find("order", wish["order"])
        paid = serializers.captures_of(self._account, order["id"])
        if not paid:
            raise ValueError("This order has no capture.")
        return paid[-1]

    def _refund(self, wish: Json) -> Json:
        """`amount` as PayPal writes it, such as "3.00"; all that is left by default."""
        return refunds.make(self._account, self._capture_of(wish), self._partly(wish))

    def _reverse(self, wish: Json) -> Json:
        return refunds.make(self._account, self._capture_of(wish), self._partly(wish), kind="REVERSED")

    def _partly(self, wish: Json) -> Json:
        facts: Json = {
            name: wish[name] for name in ("custom_id", "invoice_id", "note_to_payer") if name in wish
        }
        if "amount" in wish:
            currency = self._capture_of(wish)["amount"]["currency_code"]
            facts["amount"] = {"currency_code": currency, "value": str(wish["amount"])}
        return facts

    def _dispute(self, wish: Json) -> Json:
        capture = self._capture_of(wish)["id"]
        return disputes.open_dispute(
            self._account, capture, wish.get("reason", disputes.REASON), wish.get("amount")
        )

    def _update_dispute(self, wish: Json) -> Json:
        return disputes.update(self._account, wish["dispute"], wish.get("status", "UNDER_REVIEW"))

    def _close_dispute(self, wish: Json) -> Json:
        return disputes.close(self._account, wish["dispute"], wish.get("verdict", "lost"))

    def _settle_capture(self, wish: Json) -> Json:
        return captures.settle(self._account, self._capture_of(wish)["id"], wish.get("status", "COMPLETED"))

    def _settle_refund(self, wish: Json) -> Json:
        return refunds.settle(self._account, wish["refund"], wish["status"])

    def _delete_token(self, wish: Json) -> Json:
        """The buyer ends the agreement in the wallet."""
        vault.forget(self._account, wish["payment_token"])
        return {}

    def _refuse(self, wish: Json) -> Json:
        return forced_errors.add(self._account, wish["call"], wish["issue"], wish.get("count", 1))

    def _event(self, wish: Json) -> Json:
        """`{"type": …, "id": id of any object, "changes": {"resource": {…}, "create_time": …}}`: also an untrue one."""
        kind, resource = self._any(wish["id"])
        changes = wish.get("changes", {})
        told = resource | copy.deepcopy(changes.get("resource", {}))
        summary = str(wish.get("summary", wish["type"]))
        event = self._account.emit(wish["type"], RESOURCE_TYPES.get(kind, kind), told, summary)
        event |= {name: value for name, value in changes.items() if name != "resource"}
        return self._account.save("event", event)

    def _any(self, object_id: str) -> tuple[str, Json]:
        for kind, tell in TELLERS.items():
            if self._account.peek(kind, object_id):
                return kind, tell(self._account, object_id)
        raise LookupError(object_id)

    def _endpoint(self, wish: Json) -> Json:
        """`{"url", "webhook_id"?, "enabled_events"?}`; the id of one that exists moves it to this address."""
        enabled = wish.get("enabled_events", ["*"])
        return webhooks.ensure_endpoint(self._account, wish["url"], wish.get("webhook_id"), enabled)
