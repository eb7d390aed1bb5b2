"""The accounts of the ledger. A debit is positive: it increases assets and expenses, and reduces liabilities and
income."""

from typing import NamedTuple
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _


class AccountKind(models.TextChoices):
    PROVIDER = "provider", _("Balance at a payment provider")
    BANK = "bank", _("Bank account")
    CASH = "cash", _("Cash")
    COURIER_CASH = "courier_cash", _("Cash held by a courier")
    DISPUTED = "disputed", _("Disputed, not decided yet")
    BANK_TRANSIT = "bank_transit", _("On its way from a provider to the bank")
    PAYOUT_TRANSIT = "payout_transit", _("Payouts on their way")
    SUSPENSE = "suspense", _("Unexplained")
    ORDER = "order", _("Money held for orders")
    SELLER_PENDING = "seller_pending", _("Earned by the artisan, not released yet")
    SELLER_AVAILABLE = "seller_available", _("Available to the artisan")
    SELLER_HELD = "seller_held", _("Held back from the artisan")
    SALES_TAX = "sales_tax", _("Sales tax to be remitted")
    FEE_TAX = "fee_tax", _("Tax on commission")
    COMMISSION = "commission", _("Commission")
    FEE_RECOVERED = "fee_recovered", _("Payment fees charged to artisans")
    FEE_OTHER = "fee_other", _("Other income")
    PROVIDER_FEE = "provider_fee", _("Fees of payment providers")
    PAYOUT_FEE = "payout_fee", _("Fees of payouts")
    DISPUTE_FEE = "dispute_fee", _("Fees of disputes")
    GOODWILL = "goodwill", _("Goodwill")
    BAD_DEBT = "bad_debt", _("Bad debt")
    BANK_FEE = "bank_fee", _("Bank fees")
    FX_POSITION = "fx_position", _("Currencies exchanged by providers")
    FX = "fx", _("Exchange differences")


OF_ARTISANS = frozenset({AccountKind.SELLER_PENDING, AccountKind.SELLER_AVAILABLE, AccountKind.SELLER_HELD})
ASSETS = frozenset(
    (
        *(AccountKind.PROVIDER, AccountKind.BANK, AccountKind.CASH, AccountKind.COURIER_CASH),
        *(AccountKind.DISPUTED, AccountKind.BANK_TRANSIT, AccountKind.PAYOUT_TRANSIT, AccountKind.SUSPENSE),
        AccountKind.FX_POSITION,
    )
)
EXPENSES = frozenset(
    (
        *(AccountKind.PROVIDER_FEE, AccountKind.PAYOUT_FEE, AccountKind.DISPUTE_FEE),
        *(AccountKind.GOODWILL, AccountKind.BAD_DEBT, AccountKind.BANK_FEE, AccountKind.FX),
    )
)


SCOPE_NAMES: dict[str, str] = {}  # such as the names of providers; apps above register theirs in `apps.py`


def is_debit_kind(kind: str) -> bool:
    """Whether a debit increases what is on accounts of this kind, as it does for assets and expenses."""
    return kind in ASSETS | EXPENSES


class AccountKey(NamedTuple):
    """What identifies an account. `artisan`: set for `OF_ARTISANS` only. `scope`: which provider, bank account or
    holder; "" where a currency has one account of the kind."""

    kind: AccountKind
    currency: str
    scope: str = ""
    artisan: UUID | None = None


class Leg(NamedTuple):
    """An amount in minor units of the account's currency: positive for a debit, negative for a credit."""

    account: AccountKey
    minor: int


def transfer(minor: int, *, debit: AccountKey, credit: AccountKey) -> list[Leg]:
    """The two legs of an entry that moves one positive amount."""
    return [Leg(debit, minor), Leg(credit, -minor)]
