"""The sentence of each kind of entry. Entries here are not stored: sentences need only their postings."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from artisans.catalog.models import Artisan
from artisans.ledger.accounts import SCOPE_NAMES, AccountKind
from artisans.ledger.explanations import SENTENCES, Movements, explain_entry
from artisans.ledger.models import EntryKind, LedgerAccount, LedgerEntry, LedgerPosting
from artisans.ledger.references import Reference

CLAY, WOOD = Artisan(name="Clay Studio"), Artisan(name="Wood Works")
ORDER_ID = uuid4()
PARCELS = {
    (ORDER_ID, CLAY.pk): Reference("parcel K7M2XQ4RT-1", ""),
    (ORDER_ID, WOOD.pk): Reference("parcel K7M2XQ4RT-2", ""),
}
A = AccountKind


@pytest.fixture(autouse=True)
def provider(monkeypatch):
    monkeypatch.setitem(SCOPE_NAMES, "cards", "Card Provider")


def sentence(kind: str, *legs: tuple[Any, ...], order_id: UUID | None = ORDER_ID) -> str:
    """Legs: kind of account, debit in minor units, then an artisan or a scope."""
    entry = LedgerEntry(id=uuid4(), kind=kind, order_id=order_id)
    entry._prefetched_objects_cache = {
        "postings": [
            LedgerPosting(account=account(name, *more), position=at, currency="USD", amount_minor=minor)
            for at, (name, minor, *more) in enumerate(legs)
        ]
    }
    return explain_entry(Movements(entry, PARCELS))


def account(kind: str, owner: Artisan | str = "") -> LedgerAccount:
    if isinstance(owner, Artisan):
        return LedgerAccount(kind=kind, currency="USD", artisan=owner)
    return LedgerAccount(kind=kind, currency="USD", scope=owner)


EXAMPLES = {
    "capture": (
        [(A.PROVIDER, 6400, "cards"), (A.ORDER, -6400)],
        "Card Provider captured $64.00; held for the order.",
    ),
    "receipt": (
        [(A.BANK, 6400), (A.ORDER, -6400)],
        "$64.00 was received in the bank account; held for the order.",
    ),
    "receipt_reversed": (
        [(A.ORDER, 6400), (A.BANK, -6400)],
        "The receipt of $64.00 was reversed: it was not received in the bank account after all.",
    ),
    "cash_deposit": (
        [(A.BANK, 6150), (A.PROVIDER_FEE, 250, "courier"), (A.COURIER_CASH, -6400)],
        "$64.00 that a courier held in cash came to the bank account, less $2.50 that was kept as a fee.",
    ),
    "deposit_reversed": (
        [(A.CASH, 6400), (A.BANK, -6400)],
        "A deposit in the bank account of $64.00 that the shop holds in cash was recorded by mistake.",
    ),
    "refund": (
        [(A.ORDER, 1000), (A.PROVIDER, -1000, "cards")],
        "$10.00 was refunded to the buyer through Card Provider.",
    ),
    "refund_failed": (
        [(A.BANK, 1000), (A.ORDER, -1000)],
        "The refund of $10.00 by bank transfer failed; held for the order again.",
    ),
    "dispute_lost": (
        [(A.ORDER, 6400), (A.PROVIDER, -6400, "cards")],
        "A dispute was lost: the buyer’s bank took back $64.00 through Card Provider.",
    ),
    "dispute_won": (
        [(A.PROVIDER, 6400, "cards"), (A.ORDER, -6400)],
        "A lost dispute was won after all: $64.00 came back through Card Provider; held for the order again.",
    ),
    "dispute_taken": (
        [(A.DISPUTE_FEE, 1500, "cards"), (A.DISPUTED, 6400, "cards"), (A.PROVIDER, -7900, "cards")],
        "Card Provider took $64.00 for a dispute. The fee was $15.00.",
    ),
    "dispute_back": (
        [(A.DISPUTED, -6400, "cards"), (A.PROVIDER, 6400, "cards")],
        "Card Provider gave back $64.00 of a dispute.",
    ),
    "provider_fee": (
        [(A.PROVIDER_FEE, 320, "cards"), (A.PROVIDER, -320, "cards")],
        "Card Provider kept a fee of $3.20.",
    ),
    "withdrawal": (
        [(A.BANK_TRANSIT, 5000, "cards"), (A.PROVIDER, -5000, "cards")],
        "Card Provider sent $50.00 to the bank account.",
    ),
    "conversion": (
        [(A.PROVIDER, 6400, "cards"), (A.FX_POSITION, -6400)],
        "Card Provider exchanged another currency for $64.00.",
    ),
    "fx_realised": (
        [(A.FX, 200), (A.FX_POSITION, -200)],
        "$2.00 was lost by the exchange rate: giving the money back cost more than it had brought.",
    ),
    "sale": (
        [(A.ORDER, 5100), (A.SELLER_PENDING, -4590, CLAY), (A.COMMISSION, -510)],
        "Clay Studio earned $45.90 of parcel K7M2XQ4RT-1: $51.00 less commission $5.10.",
    ),
    "sale_cancelled": (
        [(A.SELLER_PENDING, 4590, CLAY), (A.COMMISSION, 510), (A.ORDER, -5100)],
        "A sale was cancelled, so that $51.00 is held for the order again: $45.90 from Clay Studio and "
        "commission $5.10.",
    ),
    "clawback": (
        [(A.SELLER_AVAILABLE, 900, CLAY), (A.COMMISSION, 100), (A.GOODWILL, 300), (A.ORDER, -1300)],
        "$13.00 was taken back for the buyer and is held for the order again: $9.00 from Clay Studio, commission "
        "$1.00 and $3.00 borne by the shop.",
    ),
    "clawback_reversed": (
        [(A.ORDER, 1000), (A.SELLER_AVAILABLE, -900, CLAY), (A.COMMISSION, -100)],
        "A refund shared with artisans was reversed. Clay Studio earned $9.00 of parcel K7M2XQ4RT-1: $10.00 less "
        "commission $1.00.",
    ),
    "fee_share": (
        [
            (A.SELLER_PENDING, 360, CLAY),
            (A.SELLER_AVAILABLE, 120, WOOD),
            (A.FEE_RECOVERED, -400),
            (A.FEE_TAX, -80),
        ],
        "Artisans bear $4.00 of the payment fee, and the tax on it of $0.80: $3.60 from Clay Studio and $1.20 from "
        "Wood Works.",
    ),
    "release": (
        [(A.SELLER_PENDING, 4590, CLAY), (A.SELLER_AVAILABLE, -4590, CLAY)],
        "$45.90 is now available to Clay Studio.",
    ),
    "hold": (
        [(A.SELLER_AVAILABLE, 2000, CLAY), (A.SELLER_HELD, -2000, CLAY)],
        "$20.00 was held back from Clay Studio.",
    ),
    "hold_released": (
        [(A.SELLER_HELD, 2000, CLAY), (A.SELLER_AVAILABLE, -2000, CLAY)],
        "$20.00 is no longer held back from Clay Studio.",
    ),
    "settlement": (
        [(A.BANK, 2000), (A.SELLER_AVAILABLE, -2000, CLAY)],
        "Clay Studio paid the shop $20.00, which was received in the bank account.",
    ),
    "settlement_reversed": (
        [(A.SELLER_AVAILABLE, 2000, CLAY), (A.CASH, -2000)],
        "The payment of $20.00 by Clay Studio was reversed: it was not received in cash after all.",
    ),
    "write_off": (
        [(A.BAD_DEBT, 2000), (A.SELLER_AVAILABLE, -2000, CLAY)],
        "The shop wrote off $20.00 that Clay Studio owed; it is a loss.",
    ),
    "write_off_reversed": (
        [(A.SELLER_AVAILABLE, 2000, CLAY), (A.BAD_DEBT, -2000)],
        "The write-off of $20.00 was reversed: Clay Studio owes it again.",
    ),
}


def test_every_kind_has_a_sentence():
    """Write one in artisans/ledger/explanations.py for a new kind, and an example of it here."""
    assert set(EntryKind.values) <= SENTENCES.keys()
    assert SENTENCES.keys() == EXAMPLES.keys()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_sentences_name_who_what_and_where(kind):
    legs, expected = EXAMPLES[kind]
    assert sentence(kind, *legs) == expected


@pytest.mark.parametrize(
    "kind", sorted(EXAMPLES.keys() - {"conversion", "fx_realised"})
)  # which have two sentences
def test_an_entry_in_the_other_direction_is_explained_by_its_accounts(kind):
    legs, expected = EXAMPLES[kind]
    other = [(name, -minor, *more) for name, minor, *more in legs]
    text = sentence(kind, *other)
    assert text != expected
    assert all(str(account(name, *more)) in text for name, _minor, *more in legs)
    assert text.count("USD") == len(legs)


def test_several_artisans_and_all_deductions_are_named():
    text = sentence(
        "sale",
        (A.ORDER, 20000),
        (A.SELLER_PENDING, -9000, CLAY),
        (A.SELLER_AVAILABLE, -8000, WOOD),
        (A.COMMISSION, -1700),
        (A.FEE_TAX, -300),
        (A.SALES_TAX, -1000),
    )
    assert text == (
        "Clay Studio earned $90.00 of parcel K7M2XQ4RT-1 and Wood Works earned $80.00 of parcel K7M2XQ4RT-2: "
        "$200.00 less commission $17.00, tax on commission $3.00 and sales tax remitted by the shop $10.00."
    )


def test_a_sale_without_commission_or_without_an_artisan_is_explained():
    assert sentence("sale", (A.ORDER, 100), (A.SELLER_PENDING, -100, CLAY), order_id=None) == (
        "Clay Studio earned $1.00: all of $1.00."
    )
    assert sentence("sale", (A.ORDER, 100), (A.COMMISSION, -100)) == (
        "$1.00 was sold, all of it for the shop: commission $1.00."
    )


def test_cash_that_an_artisan_keeps_is_named():
    assert sentence("receipt", (A.SELLER_AVAILABLE, 5100, CLAY), (A.ORDER, -5100)) == (
        "$51.00 was received in cash by Clay Studio, who keeps it; held for the order."
    )
    assert sentence("receipt", (A.COURIER_CASH, 5100, "dhl"), (A.ORDER, -5100)) == (
        "$51.00 was received in cash by the courier; held for the order."
    )


def test_a_kind_that_this_release_does_not_know_is_explained_by_its_accounts():
    assert sentence("of_a_later_release", (A.BANK, 100), (A.CASH, -100)) == (
        "of_a_later_release: Bank account · USD +$1.00; Cash · USD -$1.00."
    )
