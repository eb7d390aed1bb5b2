"""The payment methods: how long stock is reserved for each, and the texts for the buyer."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import TextChoices
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise  # exists in the stubs only


MANUAL = "manual"  # the provider of offline payments


class PaymentMethod(TextChoices):
    CREDIT_CARD = "credit_card", _("Credit card")
    DEBIT_CARD = "debit_card", _("Debit card")
    PAYPAL = "paypal", "PayPal"
    CASH_ON_DELIVERY = "cash_on_delivery", _("Cash on delivery")
    BANK_TRANSFER = "bank_transfer", _("Bank transfer")
    CHECK = "check", _("Check")


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """`payment_window`: the buyer's deadline. `grace_period`: how long the hold lasts beyond it. Without
    `payment_window` the hold has no end.

    `shown_as`: the name on pages if it differs from the label; "" for a method that only API clients choose.
    """

    payment_window: timedelta | None
    grace_period: timedelta = timedelta()
    hint: "str | _StrPromise" = ""
    pay_label: "str | _StrPromise" = ""
    shown_as: "str | _StrPromise | None" = None


M = PaymentMethod
CHECK_WINDOW = timedelta(days=14)
SPECS: dict[PaymentMethod, MethodSpec] = {
    M.CREDIT_CARD: MethodSpec(
        timedelta(minutes=30),
        hint=_("You enter your card on the next page. Your bank may ask you to confirm the payment."),
        pay_label=_("Order now and pay {amount} by card"),
        shown_as=_("Card"),
    ),
    M.DEBIT_CARD: MethodSpec(
        timedelta(minutes=30),
        pay_label=_("Order now and pay {amount} by card"),
        shown_as="",
    ),
    M.PAYPAL: MethodSpec(
        timedelta(hours=3),
        hint=_("You confirm the payment at PayPal and then return here."),
        pay_label=_("Order now and pay {amount} with PayPal"),
    ),
    M.BANK_TRANSFER: MethodSpec(
        timedelta(days=7),
        timedelta(days=3),
        _(
            "We show you our account details and a reference. Transfers take 1 to 3 working days. "
            "The artisans ship once we receive your payment."
        ),
        _("Order and pay {amount} by bank transfer"),
    ),
    M.CHECK: MethodSpec(
        CHECK_WINDOW,
        hint=format_lazy(
            _("Mail us a check within {days} days. The artisans ship once it clears."), days=CHECK_WINDOW.days
        ),
        pay_label=_("Order and pay {amount} by check"),
    ),
    M.CASH_ON_DELIVERY: MethodSpec(
        None,
        hint=_("Have the exact amount ready in cash when your order arrives. The artisans start right away."),
        pay_label=_("Order now, pay {amount} on delivery"),
    ),
}


# Paid without a provider's help. The others are offered when a provider that takes them has its keys.
OFFLINE_METHODS = (M.BANK_TRANSFER, M.CHECK, M.CASH_ON_DELIVERY)
CARD_METHODS = (M.CREDIT_CARD, M.DEBIT_CARD)
GUEST_HOLD = timedelta(hours=2)
NO_PAYMENT_HOLD = timedelta(minutes=30)
PART_PAYMENT_EXTENSION = timedelta(days=7)
LONGEST_ONLINE_HOLD = timedelta(hours=3)  # new attempts to pay restart the hold, but not beyond this
AFTER_REJECTION = timedelta(hours=24)
