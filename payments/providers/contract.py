"""The contract between the shop and a payment provider: plain data in, plain data out, no framework, no rows.

A call ends in one of three ways. Done: it returns. Refused: it raises `Refused`, and nothing happened. Unknown: it
raises `Unknown`, and nobody can say whether it happened until the provider is asked again with the same key, or read.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from artisans.core.money import Money

# ---- words -----------------------------------------------------------------------------------------------------


class RemoteStatus(StrEnum):
    """How far a payment has come at the provider."""

    OPEN = "open"  # waits for the buyer
    APPROVED = "approved"  # the buyer agreed; money moves when we confirm
    PROCESSING = "processing"  # the provider works on it; the buyer has nothing to do
    SUCCEEDED = "succeeded"  # captured
    FAILED = "failed"  # the last try was refused; the same object can be tried again
    CANCELLED = "cancelled"  # can never be paid any more
    EXPIRED = "expired"  # this object can never be paid any more, but its payment may go on with another one
    UNKNOWN = "unknown"  # the provider says a word that we do not know; what was captured counts all the same


class RefundStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class DisputeStatus(StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"
    UNKNOWN = "unknown"


class DeclineGroup(StrEnum):
    """Why a payment was refused, in groups that a buyer can act on; a lost card looks like any other refusal."""

    DECLINED = "declined"  # the bank said no and does not say why
    OTHER_CARD = "other_card"  # this card cannot be used: expired, unsupported
    FUNDS = "funds"
    FIX_DATA = "fix_data"  # a mistyped number, date or code
    AUTHENTICATION = "authentication"  # 3-D Secure was not passed
    TRY_AGAIN = "try_again"  # a passing fault of bank or provider


class Capability(StrEnum):
    """What a provider can do beyond creating, reading and cancelling."""

    CONFIRM = "confirm"
    HOSTED = "hosted"
    REFUND = "refund"
    SAVE = "save"
    WEBHOOK = "webhook"
    LIST = "list"


class ActionKind(StrEnum):
    CONFIRM = "confirm_with_client_secret"  # the provider's script confirms with the secret
    REDIRECT = "redirect"  # the buyer goes to `url` and comes back


# ---- asked -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """A line as the provider shows it to the buyer."""

    name: str
    quantity: int
    unit_price: Money


@dataclass(frozen=True, slots=True)
class Breakdown:
    """What an amount is made of; the parts add up to it exactly."""

    items: tuple[Item, ...]
    subtotal: Money
    tax: Money
    shipping: Money


@dataclass(frozen=True, slots=True)
class ShipTo:
    """Where the goods go, field by field; `country` by ISO 3166-1 alpha-2."""

    name: str
    line1: str
    country: str
    line2: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A payment to be made. `key`: the same key never makes a second one.

    `customer_id` and `method_id` are the provider's ids of a known buyer and of a saved method that is to be used.
    `save`: keep the method for later (the buyer agreed). `breakdown` is left out when a part of the order is paid,
    `ship_to` when the address is not known field by field.
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


@dataclass(frozen=True, slots=True)
class ConfirmRequest:
    """Let the money move: with a method of the provider (cards), or of what the buyer approved (captures)."""

    key: str
    object_id: str
    amount: Money
    payment_id: str
    return_url: str
    method_id: str = ""


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
    """A method to be saved for a buyer. `user_id` is ours; `customer_id` the provider's, "" when there is none yet."""

    key: str
    user_id: str
    customer_id: str
    return_url: str
    cancel_url: str


