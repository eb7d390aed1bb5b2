from artisans.core.errors import Conflict, InvalidInput
from orders.problems import MAX_QUANTITY, Problem


class UnknownProduct(InvalidInput):
    code = "unknown_product"

    def __init__(self, product_id: object) -> None:
        super().__init__("There is no such product on sale.", extra={"product_id": str(product_id)})


class QuantityTooLarge(InvalidInput):
    code = "quantity_too_large"

    def __init__(self) -> None:
        super().__init__(f"At most {MAX_QUANTITY} pieces of one product fit in a cart.")


class TooManyItems(InvalidInput):
    code = "too_many_items"

    def __init__(self, limit: int) -> None:
        super().__init__(f"At most {limit} different products fit in a cart.")


class NotEnoughStock(Conflict):
    code = "out_of_stock"

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].message, extra={"problems": [problem.as_dict() for problem in problems]})


class CartClosed(Conflict):
    code = "cart_closed"

    def __init__(self) -> None:
        super().__init__("This cart was ordered already; start a new one.")
