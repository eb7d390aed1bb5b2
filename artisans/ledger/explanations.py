"""What an entry means, in a sentence: for the admin's pages and `manage.py ledger explain`.

Each kind has a sentence, made of the entry's postings; a test fails for a kind without one. An entry that is not what
its kind usually books, such as a difference in the other direction, is explained account by account.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.catalog.models import Artisan
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from artisans.ledger.accounts import SCOPE_NAMES, AccountKind
from artisans.ledger.models import LedgerAccount, LedgerEntry, LedgerPosting
from artisans.ledger.references import Key, Reference, find_references

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

A = AccountKind


@dataclass(frozen=True, slots=True)
class Explanation:
    """`references`: what it is about, besides its order."""

    entry: LedgerEntry
    sentence: str
    order: Reference | None
    references: list[Reference]


def explain(entries: Collection[LedgerEntry]) -> list[Explanation]:
    """One explanation for each entry; their postings, accounts and artisans are prefetched."""
    known = find_references(entries)
    return [
        Explanation(
            entry,
            explain_entry(Movements(entry, known)),
            known.get(entry.order_id) if entry.order_id else None,
            references_of(entry, known),
        )
        for entry in entries
    ]


def references_of(entry: LedgerEntry, known: dict[Key, Reference]) -> list[Reference]:
    keys: list[Key] = [entry.fact_id]
    if entry.order_id:
        artisans = (posting.account.artisan_id for posting in entry.postings.all())
        keys += [(entry.order_id, artisan) for artisan in artisans if artisan]
    if entry.parcel_id:
        keys.append(entry.parcel_id)
    found = (known[key] for key in keys if key in known and key != entry.order_id)
    return list(dict.fromkeys(found))


class Movements:
    """The postings of an entry, as sentences need them. A debit is positive."""

    def __init__(self, entry: LedgerEntry, known: dict[Key, Reference]) -> None:
        self.entry = entry
        self.known = known
        self.postings: list[LedgerPosting] = sorted(entry.postings.all(), key=lambda row: row.position)

    @cached_property
    def minor(self) -> Counter[str]:
        """By kind of account."""
        sums: Counter[str] = Counter()
        for posting in self.postings:
            sums[posting.account.kind] += posting.amount_minor
        return sums

    @cached_property
    def sellers(self) -> Counter[Artisan]:
        """What artisans give on all their accounts together; negative for what they get."""
        sums: Counter[Artisan] = Counter()
        for posting in self.postings:
            if posting.account.artisan:
                sums[posting.account.artisan] += posting.amount_minor
        return Counter({artisan: minor for artisan, minor in sums.items() if minor})

    @property
    def has_one_currency(self) -> bool:
        return len({posting.currency for posting in self.postings}) == 1

    def show(self, minor: int) -> str:
        return show(Money.stored(abs(minor), self.postings[0].currency))

    def parcel(self, artisan: Artisan) -> str:
        """The artisan's parcel in this order, if it is known."""
        found = self.known.get((self.entry.order_id, artisan.pk)) if self.entry.order_id else None
        return found.name if found else ""

    def place(self) -> LedgerAccount | None:
        """The account outside the shop's orders that money came to or went from."""
        return next((row.account for row in self.postings if row.account.kind != A.ORDER), None)


Sentence = Callable[[Movements], str]

RECEIVED = {
    A.BANK: gettext_lazy("in the bank account"),
    A.CASH: gettext_lazy("in cash"),
    A.COURIER_CASH: gettext_lazy("in cash by the courier"),
    A.SELLER_AVAILABLE: gettext_lazy("in cash by %(name)s, who keeps it"),
    A.PROVIDER: gettext_lazy("by %(name)s"),
}
RETURNED = {
    A.DISPUTED: gettext_lazy("through %(name)s"),
    A.BANK: gettext_lazy("by bank transfer"),
    A.CASH: gettext_lazy("in cash"),
    A.SELLER_AVAILABLE: gettext_lazy("in cash by %(name)s"),
    A.PROVIDER: gettext_lazy("through %(name)s"),
}
FEES = (A.PROVIDER_FEE, A.DISPUTE_FEE)
PARTS = {
    A.COMMISSION: gettext_lazy("commission %(amount)s"),
    A.FEE_TAX: gettext_lazy("tax on commission %(amount)s"),
    A.SALES_TAX: gettext_lazy("sales tax remitted by the shop %(amount)s"),
    A.GOODWILL: gettext_lazy("%(amount)s borne by the shop"),
}


