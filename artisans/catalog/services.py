"""The one door to stock. Every taking is a conditional UPDATE of all products at once, in the order of their keys."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import models, transaction
from django.db.models import Case, F, Value, When

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.models import Product, StockMove, StockMoveKind
from artisans.core.errors import Conflict, InvalidInput


@dataclass(frozen=True, slots=True)
class StockLine:
    """What one order line takes or gives back."""

    order_line: UUID
    product_id: UUID
    quantity: int


class StockGone(Conflict):
    """Somebody else was faster; nothing was taken."""

    code = "out_of_stock"
    way_out = "Lower the quantity or leave the product out; `GET /products/{id}` tells the stock."

    def __init__(self) -> None:
        super().__init__("Not all of it is in stock any more; nothing was taken.")


def products_lock(ids: Iterable[UUID]) -> dict[UUID, Product]:
    """The products, locked in the order of their keys until the transaction ends. Missing ids are left out."""
    rows = (
        Product.objects.select_for_update(of=("self",), no_key=True)
        .select_related("artisan")
        .filter(pk__in=set(ids))
    )
    return {product.pk: product for product in rows.order_by("pk")}


def stock_take(*, lines: Iterable[StockLine], reason: str, stock_round: int = 0) -> None:
    """Take all lines or none (StockGone).

    Call inside the transaction that writes the order, with the products locked (products_lock): an UPDATE of several
    rows locks them in no certain order.
    """
    lines = list(lines)
    wanted = sum_by_product(lines)
    amount = amounts(wanted)
    enough = Product.objects.filter(pk__in=wanted, is_active=True, stock__gte=amount)
    with transaction.atomic():
        changed = enough.update(stock=F("stock") - amount)
        if changed != len(wanted):
            raise StockGone
        record(StockMoveKind.TAKE, lines, sign=-1, reason=reason, stock_round=stock_round)


def stock_return(*, lines: Iterable[StockLine], reason: str, stock_round: int = 0) -> None:
    """Give all lines back; a second return of a line in the same round is refused by the database."""
    lines = list(lines)
    wanted = sum_by_product(lines)
    with transaction.atomic():
        products_lock(wanted)
        record(StockMoveKind.RETURN, lines, sign=1, reason=reason, stock_round=stock_round)
        Product.objects.filter(pk__in=wanted).update(stock=F("stock") + amounts(wanted))


@transaction.atomic
def stock_adjust(*, product_id: UUID, counted: int, reason: str, actor: User) -> Product:
    """Set the stock to what was counted on the shelf.

    Errors: InvalidInput for a negative count or a missing reason.
    """
    if counted < 0 or not reason.strip():
        raise InvalidInput("Give the counted number (zero or more) and a reason.")
    product = products_lock([product_id])[product_id]
    difference = counted - product.stock
    if difference:
        product.stock = counted
        product.save(update_fields=["stock", "updated_at"])
        StockMove.objects.create(
            product=product, kind=StockMoveKind.ADJUST, quantity=difference, reason=reason[:200]
        )
        audit_record(
            actor=actor,
            action=Action.STOCK_ADJUST,
            target=product,
            data={"difference": difference, "reason": reason},
        )
    return product


def sum_by_product(lines: Iterable[StockLine]) -> dict[UUID, int]:
    wanted: defaultdict[UUID, int] = defaultdict(int)
    for line in lines:
        wanted[line.product_id] += line.quantity
    return dict(sorted(wanted.items()))


def amounts(wanted: Mapping[UUID, int]) -> Value | Case:
    """The quantity of each row as SQL; most orders want the same of everything."""
    if len(quantities := set(wanted.values())) == 1:
        return Value(quantities.pop())
    return Case(
        *[When(pk=pk, then=Value(quantity)) for pk, quantity in wanted.items()],
        output_field=models.IntegerField(),
    )


def record(kind: StockMoveKind, lines: list[StockLine], *, sign: int, reason: str, stock_round: int) -> None:
    StockMove.objects.bulk_create(
        StockMove(
            product_id=line.product_id,
            kind=kind,
            quantity=sign * line.quantity,
            order_line=line.order_line,
            round=stock_round,
            reason=reason,
        )
        for line in lines
    )
