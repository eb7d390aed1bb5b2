"""Starting a payment."""

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.compiled import insert
from artisans.core.money import Money
from artisans.notifications.services import notifications_enqueue
from orders.addresses import address_read
from orders.mails import order_mail
from orders.models import Order, StoreRules
from orders.selectors import is_known_buyer, order_lock
from orders.services.placing import PlacedOrder
from orders.services.settlement import order_release
from payments.bookkeeping.holds import change_order_hold, confirm_order_hold
from payments.bookkeeping.payments import enqueue_create, order_settle, payment_set_mode
from payments.errors import MethodNotOffered, NothingDue, ProviderUnavailable
from payments.gateway.connection import is_unavailable
from payments.lifecycle.instructions import mail_instructions
from payments.lifecycle.offer import choose_provider, shop_reason
from payments.mails import PaymentMail
from payments.methods import OFFLINE_METHODS, PaymentMethod
from payments.models import (
    Payment,
    PaymentTransition,
)
from payments.providers.facts import ProviderFacts
from payments.providers.registry import is_test_money
from payments.selectors import open_payment


def payment_start(
    placed: PlacedOrder,
    *,
    method: PaymentMethod,
    store: StoreRules,
    actor: User | None = None,
    is_held: bool = False,
    provider: str = "",
) -> Payment:
    """Write a PENDING payment for the amount due, in the transaction that holds the order's lock.

    The order's hold follows the method, unless the order was placed with it (`is_held`); cash on delivery
    confirms the order at once. `provider`: the one that the request names; else the method's route decides.
    Errors: MethodNotOffered, NothingDue, ProviderUnavailable; when a placed order changes its method also
    TooManyOpenOrders and TooManyUnitsHeld.
    """
    order = placed.order
    due = order.due_now
    if not due:
        raise NothingDue
    facts = find_provider(placed, method, due=due, store=store, provider=provider)
    payment = Payment(
        order=order,
        user_id=order.user_id,
        payment_method=method,
        payment_provider=facts.name,
        currency=order.currency,
        amount_minor=due.minor,
    )
    payment_set_mode(payment, order, is_test=is_test_money(facts.name))
    actor_name = actor.email if actor else "buyer"
    started = PaymentTransition(payment=payment, new=payment.status, cause="started", actor_name=actor_name)
    insert([payment], [started])
    if not is_held:
        change_order_hold(order, method)
    if payment.is_remote:
        enqueue_create(payment, order)
        return payment
    if order.released_at is None:
        release_unpaid_order(placed, method, store=store, actor=actor)
    mail_instructions(placed, payment, store=store)
    return payment


def free_order_confirm(placed: PlacedOrder, *, store: StoreRules) -> None:
    """Confirm an order whose total is 0, without a payment, in the transaction that placed it."""
    order = placed.order
    order_settle(order, cause="nothing to pay", actor=None, store=store)
    notifications_enqueue(order_mail(PaymentMail.ORDER_CONFIRMED, order, lines=placed.lines, store=store))


def find_provider(
    placed: PlacedOrder, method: PaymentMethod, *, due: Money, store: StoreRules, provider: str
) -> ProviderFacts:
    """Errors: ProviderUnavailable, MethodNotOffered."""
    order, buyer = placed.order, placed.buyer
    country = address_read(order.shipping_address).get("country", "")
    facts = choose_provider(method, amount=due, country=country, provider=provider)
    if isinstance(facts, MethodNotOffered):
        raise facts
    if method not in OFFLINE_METHODS and is_unavailable(facts.name):
        raise ProviderUnavailable(facts.label)
    is_known = (
        method != PaymentMethod.CASH_ON_DELIVERY
        or (buyer is not None and buyer.is_known)
        or is_known_buyer(order)
    )
    if reason := shop_reason(method, total=order.total, is_known_buyer=is_known, store=store):
        raise MethodNotOffered(reason)
    return facts


def release_unpaid_order(
    placed: PlacedOrder, method: PaymentMethod, *, store: StoreRules, actor: User | None
) -> None:
    """Release the order before payment: for cash on delivery, and if the store rules trust offline payments."""
    if method == PaymentMethod.CASH_ON_DELIVERY:
        order_release(placed, cause="cash on delivery", actor=actor, store=store, collect_cash=True)
    elif settings.MANUAL_PAYMENT_AUTO_APPROVE and method in OFFLINE_METHODS:
        order_release(placed, cause="released before payment", actor_name="setting")
        audit_record(actor=None, action=Action.ORDER_RELEASE, target=placed.order, actor_name="setting")


@transaction.atomic
def mailbox_confirm(*, order_id: UUID) -> Order:
    """The buyer opened the emailed link: their order is now held as long as any other."""
    order = order_lock(order_id)
    payment = open_payment(order)
    if order.mailbox_confirmed_at is None:
        order.mailbox_confirmed_at = timezone.now()
        order.save(update_fields=["mailbox_confirmed_at", "updated_at"])
        if payment is not None:
            confirm_order_hold(order, payment)
    return order
