"""A purchase by card and a refund, written against the client that is generated from the API's description.

Run by tests/live/test_clients.py with the generated package `alley_client` in its path:

    python purchase.py <url> <buyer's mail> <staff's mail> <password of both> <code of the staff's second factor>

Prints what happened as JSON.
"""

import json
import sys
from typing import TypeVar
from uuid import uuid4

from alley_client import AuthenticatedClient, Client
from alley_client.api.auth import token_issue
from alley_client.api.carts import cart_checkout, cart_open, cart_summary
from alley_client.api.payments import (
    method_save,
    payment_confirm,
    payment_get,
    payment_intent,
    payment_timeline,
    refund_make,
)
from alley_client.api.products import product_list
from alley_client.models import (
    Approval,
    CartIn,
    CheckoutIn,
    ConfirmIn,
    IntentIn,
    ItemIn,
    MethodBody,
    PaymentMethod,
    Problem,
    RefundIn,
    RemoteProvider,
    Scope,
    TokenIn,
)
from alley_client.types import UNSET

T = TypeVar("T")


def good(answer: T | Problem | None) -> T:
    if answer is None or isinstance(answer, Problem):
        raise SystemExit(f"refused: {answer}")
    return answer


def require_user(url: str, email: str, password: str, *scopes: Scope, otp: str = "") -> AuthenticatedClient:
    token_request = TokenIn(email=email, password=password, scopes=list(scopes), otp=otp or UNSET)
    token = good(token_issue.sync(client=Client(base_url=url), body=token_request)).token
    return AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)


def main(url: str, buyer: str, staff: str, password: str, otp: str) -> None:
    me = require_user(url, buyer, password, Scope.READ, Scope.WRITE)
    product = good(product_list.sync(client=me, in_stock=True)).results[0]
    cart = good(cart_open.sync(client=me, body=CartIn(items=[ItemIn(product_id=product.id, quantity=2)])))
    total = good(cart_summary.sync(cart.id, client=me)).total

    token_request = CheckoutIn(
        shipping_address="123 Test St, Test City, TC 12345",
        payment_method=PaymentMethod.CREDIT_CARD,
        amount=total,
    )
    key = str(uuid4())
    first, again = (
        cart_checkout.sync_detailed(cart.id, client=me, body=token_request, idempotency_key=key)
        for _ in range(2)
    )
    payment = good(first.parsed).payment

    token = ConfirmIn(payment_intent_id=str(payment.id), payment_method_id="pm_card_visa_chargeDeclined")
    declined = payment_confirm.sync(client=me, body=token)
    intent = good(
        payment_intent.sync(
            client=me, body=IntentIn(order_id=payment.order_id, payment_method=PaymentMethod.CREDIT_CARD)
        )
    )
    card = good(
        method_save.sync(
            client=me, body=MethodBody(provider=RemoteProvider.STRIPE, provider_method_id="pm_card_visa")
        )
    )
    paid = good(
        payment_confirm.sync(
            client=me, body=ConfirmIn(payment_intent_id=str(intent.id), payment_method_id=str(card.id))
        )
    )

    staff_client = require_user(url, staff, password, Scope.READ, Scope.REFUNDS, otp=otp)
    refund = good(
        refund_make.sync(
            client=staff_client,
            body=RefundIn(payment_id=payment.id, amount="10.00", reason="A chip in the glaze."),
        )
    )
    if isinstance(refund, Approval):
        raise SystemExit("The refund waits for a second person.")
    now = good(payment_get.sync(payment.id, client=me))
    facts = good(payment_timeline.sync(payment.id, client=me)).results
    result = {
        "total": total,
        "orders": [str(good(answer.parsed).order.id) for answer in (first, again)],
        "replayed": again.headers.get("Idempotent-Replayed"),
        "declined": declined.code if isinstance(declined, Problem) else None,
        "same_payment": intent.id == payment.id,
        "card": card.card_last_four,
        "paid": paid.status,
        "refund": [refund.status, refund.amount],
        "now": [now.status, now.refunded_amount],
        "facts": [fact.kind for fact in facts],
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
