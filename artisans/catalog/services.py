"""All changes of stock. Taking is a conditional UPDATE of all products at once, in key order."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import connection, models, transaction
from django.db.models import Case, Exists, F, Max, OuterRef, Sum, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.count_problems import CountProblem
from artisans.catalog.models import CountOutcome, Product, StockMove, StockMoveKind
from artisans.catalog.models.product import BUYABLE
from artisans.catalog.selectors import ORDER_COLUMNS
from artisans.core.compiled import compiled, insert, new
from artisans.core.errors import Conflict, InvalidInput

MAX_COUNTED = 1_000_000


@dataclass(frozen=True, slots=True)
class StockLine:
    """What one order line takes or returns; `refund_line`: the row of the refund, or of the cancelled units, that
    returns it."""

    order_line: UUID
    product_id: UUID
    quantity: int
    refund_line: UUID | None = None


class OutOfStock(Conflict):
    """The stock was sold in the meantime; nothing was taken."""

    code = "out_of_stock"
    remedy = "Lower the quantity or remove the product; `GET /products/{id}` returns the stock."

    def __init__(self) -> None:
        super().__init__(_("Some items are no longer in stock. Nothing was reserved."))


class StockChanged(Conflict):
    """The stock was counted, or too much of it sold, after it was shown; nothing was changed."""

    code = "stock_changed"
    remedy = (
        "Fetch the stock again, compare it with what is there, and send the count with the stock seen now."
    )


@compiled
def products_locked(ids: list[UUID]) -> models.QuerySet[Product]:
    products = Product.objects.filter(pk__any=ids).select_related("artisan", "parent")
    return products.select_for_update(of=("self",), no_key=True).order_by("pk")


@compiled
def order_products_locked(ids: list[UUID]) -> models.QuerySet[Product]:
    return products_locked.queryset(ids).only(*ORDER_COLUMNS)


def products_lock_for_order(ids: Iterable[UUID]) -> dict[UUID, Product]:
    """As products_lock, with the columns that an order needs; others would be read one by one."""
    return {product.pk: product for product in order_products_locked(list(set(ids)))}


def products_lock(ids: Iterable[UUID]) -> dict[UUID, Product]:
    """The products, locked in key order until the transaction ends. Missing ids are left out."""
    return {product.pk: product for product in products_locked(list(set(ids)))}


def stock_take(*, lines: Iterable[StockLine], reason: str, stock_round: int = 0) -> None:
    """Take all lines. Errors: OutOfStock; the caller must then roll back, because some products may be changed.

    Call inside the transaction that writes the order, with the products locked (products_lock): an UPDATE of several
    rows locks them in no certain order.
    """
    insert(stock_take_units(lines=lines, reason=reason, stock_round=stock_round))


def stock_take_units(*, lines: Iterable[StockLine], reason: str, stock_round: int = 0) -> list[StockMove]:
    """As stock_take, but the caller inserts the returned movements together with other rows."""
    lines = list(lines)
    wanted = sum_by_product(lines)
    if take_units(wanted) != len(wanted):
        raise OutOfStock
    return build_moves(StockMoveKind.TAKE, lines, sign=-1, reason=reason, stock_round=stock_round)


# Django builds this statement in 1.4 ms, a tenth of an order in one call.
TAKE_UNITS = """
UPDATE catalog_product AS product SET stock = stock - wanted.quantity
FROM unnest(%s::uuid[], %s::int[]) AS wanted (id, quantity)
WHERE product.id = wanted.id AND is_active AND stock >= wanted.quantity AND (parent_id IS NOT NULL OR option_1 = '')
AND NOT EXISTS (SELECT 1 FROM catalog_product AS parent WHERE parent.id = product.parent_id AND NOT parent.is_active)
"""


def take_units(wanted: Mapping[UUID, int]) -> int:
    """Take these units of each product that is on sale and has them; returns the number of such products."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(TAKE_UNITS, [list(wanted), list(wanted.values())])
            return int(cursor.rowcount)
    amount = quantity_by_product(wanted)
    off_sale = Product.objects.filter(pk=OuterRef("parent"), is_active=False)
    on_sale = Product.objects.filter(BUYABLE, ~Exists(off_sale), pk__in=wanted, is_active=True)
    return on_sale.filter(stock__gte=amount).update(stock=F("stock") - amount)


def stock_return(
    *,
    lines: Iterable[StockLine],
    reason: str,
    stock_round: int = 0,
    at_most: Mapping[UUID, int] | None = None,
) -> None:
    """Return the stock of order lines, except units that were restocked before.

    `at_most`: by order line, how many units can be sold again; by default all.
    The database rejects a second return of a line in the same round.
    """
    lines = list(lines)
    with transaction.atomic():
        products_lock(line.product_id for line in lines)
        back = units_restocked([line.order_line for line in lines], stock_round=stock_round)
        left = [replace(line, quantity=line.quantity - back.get(line.order_line, 0)) for line in lines]
        if at_most is not None:
            left = [
                replace(line, quantity=min(line.quantity, at_most.get(line.order_line, 0))) for line in left
            ]
        return_units(StockMoveKind.RETURN, left, reason=reason, stock_round=stock_round)


