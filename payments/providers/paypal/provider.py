"""PayPal behind our contract: Orders v2, Payments v2, Vault v3, disputes, reports and webhooks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlencode

from payments.providers.contract import (
    Access,
    Action,
    ActionKind,
    Capability,
    ChangedPayments,
    ConfirmRequest,
    CreateRequest,
    DuplicateReference,
    ObjectNotFound,
    PaymentProvider,
    ProviderError,
    ProviderEvent,
    RefundRequest,
    Refused,
    RemoteAttempt,
    RemoteBalance,
    RemoteDispute,
    RemoteMethod,
    RemoteMovement,
    RemotePayment,
    RemoteRefund,
    RemoteSetup,
    RemoteStatus,
    SaveRequest,
    Unknown,
)
from payments.providers.http import read_server_time
from payments.providers.paypal.client import REPRESENTATION, PayPalClient
from payments.providers.paypal.config import PayPalConfig
from payments.providers.paypal.disputes import captures_disputed, disputes_of
from payments.providers.paypal.errors import PayPalRefused, is_about_address
from payments.providers.paypal.events import event_of
from payments.providers.paypal.movements import balance_of, movements_between
from payments.providers.paypal.orders import order_request, parse_refund, payment_of, refund_request
from payments.providers.paypal.reports import movements
from payments.providers.paypal.shapes import path_id, text_at, written
from payments.providers.paypal.vault import Vault
from payments.providers.paypal.webhooks import WebhookVerifier
from payments.providers.reading import LONGEST_ID, LONGEST_TEXT, Parts

# Part of the API, the app's feature in PayPal's dashboard, and a read-only call that checks it.
NOBODY = "5O190127TN364715T"
ACCESS = (
    ("orders", "Accept payments", f"/v2/checkout/orders/{NOBODY}"),
    ("captures", "Accept payments", f"/v2/payments/captures/{NOBODY}"),
    ("refunds", "Accept payments", f"/v2/payments/refunds/{NOBODY}"),
    ("disputes", "Customer disputes", "/v1/customer/disputes?page_size=1"),
    ("reports", "Transaction search", "/v1/reporting/transactions?{times}"),
    ("account balance", "Transaction search", "/v1/reporting/balances"),
    ("vault", "Save payment methods", "/v3/vault/payment-tokens?customer_id=nobody"),
)
ALREADY_CAPTURED = "ORDER_ALREADY_CAPTURED"
DUPLICATE_INVOICE = "DUPLICATE_INVOICE_ID"
MOVED = frozenset({RemoteStatus.SUCCEEDED, RemoteStatus.PROCESSING})


def unless_forbidden(refused: Refused) -> ProviderError:
    """A missing permission (403) says nothing about an earlier attempt, and may be restored."""
    if not refused.is_forbidden:
        return refused
    unknown = Unknown(refused.code, refused.detail)
    unknown.is_forbidden = True
    return unknown


def declined_attempt(request: ConfirmRequest, refused: Refused) -> RemoteAttempt:
    """A capture that PayPal refused has no id of its own; the key of our call identifies it."""
    return RemoteAttempt(
        attempt_id=f"{request.object_id}:{request.key}"[:LONGEST_ID],
        amount=request.amount,
        is_success=False,
        decline=refused.decline,
        decline_code=refused.code,
        method="paypal",
    )


class PayPalProvider(PaymentProvider):
    """A PayPal business account.

    PayPal stores the keys of orders for 6 hours, of the vault for 3 hours and of refunds for 45 days. After that, a
    repeated capture is refused as ORDER_ALREADY_CAPTURED, and a repeated refund or order by its invoice number.
    """

    name: ClassVar[str] = "paypal"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            *(Capability.CONFIRM, Capability.REFUND, Capability.SAVE, Capability.WEBHOOK, Capability.LIST),
            Capability.MOVEMENTS,
        }
    )

    def __init__(self, config: PayPalConfig) -> None:
        self.is_live = config.is_live
        self.payee = config.payee
        self._base = config.base
        self._client = PayPalClient(
            client_id=config.client_id,
            client_secret=config.client_secret,
            mode=config.mode,
            api_base=config.base,
        )
        self._vault = Vault(self._client)
        self._verifier = WebhookVerifier(config, self._client)

    def is_own(self, account: str) -> bool:
        """Events name merchant ids; a payee configured as an email address, or not at all, cannot be compared."""
        return not self.payee or "@" in self.payee or account == self.payee

    # ---- payments ------------------------------------------------------------------------------------------

    def create(self, request: CreateRequest) -> RemotePayment:
        """The buyer approves it at PayPal, then `confirm` captures the money.

        An address that PayPal rejects is left out, because the sale matters more than seller protection. With a saved
        method no approval is needed: PayPal captures at once, and the result has SUCCEEDED.
        """
        try:
            return self._create(request)
        except Unknown as unknown:
            if unknown.code != DUPLICATE_INVOICE or request.is_repeat:
                raise
            return self._paid_before(request.earlier_ids, unknown)
        except Refused as refused:
            if not request.ship_to or not is_about_address(refused):
                raise
            made = self._create(replace(request, ship_to=None, key=f"{request.key}-n"))
            return replace(made, unprotected=f"PayPal does not take the address: {refused.code}")

    def _create(self, request: CreateRequest) -> RemotePayment:
        body = order_request(request)
        return self._clear(self._payment(self._post("/v2/checkout/orders", body, key=request.key)))

    def read(self, object_id: str) -> RemotePayment:
        """Includes the disputes of its captures, which PayPal lists separately; without them if that list fails."""
        payment = self._read_order(object_id)
        if not payment.captures:
            return payment
        parts, error = Parts(object_id), ""
        disputes: list[RemoteDispute] = []
        for capture in payment.captures:
            try:
                disputes += disputes_of(self._client, capture.capture_id, parts)
            except (Refused, Unknown) as problem:
                error = str(problem)[:LONGEST_TEXT]
        return replace(
            payment,
            disputes=tuple(disputes),
            problems=(*payment.problems, *parts.problems),
            lists={"disputes": error or parts.unread[:LONGEST_TEXT]},
        )

    def cancel(self, object_id: str, *, key: str) -> RemotePayment:
        """The order's state, as CANCELLED if it was not captured.

        PayPal has no cancellation for such orders, and none is needed: the buyer's approval moves no money, only our
        capture does. The caller holds the payment's only open call, so no capture is in progress, and a cancelled
        payment is never captured. A later approval expires at PayPal. An order that PayPal no longer stores is
        ObjectNotFound.
        """
        try:
            payment = self.read(object_id)
        except Refused as refused:
            raise unless_forbidden(refused) from None
        if payment.status in MOVED | {RemoteStatus.UNKNOWN}:
            return payment
        return replace(payment, status=RemoteStatus.CANCELLED, action=None)

    def confirm(self, request: ConfirmRequest) -> RemotePayment:
        """Capture what the buyer approved. After a decline the buyer chooses another way to pay there (`remote`)."""
        path = f"/v2/checkout/orders/{path_id(request.object_id)}/capture"
        try:
            return self._clear(self._payment(self._post(path, {}, key=request.key)))
        except ObjectNotFound:
            raise
        except Unknown as unknown:
            if unknown.code != DUPLICATE_INVOICE:
                raise
            return self._paid_before((request.object_id, *request.earlier_ids), unknown)
        except Refused as refused:
            return self._after_refusal(request, refused)

    def _after_refusal(self, request: ConfirmRequest, refused: Refused) -> RemotePayment:
        """The payment if money moved nevertheless; otherwise raise the refusal again, with the current order."""
        try:
            payment = self._read_order(request.object_id)
        except (Refused, Unknown):
            if refused.code == ALREADY_CAPTURED:
                raise
            raise refused from None
        if payment.status in MOVED:
            return payment
        if refused.code == ALREADY_CAPTURED:
            raise Unknown(ALREADY_CAPTURED, "The order does not contain its capture.")
        if refused.decline:
            url = refused.redirect if isinstance(refused, PayPalRefused) else ""
            action = Action(ActionKind.REDIRECT, url=url) if url else payment.action
            payment = replace(
                payment,
                status=RemoteStatus.FAILED,
                decline=refused.decline,
                decline_code=refused.code,
                action=action,
                attempts=(*payment.attempts, declined_attempt(request, refused)),
            )
        refused.remote = payment
        raise refused

    def _paid_before(self, object_ids: Sequence[str], unknown: Unknown) -> RemotePayment:
        """The order of this payment whose invoice PayPal has taken. If it is none of ours, raise DuplicateReference:
        the first of them cannot be paid, and a new one needs another invoice id."""
        orders = [order for one in object_ids if (order := self._order_or_none(one))]
        if moved := next((order for order in orders if order.status in MOVED), None):
            return moved
        ended = replace(orders[0], status=RemoteStatus.EXPIRED, action=None) if orders else None
        raise DuplicateReference(unknown.code, unknown.detail, remote=ended) from None

    def _order_or_none(self, object_id: str) -> RemotePayment | None:
        try:
            return self._read_order(object_id)
        except ObjectNotFound:
            return None

    # ---- refunds -------------------------------------------------------------------------------------------

    def refund(self, request: RefundRequest) -> RemoteRefund:
        """PayPal refuses a second refund with the same number, so a refund whose key has expired is found by it."""
        body = refund_request(request)
        try:
            answer = self._post(
                f"/v2/payments/captures/{path_id(request.capture_id)}/refund", body, key=request.key
            )
        except Unknown as unknown:
            if unknown.code != DUPLICATE_INVOICE:
                raise
            return self._refund_made_before(request, unknown)
        except Refused as refused:
            raise unless_forbidden(refused) from None
        return parse_refund(answer)

    def _refund_made_before(self, request: RefundRequest, unknown: Unknown) -> RemoteRefund:
        for refund in self._read_order(request.object_id).refunds:
            if refund.reference == request.refund_id:
                return refund
        raise unknown

    def read_refund(self, refund_id: str, *, currency: str) -> RemoteRefund:
        """`reference` may be the payment's id for a refund made in the dashboard; `read` distinguishes these."""
        return parse_refund(self._client.request("GET", f"/v2/payments/refunds/{path_id(refund_id)}"))

    # ---- saved methods -------------------------------------------------------------------------------------

    def save_start(self, request: SaveRequest) -> RemoteSetup:
        return self._vault.start(request)

    def save_read(self, setup_id: str) -> RemoteSetup:
        return self._vault.read(setup_id)

    def save_token(self, request: SaveRequest, token: str) -> RemoteMethod:
        """`token`: a setup token that the buyer approved; anything that may be a card number is never sent."""
        if token.isdigit():
            raise Refused("not_a_token", "A PayPal token never consists of digits only.")
        return self._vault.keep(token, key=request.key)

    def saved_methods(self, customer_id: str) -> list[RemoteMethod]:
        try:
            return list(self._vault.methods(customer_id))
        except ObjectNotFound:
            return []

    def detach(self, method_id: str, *, key: str) -> None:
        self._vault.forget(method_id, key=key)

    # ---- reported by PayPal ------------------------------------------------------------------------------------

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        return event_of(self._verifier.verified(body, headers), is_live=self.is_live)

    def find_reference(self, object_ids: Sequence[str]) -> str:
        """Events name orders, or captures alone."""
        for object_id in object_ids:
            for path, name in (("/v2/payments/captures", "custom_id"), ("/v2/checkout/orders", "")):
                try:
                    found = self._client.request("GET", f"{path}/{path_id(object_id)}")
                except ObjectNotFound:
                    continue
                return text_at(found, name) if name else self._payment(found).reference
        raise ObjectNotFound("no_such_object")

    def list_payments(self, since: datetime, until: datetime) -> Iterator[RemotePayment]:
        """Payments in which money moved, as PayPal's reports list them, a few hours late.

        Those with refunds or reversals are read in full, whenever they were paid. The others come from the report
        alone, with their capture's id as `object_id` if it names no order. The report is read twice, so that no payment
        has to be kept until its refund is met.
        """
        report = partial(movements, self._client, since, until, is_live=self.is_live)
        undone = {movement.undone for movement in report() if movement.undone}
        orders = {capture_id: order_id for capture_id in undone if (order_id := self._order_of(capture_id))}
        for movement in report():
            if movement.payment and orders.keys().isdisjoint(movement.payment.related_ids):
                yield movement.payment
        for order_id in sorted(set(orders.values())):
            yield self.read(order_id)

    def list_moved(self, since: datetime, until: datetime) -> Iterator[ChangedPayments]:
        """Payments with changed disputes; refunds and reversals are in the reports that `list_payments` reads."""
        try:
            captures = set(captures_disputed(self._client, since, until))
        except (Refused, Unknown) as error:
            yield ChangedPayments(lists={"disputes": str(error)[:LONGEST_TEXT]})
            return
        orders = ((self._order_of(capture), capture) for capture in sorted(captures))
        yield ChangedPayments(tuple(ids for ids in orders if ids[0]), lists={"disputes": ""})

    def list_movements(self, since: datetime, until: datetime) -> Iterator[RemoteMovement]:
        return movements_between(self._client, since, until)

    def balance(self) -> list[RemoteBalance]:
        return balance_of(self._client)

    def check_access(self) -> list[Access]:
        """A 404 for an object shows that the permission exists."""
        return [Access(part, permission, self._error_of(path)) for part, permission, path in ACCESS]

    def server_time(self) -> datetime:
        return read_server_time(self._base)

    def _error_of(self, path: str) -> str:
        now = datetime.now(UTC)
        times = urlencode({"start_date": written(now - timedelta(hours=1)), "end_date": written(now)})
        try:
            self._client.request("GET", path.format(times=times))
        except ObjectNotFound:
            return ""
        except (Refused, Unknown) as error:
            return str(error)
        return ""

    def _order_of(self, capture_id: str) -> str:
        """The order of a capture; "" for a transaction without one."""
        try:
            capture = self._client.request("GET", f"/v2/payments/captures/{path_id(capture_id)}")
        except Refused:
            return ""
        return text_at(capture, "supplementary_data", "related_ids", "order_id")

    # ---- calls ---------------------------------------------------------------------------------------------

    def _post(self, path: str, body: dict[str, Any], *, key: str) -> dict[str, Any]:
        return self._client.request("POST", path, body, key=key, prefer=REPRESENTATION)

    def _payment(self, order: dict[str, Any]) -> RemotePayment:
        return payment_of(order, is_live=self.is_live, payee=self.payee)

    def _clear(self, answer: RemotePayment) -> RemotePayment:
        """Whether a call took effect must be certain, so an unreadable response is read once more."""
        if not answer.problems:
            return answer
        try:
            return self._read_order(answer.object_id)
        except Refused as refused:
            raise Unknown("unreadable_answer", f"It cannot be read either: {refused}") from None

    def _read_order(self, order_id: str) -> RemotePayment:
        return self._payment(self._client.request("GET", f"/v2/checkout/orders/{path_id(order_id)}"))