# ---- read ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Action:
    """What the buyer has to do now. The secret is shown once and kept nowhere."""

    kind: ActionKind
    url: str = ""
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Capture:
    """Money taken, a fact: the provider's id never changes its amount."""

    capture_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of an answer that cannot be read: which, and why. The other parts hold."""

    part: str
    detail: str

    def __str__(self) -> str:
        return f"{self.part} ({self.detail})"


@dataclass(frozen=True, slots=True)
class RemoteRefund:
    """`reference` is our refund's id when the refund is ours, "" when a person made it at the provider."""

    refund_id: str
    amount: Money
    status: RefundStatus
    reference: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RemoteDispute:
    """`amount` is what the bank took or may take back, in its own currency; None when it cannot be read."""

    dispute_id: str
    amount: Money | None
    status: DisputeStatus
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RemotePayment:
    """The provider's object as it is now.

    `amount`: what it is over. `captures`: what was taken of it, with `refunds` and `disputes` of these.
    `reference`: the payment of ours that it names. `payee`: the account that gets the money, "" if unknown.
    `method`: what it was paid with, when that was saved. `amount` and `is_live` are None when they cannot be read.
    `problems`: what of it cannot be read. `unprotected`: why the provider's seller protection does not apply to an
    object made just now. `lists`: by the name of a list beside it ("disputes"), why that could not be had now, "" when
    it was; what is missing then may be there all the same.
    """

    object_id: str
    status: RemoteStatus
    amount: Money | None
    reference: str
    is_live: bool | None
    payee: str = ""
    captures: tuple[Capture, ...] = ()
    refunds: tuple[RemoteRefund, ...] = ()
    disputes: tuple[RemoteDispute, ...] = ()
    related_ids: tuple[str, ...] = ()
    action: Action | None = None
    decline: DeclineGroup | None = None
    decline_code: str = ""
    method: "RemoteMethod | None" = None
    customer_id: str = ""
    problems: tuple[Problem, ...] = ()
    unprotected: str = ""
    lists: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def is_whole(self) -> bool:
        """Whether all of it could be had and read, so that what is not in it is not there."""
        return not self.problems and not any(self.lists.values())


@dataclass(frozen=True, slots=True)
class ChangedPayments:
    """Payments that something happened to in a stretch of time, whenever they were made: refunds, disputes, movements
    of the balance. Each by the ids that name it, the one to read first. `lists`: as in RemotePayment.
    """

    ids: tuple[tuple[str, ...], ...] = ()
    lists: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Access:
    """Whether one part of the provider's API may be used. `permission`: what it is called in the provider's dashboard.

    `error`: "" when the part answered.
    """

    part: str
    permission: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class RemoteMethod:
    """A saved method: what a person recognises it by, and the provider's id. Never a number."""

    method_id: str
    customer_id: str
    kind: str  # "card", or the name of the payment method
    brand: str = ""
    last_four: str = ""
    exp_month: int | None = None
    exp_year: int | None = None
    funding: str = ""  # "credit", "debit", "prepaid" or ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class RemoteSetup:
    """A saving under way. `method` is there once it is done."""

    setup_id: str
    customer_id: str
    is_done: bool
    action: Action | None = None
    method: RemoteMethod | None = None


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """A verified message. It says where to look, not what to believe: the object is read again when it has news.

    `object_ids`: every id by which one of our payments may know it, the most exact first; `reference`: our payment that
    it names itself, for an object that we do not know, such as one behind the provider's own page.
    `amount`: what it claims the payment is over. `status` and the ids below: what it claims happened, to see whether
    that is known already; `refunded`: how much of a capture went back in all; `disputed`: what a
    dispute is over. `setup_id`, `method_id`: it is about a
    saved method. `payload`: an allow-listed extract.
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
    refund_status: RefundStatus | None = None
    dispute_id: str = ""
    dispute_status: DisputeStatus | None = None
    disputed: Money | None = None
    setup_id: str = ""
    method_id: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)


# ---- refused ---------------------------------------------------------------------------------------------------


class ProviderError(Exception):
    """Base of all that a provider can say no with. `code` is the provider's, for staff and logs; never for buyers.

    `is_forbidden`: our credentials were refused, or may not do this (401, 403).
    """

    is_forbidden = False

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class Refused(ProviderError):
    """A definite no: nothing happened. `remote`: the object as it is after it, when the provider shows it."""

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
    """The provider does not know the object."""


class Unknown(ProviderError):
    """It may have happened or not: no answer, a broken one, 5xx, or asked too often. `retry_after`: seconds to wait.

    `is_outage`: the provider does not answer at all, as opposed to answering that it cannot now.
    `is_stuck`: the same key will have no other answer, however often it is asked, and no money is seen to move.
    `is_unreadable`: there was an answer, but nothing certain is in it.
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
    """A message that the provider did not send (400)."""


