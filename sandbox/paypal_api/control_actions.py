"""Changes that do not come through PayPal's API: delayed jobs, buyers' actions, actions on PayPal's website."""

import copy
from collections.abc import Callable

from sandbox.control_actions import Action, ControlActions
from sandbox.http_messages import Json
from sandbox.paypal_api import (
    access_tokens,
    captures,
    disputes,
    forced_errors,
    orders,
    refunds,
    serializers,
    transaction_search,
    vault,
    webhooks,
)
from sandbox.paypal_api.account import NAME, Account
from sandbox.paypal_api.buyers import BY_NAME
from sandbox.paypal_api.money import units_of

SERIALIZERS: dict[str, Callable[[Account, str], Json]] = {
    "order": serializers.order,
    "capture": serializers.capture,
    "refund": serializers.refund,
    "dispute": serializers.dispute,
    "payment_token": serializers.payment_token,
}
RESOURCE_TYPES = {"order": "checkout-order"}


def register_jobs(account: Account) -> None:
    """Register the handlers of this account's scheduled jobs."""

    def dispute(job: Json) -> None:
        try:
            disputes.open_dispute(account, job["capture"])
        except ValueError:
            return  # already refunded: nothing left to dispute

    def expire(job: Json) -> None:
        if account.get("order", job["order"]):
            orders.void(account, job["order"])

    def forget_setup(job: Json) -> None:
        row = account.get("setup_token", job["token"])
        if row and row["status"] != "VAULTED":
            account.remove("setup_token", job["token"])

    account.simulator.register_jobs(
        NAME,
        {
            "capture": lambda job: captures.settle(account, job["capture"], job["status"]),
            "refund": lambda job: refunds.settle(account, job["refund"], job["status"]),
            "dispute": dispute,
            "order.deadline": expire,
            "setup_token.deadline": forget_setup,
        },
    )