def held(text: "_StrPromise", places: dict[AccountKind, "_StrPromise"] = RECEIVED) -> Sentence:
    """Money that came and is held for the order: `text` with the amount and how it came."""
    return money_sentence(text, places, sign=-1)


def left(text: "_StrPromise", places: dict[AccountKind, "_StrPromise"] = RETURNED) -> Sentence:
    """Money that is no longer held for the order: `text` with the amount and how it went."""
    return money_sentence(text, places, sign=1)


def money_sentence(text: "_StrPromise", places: dict[AccountKind, "_StrPromise"], *, sign: int) -> Sentence:
    def sentence(moved: Movements) -> str:
        minor, account = moved.minor[A.ORDER], moved.place()
        if account is None or account.kind not in places or minor * sign <= 0:
            return by_account(moved)
        name = account.artisan.name if account.artisan else SCOPE_NAMES.get(account.scope, account.scope)
        how = places[A(account.kind)] % {"name": name}
        return text % {"amount": moved.show(minor), "how": how, "name": name}

    return sentence


def earned(text: "_StrPromise | str" = "%(earned)s") -> Sentence:
    """Money held for the order becomes the artisans' and the shop's: `text` with who earned what of it."""

    def sentence(moved: Movements) -> str:
        if moved.minor[A.ORDER] <= 0 or any(minor > 0 for minor in moved.sellers.values()):
            return by_account(moved)
        facts = {
            "amount": moved.show(moved.minor[A.ORDER]),
            "who": joined(earned_by(moved, *seller) for seller in moved.sellers.items()),
            "parts": joined(deductions(moved, sign=-1)),
        }
        if not facts["who"]:
            found = _("%(amount)s was sold, all of it for the shop: %(parts)s.")
        elif not facts["parts"]:
            found = _("%(who)s: all of %(amount)s.")
        else:
            found = _("%(who)s: %(amount)s less %(parts)s.")
        return text % {"earned": found % facts}

    return sentence


def earned_by(moved: Movements, artisan: Artisan, minor: int) -> str:
    parcel = moved.parcel(artisan)
    text = _("%(artisan)s earned %(amount)s of %(parcel)s") if parcel else _("%(artisan)s earned %(amount)s")
    return text % {"artisan": artisan.name, "amount": moved.show(minor), "parcel": parcel}


def taken_back(text: "_StrPromise") -> Sentence:
    """What was earned is held for the order again; the parts say from whom."""

    def sentence(moved: Movements) -> str:
        if moved.minor[A.ORDER] >= 0 or any(minor < 0 for minor in moved.sellers.values()):
            return by_account(moved)
        parts = [
            _("%(amount)s from %(artisan)s") % {"amount": moved.show(minor), "artisan": artisan.name}
            for artisan, minor in moved.sellers.items()
        ]
        parts += deductions(moved, sign=1)
        return text % {"amount": moved.show(moved.minor[A.ORDER]), "parts": joined(parts)}

    return sentence


def charged(text: "_StrPromise", with_tax: "_StrPromise") -> Sentence:
    """Artisans pay a part of a payment's fee: `text` with who pays what, or `with_tax` if it is taxed."""

    def sentence(moved: Movements) -> str:
        if moved.minor[A.FEE_RECOVERED] >= 0 or any(minor < 0 for minor in moved.sellers.values()):
            return by_account(moved)
        parts = [
            _("%(amount)s from %(artisan)s") % {"amount": moved.show(minor), "artisan": artisan.name}
            for artisan, minor in moved.sellers.items()
        ]
        tax = moved.minor[A.FEE_TAX]
        facts = {"amount": moved.show(moved.minor[A.FEE_RECOVERED]), "parts": joined(parts)}
        return (with_tax if tax else text) % {**facts, "tax": moved.show(tax)}

    return sentence


def deductions(moved: Movements, *, sign: int) -> list[str]:
    """What the shop takes (`sign` -1) or gives up (1), by kind."""
    return [
        text % {"amount": moved.show(moved.minor[kind])}
        for kind, text in PARTS.items()
        if moved.minor[kind] * sign > 0
    ]


def between(text: "_StrPromise", source: AccountKind, target: AccountKind) -> Sentence:
    """Money that moves between two accounts of artisans: `text` for each of them."""

    def sentence(moved: Movements) -> str:
        into = [row for row in moved.postings if row.account.kind == target]
        if any(row.amount_minor > 0 for row in into) or moved.minor.keys() != {source, target}:
            return by_account(moved)
        amounts = (
            text % {"amount": moved.show(row.amount_minor), "artisan": row.account.artisan} for row in into
        )
        return f"{joined(amounts)}."

    return sentence


