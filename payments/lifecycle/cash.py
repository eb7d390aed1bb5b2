"""Cash on delivery: the parcel for which it was collected, and who holds it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.catalog.access import workshops_of
from artisans.core.errors import Conflict, InvalidInput
from artisans.core.models import get_or_none
from artisans.core.money import Money
from orders.models import Order, Parcel
from orders.selectors import store_rules
from orders.statuses import PARCELS_ENDED, CashHolder
from payments.errors import AlreadyRecorded, OwnCashReport
from payments.methods import PaymentMethod
from payments.models import Payment, Receipt


@dataclass(frozen=True, slots=True)
class IncomingMoney:
    """An incoming payment as shown on the bank statement, or cash on delivery.

    Of cash, `parcel_id`: for which it was collected, or the whole order; `holder`: who has it, by default the one of
    the store rules.
    """

    amount: Money
    value_date: date
    reference: str
    parcel_id: UUID | None = None
    holder: CashHolder | None = None


@dataclass(frozen=True, slots=True)
class CashOf:
    """The parcel that a receipt names, and who has its cash; empty for money that is not cash."""

    parcel: Parcel | None = None
    holder: CashHolder | str = ""

    @property
    def audited(self) -> dict[str, str]:
        if not self.parcel:
            return {}
        return {"parcel": str(self.parcel), "holder": str(self.holder)}


def cash_of(payment: Payment, order: Order, money: IncomingMoney, actor: User) -> CashOf:
    """What the actor may record this money for. The caller holds the order's lock.

    Errors: InvalidInput, OwnCashReport, and those of parcel_cash_check.
    """
    if payment.payment_method != PaymentMethod.CASH_ON_DELIVERY:
        if money.parcel_id or money.holder:
            raise InvalidInput(_("Only cash on delivery is recorded for a parcel, or held by someone."))
        return CashOf()
    rows = parcels_of_cash(order, money.parcel_id)
    if money.parcel_id is None:
        check_did_not_report(actor, rows)
        if money.holder not in {None, CashHolder.SHOP}:
            raise InvalidInput(_("Choose the parcel for which the artisan or courier holds the cash."))
        return CashOf(holder=CashHolder.SHOP)
    parcel = get_or_none(rows)
    if parcel is None:
        raise InvalidInput(_("This parcel does not belong to the order."))
    parcel.order = order
    check_did_not_report(actor, [parcel])
    parcel_cash_check(parcel, money.amount)
    return CashOf(parcel, money.holder or CashHolder(store_rules().cash_holder))


def parcels_of_cash(order: Order, parcel_id: UUID | str | None) -> QuerySet[Parcel]:
    """This parcel, or those for which cash of the whole order is."""
    rows = order.parcels.select_related("artisan")
    return rows.filter(pk=parcel_id) if parcel_id else rows.exclude(status__in=PARCELS_ENDED)


def check_did_not_report(actor: User, parcels: Iterable[Parcel]) -> None:
    """Errors: OwnCashReport if the actor reported the cash, or acts for the artisan."""
    own = workshops_of(actor)
    if any(parcel.cash_reported_by_id == actor.pk or parcel.artisan_id in own for parcel in parcels):
        raise OwnCashReport


def parcel_cash_check(parcel: Parcel, amount: Money) -> None:
    """Whether so much is outstanding for the parcel. The caller holds the order's lock.

    Errors: Conflict, AlreadyRecorded, InvalidInput.
    """
    if parcel.is_gone:
        raise Conflict(
            _(
                "Parcel %(parcel)s was cancelled or returned, so no cash is due for it. If it was collected "
                "anyway, record it for the whole order; it is then listed under “Refunds due”."
            )
            % {"parcel": parcel}
        )
    if not parcel.cash_due:
        raise cash_already_recorded(parcel)
    if amount > parcel.cash_due:
        raise InvalidInput(
            _(
                "Only %(due)s is outstanding for parcel %(parcel)s, not %(amount)s. Record what was paid beyond that "
                "for the parcel to which it belongs, or for the whole order."
            )
            % {"due": parcel.cash_due, "parcel": parcel, "amount": amount}
        )


def cash_already_recorded(parcel: Parcel) -> AlreadyRecorded:
    last = Receipt.objects.filter(parcel=parcel, reversal=None).order_by("created_at").last()
    if last is None:
        return AlreadyRecorded(
            _(
                "Nothing is outstanding for parcel %(parcel)s: its order is paid or closed. Nothing was recorded."
            )
            % {"parcel": parcel}
        )
    return AlreadyRecorded(
        _(
            "The cash for parcel %(parcel)s was already recorded: %(amount)s by %(actor)s (%(time)s). Nothing was "
            "recorded."
        )
        % {
            "parcel": parcel,
            "amount": last.amount,
            "actor": last.actor_name,
            "time": date_format(timezone.localtime(last.created_at), "DATETIME_FORMAT"),
        }
    )


def parcel_count_cash(parcel: Parcel, minor: int) -> None:
    """Add to the cash recorded for the parcel; a negative amount takes it back."""
    parcel.cash_received_minor += minor
    parcel.save(update_fields=["cash_received_minor", "updated_at"])
