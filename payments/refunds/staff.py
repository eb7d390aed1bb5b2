"""Refunds by staff: opening, sending and retrying them, and deciding what refunds made at the provider mean."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.errors import Conflict, InvalidInput, ServiceUnavailable
from artisans.core.idempotency.keys import effect_record
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.models import Order
from orders.refunds import clear_ship_instructions
from orders.statuses import OrderStatus, ParcelDecision, ParcelInstruction
from payments.bookkeeping.refund_amounts import (
    Parts,
    RefundLineInput,
    RefundSelection,
    goods_minor_in,
    is_held,
    price_selection,
)
from payments.bookkeeping.refunds import refund_create, refund_lines_create, refund_restock
from payments.bookkeeping.second_person import refund_approval_check
from payments.bookkeeping.staff_checks import check_bearer, check_staff_permission
from payments.errors import (
    AlreadyRecorded,
    NoPermission,
    NotDecidable,
    NotRetryable,
    PaymentDisputed,
    RecordedOnly,
    RefundExceedsReceived,
    RefundMismatch,
)
from payments.gateway.operations import provider_call_execute
from payments.gateway.payments import payment_sync
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.lifecycle.parcels import Decisions, goods_decisions, instruction_decisions, parcels_decide
from payments.models import Bearer, CallState, Payment, PaymentRefund, RefundDecision, RefundOrigin
from payments.providers.contract import Refused, Unknown
from payments.providers.registry import label_of, step_of
from payments.selectors import balance_after_refunds, payment_lock
from payments.statuses import DisputeStatus, RefundStatus


@transaction.atomic
def refund_open(  # noqa: PLR0913  # what the form asks for
    *,
    payment_id: UUID,
    reason: str,
    actor: User,
    amount: Money | None = None,
    items: RefundSelection | None = None,
    parcels: Decisions | None = None,
    seen_minor: int | None = None,
    approved_by: User | None = None,
    borne_by: Bearer = Bearer.ARTISAN,
) -> PaymentRefund:
    """Open a refund of an amount or of units: reserve its amount and write its call, which refund_send makes.

    With `selection` an amount only asserts what the units are worth. `parcels`: the decision for each parcel;
    an unshipped one that is refunded without a decision is held until staff decide. `borne_by`: whether artisans keep
    their earnings. `seen_minor`: the amount
    refunded or being refunded when the actor loaded the page; a different one now means that a colleague, or
    a double click, was faster.

    Errors: NoPermission, OwnOrder, OwnMoney, RecordedOnly for offline payments, InvalidInput, PaymentDisputed,
    AlreadyRecorded, RefundMismatch, RefundExceedsReceived, UnitsAlreadyRefunded, NothingToRestock,
    ParcelChanged, SecondPersonRequired without `approved_by` above the store's limit. Locks: order, payment,
    products.
    """
    payment, order = payment_lock(payment_id)
    check_staff_permission(actor, "payments.refund", order)
    check_bearer(actor, borne_by, order)
    if not payment.is_remote:
        raise RecordedOnly
    if not reason.strip():
        raise InvalidInput(_("Enter a reason. It is shown to the buyer."))
    seen_now = payment.refunded_minor + payment.refund_reserved_minor
    if seen_minor is not None and seen_minor != seen_now:
        raise AlreadyRecorded(
            _(
                "The amount refunded or being refunded has changed to %(amount)s. "
                "Nothing was refunded. Reload the page."
            )
            % {"amount": Money(seen_now, payment.currency)}
        )
    parts = price_selection(order, items) if items else None
    reason, parcels = reason.strip(), parcels or {}
    if ended := goods_decisions(parcels):  # first, because it determines the amount due
        parcels_decide(order, ended, cause=reason, actor=actor)
    refund = refund_open_locked(
        payment, order, amount=amount, parts=parts, reason=reason, actor=actor, borne_by=borne_by
    )
    clear_ship_instructions(order)
    parcels_decide(order, instruction_decisions(parcels), cause=reason, actor=actor)
    refund_approval_check(order, actor=actor, approved_by=approved_by)
    return refund


def refund_open_locked(
    payment: Payment,
    order: Order,
    *,
    amount: Money | None,
    parts: Parts | None,
    reason: str,
    actor: User,
    retry_of: PaymentRefund | None = None,
    borne_by: Bearer = Bearer.ARTISAN,
) -> PaymentRefund:
    """The same for a caller that holds the locks and has checked the actor."""
    amount = check_amount(payment, order, amount, parts)
    if payment.disputes.filter(status=DisputeStatus.OPEN).exists():
        raise PaymentDisputed
    if amount > payment.refundable:
        raise RefundExceedsReceived(asked=amount, left=payment.refundable)
    refund = refund_create(
        payment,
        amount,
        reason=reason,
        origin=RefundOrigin.STAFF,
        actor=actor,
        parts=parts,
        retry_of=retry_of,
        borne_by=borne_by,
    )
    effect_record(f"refund:{refund.pk}")
    return refund


def check_amount(payment: Payment, order: Order, amount: Money | None, parts: Parts | None) -> Money:
    if parts is not None:
        if amount is not None and amount != parts.amount:
            raise RefundMismatch(sent=amount, worth=parts.amount)
        amount = parts.amount
    if amount is None or amount.minor <= 0 or amount.currency != payment.currency:
        raise InvalidInput(
            _("Enter the amount to refund in %(currency)s, greater than zero.")
            % {"currency": payment.currency}
        )
    if amount.minor % order.step_minor and amount != payment.refundable:
        raise InvalidInput(
            _("Refunds of this order are multiples of %(step)s, or all that is left: %(left)s.")
            % {"step": show(Money(order.step_minor, order.currency)), "left": show(payment.refundable)}
        )
    step = Money(step_of(payment.payment_provider, payment.payment_method, amount.currency), amount.currency)
    if amount.minor % step.minor:
        raise InvalidInput(
            _("%(provider)s refunds only multiples of %(step)s. Enter another amount.")
            % {"provider": label_of(payment.payment_provider), "step": show(step)}
        )
    return amount


def refund_send(refund: PaymentRefund) -> PaymentRefund:
    """Send a committed refund to the provider and return its current state.

    While the outcome is unknown it stays unchanged, and the periodic task retries with the same key.
    """
    call = refund.calls.filter(state=CallState.OPEN).first()
    if call is not None:
        provider_call_execute(call.pk)
    return PaymentRefund.objects.select_related("payment__order").get(pk=refund.pk)


def payment_sync_by_staff(*, payment_id: UUID, actor: User) -> Payment:
    """Read the payment and its refunds from the provider and apply the result.

    Errors: NoPermission, ServiceUnavailable when the provider does not respond; nothing has changed then.
    """
    if not (actor.is_staff and actor.has_perm("payments.sync_payment")):
        raise NoPermission
    payment = Payment.objects.get(pk=payment_id)
    audit_record(actor=actor, action=Action.PAYMENT_SYNC, target=payment)
    try:
        payment_sync(payment_id, cause=f"requested by {actor.email}")
    except Unknown:
        name = payment.get_payment_provider_display()
        raise ServiceUnavailable(
            _("%(name)s is not responding. Nothing was changed.") % {"name": name}
        ) from None
    except Refused as refused:
        raise Conflict(_("The provider refused the request: %(code)s.") % {"code": refused.code}) from None
    for refund in payment.refunds.filter(status__in=[RefundStatus.REQUESTED]):
        refund_send(refund)
    return Payment.objects.get(pk=payment_id)


@transaction.atomic
def refund_retry(*, refund_id: UUID, actor: User) -> PaymentRefund:
    """Open a failed refund again as a new refund of the same units or amount, which refund_send sends.

    It needs no further approval, unless staff have refunded more of the order since: a failed refund does not
    count toward the limit (see refunded_by_staff), so later ones may have used it up. Errors: NoPermission,
    OwnOrder, NotRetryable, and those of refund_open. Locks: order, payment.
    """
    old, payment, order = refund_lock(refund_id)
    check_staff_permission(actor, "payments.refund", order)
    is_ours = payment.is_remote and old.origin != RefundOrigin.PROVIDER
    if not is_ours or old.status != RefundStatus.FAILED or old.retries.exists():
        raise NotRetryable
    parts = rebuild_parts(old, order)
    amount = None if parts else old.amount
    again = refund_open_locked(
        payment,
        order,
        amount=amount,
        parts=parts,
        reason=old.reason,
        actor=actor,
        retry_of=old,
        borne_by=Bearer(old.borne_by),
    )
    parcels_decide(order, {}, cause=old.reason, actor=actor)
    if has_later_staff_refund(order, old, but=again):
        refund_approval_check(order, actor=actor, approved_by=None)
    return again


def rebuild_parts(old: PaymentRefund, order: Order) -> Parts | None:
    """The same units for a new refund; None for a refund of an amount."""
    lines = list(old.lines.select_related("order_line__parcel"))
    if not (lines or old.shipping_minor):
        return None
    items = RefundSelection(
        tuple(RefundLineInput(line.order_line_id, line.quantity) for line in lines),
        with_shipping=old.shipping_minor > 0,
        restock=old.restock and all(is_held(order, line.order_line) for line in lines),
    )
    return price_selection(order, items)


def has_later_staff_refund(order: Order, old: PaymentRefund, *, but: PaymentRefund) -> bool:
    """Whether staff refunded more of the order after the old refund was opened."""
    later = PaymentRefund.objects.filter(
        payment__order=order, origin=RefundOrigin.STAFF, created_at__gte=old.created_at
    )
    return later.exclude(status=RefundStatus.FAILED).exclude(pk__in=[old.pk, but.pk]).exists()


def refund_decide(
    *,
    refund_id: UUID,
    decision: RefundDecision,
    actor: User,
    lines: tuple[RefundLineInput, ...] = (),
    parcels: Decisions | None = None,
) -> PaymentRefund:
    """Decide what a refund made at the provider means: nothing, these units came back, or the order is
    cancelled.

    `parcels`: the decision for each parcel; without one, held parcels are shipped when the order continues.
    Cancelling comes first, so that a retry after a crash finds the order cancelled and continues.

    Errors: NoPermission, OwnOrder, NotDecidable, InvalidInput, UnitsAlreadyRefunded, NothingToRestock,
    ParcelChanged, and those of order_cancel.
    """
    if decision == RefundDecision.CANCEL:
        refund = get_refund_to_decide(refund_id, actor)
        reason = _("The payment was refunded at the provider (%(refund_number)s).") % {
            "refund_number": refund.refund_number
        }
        order_cancel(order_id=refund.payment.order_id, reason=reason, actor=actor)
    return refund_decide_locked(
        refund_id=refund_id, decision=decision, actor=actor, lines=lines, parcels=parcels or {}
    )


@transaction.atomic
def refund_decide_locked(
    *,
    refund_id: UUID,
    decision: RefundDecision,
    actor: User,
    lines: tuple[RefundLineInput, ...],
    parcels: Decisions,
) -> PaymentRefund:
    refund = get_refund_to_decide(refund_id, actor)
    order = refund.payment.order
    if decision not in {RefundDecision.NOTHING, RefundDecision.RESTOCK, RefundDecision.CANCEL}:
        raise InvalidInput(_("Choose a decision: nothing, restock or cancel."))
    if (decision == RefundDecision.RESTOCK) != bool(lines):
        raise InvalidInput(_("List the returned items if, and only if, the decision is restock."))
    parts = price_selection(order, RefundSelection(lines, restock=True)) if lines else None
    parcels_decide(order, goods_decisions(parcels), cause=refund.reason, actor=actor)
    before = balance_after_refunds(order, without=refund)
    goods = min(refund.amount_minor, goods_minor_in(order, parts)) if parts else 0
    is_unpaid = (
        order.status == OrderStatus.PENDING
    )  # its money came and went at once, so that it never confirmed it
    refund.goodwill_minor = 0 if is_unpaid else before.split_goodwill(refund.amount_minor, goods=goods)
    refund.decision, refund.restock = decision, bool(lines)
    refund.save(update_fields=["decision", "goodwill_minor", "restock", "updated_at"])
    if parts:
        refund_lines_create(refund, parts)
        refund_restock(refund, order)
    instructions = instruction_decisions(parcels)
    if decision == RefundDecision.NOTHING:
        held = order.parcels.filter(instruction=ParcelInstruction.HOLD).values_list("pk", flat=True)
        instructions = dict.fromkeys(held, ParcelDecision.SEND) | instructions
    parcels_decide(order, instructions, cause=f"decided what {refund.refund_number} was for", actor=actor)
    data = {"decision": decision.value, "refund": refund.refund_number}
    audit_record(actor=actor, action=Action.REFUND_DECIDE, target=refund.payment, data=data)
    return refund


@transaction.atomic
def get_refund_to_decide(refund_id: UUID, actor: User) -> PaymentRefund:
    refund, payment, order = refund_lock(refund_id)
    check_staff_permission(actor, "payments.refund", order)
    if refund.decision != RefundDecision.PENDING:
        raise NotDecidable
    refund.payment = payment
    return refund


def refund_lock(refund_id: UUID) -> tuple[PaymentRefund, Payment, Order]:
    """The refund, with its order and payment locked."""
    payment, order = payment_lock(
        PaymentRefund.objects.values_list("payment_id", flat=True).get(pk=refund_id)
    )
    return PaymentRefund.objects.get(pk=refund_id), payment, order