def at_provider(text: "_StrPromise", *kinds: AccountKind, sign: int = 1) -> Sentence:
    """A movement of the balance at a provider: `text` with what these accounts get (`sign` 1) or give, and its fee."""

    def sentence(moved: Movements) -> str:
        minor = sum(moved.minor[kind] for kind in kinds)
        fee = sum(moved.minor[kind] for kind in FEES if kind not in kinds)
        if minor * sign <= 0 or fee < 0:
            return by_account(moved)
        [name] = {row.account.scope for row in moved.postings if row.account.kind == A.PROVIDER} or {""}
        found = text % {"name": SCOPE_NAMES.get(name, name), "amount": moved.show(minor)}
        return (
            _("%(sentence)s The fee was %(fee)s.") % {"sentence": found, "fee": moved.show(fee)}
            if fee
            else found
        )

    return sentence


def converted(moved: Movements) -> str:
    """A provider exchanged one currency for another, in one entry or with an entry for each."""
    places = [row for row in moved.postings if row.account.kind in {A.PROVIDER, A.DISPUTED}]
    position: Counter[str] = Counter()
    for row in moved.postings:
        if row.account.kind == A.FX_POSITION:
            position[row.currency] -= row.amount_minor
    given = [show(Money(-minor, currency)) for currency, minor in position.items() if minor < 0]
    taken = [show(Money(minor, currency)) for currency, minor in position.items() if minor > 0]
    if not places or len(given) > 1 or len(taken) > 1 or not (given or taken):
        return by_account(moved)
    scope = places[0].account.scope
    values = {"name": SCOPE_NAMES.get(scope, scope), "given": joined(given), "taken": joined(taken)}
    if not taken:
        text = _("%(name)s exchanged %(given)s for another currency.")
    elif not given:
        text = _("%(name)s exchanged another currency for %(taken)s.")
    else:
        text = _("%(name)s exchanged %(given)s for %(taken)s.")
    fees = [row for row in moved.postings if row.account.kind in FEES]
    fee = _(" The fee was %(fee)s.") % {"fee": show(fees[0].amount)} if len(fees) == 1 else ""
    return text % values + fee


def realised(moved: Movements) -> str:
    """What the rates of a payment and of what was given back of it differ by."""
    minor = moved.minor[A.FX]
    if not minor:
        return by_account(moved)
    text = (
        _("%(amount)s was lost by the exchange rate: giving the money back cost more than it had brought.")
        if minor > 0
        else _(
            "%(amount)s was gained by the exchange rate: giving the money back cost less than it had brought."
        )
    )
    return text % {"amount": moved.show(minor)}


def deposited(text: "_StrPromise", *, sign: int = 1) -> Sentence:
    """Cash that came to the bank account, less a fee."""

    def sentence(moved: Movements) -> str:
        holders = {A.CASH: _("the shop"), A.COURIER_CASH: _("a courier")}
        held = next((kind for kind in holders if moved.minor[kind] * sign < 0), None)
        if held is None or moved.minor[A.BANK] * sign <= 0:
            return by_account(moved)
        facts = {"total": moved.show(moved.minor[held]), "holder": holders[held]}
        fee = moved.minor[A.BANK_FEE] + moved.minor[A.PROVIDER_FEE]
        kept = _(", less %(fee)s that was kept as a fee") % {"fee": moved.show(fee)} if fee else ""
        return f"{text % facts}{kept}."

    return sentence


def settled(text: "_StrPromise", *kinds: AccountKind, sign: int = 1) -> Sentence:
    """An artisan owes less (`sign` 1) or more again, against one of these accounts: `text` with the amount and how."""

    def sentence(moved: Movements) -> str:
        source = next((kind for kind in kinds if moved.minor[kind] * sign > 0), None)
        if source is None or len(moved.sellers) != 1:
            return by_account(moved)
        [(artisan, minor)] = moved.sellers.items()
        how = RECEIVED.get(source, "")
        return text % {"artisan": artisan.name, "amount": moved.show(minor), "how": how}

    return sentence


def by_account(moved: Movements) -> str:
    """Any entry: its kind, and what each account has more or less."""
    amounts = [(row.account, row.account.on_account(row.amount_minor)) for row in moved.postings]
    changes = [f"{account} {'+' if amount.minor > 0 else ''}{show(amount)}" for account, amount in amounts]
    return _("%(kind)s: %(changes)s.") % {
        "kind": moved.entry.get_kind_display(),
        "changes": "; ".join(changes),
    }


