"""The doors to a payment's state. Locks are taken in the order: order, payment."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.encryption import encrypt, opened, readable
from artisans.core.money import Money
from artisans.core.queue import run_after_commit
from artisans.core.state import check_transition
from artisans.core.templatetags.money import show
from artisans.notifications.facts import later, wording
from artisans.notifications.services import notifications_queue
from orders.mails import order_mail
from orders.models import Order, StoreRules
from orders.refunds import parcels_follow_refunds
from orders.selectors import order_lock
from orders.services import Placed, order_apply_settlement, order_hold, order_release
from orders.statuses import OrderStatus
from payments.errors import MethodNotOffered, NothingDue, ProviderUnavailable
from payments.mails import PaymentMail
from payments.methods import GUEST_HOLD, LONGEST_HOLD, SPECS, PaymentMethod, Provider
from payments.models import (
    Dispute,
    Operation,
    Payment,
    PaymentRefund,
    PaymentTransition,
    ProviderCall,
    ProviderCustomer,
    RefundOrigin,
)
from payments.providers.manual_provider import BUILDERS, Account, Instructions, instructions
from payments.registry import is_down, offered_methods
from payments.selectors import open_payment, refund_sums
from payments.services.calls import call_write
from payments.statuses import (
    OPEN,
    PAYMENT_TRANSITIONS,
    SETTLED,
    DisputeStatus,
    PaymentStatus,
    RefundStatus,
)

FIRST_CHECK = timedelta(seconds=60)
REFUND_CHECK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """One way to pay as the buyer sees it; `why_not` says why it cannot be taken now."""

    value: str
    label: str
    hint: str
    pay_label: str
    why_not: str = ""
    is_selected: bool = False

    @property
    def is_available(self) -> bool:
        return not self.why_not


def method_choices(
    *, total: Money, is_known_buyer: bool, store: StoreRules, selected: str = ""
) -> list[MethodChoice]:
    """All offered ways to pay. `is_known_buyer`: signed in, or the mail address was confirmed."""
    return [
        MethodChoice(
            value=method.value,
            label=SPECS[method].shown_as or method.label,
            hint=SPECS[method].hint,
            pay_label=SPECS[method].pay_label.format(amount=show(total)),
            why_not=why_not(method, total=total, is_known_buyer=is_known_buyer, store=store),
            is_selected=method.value == selected,
        )
        for method in offered_methods()
        if SPECS[method].shown_as != ""
    ]


def why_not(method: PaymentMethod, *, total: Money, is_known_buyer: bool, store: StoreRules) -> str:
    if method not in offered_methods():
        return f"{method.label} is not offered."
    if is_down(SPECS[method].provider):
        return f"{SPECS[method].provider.label} does not answer at the moment; please choose another way."
    if method == PaymentMethod.BANK_TRANSFER and not readable(store, "account_iban"):
        return "The shop has no bank account set up yet."
    if method == PaymentMethod.CHECK and not store.check_payee:
        return "The shop has no address for checks set up yet."
    if method == PaymentMethod.CASH_ON_DELIVERY:
        if total.currency == store.currency and total > store.cash_limit:
            return f"Possible up to {show(store.cash_limit)}; this order is {show(total)}."
        if not is_known_buyer:
            return (
                "Sign in first, or confirm your mail address, so that the artisans know you are really there."
            )
    return ""


def method_read(method: str, provider: str | None = None) -> PaymentMethod:
    """The method for its API name. Errors: MethodNotOffered for an unknown one or a provider that does not take it."""
    if method not in PaymentMethod.values:
        raise MethodNotOffered(f"{method!r} is not a payment method.")
    spec = SPECS[PaymentMethod(method)]
    if provider is not None and provider != spec.provider:
        raise MethodNotOffered(f"{method} is taken by {spec.provider}, not by {provider!r}.")
    return PaymentMethod(method)


def payment_start(
    placed: Placed,
    *,
    method: PaymentMethod,
    store: StoreRules,
    actor: User | None = None,
    is_held: bool = False,
) -> Payment:
    """Write a PENDING payment over what the order owes, in the transaction that holds the order's lock.

    The clock of the order follows the method, unless the order was placed with it (`is_held`); cash on delivery
    confirms it at once.
    Errors: MethodNotOffered, NothingDue, ProviderUnavailable.
    """
    order = placed.order
    due = order.balance_due
    if not due:
        raise NothingDue
    if is_down(SPECS[method].provider):
        raise ProviderUnavailable(SPECS[method].provider.label)
    known = order.user_id is not None or order.mailbox_confirmed_at is not None
    if reason := why_not(method, total=order.total, is_known_buyer=known, store=store):
        raise MethodNotOffered(reason)
    payment = Payment.objects.create(
        order=order,
        user_id=order.user_id,
        payment_method=method,
        payment_provider=SPECS[method].provider,
        currency=order.currency,
        amount_minor=due.minor,
    )
    PaymentTransition.objects.create(
        payment=payment, new=payment.status, cause="started", actor_name=actor.email if actor else "buyer"
    )
    if not is_held:
        hold_for(order, method)
    if payment.is_remote:
        intend_create(payment, order)
        return payment
    if order.released_at is None:
        release_before_money(placed, method, store=store, actor=actor)
    mail_instructions(placed, payment, store=store)
    return payment


def release_before_money(
    placed: Placed, method: PaymentMethod, *, store: StoreRules, actor: User | None
) -> None:
    """Cash is collected with the goods; and the shop may have decided to trust payments by hand."""
    if method == PaymentMethod.CASH_ON_DELIVERY:
        order_release(placed, cause="cash on delivery", actor=actor, store=store, collect_cash=True)
    elif settings.MANUAL_PAYMENT_AUTO_APPROVE and SPECS[method].provider == Provider.MANUAL:
        order_release(placed, cause="released before the money is here", actor_name="setting")
        audit_record(actor=None, action=Action.ORDER_RELEASE, target=placed.order, actor_name="setting")


def intend_create(payment: Payment, order: Order) -> ProviderCall:
    """The provider is to make something that can be paid; the call is made after commit (remote.payment_reach)."""
    request: dict[str, Any] = {"token_version": order.token_version}
    known = payment.user_id and ProviderCustomer.objects.filter(
        user_id=payment.user_id, provider=payment.payment_provider
    ).values_list("customer_id", flat=True)
    if known and (customer_id := known.first()):
        request["customer_id"] = customer_id
    payment.next_check_at = timezone.now() + FIRST_CHECK
    payment.save(update_fields=["next_check_at", "updated_at"])
    return call_write(Operation.CREATE, payment=payment, request=request)


class Hold(NamedTuple):
    """Until when the buyer is told to pay, and when the stock is let go; None: it waits without an end."""

    pay_by: datetime | None
    expires_at: datetime | None


def hold_of(method: PaymentMethod, *, is_known_buyer: bool, placed_at: datetime) -> Hold:
    """The clock of an order. A guest's order by hand lasts two hours until the mailed link is opened."""
    spec, now = SPECS[method], timezone.now()
    if spec.told is None:
        return Hold(None, None)
    longest = placed_at + LONGEST_HOLD  # changing the method again and again must not hold stock for ever
    pay_by = min(now + spec.told, longest)
    if spec.provider == Provider.MANUAL and not is_known_buyer:
        return Hold(pay_by, now + GUEST_HOLD)
    return Hold(pay_by, min(pay_by + spec.slack, longest))


