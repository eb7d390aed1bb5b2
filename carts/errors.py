from django.utils.translation import gettext as _

from artisans.catalog.models import Product
from artisans.core.errors import TEXT, Conflict, InvalidInput
from orders.errors import CART_PROBLEMS
from orders.problems import MAX_QUANTITY, Problem


class UnknownProduct(InvalidInput):
    """The product does not exist or is not on sale; `product_id` names it."""

    code = "unknown_product"
    remedy = "Use ids from `GET /products/`."
    members = {"product_id": TEXT}

    def __init__(self, product_id: object) -> None:
        super().__init__(
            _("This product does not exist or is not for sale."), extra={"product_id": str(product_id)}
        )


class ChoiceNeeded(InvalidInput):
    """The product has options and is ordered as one of its variants; `product_id` names it."""

    code = "choice_needed"
    remedy = "Use the id of one of its `variants` in `GET /products/{id}`."
    members = {"product_id": TEXT}

    def __init__(self, product: Product) -> None:
        super().__init__(
            _("Choose a variant of %(product)s first: %(options)s.")
            % {"product": product.name, "options": ", ".join(product.options)},
            extra={"product_id": str(product.pk)},
        )


class QuantityTooLarge(InvalidInput):
    """More units of one product than a cart may hold."""

    code = "quantity_too_large"

    def __init__(self) -> None:
        super().__init__(
            _("A cart can hold at most %(maximum)s units of one product.") % {"maximum": MAX_QUANTITY}
        )


class TooManyItems(InvalidInput):
    """More different products than a cart may hold."""

    code = "too_many_items"

    def __init__(self, limit: int) -> None:
        super().__init__(_("A cart can hold at most %(limit)s different products.") % {"limit": limit})


class NotEnoughStock(Conflict):
    """More units than are in stock; `problems` says how many are left."""

    code = "out_of_stock"
    remedy = "Lower the quantity as `problems` suggests."
    members = {"problems": CART_PROBLEMS}

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].message, extra={"problems": [problem.as_dict() for problem in problems]})


class OnHoliday(Conflict):
    """The workshop is on holiday; `problems` says when it accepts orders again."""

    code = "on_holiday"
    remedy = "Send the request again on the day that `problems` has in `new`, or leave the product out."
    members = {"problems": CART_PROBLEMS}

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].message, extra={"problems": [problem.as_dict() for problem in problems]})


class NotSoldInCurrency(Conflict):
    """A product has no price in the cart's currency; `problems` names it."""

    code = "currency_mismatch"
    remedy = "Leave it out, or change the cart's currency with `POST /carts/{id}/currency`."
    members = {"problems": CART_PROBLEMS}

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].message, extra={"problems": [problem.as_dict() for problem in problems]})


class CartClosed(Conflict):
    """The cart was ordered, or combined with that of an account at sign-in, and cannot change any more."""

    code = "cart_closed"
    remedy = "Start a new cart with `POST /carts/`."

    def __init__(self, *, is_merged: bool = False) -> None:
        super().__init__(
            _("This cart was combined with the cart of your account when you signed in. Use that one.")
            if is_merged
            else _("This cart has already been ordered. Start a new one.")
        )
