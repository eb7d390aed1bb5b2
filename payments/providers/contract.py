"""The contract between the shop and a payment provider: plain data in, plain data out, without framework or
database.

A call has one of three outcomes. Success: it returns. Refused: it raises `Refused`, and nothing happened.
Unknown: it raises `Unknown`; only repeating the call with the same key, or reading the object, shows whether
it took effect.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from artisans.core.money import Money

# ---- values ----------------------------------------------------------------------------------------------------


class RemoteStatus(StrEnum):
    """The status of a payment at the provider."""

    OPEN = "open"  # awaiting the buyer
    APPROVED = "approved"  # approved by the buyer; not captured until we confirm
    PROCESSING = "processing"  # no action needed from the buyer
    SUCCEEDED = "succeeded"  # captured
    FAILED = "failed"  # the last attempt failed; the same object can be retried
    CANCELLED = "cancelled"  # can no longer be paid
    EXPIRED = "expired"  # can no longer be paid; the payment may continue with another object
    UNKNOWN = "unknown"  # not a status that we know; captures still count


class RemoteRefundStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class RemoteDisputeStatus(StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"
    UNKNOWN = "unknown"


class DeclineGroup(StrEnum):
    """Reasons for a decline, grouped by what the buyer can do. A lost card is not distinguished from any other
    refusal."""

    DECLINED = "declined"  # the bank gave no reason
    OTHER_CARD = "other_card"  # this card cannot be used: unsupported, closed
    EXPIRED = "expired_card"
    FUNDS = "funds"
    FIX_DATA = "fix_data"  # a mistyped number, date or code
    AUTHENTICATION = "authentication"  # 3-D Secure failed
    TRY_AGAIN = "try_again"  # a temporary failure of the bank or provider


class Capability(StrEnum):
    """What a provider supports besides creating, reading and cancelling payments."""

    CONFIRM = "confirm"
    HOSTED = "hosted"
    REFUND = "refund"
    SAVE = "save"
    SAVE_ON_PAYMENT = "save_on_payment"
    WEBHOOK = "webhook"
    LIST = "list"
    MOVEMENTS = "movements"


class MovementKind(StrEnum):
    """What moved money on our balance at the provider."""

    PAYMENT = "payment"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"  # it came back to us
    REVERSAL = "reversal"  # the provider gave it back to the buyer: a refund, or the end of a dispute
    DISPUTE = "dispute"  # taken for a dispute, or given back
    DISPUTE_FEE = "dispute_fee"
    FEE = "fee"
    WITHDRAWAL = "withdrawal"  # to our bank account, or from it
    CONVERSION = "conversion"  # one of two movements that exchange a currency for another
    UNKNOWN = ""


class ActionKind(StrEnum):
    CONFIRM = "confirm_with_client_secret"  # the provider's script confirms with the client secret
    REDIRECT = "redirect"  # the buyer is redirected to `url` and returns


# ---- requests --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """A line item as the provider shows it to the buyer."""

    name: str
    quantity: int
    unit_price: Money


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The parts of an amount; they add up to it exactly. `tax` is what prices do not include."""

    items: tuple[Item, ...]
    subtotal: Money
    tax: Money
    shipping: Money
    discount: Money | None = None
    shipping_discount: Money | None = None

    @property
    def discounts(self) -> dict[str, Money]:
        """Those that are not 0."""
        named = {"discount": self.discount, "shipping_discount": self.shipping_discount}
        return {name: amount for name, amount in named.items() if amount}

    @property
    def total(self) -> Money:
        charged = self.subtotal + self.tax + self.shipping
        return charged - Money.total(self.discounts.values(), charged.currency)