def stock_restock(
    *, lines: Iterable[StockLine], reason: str, stock_round: int = 0, lost: Mapping[UUID, int] | None = None
) -> list[StockLine]:
    """Restock refunded or cancelled units, at most those that each order line still holds; returns what was restocked.

    Shape: one entry per order line, each with its `refund_line`. `lost`: by order line, units that do not exist any
    more. The caller holds the order's lock. Locks: products.
    """
    lines = list(lines)
    with transaction.atomic():
        products_lock(line.product_id for line in lines)
        held = units_held([line.order_line for line in lines], stock_round=stock_round)
        for order_line, quantity in (lost or {}).items():
            held[order_line] = held.get(order_line, 0) - quantity
        back = [replace(line, quantity=min(line.quantity, held.get(line.order_line, 0))) for line in lines]
        return return_units(StockMoveKind.RESTOCK, back, reason=reason, stock_round=stock_round)


def return_units(
    kind: StockMoveKind, lines: list[StockLine], *, reason: str, stock_round: int
) -> list[StockLine]:
    """The caller has locked the products."""
    lines = [line for line in lines if line.quantity > 0]
    if lines:
        wanted = sum_by_product(lines)
        insert(build_moves(kind, lines, sign=1, reason=reason, stock_round=stock_round))
        Product.objects.filter(pk__in=wanted).update(stock=F("stock") + quantity_by_product(wanted))
    return lines


def units_held(order_lines: Sequence[UUID], *, stock_round: int) -> dict[UUID, int]:
    """Units taken in this round and not returned, by order line."""
    moves = StockMove.objects.filter(
        order_line__in=order_lines, round=stock_round, kind__in=[StockMoveKind.TAKE, StockMoveKind.RETURN]
    )
    back = units_restocked(order_lines, stock_round=stock_round)
    return {line: -taken - back.get(line, 0) for line, taken in sum_by_line(moves).items()}


def units_restocked(order_lines: Sequence[UUID], *, stock_round: int | None = None) -> dict[UUID, int]:
    """Units that refunds and cancellations of single units have restocked, by order line, in one round or in all."""
    moves = StockMove.objects.filter(order_line__in=order_lines, kind=StockMoveKind.RESTOCK)
    if stock_round is not None:
        moves = moves.filter(round=stock_round)
    return sum_by_line(moves)


def sum_by_line(moves: models.QuerySet[StockMove]) -> dict[UUID, int]:
    sums = moves.order_by().values_list("order_line").annotate(Sum("quantity"))
    return {line: quantity for line, quantity in sums if line is not None}


@dataclass(frozen=True, slots=True)
class StockSnapshot:
    """The stock shown to a person who counts it, and the last count before theirs (0: none)."""

    stock: int
    last_count: int


@dataclass(frozen=True, slots=True)
class Count:
    """How many units of a product someone counted, and what they had seen."""

    product_id: UUID
    counted: int
    seen: StockSnapshot

    @property
    def difference(self) -> int:
        return self.counted - self.seen.stock


@dataclass(frozen=True, slots=True)
class Counted:
    """What came of a count. `product` has the stock afterwards; `problem` says why nothing was changed."""

    product: Product
    outcome: CountOutcome
    problem: CountProblem | None = None


def last_counts(ids: Iterable[UUID]) -> dict[UUID, int]:
    ids = list(ids)
    counts = StockMove.objects.filter(product__in=ids, kind=StockMoveKind.ADJUST).order_by()
    found = dict(counts.values_list("product").annotate(Max("id")))
    return {pk: found.get(pk, 0) for pk in ids}


def stock_snapshots(ids: Iterable[UUID]) -> dict[UUID, StockSnapshot]:
    """The last counts are read first, so that one made in between counts as not seen. Missing ids are left out."""
    last = last_counts(ids)
    stock = Product.objects.filter(pk__in=last).order_by().values_list("pk", "stock")
    return {pk: StockSnapshot(units, last[pk]) for pk, units in stock}


def stock_snapshot(product_id: UUID) -> StockSnapshot:
    return stock_snapshots([product_id])[product_id]


