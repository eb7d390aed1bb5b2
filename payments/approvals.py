"""Actions with money that may need a second person's approval: what is requested, and how it is executed.

Each `…_submit` performs the action or, if the store rules require a second person, requests its approval and
returns the request. It holds the order's lock from the attempt until the request is written, so that the
request freezes exactly the amounts of the attempt.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from artisans.accounts.models import User
from artisans.approvals.errors import SecondPersonRequired
from artisans.approvals.kinds import ApprovalKind, Payload, register
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import approval_request
from artisans.catalog.access import workshops_of
from artisans.catalog.models import Artisan
from artisans.core.money import Money
from artisans.core.queue import enqueue_after_commit
from artisans.core.templatetags.money import show
from artisans.core.transactions import atomic_with_retry
from artisans.ledger.models import LedgerPeriod
from orders.errors import OwnMoney
from orders.models import Parcel
from orders.selectors import checked_when_locked, store_rules
from orders.statuses import CashHolder, ParcelDecision
from payments.bookkeeping.month_close import month_close
from payments.bookkeeping.refund_amounts import RefundLineInput, RefundSelection, price_selection
from payments.bookkeeping.second_person import (
    RECEIPT,
    REFUND,
    RETURN,
    money_in,
    money_out,
    payment_of,
    refund_approval_request,
    request_approval,
)
from payments.bookkeeping.seen import check_seen
from payments.bookkeeping.staff_checks import check_bearer, check_staff_permission
from payments.lifecycle.cash import IncomingMoney, check_did_not_report, parcels_of_cash
from payments.lifecycle.parcels import Decisions
from payments.lifecycle.receipts import receipt_record
from payments.methods import PaymentMethod
from payments.models import Bearer, PaidFrom, PaymentRefund, Receipt
from payments.refunds.manual import PaidBack, likely_payer, money_return_record
from payments.refunds.staff import refund_open
from payments.selectors import payment_lock

CLOSE_MONTH = "ledger_close_month"
APPROVE_MANUAL, REFUND_PERMISSION = "payments.approve_manual", "payments.refund"


@atomic_with_retry
def receipt_submit(
    *,
    payment_id: UUID,
    money: IncomingMoney,
    actor: User,
    seen_minor: int | None = None,
    beyond_due: bool = False,
) -> Receipt | ApprovalRequest:
    """Record a receipt, or request its approval. Errors: those of receipt_record and approval_request."""
    payment = payment_lock(payment_id)[0]
    with suppress(SecondPersonRequired):
        return receipt_record(
            payment_id=payment_id,
            money=money,
            actor=actor,
            seen_minor=seen_minor,
            beyond_due=beyond_due,
        )
    if money.parcel_id and not money.holder:  # the rule may be another one when it is approved
        money = replace(money, holder=CashHolder(store_rules().cash_holder))
    return request_approval(
        RECEIPT,
        payment,
        title=_("Record %(amount)s received for order %(order_number)s")
        % {"amount": show(money.amount), "order_number": payment.order.order_number},
        details=[
            (_("Amount received"), show(money.amount)),
            (_("Value date"), date_format(money.value_date)),
            (_("Bank reference"), money.reference),
            *describe_cash(money),
        ],
        payload=dump_transfer(money.amount, money.value_date, money.reference) | dump_cash(money),
        actor=actor,
    )


def receipt_execute(payload: Payload, requested_by: User, approved_by: User) -> Receipt:
    parcel_id, holder = payload.get("parcel"), payload.get("holder")
    transfer = load_transfer(payload)
    return receipt_record(
        payment_id=transfer["payment_id"],
        money=IncomingMoney(
            transfer["amount"],
            transfer["value_date"],
            transfer["bank_reference"],
            UUID(parcel_id) if parcel_id else None,
            CashHolder(holder) if holder else None,
        ),
        actor=requested_by,
        approved_by=approved_by,
        beyond_due=True,
    )


def describe_cash(money: IncomingMoney) -> list[tuple[str, str]]:
    if money.parcel_id is None:
        return []
    parcel = Parcel.objects.select_related("order").get(pk=money.parcel_id)
    return [
        (_("Parcel"), str(parcel)),
        *([(_("Cash held by"), str(money.holder.label))] if money.holder else []),
    ]


def dump_cash(money: IncomingMoney) -> Payload:
    if money.parcel_id is None:
        return {}
    return {"parcel": str(money.parcel_id), "holder": money.holder}


@transaction.atomic
def return_submit(  # noqa: PLR0913  # what the form asks for
    *,
    payment_id: UUID,
    amount: Money,
    value_date: date,
    bank_reference: str,
    reason: str,
    actor: User,
    beyond_owed: bool = False,
    borne_by: Bearer = Bearer.ARTISAN,
    paid: PaidBack | None = None,
) -> PaymentRefund | ApprovalRequest:
    """Record an offline refund, or request its approval. Errors: those of money_return_record and
    approval_request."""
    payment = payment_lock(payment_id)[0]
    with suppress(SecondPersonRequired):
        return money_return_record(
            payment_id=payment_id,
            amount=amount,
            value_date=value_date,
            bank_reference=bank_reference,
            reason=reason,
            actor=actor,
            beyond_owed=beyond_owed,
            borne_by=borne_by,
            paid=paid,
        )
    paid = paid or likely_payer(payment, amount)
    return request_approval(
        RETURN,
        payment,
        title=_("Record %(amount)s refunded for order %(order_number)s")
        % {"amount": show(amount), "order_number": payment.order.order_number},
        details=[
            (_("Amount refunded"), show(amount)),
            (_("Paid back on") if paid.is_cash else _("Transfer date"), date_format(value_date)),
            (_("Reference") if paid.is_cash else _("Transfer reference"), bank_reference),
            *describe_payer(paid),
            *describe_bearer(borne_by),
            (_("Reason"), reason),
        ],
        payload=dump_transfer(amount, value_date, bank_reference)
        | {"reason": reason, "beyond_owed": beyond_owed, "borne_by": borne_by}
        | {"paid_from": paid.source, "paid_by": str(paid.artisan_id) if paid.artisan_id else None},
        actor=actor,
    )


def return_execute(payload: Payload, requested_by: User, approved_by: User) -> PaymentRefund:
    return money_return_record(
        **load_transfer(payload),
        reason=payload["reason"],
        beyond_owed=payload.get("beyond_owed", False),
        borne_by=load_bearer(payload),
        paid=load_payer(payload),
        actor=requested_by,
        approved_by=approved_by,
    )


@transaction.atomic
def refund_submit(
    *,
    payment_id: UUID,
    reason: str,
    actor: User,
    amount: Money | None = None,
    items: RefundSelection | None = None,
    parcels: Decisions | None = None,
    seen_minor: int | None = None,
    borne_by: Bearer = Bearer.ARTISAN,
) -> PaymentRefund | ApprovalRequest:
    """Open a refund, which refund_send then sends, or request its approval. Errors: those of refund_open and
    approval_request."""
    payment = payment_lock(payment_id)[0]
    with suppress(SecondPersonRequired):
        return refund_open(
            payment_id=payment_id,
            reason=reason,
            actor=actor,
            amount=amount,
            items=items,
            parcels=parcels,
            seen_minor=seen_minor,
            borne_by=borne_by,
        )
    parts, decisions = price_selection(payment.order, items) if items else None, parcels or {}
    amount = parts.amount if parts else amount
    assert amount is not None, "refund_open refuses a refund without an amount"  # noqa: S101
    chosen = payment.order.parcels.filter(pk__in=decisions).order_by("number")
    return refund_approval_request(
        payment,
        amount,
        reason=reason,
        actor=actor,
        details=[
            *((str(part.line.product_name), units(part.quantity)) for part in (parts.lines if parts else ())),
            *(
                (_("Parcel %(number)s") % {"number": parcel}, str(decisions[parcel.pk].label))
                for parcel in chosen
            ),
            *describe_bearer(borne_by),
        ],
        units=dump_units(items),
        parcels={str(key): decision.value for key, decision in decisions.items()},
        borne_by=borne_by,
    )


def units(count: int) -> str:
    return ngettext("%(count)d unit", "%(count)d units", count) % {"count": count}


def refund_execute(payload: Payload, requested_by: User, approved_by: User) -> PaymentRefund:
    """Open the refund; the worker sends it."""
    refund = refund_open(
        payment_id=UUID(payload["payment"]),
        reason=payload["reason"],
        amount=money_in(payload["amount"]),
        items=load_units(payload["units"]),
        parcels={UUID(key): ParcelDecision(word) for key, word in payload["parcels"].items()},
        borne_by=load_bearer(payload),
        actor=requested_by,
        approved_by=approved_by,
    )
    enqueue_after_commit("payments.execute_call", refund.calls.get().pk)
    return refund


def describe_bearer(borne_by: Bearer) -> list[tuple[str, str]]:
    return [(_("Borne by"), str(borne_by.label))] if borne_by == Bearer.SHOP else []


def describe_payer(paid: PaidBack) -> list[tuple[str, str]]:
    if paid.artisan_id:
        artisan = Artisan.objects.get(pk=paid.artisan_id)
        return [(_("Paid back by"), _("%(artisan)s, in cash") % {"artisan": artisan.name})]
    return [(_("Paid back by"), str(paid.source.label))] if paid.is_cash else []


def load_payer(payload: Payload) -> PaidBack:
    """Requests of release 0.1.0 have none: they say that a transfer was made."""
    if "paid_from" not in payload:
        return PaidBack()
    artisan = payload["paid_by"]
    return PaidBack(PaidFrom(payload["paid_from"]), UUID(artisan) if artisan else None)


def load_bearer(payload: Payload) -> Bearer:
    """Requests of release 0.1.0 have none."""
    return Bearer(payload.get("borne_by", Bearer.ARTISAN))


def month_close_submit(*, actor: User, first_day: date, note: str = "") -> LedgerPeriod | ApprovalRequest:
    """Close the month of the ledger that starts on this day, or request its approval. Errors: those of month_close and
    approval_request."""
    with suppress(SecondPersonRequired):
        return month_close(closed_by=actor, note=note, first_day=first_day)
    month = date_format(first_day, "F Y")
    return approval_request(
        CLOSE_MONTH,
        target=LedgerPeriod(first_day=first_day),  # it has no row yet, and no key: one request at a time
        title=_("Close %(month)s in the ledger") % {"month": month},
        details=[(_("Month"), month), *([(_("Still unexplained because"), note)] if note else [])],
        payload={"first_day": first_day.isoformat(), "note": note},
        actor=actor,
    )


def month_close_execute(payload: Payload, requested_by: User, approved_by: User) -> LedgerPeriod:
    return month_close(
        closed_by=requested_by,
        approved_by=approved_by,
        note=payload["note"],
        first_day=date.fromisoformat(payload["first_day"]),
    )


def dump_units(items: RefundSelection | None) -> Payload | None:
    if items is None:
        return None
    lines = [[str(line.line_id), line.quantity] for line in items.lines]
    return {"lines": lines, "with_shipping": items.with_shipping, "restock": items.restock}


def load_units(stored: Payload | None) -> RefundSelection | None:
    if stored is None:
        return None
    lines = tuple(RefundLineInput(UUID(key), quantity) for key, quantity in stored["lines"])
    return RefundSelection(lines, with_shipping=stored["with_shipping"], restock=stored["restock"])


def dump_transfer(amount: Money, value_date: date, bank_reference: str) -> Payload:
    return {
        "amount": money_out(amount),
        "value_date": value_date.isoformat(),
        "bank_reference": bank_reference,
    }


def load_transfer(payload: Payload) -> dict[str, Any]:
    return {
        "payment_id": UUID(payload["payment"]),
        "amount": money_in(payload["amount"]),
        "value_date": date.fromisoformat(payload["value_date"]),
        "bank_reference": payload["bank_reference"],
    }


def as_requested(service: Callable[[Payload, User, User], object]) -> Callable[[Payload, User, User], object]:
    """Execute the action only if the order's amounts have not changed since the request. Errors:
    OrderChanged."""

    def execute(payload: Payload, requested_by: User, approved_by: User) -> object:
        with checked_when_locked(UUID(payload["order"]), partial(check_seen, payload["seen"])):
            return service(payload, requested_by, approved_by)

    return execute


def decidable(permission: str) -> Callable[[Payload, User], None]:
    """Nobody may approve a request about their own order."""

    def check(payload: Payload, actor: User) -> None:
        check_staff_permission(actor, permission, payment_of(payload["payment"]).order)

    return check


def check_receipt(payload: Payload, actor: User) -> None:
    """Nor about cash that they could not record themselves. Errors: NoPermission, OwnOrder, OwnCashReport."""
    decidable(APPROVE_MANUAL)(payload, actor)
    payment = payment_of(payload["payment"])
    if payment.payment_method == PaymentMethod.CASH_ON_DELIVERY:
        check_did_not_report(actor, parcels_of_cash(payment.order, payload.get("parcel")))


def check_refund(payload: Payload, actor: User) -> None:
    """Nor about what their own workshop would bear otherwise. Errors: NoPermission, OwnOrder, OwnMoney."""
    decidable(REFUND_PERMISSION)(payload, actor)
    check_bearer(actor, load_bearer(payload), payment_of(payload["payment"]).order)


def check_return(payload: Payload, actor: User) -> None:
    """Nor about money for which an artisan is credited for whom they act. Errors: as of `check_refund`."""
    check_refund(payload, actor)
    paid_by = payload.get("paid_by")
    if paid_by and UUID(paid_by) in workshops_of(actor):
        raise OwnMoney


def kinds_register() -> None:
    for name, label, permission, service, check in (
        (RECEIPT, gettext_lazy("Record a payment received"), APPROVE_MANUAL, receipt_execute, check_receipt),
        (RETURN, gettext_lazy("Record an offline refund"), REFUND_PERMISSION, return_execute, check_return),
        (REFUND, gettext_lazy("Refund"), REFUND_PERMISSION, refund_execute, check_refund),
    ):
        register(ApprovalKind(name, label, permission, as_requested(service), check))
    label, permission = gettext_lazy("Close a month of the ledger"), "ledger.close_period"
    register(ApprovalKind(CLOSE_MONTH, label, permission, month_close_execute, is_routine=True))