class PayPalActions(ControlActions):
    """What buyers, the merchant and PayPal do outside the API."""

    def __init__(self, account: Account) -> None:
        self._account = account
        actions: dict[str, tuple[str, Action]] = {
            "approve": ("browser", self._approve),
            "decline": ("browser", lambda body: self._approve({"buyer": "declined"} | body)),
            "cancel": ("browser", self._cancel),
            "refund": ("dashboard", self._refund),
            "dispute": ("dashboard", self._dispute),
            "delete_token": ("dashboard", self._delete_token),
            "update_dispute": ("provider", self._update_dispute),
            "close_dispute": ("provider", self._close_dispute),
            "settle_capture": ("provider", self._settle_capture),
            "settle_refund": ("provider", self._settle_refund),
            "reverse": ("provider", self._reverse),
            "void": ("provider", lambda body: orders.void(account, body["order"])),
            "movement": ("provider", lambda body: transaction_search.add(account, body)),
            "forget_movement": ("provider", self._forget_movement),
            "force_error": ("provider", self._force_error),
            "event": ("provider", self._event),
            "endpoint": ("provider", self._endpoint),
            "settings": ("provider", account.configure),
            "expire_tokens": ("provider", lambda _: {"expired": access_tokens.expire(account)}),
            "ca": ("provider", lambda _: {"pem": account.certificates.ca_pem}),
        }
        super().__init__(NAME, account.simulator, actions)

    def overview(self) -> list[Json]:
        """Return the latest orders for the console."""
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

    def _approve(self, body: Json) -> Json:
        """Approve as on the page: `{"order" | "setup_token", "buyer"?, "instrument"?}`; returns the redirect URL."""
        account = self._account
        if "setup_token" in body:
            row = account.find("setup_token", body["setup_token"])
            vault.approve(account, row, BY_NAME[body.get("buyer", "pays")])
            return {"setup_token": row, "redirect_url": vault.redirect_url(account, row, "return_url")}
        row = account.find("order", body["order"])
        buyer = str(body.get("buyer") or account.internal(row["id"]).get("buyer", "pays"))
        orders.approve(account, row, BY_NAME[buyer], body.get("instrument"))
        return {
            "order": serializers.order(account, row["id"]),
            "redirect_url": orders.return_url(account, row),
        }

    def _cancel(self, body: Json) -> Json:
        row = self._account.find("order", body["order"])
        if not orders.awaits_buyer(self._account, row):
            raise ValueError("This order is not waiting for the buyer.")
        self._account.record("order.cancelled", row["id"], **serializers.order_journal_fields(row))
        return {"redirect_url": orders.cancel_url(self._account, row)}

    def _capture_of(self, body: Json) -> Json:
        """Return the named capture, or the capture of the named order."""
        if "capture" in body:
            return self._account.find("capture", body["capture"])
        order = self._account.find("order", body["order"])
        paid = serializers.captures_of(self._account, order["id"])
        if not paid:
            raise ValueError("This order has no capture.")
        return paid[-1]

    def _refund(self, body: Json) -> Json:
        """`amount` in PayPal's format, such as "3.00"; by default the remaining amount."""
        return refunds.create_refund(self._account, self._capture_of(body), self._partly(body))

    def _reverse(self, body: Json) -> Json:
        return refunds.create_refund(
            self._account, self._capture_of(body), self._partly(body), kind="REVERSED"
        )

    def _partly(self, body: Json) -> Json:
        facts: Json = {
            name: body[name] for name in ("custom_id", "invoice_id", "note_to_payer") if name in body
        }
        if "amount" in body:
            currency = self._capture_of(body)["amount"]["currency_code"]
            facts["amount"] = {"currency_code": currency, "value": str(body["amount"])}
        return facts

    def _dispute(self, body: Json) -> Json:
        capture = self._capture_of(body)["id"]
        return disputes.open_dispute(
            self._account,
            capture,
            body.get("reason", disputes.REASON),
            body.get("amount"),
            body.get("stage", "CHARGEBACK"),
        )

    def _update_dispute(self, body: Json) -> Json:
        return disputes.update(self._account, body["dispute"], body.get("status"), body.get("stage"))

    def _close_dispute(self, body: Json) -> Json:
        return disputes.close(self._account, body["dispute"], body.get("outcome", "lost"))

    def _settle_capture(self, body: Json) -> Json:
        return captures.settle(self._account, self._capture_of(body)["id"], body.get("status", "COMPLETED"))

    def _settle_refund(self, body: Json) -> Json:
        return refunds.settle(self._account, body["refund"], body["status"])

    def _forget_movement(self, body: Json) -> Json:
        """Remove the transaction with this ID from Transaction Search and the balances."""
        return self._account.save("hidden_transaction", {"id": body["source"]})

    def _delete_token(self, body: Json) -> Json:
        """Delete the payment token, as the buyer can on PayPal's website."""
        vault.delete(self._account, body["payment_token"])
        return {}

    def _force_error(self, body: Json) -> Json:
        return forced_errors.add(self._account, body["call"], body["issue"], body.get("count", 1))

    def _event(self, body: Json) -> Json:
        """`{"type": …, "id": id of any object, "changes": {"resource": {…}, "create_time": …}}`, even a false one."""
        kind, resource = self._any(body["id"])
        changes = body.get("changes", {})
        serialized = resource | copy.deepcopy(changes.get("resource", {}))
        summary = str(body.get("summary", body["type"]))
        event = self._account.emit(body["type"], RESOURCE_TYPES.get(kind, kind), serialized, summary)
        event |= {name: value for name, value in changes.items() if name != "resource"}
        return self._account.save("event", event)

    def _any(self, object_id: str) -> tuple[str, Json]:
        for kind, serialize in SERIALIZERS.items():
            if self._account.get(kind, object_id):
                return kind, serialize(self._account, object_id)
        raise LookupError(object_id)

    def _endpoint(self, body: Json) -> Json:
        """`{"url", "webhook_id"?, "enabled_events"?}`; an existing ID gets the new URL."""
        enabled = body.get("enabled_events", ["*"])
        return webhooks.ensure_endpoint(self._account, body["url"], body.get("webhook_id"), enabled)