def hold_for(order: Order, method: PaymentMethod) -> None:
    """Start the order's clock anew; one that was released has none that ends it."""
    if order.status != OrderStatus.PENDING:
        return
    known = order.user_id is not None or order.mailbox_confirmed_at is not None
    hold = hold_of(method, is_known_buyer=known, placed_at=order.created_at)
    order_hold(order, pay_by=hold.pay_by, expires_at=hold.expires_at)


def full_hold(payment: Payment) -> datetime | None:
    """When the hold of this payment's method ends, counted from its start."""
    spec = SPECS[PaymentMethod(payment.payment_method)]
    return None if spec.told is None else payment.created_at + spec.told + spec.slack


@transaction.atomic
def mailbox_confirm(*, order_id: UUID) -> Order:
    """The buyer opened the link in the mail: the guest's order now waits as long as any other."""
    order = order_lock(order_id)
    payment = open_payment(order)
    if order.mailbox_confirmed_at is None:
        order.mailbox_confirmed_at = timezone.now()
        order.save(update_fields=["mailbox_confirmed_at", "updated_at"])
        if order.status == OrderStatus.PENDING and payment is not None and order.expires_at is not None:
            order_hold(order, pay_by=order.pay_by, expires_at=full_hold(payment))
    return order


NEVER_CHANGES = frozenset(
    ("id", "created_at", "payment_number", "order", "user", "payment_method", "payment_provider", "currency")
)