@transaction.atomic
def stock_count(*, counts: Sequence[Count], actor: User, cause: str = "", reason: str = "") -> list[Counted]:
    """Change the stock of each product by the difference between the counted number and the number seen.

    Sales and returns in between are kept. A product that someone else counted in the meantime is left as it is, and
    so is one of which less is left than would be subtracted. A snapshot counts once, so that repeating is safe.
    One count per product. Locks: products by key. Errors: InvalidInput for a negative count, or without a reason.
    """
    if any(count.counted < 0 for count in counts) or not (cause or reason.strip()):
        raise InvalidInput(_("Enter the quantity counted (zero or more) and a reason."))
    products = products_lock(count.product_id for count in counts)
    last = last_counts(products)
    why = {"cause": cause, "reason": reason.strip()[:200]}
    results = [
        stock_expect(products[count.product_id], count, last_count=last[count.product_id], actor=actor)
        for count in counts
    ]
    counted = [
        count for count, result in zip(counts, results, strict=True) if result.outcome == CountOutcome.COUNTED
    ]
    counts_write(counted, products, actor=actor, why=why)
    return results


def counts_write(
    counts: Sequence[Count], products: Mapping[UUID, Product], *, actor: User, why: Mapping[str, str]
) -> None:
    """The caller has locked the products."""
    if not counts:
        return
    changes = {count.product_id: count.difference for count in counts}
    change = quantity_by_product(changes)
    Product.objects.filter(pk__in=changes).update(stock=F("stock") + change, updated_at=timezone.now())
    insert(
        [
            StockMove(product_id=pk, kind=StockMoveKind.ADJUST, quantity=quantity, actor=actor, **why)
            for pk, quantity in changes.items()
        ]
    )
    for count in counts:
        product = products[count.product_id]
        product.stock += count.difference
        data = {"counted": count.counted, "seen": count.seen.stock, "difference": count.difference}
        audit_record(actor=actor, action=Action.STOCK_ADJUST, target=product, data={**data, **why})


def stock_expect(product: Product, count: Count, *, last_count: int, actor: User) -> Counted:
    """What would come of a count now."""
    if count.seen.last_count != last_count:
        if is_repeated(count, actor):
            return Counted(product, CountOutcome.REPEATED)
        return Counted(product, CountOutcome.CONFLICT, CountProblem("counted_since", {"left": product.stock}))
    if product.stock + count.difference < 0:
        facts = {
            "stock": count.seen.stock,
            "sold": count.seen.stock - product.stock,
            "left": product.stock,
            "difference": -count.difference,
        }
        return Counted(product, CountOutcome.CONFLICT, CountProblem("sold_since", facts))
    if product.needs_choice and count.difference > 0:
        return Counted(product, CountOutcome.REFUSED, CountProblem("sold_as_variants"))
    return Counted(product, CountOutcome.COUNTED if count.difference else CountOutcome.UNCHANGED)


def is_repeated(count: Count, actor: User) -> bool:
    """Whether the same person has already counted the same, when they saw the same."""
    later = StockMove.objects.filter(
        product=count.product_id, kind=StockMoveKind.ADJUST, id__gt=count.seen.last_count
    )
    first = later.order_by("id").first()
    return first is not None and (first.quantity, first.actor_id) == (count.difference, actor.pk)


@transaction.atomic
def stock_adjust(
    *, product_id: UUID, counted: int, reason: str, actor: User, seen: StockSnapshot | None = None
) -> Product:
    """Count one product (stock_count). `seen` may be omitted by a caller that holds the product's lock or runs alone.

    Errors: InvalidInput; StockChanged if someone counted in the meantime (so a form sent twice counts once) or less
    stock is left than would be subtracted.
    """
    products_lock([product_id])
    count = Count(product_id, counted, seen or stock_snapshot(product_id))
    [done] = stock_count(counts=[count], reason=reason, actor=actor)
    if done.outcome == CountOutcome.REPEATED:
        raise StockChanged(CountProblem("counted_since", {"left": done.product.stock}).text)
    if done.problem:
        raise StockChanged(done.problem.text)
    return done.product


def sum_by_product(lines: Iterable[StockLine]) -> dict[UUID, int]:
    wanted: defaultdict[UUID, int] = defaultdict(int)
    for line in lines:
        wanted[line.product_id] += line.quantity
    return dict(sorted(wanted.items()))


def quantity_by_product(wanted: Mapping[UUID, int]) -> Value | Case:
    """The quantity of each row as SQL; most orders have the same quantity everywhere."""
    if len(quantities := set(wanted.values())) == 1:
        return Value(quantities.pop())
    return Case(
        *[When(pk=pk, then=Value(quantity)) for pk, quantity in wanted.items()],
        output_field=models.IntegerField(),
    )


def build_moves(
    kind: StockMoveKind, lines: list[StockLine], *, sign: int, reason: str, stock_round: int
) -> list[StockMove]:
    return [
        new(
            StockMove,
            product_id=line.product_id,
            kind=kind,
            quantity=sign * line.quantity,
            order_line=line.order_line,
            refund_line=line.refund_line,
            round=stock_round,
            reason=reason,
        )
        for line in lines
    ]
