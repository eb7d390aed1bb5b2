from collections.abc import Sequence
from dataclasses import fields

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from artisans.core.errors import N_, TEXT, Conflict, Forbidden, InvalidInput, ServiceUnavailable
from orders.problems import Problem

PROBLEM = {field.name: TEXT for field in fields(Problem)}
CART_PROBLEMS = {
    "type": "array",
    "items": {"type": "object", "required": sorted(PROBLEM), "properties": PROBLEM},
}


class EmptyOrder(InvalidInput):
    """The cart or the list of products is empty."""

    code = "empty_cart"

    def __init__(self) -> None:
        super().__init__(_("The cart is empty. Add a product first."))


class AmountTooLarge(InvalidInput):
    """The total exceeds the maximum of one order, or what the payment method takes."""

    code = "amount_too_large"

    def __init__(self) -> None:
        super().__init__(_("The order total is too high. Split it into smaller orders."))


class CheckoutBlocked(Conflict):
    """Prices or stock changed since the buyer last saw them, or an artisan does not ship to the address.

    Nothing was ordered or charged.
    """

    code = "checkout_problems"
    remedy = "Show `problems` to the buyer; apply each `fix` and check out again."
    members = {"problems": CART_PROBLEMS}

    def __init__(self, problems: list[Problem]) -> None:
        text = _("Some items have changed. Accept the changes and try again. Nothing was charged.")
        if all(problem.code == "cannot_ship" for problem in problems):
            text = problems[0].message
        super().__init__(
            text,
            extra={"problems": [problem.as_dict() for problem in problems]},
        )
        self.problems = problems


class QuoteChanged(Conflict):
    """The client's figures differ from the current ones."""

    code = "quote_changed"
    remedy = "Show the buyer the value in `now` and send the request again with it, or without the field."
    members = {"field": TEXT, "sent": TEXT, "now": TEXT, "rates": {"type": "array", "items": TEXT}}

    def __init__(self, *, field: str, sent: str, now: str, rates: Sequence[str] = ()) -> None:
        """`rates`: of tax, if the order has several."""
        extra = {"field": field, "sent": sent, "now": now}
        super().__init__(
            _("%(field)s is %(now)s, not %(sent)s. Nothing was charged.")
            % {"field": field, "now": now, "sent": sent},
            extra=extra | ({"rates": list(rates)} if len(rates) > 1 else {}),
        )


class ShippingMethodNotOffered(InvalidInput):
    """A shipping method that is not offered for this order and address."""

    code = "shipping_method_not_offered"
    remedy = "Choose one of `GET /carts/{id}/shipping_methods`, or leave it out for the cheapest."

    def __init__(self) -> None:
        super().__init__(_("This shipping method is not offered for the order and its address."))


class NotCancellable(Conflict):
    """The order is paid, shipped or closed."""

    code = "not_cancellable"
    remedy = "Contact the shop; staff can cancel an order until it ships."


class ParcelOnHold(Conflict):
    """The parcel's payment was refunded, and staff have not decided yet whether to ship it."""

    code = "parcel_on_hold"
    remedy = "Wait; the artisan is notified by email when the parcel can ship or is cancelled."

    def __init__(self) -> None:
        super().__init__(
            _("This parcel is on hold because it was refunded. We will email you once the shop has decided.")
        )


class ParcelChanged(Conflict):
    """The parcel's status changed since the decision about it was made."""

    code = "parcel_changed"
    remedy = "Fetch the order again and decide based on the parcel’s current status."

    def __init__(self, *, number: int, label: str, decision: str) -> None:
        super().__init__(
            _(
                "Parcel %(number)s is %(label)s now, so “%(decision)s” is not possible. Nothing was "
                "changed or refunded."
            )
            % {"number": number, "label": label.lower(), "decision": decision}
        )


class AlreadyCorrected(Conflict):
    """Someone else corrected the shipment since the client last saw it."""

    code = "already_corrected"
    remedy = "Fetch the parcel again and compare its tracking number."

    def __init__(self) -> None:
        super().__init__(_("Someone else corrected this shipment meanwhile. Nothing was saved."))


class AlreadyShipped(Conflict):
    """Another shipment of the parcel was entered since the client last saw it."""

    code = "already_shipped"
    remedy = "Fetch the parcel again and enter what is left to ship."

    def __init__(self) -> None:
        super().__init__(
            _("Another shipment of this parcel was entered meanwhile. Nothing was saved; check what is left.")
        )


class UnitsChanged(Conflict):
    """What is left to ship of the parcel changed since the client last saw it."""

    code = "units_changed"
    remedy = "Fetch the parcel again and compare what is left to ship."

    def __init__(self, left: int) -> None:
        super().__init__(
            ngettext(
                "Only %(left)s unit of this parcel is left to ship. Nothing was changed; check it.",
                "Only %(left)s units of this parcel are left to ship. Nothing was changed; check them.",
                left,
            )
            % {"left": left}
        )


class NotReleased(Conflict):
    """The order is not paid yet, so none of its parcels can ship."""

    code = "not_released"

    def __init__(self) -> None:
        super().__init__(_("This order is not paid yet and cannot be shipped."))


class ShopNotOpen(ServiceUnavailable):
    """The shop is not taking orders yet; browsing and carts work."""

    code = "shop_not_open"
    title = N_("The shop is not open yet")
    remedy = "Keep the cart and try again later; the admin shows staff which settings are missing."

    def __init__(self) -> None:
        super().__init__(_("The shop is not taking orders yet. Nothing was ordered or charged."))


class OwnMoney(Forbidden):
    """Staff cannot decide about their own money as an artisan."""

    def __init__(self) -> None:
        super().__init__(_("This is your own money as an artisan, so a colleague has to decide."))