class CannotVerify(ProviderError):
    """Whether the provider sent it cannot be verified now (503): it will send it again."""


# ---- the contract ------------------------------------------------------------------------------------------------


class PaymentProvider(ABC):
    """One provider, configured. Every method raises Refused or Unknown, and nothing else, when it does not return.

    Methods of capabilities that are not declared are never called.
    """

    name: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    is_live: bool = False
    payee: str = ""

    def is_own(self, account: str) -> bool:
        """Whether an account that a message names is the one that our money goes to."""
        return account == self.payee

    @abstractmethod
    def create(self, request: CreateRequest) -> RemotePayment:
        """Make the object that the buyer can pay; asked again with the same key, the same one."""

    @abstractmethod
    def read(self, object_id: str) -> RemotePayment:
        """The object with all its captures, refunds and disputes. Errors: ObjectNotFound, Unknown."""

    @abstractmethod
    def cancel(self, object_id: str, *, key: str) -> RemotePayment:
        """See to it that it can never be paid any more. Returns the truth, which may be that it is paid already."""

    def create_hosted(self, request: CreateRequest) -> RemotePayment:
        """Capability HOSTED: an object that is paid on a page of the provider's own."""
        raise NotImplementedError

    def confirm(self, request: ConfirmRequest) -> RemotePayment:
        """Capability CONFIRM: let the money move. A decline is Refused with `remote`."""
        raise NotImplementedError

    def refund(self, request: RefundRequest) -> RemoteRefund:
        """Capability REFUND. The provider's own check of the rest is the second, ours the first."""
        raise NotImplementedError

    def read_refund(self, refund_id: str, *, currency: str) -> RemoteRefund:
        """Capability REFUND."""
        raise NotImplementedError

    def save_start(self, request: SaveRequest) -> RemoteSetup:
        """Capability SAVE: begin to save a method with the buyer present."""
        raise NotImplementedError

    def save_read(self, setup_id: str) -> RemoteSetup:
        """Capability SAVE: how far a saving has come; finishes it where the provider wants that."""
        raise NotImplementedError

    def save_token(self, request: SaveRequest, token: str) -> RemoteMethod:
        """Capability SAVE: keep a method that the provider's script or the provider's test list names."""
        raise NotImplementedError

    def saved_methods(self, customer_id: str) -> list[RemoteMethod]:
        """Capability SAVE: what the provider holds of this buyer."""
        raise NotImplementedError

    def detach(self, method_id: str, *, key: str) -> None:
        """Capability SAVE: forget the method. One that is gone already is no error."""
        raise NotImplementedError

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """Capability WEBHOOK: verify the raw message and read it. Errors: BadSignature, CannotVerify."""
        raise NotImplementedError

    def list_payments(self, since: datetime, until: datetime) -> Iterable[RemotePayment]:
        """Capability LIST: all objects made in this time, for the daily comparison."""
        raise NotImplementedError

    def list_moved(self, since: datetime, until: datetime) -> ChangedPayments:
        """Capability LIST: what was refunded, disputed or moved otherwise in this time. A list that fails is
        named in `lists`; the others count."""
        return ChangedPayments()

    def check_access(self) -> list[Access]:
        """Try each part of the API that the shop needs, by reading alone. Errors: none; they are in the answer."""
        return []
