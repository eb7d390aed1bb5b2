"""Builds Stripe's parameters from the contract's requests. The same request always produces the same parameters."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from artisans.core.money import Money
from payments.providers.contract import (
    Breakdown,
    ConfirmRequest,
    CreateRequest,
    RefundRequest,
    SaveRequest,
    ShipTo,
)
from payments.providers.stripe.money import to_stripe

if TYPE_CHECKING:  # not imported by the shop: a thirtieth of the CPU time of a start
    from stripe.params import (
        CustomerCreateParams,
        PaymentIntentConfirmParams,
        PaymentIntentCreateParams,
        PaymentIntentUpdateParams,
        RefundCreateParams,
        SetupIntentCreateParams,
    )
    from stripe.params.checkout import SessionCreateParams, SessionCreateParamsLineItem

# An intent with everything related to it; one level deeper in a session. Stripe expands four levels.
IN_INTENT = ["latest_charge.refunds"]
IN_SESSION = ["payment_intent.latest_charge.refunds"]
# Includes wallets that contain a card. API version "endive" removed payment_method_types; this excludes automatic ones.
CARDS: Final = ["card"]
SPARE = timedelta(minutes=5)
SHORTEST, LONGEST = timedelta(minutes=30), timedelta(hours=24)
MOST_LINES = 100
LONGEST_NAME = 250
LONGEST_CUSTOMER_NAME = 256


def metadata_of(request: CreateRequest) -> dict[str, str]:
    """`call` identifies the object if its response was lost for good."""
    return {"payment_id": request.payment_id, "order_number": request.order_number, "call": request.key}


def intent_params(request: CreateRequest, customer_id: str) -> "PaymentIntentCreateParams":
    params: PaymentIntentCreateParams = {
        "amount": to_stripe(request.amount),
        "currency": request.amount.currency.lower(),
        "allowed_payment_method_types": CARDS,
        "description": f"Order {request.order_number}",
        "metadata": metadata_of(request),
        "expand": IN_INTENT,
    }
    if request.ship_to:
        params["shipping"] = shipping_of(request.ship_to)
    if customer_id:
        params["customer"] = customer_id
    if request.save:
        params["setup_future_usage"] = "on_session"
    if request.method_id:
        params["payment_method"] = request.method_id
        params["confirm"] = True
        params["return_url"] = request.return_url
    return params


def saving_params(customer_id: str, *, is_wanted: bool) -> "PaymentIntentUpdateParams":
    """An empty `setup_future_usage` unsets it. https://docs.stripe.com/payments/save-during-payment"""
    return {"customer": customer_id, "setup_future_usage": "on_session" if is_wanted else ""}


def confirm_params(request: ConfirmRequest) -> "PaymentIntentConfirmParams":
    params: PaymentIntentConfirmParams = {"return_url": request.return_url, "expand": IN_INTENT}
    if request.method_id:
        params["payment_method"] = request.method_id
    return params


def session_params(request: CreateRequest, customer_id: str) -> "SessionCreateParams":
    metadata = metadata_of(request)
    params: SessionCreateParams = {
        "mode": "payment",
        "allowed_payment_method_types": CARDS,
        "line_items": lines_of(request),
        "success_url": request.return_url,
        "cancel_url": request.cancel_url,
        "client_reference_id": request.payment_id,
        "metadata": metadata,
        "payment_intent_data": {"description": f"Order {request.order_number}", "metadata": metadata},
        "expand": IN_SESSION,
    }
    if request.ship_to:
        params["payment_intent_data"]["shipping"] = shipping_of(request.ship_to)
    if request.save:
        params["payment_intent_data"]["setup_future_usage"] = "on_session"
    if customer_id:
        params["customer"] = customer_id
    elif request.email:
        params["customer_email"] = request.email
    if end := session_end(request):
        params["expires_at"] = end
    return params


def session_end(request: CreateRequest) -> int | None:
    """The end of the order's hold, moved into what Stripe accepts with some minutes to spare for repeats."""
    if request.expires_at is None or request.requested_at is None:
        return None
    earliest, latest = request.requested_at + SHORTEST + SPARE, request.requested_at + LONGEST - SPARE
    return int(min(max(request.expires_at, earliest), latest).timestamp())


def shipping_of(to: ShipTo) -> Any:
    """For risk scoring and disputes, and required for exports from India."""
    fields = {
        "line1": to.line1,
        "line2": to.line2,
        "city": to.city,
        "state": to.region,
        "postal_code": to.postal_code,
        "country": to.country,
    }
    return {"name": to.name, "address": {name: value for name, value in fields.items() if value}}


def lines_of(request: CreateRequest) -> "list[SessionCreateParamsLineItem]":
    """The lines of the order if they add up and Stripe accepts so many; otherwise one line with the amount. Stripe
    takes no negative line, so that an order with a discount does not add up."""
    whole = [line(f"Order {request.order_number}", request.amount, 1)]
    if (
        request.breakdown is None
        or not request.breakdown.items
        or added_up(request.breakdown) != request.amount
    ):
        return whole
    parts = [line(item.name, item.unit_price, item.quantity) for item in request.breakdown.items]
    extras = (("Tax", request.breakdown.tax), ("Delivery", request.breakdown.shipping))
    parts += [line(name, money, 1) for name, money in extras if money]
    return parts if len(parts) <= MOST_LINES else whole


def added_up(breakdown: Breakdown) -> Money:
    items = Money.total((i.unit_price * i.quantity for i in breakdown.items), breakdown.subtotal.currency)
    return items + breakdown.tax + breakdown.shipping


def line(name: str, price: Money, quantity: int) -> "SessionCreateParamsLineItem":
    return {
        "price_data": {
            "currency": price.currency.lower(),
            "product_data": {"name": name[:LONGEST_NAME] or "Item"},
            "unit_amount": to_stripe(price),
        },
        "quantity": quantity,
    }


def refund_params(request: RefundRequest) -> "RefundCreateParams":
    return {
        "charge": request.capture_id,
        "amount": to_stripe(request.amount),
        "reason": "requested_by_customer",
        "metadata": {"refund_id": request.refund_id, "refund_number": request.refund_number},
    }


def customer_params(
    *, user_id: str = "", payment_id: str = "", email: str = "", name: str = ""
) -> "CustomerCreateParams":
    ours = {"user_id": user_id, "payment_id": payment_id}
    params: CustomerCreateParams = {"metadata": {key: value for key, value in ours.items() if value}}
    if email:
        params["email"] = email
    if name:
        params["name"] = name[:LONGEST_CUSTOMER_NAME]
    return params


def setup_params(request: SaveRequest, customer_id: str, token: str = "") -> "SetupIntentCreateParams":
    """With a token, the card is checked with its bank at once."""
    params: SetupIntentCreateParams = {
        "customer": customer_id,
        "allowed_payment_method_types": CARDS,
        "usage": "on_session",
        "metadata": {"user_id": request.user_id},
        "expand": ["payment_method"],
    }
    if token:
        params["payment_method"] = token
        params["confirm"] = True
        params["return_url"] = request.return_url
    return params
