"""What the ledger cannot know: names of the orders, parcels and payments of its entries, and why an order's money is
still held."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.core.admin.pages import admin_page_url
from artisans.core.money import Money
from artisans.core.numbers import split_number
from artisans.core.templatetags.money import show
from artisans.ledger.accounts import SCOPE_NAMES, AccountKind
from artisans.ledger.models import LedgerEntry, LedgerPosting
from artisans.ledger.references import NAMED_FACTS, SEARCHES, SOURCES, Key, NamedFact, Reference
from orders.models import Order, Parcel
from payments.models import Capture, CashDeposit, Payment, PaymentRefund, Receipt
from payments.providers.registry import provider_choices
from payments.selectors import keys_of


def order_references(entries: Collection[LedgerEntry]) -> dict[Key, Reference]:
    """Orders and their parcels, in one statement."""
    orders = Order.objects.filter(pk__in={entry.order_id for entry in entries if entry.order_id})
    columns = ("pk", "order_number", "parcels", "parcels__number", "parcels__artisan")
    found: dict[Key, Reference] = {}
    for pk, order_number, parcel_id, number, artisan_id in orders.order_by().values_list(*columns):
        order = Order(pk=pk, order_number=order_number)
        name = _("order %(number)s") % {"number": order_number}
        found[pk] = Reference(name, admin_page_url(order))
        if parcel_id:
            parcel = Parcel(pk=parcel_id, order=order, number=number)
            name = _("parcel %(number)s") % {"number": parcel}
            found[parcel_id] = found[pk, artisan_id] = Reference(name, admin_page_url(parcel))
    return found


FACTS_OF_PAYMENTS = (
    NamedFact(Payment, "payment_number", "pk", gettext_lazy("payment %(number)s")),
    NamedFact(Capture, "payment__payment_number", "payment", gettext_lazy("payment %(number)s")),
    NamedFact(Receipt, "payment__payment_number", "payment", gettext_lazy("payment %(number)s")),
    NamedFact(PaymentRefund, "refund_number", "payment", gettext_lazy("refund %(number)s")),
    NamedFact(CashDeposit, "bank_reference", "pk", gettext_lazy("deposit %(number)s")),
)


def entries_of_number(text: str) -> Q:
    """The entries of the order, parcel, payment or refund with this number."""
    number = "".join(text.split()).upper().removeprefix("#")
    orders = keys_of(Order.objects.filter(order_number=split_number(number)[0]))
    facts = keys_of(PaymentRefund.objects.filter(refund_number=number))
    for payment in Payment.objects.filter(payment_number=number):
        facts |= {payment.pk, *keys_of(payment.captures.all()), *keys_of(payment.receipts.all())}
        facts |= keys_of(payment.refunds.all())
    return Q(order_id__in=orders) | Q(fact_id__in=facts)


def amount_held(order_id: UUID, currency: str) -> Money:
    """What the ledger holds for an order: the credit balance of its postings on the account of orders."""
    postings = LedgerPosting.objects.filter(
        entry__order_id=order_id, account__kind=AccountKind.ORDER, currency=currency
    )
    return Money.stored(-sum(postings.order_by().values_list("amount_minor", flat=True)), currency)


def explain_held(order: Order) -> list[str]:
    """What is still held for the order and why, in sentences."""
    held = amount_held(order.pk, order.currency)
    if held.minor < 0:
        return [
            _(
                "The ledger gave away %(amount)s more than was held for this order. Run manage.py ledger check."
            )
            % {"amount": show(order.money(-held.minor))}
        ]
    if not held:
        return [_("Nothing is held for this order.")]
    due = min(held, order.refund_due)
    sentences = [
        _("%(amount)s is due to the buyer: %(reason)s.") % {"amount": show(amount), "reason": lower(reason)}
        for reason, amount in order.owed.reasons
        if due
    ]
    if rest := held - due:
        sentences.append(_("%(amount)s is held: %(why)s") % {"amount": show(rest), "why": why_held(order)})
    return sentences


def lower(reason: str) -> str:
    return reason[:1].lower() + reason[1:]


def why_held(order: Order) -> str:
    if order.balance_due:
        return _("%(amount)s is outstanding; artisans earn their parcels when the order is paid.") % {
            "amount": show(order.balance_due)
        }
    if order.released_at is None:
        return _("artisans earn their parcels when the order is released for shipping.")
    return _("no artisan has earned it yet.")


def explanations_register() -> None:
    SCOPE_NAMES.update(provider_choices())
    NAMED_FACTS.extend(FACTS_OF_PAYMENTS)
    SOURCES.append(order_references)
    SEARCHES.append(entries_of_number)
