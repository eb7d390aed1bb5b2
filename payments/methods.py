"""The ways to pay: which provider takes them, how long stock waits for them, and the words for the buyer."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import TextChoices


class Provider(TextChoices):
    STRIPE = "stripe", "Stripe"
    PAYPAL = "paypal", "PayPal"
    MANUAL = "manual", "By hand"


class PaymentMethod(TextChoices):
    CREDIT_CARD = "credit_card", "Credit card"
    DEBIT_CARD = "debit_card", "Debit card"
    PAYPAL = "paypal", "PayPal"
    CASH_ON_DELIVERY = "cash_on_delivery", "Cash on delivery"
    BANK_TRANSFER = "bank_transfer", "Bank transfer"
    CHECK = "check", "Check"


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """`told`: the buyer's deadline. `slack`: what the hold lasts beyond it. No `told`: the hold has no end.

    `shown_as`: the name on pages where it differs from the label; "" for a method that only API clients name.
    """

    provider: Provider
    told: timedelta | None
    slack: timedelta = timedelta()
    hint: str = ""
    pay_label: str = "Pay {amount}"
    shown_as: str | None = None


M = PaymentMethod
SPECS: dict[PaymentMethod, MethodSpec] = {
    M.CREDIT_CARD: MethodSpec(
        Provider.STRIPE,
        timedelta(minutes=30),
        hint="You enter the card on the next page, at our payment provider. Your bank may ask you to confirm.",
        pay_label="Order now and pay {amount} by card",
        shown_as="Card",
    ),
    M.DEBIT_CARD: MethodSpec(
        Provider.STRIPE,
        timedelta(minutes=30),
        pay_label="Order now and pay {amount} by card",
        shown_as="",
    ),
    M.PAYPAL: MethodSpec(
        Provider.PAYPAL,
        timedelta(hours=3),
        hint="You confirm at PayPal and come back here.",
        pay_label="Order now and pay {amount} with PayPal",
    ),
    M.BANK_TRANSFER: MethodSpec(
        Provider.MANUAL,
        timedelta(days=7),
        timedelta(days=3),
        "We show you our account and a reference. Transfers take 1 to 3 days; the artisans ship once it arrived.",
        "Order and pay {amount} by bank transfer",
    ),
    M.CHECK: MethodSpec(
        Provider.MANUAL,
        timedelta(days=14),
        hint="Mail us a check within 14 days. The artisans ship once it is cashed.",
        pay_label="Order and pay {amount} by check",
    ),
    M.CASH_ON_DELIVERY: MethodSpec(
        Provider.MANUAL,
        None,
        hint="Have the sum ready at the door. The artisans start at once.",
        pay_label="Order and pay {amount} on delivery",
    ),
}


# What needs no provider. The others are offered where their provider has its keys (registry.offered_methods).
BY_HAND = (M.BANK_TRANSFER, M.CHECK, M.CASH_ON_DELIVERY)
GUEST_HOLD = timedelta(hours=2)
NO_PAYMENT_HOLD = timedelta(minutes=30)
PART_PAYMENT_EXTENSION = timedelta(days=7)
LONGEST_HOLD = timedelta(days=21)
AFTER_REJECTION = timedelta(hours=24)