@dataclass(frozen=True, slots=True)
class ShipTo:
    """The delivery address as separate fields; `country` is ISO 3166-1 alpha-2."""

    name: str
    line1: str
    country: str
    line2: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A payment to create. `key`: the idempotency key.

    `customer_id` and `method_id`: the provider's ids of a known customer and of the saved method to use.
    `save`: save the method for later (with the buyer's consent). `breakdown` is omitted when only part of the
    order is paid, `ship_to` when the address is a single text. `requested_at`: when this was first requested, the
    same for every repeat. `earlier_ids`: other objects of the same payment. `attempt` counts objects that the provider
    refused as duplicates; `is_repeat`: an earlier try of this request may have taken effect.
    """

    key: str
    payment_id: str
    order_number: str
    amount: Money
    return_url: str
    cancel_url: str
    breakdown: Breakdown | None = None
    ship_to: ShipTo | None = None
    customer_id: str = ""
    method_id: str = ""
    save: bool = False
    expires_at: datetime | None = None
    email: str = field(default="", repr=False)
    requested_at: datetime | None = None
    earlier_ids: tuple[str, ...] = ()
    attempt: int = 0
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class ConfirmRequest:
    """Confirm or capture a payment: with a payment method of the provider (cards), or as approved by the
    buyer (wallets). `earlier_ids`: other objects of the same payment."""

    key: str
    object_id: str
    amount: Money
    payment_id: str
    return_url: str
    method_id: str = ""
    earlier_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RefundRequest:
    key: str
    object_id: str
    capture_id: str
    refund_id: str
    refund_number: str
    amount: Money


@dataclass(frozen=True, slots=True)
class SaveRequest:
    """A payment method to save for a buyer. `user_id` is ours; `customer_id` is the provider's, "" if there
    is none yet."""

    key: str
    user_id: str
    customer_id: str
    return_url: str
    cancel_url: str


# ---- responses -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Action:
    """What the buyer has to do now. The secret is passed on once and not stored."""

    kind: ActionKind
    url: str = ""
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Capture:
    """Captured money. The amount of a capture id never changes. `fee`: what the provider keeps of it; None if it does
    not say so with the capture."""

    capture_id: str
    amount: Money
    fee: Money | None = field(default=None, compare=False)


class PendingReason(StrEnum):
    """What a payment that is processing waits for, as far as the provider says so."""

    BANK = "bank"  # the buyer's bank is still sending the money, for days
    REVIEW = "review"  # the provider is checking it
    SHOP = "shop"  # the shop has to do something in its account at the provider
    UNKNOWN = ""


class Check(StrEnum):
    """What the bank said of a value that the buyer entered: security code, street, postal code."""

    PASS = "pass"  # noqa: S105  # no password
    FAIL = "fail"
    UNAVAILABLE = "unavailable"  # the bank does not check it
    UNCHECKED = "unchecked"
    UNKNOWN = ""


class Verdict(StrEnum):
    """What the provider and the bank decided about an attempt."""

    AUTHORIZED = "authorized"
    MANUAL_REVIEW = "manual_review"
    ISSUER_DECLINED = "issuer_declined"
    BLOCKED = "blocked"  # by the provider, for its risk
    INVALID = "invalid"
    UNKNOWN = ""


class Liability(StrEnum):
    """Who bears the loss if a successful attempt is disputed as fraud."""

    SHIFTED = "shifted"  # the bank or the provider
    NOT_SHIFTED = "not_shifted"  # the shop
    UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class RemoteAttempt:
    """An attempt to pay: a charge or capture that succeeded or was declined, or one that is not decided because the
    buyer's bank requires 3-D Secure (`is_challenged`) or the provider still checks it (`is_pending`). `challenge_id`:
    its id while it has no charge, the same whenever this card is challenged for this object. `at`: by the provider's
    clock, if known. `is_fraud_suspected`: declined for it, or the card is reported lost or stolen; for staff, because
    `decline` is what buyers may be told. `method` is "card" or the name of the wallet; what is not known of a card is
    "".

    `three_d_secure`: the result of the authentication; `three_d_secure_flow`: "challenge" or "frictionless".
    `risk_score`: 0 to 100. `fingerprint`: the same for every use of a card, never its number; only a hash is stored.
    `network_status`, `network_decline_code`: the card network's answer; `advice_code`: the provider's or network's
    advice on trying again. `provider_reason`: why the provider gave this verdict.
    """

    attempt_id: str
    amount: Money
    is_success: bool
    is_challenged: bool = False
    is_pending: bool = False
    is_fraud_suspected: bool = False
    challenge_id: str = ""
    at: datetime | None = None
    decline: DeclineGroup | None = None
    decline_code: str = ""
    method: str = ""
    brand: str = ""
    last_four: str = ""
    funding: str = ""
    card_country: str = ""
    wallet: str = ""
    cvc_check: Check = Check.UNKNOWN
    address_check: Check = Check.UNKNOWN
    postal_code_check: Check = Check.UNKNOWN
    three_d_secure: str = ""
    three_d_secure_flow: str = ""
    liability: Liability = Liability.UNKNOWN
    fingerprint: str = field(default="", repr=False)
    risk_level: str = ""
    risk_score: int | None = None
    verdict: Verdict = Verdict.UNKNOWN
    network_status: str = ""
    network_decline_code: str = ""
    advice_code: str = ""
    provider_reason: str = ""


@dataclass(frozen=True, slots=True)
class ListedAttempt:
    """An attempt with its object and our payment, as the provider names them ("" if it does not)."""

    object_id: str
    reference: str
    attempt: RemoteAttempt


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of a response that cannot be parsed, and why. The other parts are valid."""

    part: str
    detail: str

    def __str__(self) -> str:
        return f"{self.part} ({self.detail})"


@dataclass(frozen=True, slots=True)
class RemoteRefund:
    """A refund. `reference`: the id of our refund, or "" if it was made at the provider."""

    refund_id: str
    amount: Money
    status: RemoteRefundStatus
    reference: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RemoteDispute:
    """A dispute. `amount`: what the bank has taken or may take, in its own currency; None if it cannot be
    parsed."""

    dispute_id: str
    amount: Money | None
    status: RemoteDisputeStatus
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RemotePayment:
    """The current state of a provider's object.

    `captures`: money captured, with its `refunds` and `disputes`. `attempts`: those that are known, the oldest first.
    `reference`: our payment, as stored on the object. `payee`: the account that receives the money, "" if unknown.
    `method`: the payment method, if it was saved. `amount` and `is_live` are None if they cannot be parsed. `problems`:
    parts that cannot be parsed. `unprotected`: why the provider's seller protection does not cover a new object.
    `lists`: for each related list ("disputes"), why it could not be fetched, or "" if it was; entries of a list that
    failed may exist.
    """

    object_id: str
    status: RemoteStatus
    amount: Money | None
    reference: str
    is_live: bool | None
    payee: str = ""
    captures: tuple[Capture, ...] = ()
    attempts: tuple[RemoteAttempt, ...] = ()
    refunds: tuple[RemoteRefund, ...] = ()
    disputes: tuple[RemoteDispute, ...] = ()
    related_ids: tuple[str, ...] = ()
    action: Action | None = None
    pending: PendingReason = PendingReason.UNKNOWN
    pending_code: str = ""
    decline: DeclineGroup | None = None
    decline_code: str = ""
    method: "RemoteMethod | None" = None
    customer_id: str = ""
    problems: tuple[Problem, ...] = ()
    unprotected: str = ""
    lists: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def is_whole(self) -> bool:
        """Whether everything was fetched and parsed, so that what is missing does not exist."""
        return not self.problems and not any(self.lists.values())


@dataclass(frozen=True, slots=True)
class RemoteFraudWarning:
    """A bank's early fraud warning. `object_ids`: of its payment. `fraud_type`: the provider's code."""

    warning_id: str
    object_ids: tuple[str, ...]
    fraud_type: str
    warned_at: datetime


@dataclass(frozen=True, slots=True)
class ChangedPayments:
    """A page of payments with activity in a period, whenever they were created: refunds, disputes, balance
    transactions. Each is a tuple of its ids, the one to read first. `fraud_warnings`: those of the period, which change
    no payment. `lists`: as in RemotePayment; `other_lists`: those without which the period is compared all the same."""

    ids: tuple[tuple[str, ...], ...] = ()
    fraud_warnings: tuple[RemoteFraudWarning, ...] = ()
    lists: Mapping[str, str] = field(default_factory=dict)
    other_lists: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoteMovement:
    """A change of our balance at the provider, by `gross` less `fee`, both in the currency of that balance.

    `gross`: negative if money left. `fee`: negative if it was given back; a movement that is only a fee has no gross.
    `movement_id`: unique at the provider. `source_id`: the capture, refund, dispute or withdrawal; `capture_id`: the
    capture that a refund or dispute is about, "" if the provider does not name it. `code`: the provider's name of the
    kind. `available_on`: when the money can be used, if known. `charged`: what the provider converted to `gross`,
    with its sign, if the capture, refund or dispute is in another currency than the balance. The source of a
    conversion is what it was made for.
    """

    movement_id: str
    kind: MovementKind
    code: str
    gross: Money
    fee: Money
    occurred_at: datetime
    source_id: str = ""
    capture_id: str = ""
    available_on: datetime | None = None
    charged: Money | None = None

    @property
    def net(self) -> Money:
        return self.gross - self.fee


@dataclass(frozen=True, slots=True)
class RemoteBalance:
    """What the movements of a currency up to `as_of` have left with the provider, available or not yet."""

    amount: Money
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Access:
    """Whether a part of the provider's API may be used. `permission`: its name in the provider's dashboard.
    `error`: "" if the request succeeded."""

    part: str
    permission: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class RemoteMethod:
    """A saved method: the provider's id, and what identifies it to its owner. Never a card number.

    `fingerprint`: the same for every method of one card, "" if unknown; it is compared and not stored.
    `duplicates`: the provider's ids of the customer's other methods with this fingerprint.
    """

    method_id: str
    customer_id: str
    kind: str  # "card", or the name of the payment method
    brand: str = ""
    last_four: str = ""
    exp_month: int | None = None
    exp_year: int | None = None
    funding: str = ""  # "credit", "debit", "prepaid" or ""
    email: str = ""
    fingerprint: str = ""
    duplicates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteSetup:
    """A setup that saves a method. `method` is set once it is done."""

    setup_id: str
    customer_id: str
    is_done: bool
    action: Action | None = None
    method: RemoteMethod | None = None


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """A verified event. It says what to read, and is not trusted otherwise: the object is read again if the
    event contains news.

    `object_ids`: all ids under which one of our payments may be known, the most specific first; `reference`:
    our payment as named by the event, for unknown objects such as those of a hosted page. `amount`: the
    amount of the payment. `status` and the ids below: what the event reports, to check whether we know it
    already; `refunded`: the total refunded of a capture; `disputed`: the amount of a dispute; `warning_id`,
    `fraud_type`: of an early fraud warning, with the provider's code; `challenge_id`: as in RemoteAttempt. `setup_id`,
    `method_id`: set for events about saved methods. `customer_id`: a customer that was deleted.
    `payload`: an allow-listed extract.
    """

    event_id: str
    kind: str
    object_ids: tuple[str, ...]
    is_live: bool
    reference: str = ""
    account: str = ""
    created_at: datetime | None = None
    amount: Money | None = None
    status: RemoteStatus | None = None
    capture_id: str = ""
    refunded: Money | None = None
    refund_id: str = ""
    refund_status: RemoteRefundStatus | None = None
    dispute_id: str = ""
    dispute_status: RemoteDisputeStatus | None = None
    disputed: Money | None = None
    warning_id: str = ""
    fraud_type: str = ""
    challenge_id: str = ""
    setup_id: str = ""
    method_id: str = ""
    customer_id: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)