SENTENCES: dict[str, Sentence] = {
    "capture": held(gettext_lazy("%(name)s captured %(amount)s; held for the order.")),
    "receipt": held(gettext_lazy("%(amount)s was received %(how)s; held for the order.")),
    "receipt_reversed": left(
        gettext_lazy("The receipt of %(amount)s was reversed: it was not received %(how)s after all."),
        RECEIVED,
    ),
    "cash_deposit": deposited(
        gettext_lazy("%(total)s that %(holder)s held in cash came to the bank account"),
    ),
    "deposit_reversed": deposited(
        gettext_lazy(
            "A deposit in the bank account of %(total)s that %(holder)s holds in cash was recorded by mistake"
        ),
        sign=-1,
    ),
    "refund": left(gettext_lazy("%(amount)s was refunded to the buyer %(how)s.")),
    "refund_failed": held(
        gettext_lazy("The refund of %(amount)s %(how)s failed; held for the order again."), RETURNED
    ),
    "dispute_lost": left(gettext_lazy("A dispute was lost: the buyer’s bank took back %(amount)s %(how)s.")),
    "dispute_won": held(
        gettext_lazy(
            "A lost dispute was won after all: %(amount)s came back %(how)s; held for the order again."
        ),
        RETURNED,
    ),
    "dispute_taken": at_provider(gettext_lazy("%(name)s took %(amount)s for a dispute."), A.DISPUTED),
    "dispute_back": at_provider(
        gettext_lazy("%(name)s gave back %(amount)s of a dispute."), A.DISPUTED, sign=-1
    ),
    "provider_fee": at_provider(gettext_lazy("%(name)s kept a fee of %(amount)s."), *FEES),
    "withdrawal": at_provider(gettext_lazy("%(name)s sent %(amount)s to the bank account."), A.BANK_TRANSIT),
    "conversion": converted,
    "fx_realised": realised,
    "sale": earned(),
    "sale_cancelled": taken_back(
        gettext_lazy("A sale was cancelled, so that %(amount)s is held for the order again: %(parts)s.")
    ),
    "clawback": taken_back(
        gettext_lazy("%(amount)s was taken back for the buyer and is held for the order again: %(parts)s.")
    ),
    "clawback_reversed": earned(gettext_lazy("A refund shared with artisans was reversed. %(earned)s")),
    "fee_share": charged(
        gettext_lazy("Artisans bear %(amount)s of the payment fee: %(parts)s."),
        gettext_lazy("Artisans bear %(amount)s of the payment fee, and the tax on it of %(tax)s: %(parts)s."),
    ),
    "release": between(
        gettext_lazy("%(amount)s is now available to %(artisan)s"), A.SELLER_PENDING, A.SELLER_AVAILABLE
    ),
    "hold": between(
        gettext_lazy("%(amount)s was held back from %(artisan)s"), A.SELLER_AVAILABLE, A.SELLER_HELD
    ),
    "hold_released": between(
        gettext_lazy("%(amount)s is no longer held back from %(artisan)s"), A.SELLER_HELD, A.SELLER_AVAILABLE
    ),
    "settlement": settled(
        gettext_lazy("%(artisan)s paid the shop %(amount)s, which was received %(how)s."), A.BANK, A.CASH
    ),
    "settlement_reversed": settled(
        gettext_lazy(
            "The payment of %(amount)s by %(artisan)s was reversed: it was not received %(how)s after all."
        ),
        *(A.BANK, A.CASH),
        sign=-1,
    ),
    "write_off": settled(
        gettext_lazy("The shop wrote off %(amount)s that %(artisan)s owed; it is a loss."), A.BAD_DEBT
    ),
    "write_off_reversed": settled(
        gettext_lazy("The write-off of %(amount)s was reversed: %(artisan)s owes it again."),
        A.BAD_DEBT,
        sign=-1,
    ),
}


def explain_entry(moved: Movements) -> str:
    """An entry of a kind that this release does not know yet is explained by its accounts."""
    sentence = SENTENCES.get(moved.entry.kind, by_account)
    return sentence(moved) if moved.has_one_currency or sentence is converted else by_account(moved)


def joined(parts: Iterable[str]) -> str:
    """“a”, “a and b”, or “a, b and c”; empty without parts."""
    *first, last = list(parts) or [""]
    return _("%(first)s and %(last)s") % {"first": ", ".join(first), "last": last} if first else last
