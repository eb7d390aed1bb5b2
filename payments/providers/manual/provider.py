"""Offline payments: the instructions for the buyer, by payment method."""

from dataclasses import dataclass
from datetime import date

from artisans.core.errors import N_
from artisans.core.money import Money


@dataclass(frozen=True, slots=True)
class Account:
    """The shop's accounts; empty fields are not shown."""

    holder: str
    iban: str
    bic: str
    bank: str
    check_payee: str
    check_address: str


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    value: str
    is_copyable: bool = False


@dataclass(frozen=True, slots=True)
class Instructions:
    """Payment instructions for a page or email. `due`: the date shown to the buyer, without the grace period."""

    kind: str
    headline: str
    amount: Money
    reference: str
    due: date | None
    rows: tuple[Row, ...]
    text: tuple[str, ...]


def bank_transfer(*, amount: Money, reference: str, due: date | None, account: Account) -> Instructions:
    rows = (
        Row(N_("Account holder"), account.holder, is_copyable=True),
        Row(N_("Account number"), account.iban, is_copyable=True),
        Row(N_("BIC"), account.bic, is_copyable=True),
        Row(N_("Bank"), account.bank),
        Row(N_("Reference"), reference, is_copyable=True),
    )
    return Instructions(
        kind="bank_transfer",
        headline=N_("Bank transfer details"),
        amount=amount,
        reference=reference,
        due=due,
        rows=tuple(row for row in rows if row.value),
        text=(
            N_("Use this exact reference, so that we can match your payment to your order."),
            N_(
                "Transfers take 1 to 3 working days. We will email you when we receive yours, and the artisans start."
            ),
        ),
    )


def check(*, amount: Money, reference: str, due: date | None, account: Account) -> Instructions:
    rows = (
        Row(N_("Payable to"), account.check_payee, is_copyable=True),
        Row(N_("Mail to"), account.check_address),
        Row(N_("Write on the back"), reference, is_copyable=True),
    )
    return Instructions(
        kind="check",
        headline=N_("Pay by check"),
        amount=amount,
        reference=reference,
        due=due,
        rows=tuple(row for row in rows if row.value),
        text=(N_("We will email you once your check has cleared. The artisans then start."),),
    )


def cash_on_delivery(*, amount: Money, reference: str, due: date | None, account: Account) -> Instructions:
    return Instructions(
        kind="cash_on_delivery",
        headline=N_("Pay on delivery"),
        amount=amount,
        reference=reference,
        due=None,
        rows=(Row(N_("Accepted"), N_("Cash only")), Row(N_("Order"), reference)),
        text=(N_("You pay for each parcel when it arrives. Please have the exact amount ready."),),
    )


BUILDERS = {"bank_transfer": bank_transfer, "check": check, "cash_on_delivery": cash_on_delivery}


def instructions(
    method: str, *, amount: Money, reference: str, due: date | None, account: Account
) -> Instructions:
    """The instructions of an offline method. Errors: KeyError for any other method."""
    return BUILDERS[method](amount=amount, reference=reference, due=due, account=account)
