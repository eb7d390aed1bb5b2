from artisans.core.errors import Conflict, InvalidInput
from orders.problems import Problem


class EmptyOrder(InvalidInput):
    code = "empty_cart"

    def __init__(self) -> None:
        super().__init__("There is nothing in the cart; add a product first.")


class AmountTooLarge(InvalidInput):
    code = "amount_too_large"

    def __init__(self) -> None:
        super().__init__("The order is larger than the shop can take; split it.")


class CheckoutBlocked(Conflict):
    """Something changed since the buyer looked. Nothing was ordered and nothing charged."""

    code = "checkout_problems"

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(
            "Some items changed; accept the changes and try again. Nothing was charged.",
            extra={"problems": [problem.as_dict() for problem in problems]},
        )
        self.problems = problems


class QuoteChanged(Conflict):
    """The buyer saw other figures than those that hold now."""

    code = "quote_changed"

    def __init__(self, *, field: str, sent: str, now: str) -> None:
        super().__init__(
            f"{field} is {now}, not {sent}. Nothing was charged.",
            extra={"field": field, "sent": sent, "now": now},
        )


class NotCancellable(Conflict):
    code = "not_cancellable"


class NotReleased(Conflict):
    code = "not_released"

    def __init__(self) -> None:
        super().__init__("The order is not paid yet; it must not be shipped.")