def payment_move(
    payment: Payment, to: PaymentStatus, *, cause: str, actor: User | None = None, actor_name: str = "system"
) -> None:
    """The one way a status changes: by the table, with a row that tells who and why."""
    check_transition(PAYMENT_TRANSITIONS, PaymentStatus(payment.status), to)
    PaymentTransition.objects.create(
        payment=payment,
        old=payment.status,
        new=to,
        cause=cause[:300],
        actor_name=actor.email if actor else actor_name,
    )
    now = timezone.now()
    payment.status = to
    payment.in_review = payment.in_review and to == PaymentStatus.PROCESSING
    if to not in OPEN:
        payment.checks, payment.next_check_at = 0, next_look(payment)
    payment.processed_at = payment.processed_at or now
    if to == PaymentStatus.COMPLETED:
        payment.failure_reason, payment.failure_code = "", ""
        payment.completed_at = payment.completed_at or now
    payment_write(payment)


def payment_write(payment: Payment) -> None:
    """Write all that changes in a payment's life. The caller holds its lock."""
    columns = [field.name for field in payment._meta.concrete_fields if field.name not in NEVER_CHANGES]
    payment.save(update_fields=columns)


def next_look(payment: Payment) -> datetime | None:
    """When the provider is asked about a payment that has ended: not at all, unless a refund is on its way."""
    is_under_way = payment.is_remote and payment.refund_reserved_minor > 0
    return timezone.now() + REFUND_CHECK if is_under_way else None


def payment_follow_sums(
    payment: Payment, *, cause: str, actor: User | None, actor_name: str = "system"
) -> None:
    """Bring a payment's status in line with what it received and returned."""
    kept = payment.kept_minor
    if payment.status in SETTLED:
        if kept >= payment.amount_minor:
            to = PaymentStatus.COMPLETED
        else:
            to = PaymentStatus.PARTIALLY_REFUNDED if kept else PaymentStatus.REFUNDED
    elif kept >= payment.amount_minor:
        to = PaymentStatus.COMPLETED
    else:
        to = PaymentStatus(payment.status)
    if to == payment.status:
        payment_write(payment)
    else:
        payment_move(payment, to, cause=cause, actor=actor, actor_name=actor_name)


def order_settle(
    order: Order, *, cause: str, actor: User | None, store: StoreRules | None = None
) -> Placed | None:
    """Tell the order the sums over all its payments; a payment that it needs no more is closed, or it is paid twice.

    The order with its lines and parcels comes back when this released it.
    """
    payments = list(order.payments.all())
    released = order_apply_settlement(
        order,
        received=sum(payment.received_minor for payment in payments),
        refunded=sum(payment.refunded_minor + payment.disputed_minor for payment in payments),
        refunds=refund_sums(order, payments, statuses=[RefundStatus.COMPLETED]),
        held=held_minor(order, payments),
        cause=cause,
        actor=actor,
        store=store,
    )
    for payment in payments:
        if payment.status in OPEN:
            open_payment_follow(payment, order, cause=cause, actor=actor)
    if released is None:
        parcels_follow_refunds(
            order,
            reserved=sum(payment.refund_reserved_minor for payment in payments),
            outside=returned_outside(order, payments),
        )
    return released


def held_minor(order: Order, payments: list[Payment]) -> int:
    """Of the money received, what is on its way back or disputed: it confirms no order. One that expired and began to
    return money stays closed, whatever becomes of the refund: the buyer was told."""
    paid = [payment for payment in payments if payment.received_minor]
    if not paid or order.released_at is not None:
        return 0
    if order.status == OrderStatus.EXPIRED and PaymentRefund.objects.filter(payment__in=paid).exists():
        return sum(payment.received_minor for payment in paid)
    disputes = Dispute.objects.filter(payment__in=paid, status=DisputeStatus.OPEN)
    disputed = disputes.aggregate(sum=Sum("amount_minor"))["sum"] or 0
    return disputed + sum(payment.refund_reserved_minor for payment in paid)