# ---- errors ----------------------------------------------------------------------------------------------------


class ProviderError(Exception):
    """Base class of a provider's errors. `code` is the provider's, for staff and logs, never for buyers.
    `is_forbidden`: our credentials are invalid or lack a permission (401, 403)."""

    is_forbidden = False

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class Refused(ProviderError):
    """A definite refusal: nothing happened. `remote`: the object after the refusal, if the provider returned
    it."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        decline: DeclineGroup | None = None,
        remote: RemotePayment | None = None,
    ) -> None:
        super().__init__(code, detail)
        self.decline = decline
        self.remote = remote


class ObjectNotFound(Refused):
    """The object does not exist at the provider."""


class CustomerNotFound(Refused):
    """The provider does not know the customer: deleted, or of another mode or account."""


class DuplicateReference(Refused):
    """The provider has taken a payment with this reference already, and it is none of ours: a new object needs
    another reference."""


class Unknown(ProviderError):
    """The outcome is unknown: no response, an incomplete one, a 5xx or a rate limit. `retry_after`: seconds
    to wait.

    `is_outage`: the provider does not respond at all. `is_stuck`: repeating the key will never return
    anything else, and no movement of money was found. `is_unreadable`: the response cannot be parsed.
    """

    is_stuck = False

    @property
    def is_unreadable(self) -> bool:
        return self.code in {"unreadable", "unreadable_answer"}

    def __init__(self, code: str, detail: str = "", *, retry_after: int = 0, is_outage: bool = False) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after
        self.is_outage = is_outage


class BadSignature(ProviderError):
    """The request was not sent by the provider (400)."""


class CannotVerify(ProviderError):
    """The signature cannot be verified at the moment (503); the provider will send the event again."""


# ---- the contract ------------------------------------------------------------------------------------------------


class PaymentProvider(ABC):
    """A configured provider. Each method returns, or raises Refused or Unknown and nothing else. Methods of
    capabilities that it does not declare are never called."""

    name: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    is_live: bool = False
    payee: str = ""

    def is_own(self, account: str) -> bool:
        """Whether an account named in an event is ours."""
        return account == self.payee

    @abstractmethod
    def create(self, request: CreateRequest) -> RemotePayment:
        """Create the object that the buyer can pay. The same key returns the same object."""

    @abstractmethod
    def read(self, object_id: str) -> RemotePayment:
        """Read the object with all its captures, refunds and disputes. Errors: ObjectNotFound, Unknown."""

    def reread(self, object_id: str, *, known_attempts: Collection[str]) -> RemotePayment:
        """The same for an object that was read before: attempts with these ids may be left out. By default it is read
        in full."""
        return self.read(object_id)

    @abstractmethod
    def cancel(self, object_id: str, *, key: str) -> RemotePayment:
        """Make sure that the object can no longer be paid. Returns its state, which may be paid already."""

    def create_hosted(self, request: CreateRequest) -> RemotePayment:
        """Capability HOSTED: create an object that is paid on the provider's own page."""
        raise NotImplementedError

    def confirm(self, request: ConfirmRequest) -> RemotePayment:
        """Capability CONFIRM: confirm or capture the payment. A decline is Refused with `remote`."""
        raise NotImplementedError

    def refund(self, request: RefundRequest) -> RemoteRefund:
        """Capability REFUND. We check the refundable amount first; the provider checks it again."""
        raise NotImplementedError

    def read_refund(self, refund_id: str, *, currency: str) -> RemoteRefund:
        """Capability REFUND."""
        raise NotImplementedError

    def save_start(self, request: SaveRequest) -> RemoteSetup:
        """Capability SAVE: start saving a method while the buyer is present."""
        raise NotImplementedError

    def save_read(self, setup_id: str) -> RemoteSetup:
        """Capability SAVE: read a setup, and complete it if the provider requires that."""
        raise NotImplementedError

    def save_token(self, request: SaveRequest, token: str) -> RemoteMethod:
        """Capability SAVE: save the method of a token, from the provider's script or its list of test tokens."""
        raise NotImplementedError

    def has_customer(self, customer_id: str) -> bool:
        """Capability SAVE: whether the customer still exists. Errors: Refused, Unknown."""
        return True

    def save_on_payment(self, request: SaveRequest, object_id: str, *, is_wanted: bool) -> str:
        """Capability SAVE_ON_PAYMENT: save the method that will pay this open payment, or no longer. Returns the
        customer's id; `read` returns the saved method once it has paid. Repeating this has no effect."""
        raise NotImplementedError

    def saved_methods(self, customer_id: str) -> list[RemoteMethod]:
        """Capability SAVE: the buyer's methods that the provider stores. Errors: CustomerNotFound, Refused, Unknown."""
        raise NotImplementedError

    def detach(self, method_id: str, *, key: str) -> None:
        """Capability SAVE: delete the method. A method that does not exist is not an error."""
        raise NotImplementedError

    def forget_customer(self, customer_id: str, *, key: str) -> None:
        """Capability SAVE: delete the customer with all saved methods; by default each method is detached. A customer
        that does not exist is not an error."""
        for number, method in enumerate(self.saved_methods(customer_id)):
            self.detach(method.method_id, key=f"{key}-{number}")

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """Capability WEBHOOK: verify and parse the raw request. Errors: BadSignature, CannotVerify."""
        raise NotImplementedError

    def find_reference(self, object_ids: Sequence[str]) -> str:
        """The payment of ours that an object which we do not know refers to; "" for another application's object.
        Errors: ObjectNotFound, Refused, Unknown."""
        return self.read(object_ids[0]).reference

    def list_payments(self, since: datetime, until: datetime) -> Iterable[RemotePayment]:
        """Capability LIST: all objects created in this period, for daily reconciliation, each when it is needed.
        Earlier attempts may be left out."""
        raise NotImplementedError

    def list_moved(self, since: datetime, until: datetime) -> Iterable[ChangedPayments]:
        """Capability LIST: payments refunded, disputed or otherwise changed in this period, page by page; a payment may
        be named again. A list that fails is named in `lists` of a page; the others are still returned."""
        return ()

    def list_attempts(self, since: datetime, until: datetime) -> Iterable[ListedAttempt]:
        """Capability LIST: attempts decided in this period, page by page. By default none, for a provider that shows
        all attempts of an object whenever it is read."""
        return ()

    def list_movements(self, since: datetime, until: datetime) -> Iterable[RemoteMovement]:
        """Capability MOVEMENTS: what changed our balance in this period, page by page, in any order; a movement may be
        named again. Errors: Refused, Unknown, also for a movement that cannot be parsed."""
        raise NotImplementedError

    def balance(self) -> list[RemoteBalance]:
        """Capability MOVEMENTS: our balance at the provider, one for each currency. Errors: Refused, Unknown."""
        raise NotImplementedError

    def check_access(self) -> list[Access]:
        """Check every part of the API that the shop needs with read-only requests. Never raises; errors are
        in the result."""
        return []

    def server_time(self) -> datetime | None:
        """The provider's clock, in whole seconds; None if it is not known. Errors: Unknown."""
        return None
