"""Instructions for offline payments, on pages and in emails."""

from dataclasses import asdict
from typing import Any

from django.utils import timezone

from artisans.core.security.encryption import decrypt_if_set, encrypt, read_decrypted
from artisans.notifications.facts import fact_renderer, render_later
from artisans.notifications.services import notifications_enqueue
from orders.mails import order_mail
from orders.models import Order, StoreRules
from orders.services.placing import PlacedOrder
from payments.mails import PaymentMail
from payments.methods import PaymentMethod
from payments.models import (
    Payment,
)
from payments.providers.manual.provider import BUILDERS, Account, Instructions, instructions
from payments.statuses import (
    PaymentStatus,
)


def payment_instructions(payment: Payment, order: Order, store: StoreRules) -> Instructions | None:
    """What the buyer has to do to pay offline; None when nothing is due."""
    facts = instruction_facts(payment, order, store)
    return instructions(**facts) if facts else None


def instructions_for_mail(payment: Payment, order: Order, store: StoreRules) -> dict[str, Any] | None:
    """The same for an email in the outbox, with the account numbers encrypted."""
    facts = instruction_facts(payment, order, store)
    if facts is None:
        return None
    account = asdict(facts["account"])
    secret = {name: encrypt(account[name]) for name in ("iban", "bic") if account[name]}
    return render_later(render_instructions, **facts | {"account": account | secret})


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
            iban=read_decrypted(store, "account_iban"),
            bic=read_decrypted(store, "account_bic"),
            bank=store.account_bank,
            check_payee=store.check_payee,
            check_address=store.check_address,
        ),
    }


@fact_renderer
def render_instructions(*, account: dict[str, str], **facts: Any) -> dict[str, Any]:
    clear = {name: decrypt_if_set(text) for name, text in account.items()}
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


def mail_instructions(placed: PlacedOrder, payment: Payment, *, store: StoreRules) -> None:
    order = placed.order
    is_cash = payment.payment_method == PaymentMethod.CASH_ON_DELIVERY
    notifications_enqueue(
        order_mail(
            PaymentMail.COD_CONFIRMED if is_cash else PaymentMail.ORDER_PLACED,
            order,
            lines=placed.lines,
            store=store,
            key=str(payment.pk),
            instructions=instructions_for_mail(payment, order, store),
            confirm_until=order.expires_at if order.ends_unless_confirmed else "",
        )
    )