def returned_outside(order: Order, payments: Sequence[Payment]) -> int:
    """Minor units that went back elsewhere and name no goods: refunds made at the provider, and lost disputes."""
    refunds = PaymentRefund.objects.filter(payment__order=order, origin=RefundOrigin.PROVIDER, lines=None)
    refunded = refunds.exclude(status=RefundStatus.FAILED).aggregate(sum=Sum("amount_minor"))["sum"] or 0
    return int(refunded + sum(payment.disputed_minor for payment in payments))


def open_payment_follow(payment: Payment, order: Order, *, cause: str, actor: User | None) -> None:
    """Money that came by another payment lowers what the open one by hand is over, or ends it."""
    if payment.is_remote:
        if payment.missing != order.balance_due:  # the sweep takes it back at the provider
            payment.next_check_at = timezone.now()
            payment.save(update_fields=["next_check_at", "updated_at"])
            run_after_commit("payments.check", payment.pk)
        return
    amount = payment.received_minor + order.balance_due.minor
    if amount == 0 or not order.is_alive:
        payment_move(payment, PaymentStatus.CANCELLED, cause=f"not needed: {cause}", actor=actor)
    elif amount < payment.amount_minor:
        payment.amount_minor = amount
        payment_follow_sums(payment, cause=cause, actor=actor)
    if payment.status in OPEN and not order.balance_due:
        payment_move(payment, PaymentStatus.CANCELLED, cause="the order is paid without it", actor=actor)


# ---- words ---------------------------------------------------------------------------------------------------


def payment_instructions(payment: Payment, order: Order, store: StoreRules) -> Instructions | None:
    """What the buyer has to do by hand now; None when nothing is left to do."""
    facts = instruction_facts(payment, order, store)
    return instructions(**facts) if facts else None


def instructions_for_mail(payment: Payment, order: Order, store: StoreRules) -> dict[str, Any] | None:
    """The same for a mail that waits in the outbox, with the account's numbers encrypted."""
    facts = instruction_facts(payment, order, store)
    if facts is None:
        return None
    account = asdict(facts["account"])
    secret = {name: encrypt(account[name]) for name in ("iban", "bic") if account[name]}
    return later(instructions_in_words, **facts | {"account": account | secret})


def instruction_facts(payment: Payment, order: Order, store: StoreRules) -> dict[str, Any] | None:
    if payment.payment_method not in BUILDERS or payment.status != PaymentStatus.PENDING:
        return None
    return {
        "method": payment.payment_method,
        "amount": order.balance_due,
        "reference": order.order_number,
        "due": timezone.localtime(order.pay_by).date() if order.pay_by else None,
        "account": Account(
            holder=store.account_holder,
            iban=readable(store, "account_iban"),
            bic=readable(store, "account_bic"),
            bank=store.account_bank,
            check_payee=store.check_payee,
            check_address=store.check_address,
        ),
    }


@wording
def instructions_in_words(*, account: dict[str, str], **facts: Any) -> dict[str, Any]:
    clear = {name: opened(text) for name, text in account.items()}
    found = instructions(account=Account(**clear), **facts)
    return {
        "kind": found.kind,
        "headline": found.headline,
        "amount": found.amount,
        "reference": found.reference,
        "due": found.due or "",
        "rows": [(row.label, row.value) for row in found.rows],
        "text": found.text,
    }


def mail_instructions(placed: Placed, payment: Payment, *, store: StoreRules) -> None:
    order = placed.order
    is_cash = payment.payment_method == PaymentMethod.CASH_ON_DELIVERY
    unconfirmed = (
        order.user_id is None and order.mailbox_confirmed_at is None and order.expires_at is not None
    )
    notifications_queue(
        order_mail(
            PaymentMail.COD_CONFIRMED if is_cash else PaymentMail.ORDER_PLACED,
            order,
            lines=placed.lines,
            store=store,
            key=str(payment.pk),
            instructions=instructions_for_mail(payment, order, store),
            confirm_until=order.expires_at if unconfirmed else "",
        )
    )
