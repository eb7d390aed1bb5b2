"""What an order costs is the sum of its parts, in one currency."""

from django.utils.translation import gettext_lazy as _

from artisans.core.invariants import Mismatch, compare, find_fractions, flat
from artisans.core.money import Money, half_up
from orders.invariants.rows import Found, Orders, lines_by_parcel, lines_of, name_of, of_orders, parcels_of
from orders.models import Order, OrderLine, Parcel
from orders.statuses import PARCELS_ENDED


def find_empty_orders(chunk: Orders) -> Found:
    lines = lines_of(chunk)
    yield from (Mismatch(order) for order in chunk.rows if not lines[order.pk])


def find_wrong_line_totals(chunk: Orders) -> Found:
    for line in flat(lines_of(chunk)):
        if line.order.is_reverse_charge:  # without the tax of the whole line
            price = half_up(line.line_total_minor, line.quantity)
            yield from compare(name_of(line), line.unit_price_minor, price)
        else:
            yield from compare(name_of(line), line.line_total, line.unit_price * line.quantity)


def find_wrong_totals(chunk: Orders) -> Found:
    for order in chunk.rows:
        yield from compare(order, order.total, sum_of_parts(order))


def sum_of_parts(row: Order | Parcel) -> Money:
    minor = row.subtotal_minor - row.discount_minor + row.shipping_minor - row.shipping_discount_minor
    return Money.stored(minor if row.prices_include_tax else minor + row.tax_minor, row.currency)


def find_wrong_subtotals(chunk: Orders) -> Found:
    lines = lines_of(chunk)
    for order in chunk.rows:
        total = sum(line.line_total_minor for line in lines[order.pk])
        yield from compare(order, order.subtotal, order.money(total))


def find_wrong_taxes(chunk: Orders) -> Found:
    lines, parcels = lines_of(chunk), parcels_of(chunk)
    for order in chunk.rows:
        total = sum(line.tax_minor for line in lines[order.pk])
        total += sum(parcel.shipping_tax_minor for parcel in parcels[order.pk])
        yield from compare(order, order.tax, order.money(total))


def find_wrong_discounts(chunk: Orders) -> Found:
    """Of orders and parcels: the discounts of their lines, and of shipping."""
    lines, parcels = lines_of(chunk), parcels_of(chunk)
    for order in chunk.rows:
        total = sum(line.discount_minor for line in lines[order.pk])
        yield from compare(order, order.discount, order.money(total))
        total = sum(parcel.shipping_discount_minor for parcel in parcels[order.pk])
        yield from compare(order, order.shipping_discount, order.money(total))
    of_parcel = lines_by_parcel(chunk)
    for parcel in flat(parcels):
        for column in ("discount_minor", "subsidy_minor"):
            total = sum(getattr(line, column) for line in of_parcel[parcel.pk])
            yield from compare(parcel, getattr(parcel, column), total)


def find_other_ways_of_tax(chunk: Orders) -> Found:
    for row in [*flat(lines_of(chunk)), *flat(parcels_of(chunk))]:
        if row.prices_include_tax != row.order.prices_include_tax:
            yield Mismatch(name_of(row) if isinstance(row, OrderLine) else row)


def find_steps_not_kept(chunk: Orders) -> Found:
    """What an order, its parcels and its lines cost are multiples of their step."""
    for order in chunk.rows:
        if order.total_minor % order.step_minor:
            yield Mismatch(order, order.total_minor, order.step_minor)
    for parcel in flat(parcels_of(chunk)):
        if parcel.total_minor % parcel.order.step_minor:
            yield Mismatch(parcel, parcel.total_minor, parcel.order.step_minor)
    for line in flat(lines_of(chunk)):
        if line.charged_minor % line.step_minor:
            yield Mismatch(name_of(line), line.charged_minor, line.step_minor)


def find_empty_parcels(chunk: Orders) -> Found:
    lines = lines_by_parcel(chunk)
    yield from (Mismatch(parcel) for parcel in flat(parcels_of(chunk)) if not lines[parcel.pk])


def find_lines_in_wrong_parcels(chunk: Orders) -> Found:
    parcels = {parcel.pk: parcel for parcel in flat(parcels_of(chunk))}
    for line in flat(lines_of(chunk)):
        parcel = parcels.get(line.parcel_id)
        if parcel is None or (parcel.order_id, parcel.artisan_id) != (line.order_id, line.artisan_id):
            yield Mismatch(name_of(line))


def find_wrong_parcel_totals(chunk: Orders) -> Found:
    for parcel in flat(parcels_of(chunk)):
        yield from compare(parcel, parcel.total, sum_of_parts(parcel))


def find_wrong_parcel_subtotals(chunk: Orders) -> Found:
    lines = lines_by_parcel(chunk)
    for parcel in flat(parcels_of(chunk)):
        total = sum(line.line_total_minor for line in lines[parcel.pk])
        yield from compare(parcel, parcel.subtotal, Money.stored(total, parcel.currency))


def find_wrong_parcel_taxes(chunk: Orders) -> Found:
    lines = lines_by_parcel(chunk)
    for parcel in flat(parcels_of(chunk)):
        total = sum(line.tax_minor for line in lines[parcel.pk]) + parcel.shipping_tax_minor
        yield from compare(parcel, parcel.tax, Money.stored(total, parcel.currency))


def find_wrong_commissions(chunk: Orders) -> Found:
    """Lines of earlier releases have no commission of their own."""
    lines = lines_by_parcel(chunk)
    for parcel in flat(parcels_of(chunk)):
        parts = [line.commission_minor for line in lines[parcel.pk]]
        if None not in parts:
            total = sum(parts) + parcel.shipping_commission_minor
            stored = Money.stored(parcel.commission_minor, parcel.currency)
            yield from compare(parcel, stored, Money.stored(total, parcel.currency))


def find_wrong_shipping(chunk: Orders) -> Found:
    parcels = parcels_of(chunk)
    for order in chunk.rows:
        total = sum(parcel.shipping_minor for parcel in parcels[order.pk])
        yield from compare(order, order.shipping, order.money(total))


def find_wrong_cancelled(chunk: Orders) -> Found:
    parcels = parcels_of(chunk)
    for order in chunk.rows:
        cancelled = sum(
            row.total_minor if row.status in PARCELS_ENDED else row.cancelled_minor
            for row in parcels[order.pk]
        )
        yield from compare(order, order.money(order.cancelled_minor), order.money(cancelled))


# ---- currencies ------------------------------------------------------------------------------------------------


def find_other_currencies(chunk: Orders) -> Found:
    for line in flat(lines_of(chunk)):
        yield from compare(name_of(line), line.currency, line.order.currency)
    for parcel in flat(parcels_of(chunk)):
        yield from compare(parcel, parcel.currency, parcel.order.currency)


def find_fractions_of_orders(chunk: Orders) -> Found:
    yield from find_fractions([*chunk.rows, *flat(lines_of(chunk)), *flat(parcels_of(chunk))])


# ---- the list --------------------------------------------------------------------------------------------------

INVARIANTS = (
    of_orders(
        "order_lines",
        "P1",
        _("An order has lines."),
        _("Order %(row)s has no lines."),
        find_empty_orders,
    ),
    of_orders(
        "line_total",
        "P1",
        _("A line costs its unit price times its quantity."),
        _("Line %(row)s costs %(stored)s, but its price times its quantity is %(expected)s."),
        find_wrong_line_totals,
    ),
    of_orders(
        "order_total",
        "P1",
        _("An order costs its subtotal and shipping without discounts, and the tax that is added."),
        _("Order %(row)s: the total is %(stored)s, but its parts are %(expected)s."),
        find_wrong_totals,
    ),
    of_orders(
        "order_subtotal",
        "P1",
        _("The subtotal of an order is the sum of its lines."),
        _("Order %(row)s: the subtotal is %(stored)s, but its lines are %(expected)s."),
        find_wrong_subtotals,
    ),
    of_orders(
        "order_tax",
        "P1",
        _("The tax of an order is the sum of its lines’ taxes and those of shipping."),
        _(
            "Order %(row)s: the tax is %(stored)s, but its lines’ taxes and those of shipping are %(expected)s."
        ),
        find_wrong_taxes,
    ),
    of_orders(
        "order_discount",
        "P1",
        _("The discounts of orders and parcels are the sums of their lines’ and of shipping."),
        _("%(row)s: the discount is %(stored)s, but the sum of its parts is %(expected)s."),
        find_wrong_discounts,
    ),
    of_orders(
        "order_tax_included",
        "P1",
        _("Prices of an order’s lines and parcels include tax if those of the order do."),
        _("%(row)s includes tax and its order does not, or the other way around."),
        find_other_ways_of_tax,
    ),
    of_orders(
        "order_steps",
        "P1",
        _(
            "What an order, its parcels and its lines cost are multiples of the smallest amount that can be charged."
        ),
        _("%(row)s costs %(stored)s minor units, which is not a multiple of %(expected)s."),
        find_steps_not_kept,
    ),
    of_orders(
        "order_shipping",
        "P1",
        _("The shipping of an order is the sum of its parcels’ shipping."),
        _("Order %(row)s: the shipping is %(stored)s, but that of its parcels is %(expected)s."),
        find_wrong_shipping,
    ),
    of_orders(
        "parcel_lines",
        "P1",
        _("A parcel has lines."),
        _("Parcel %(row)s has no lines."),
        find_empty_parcels,
    ),
    of_orders(
        "line_parcel",
        "P1",
        _("A line is in the parcel of its order and its artisan."),
        _("Line %(row)s is not in the parcel of its order and its artisan."),
        find_lines_in_wrong_parcels,
    ),
    of_orders(
        "parcel_total",
        "P1",
        _("A parcel costs its subtotal and shipping without discounts, and the tax that is added."),
        _("Parcel %(row)s: the total is %(stored)s, but its parts are %(expected)s."),
        find_wrong_parcel_totals,
    ),
    of_orders(
        "parcel_subtotal",
        "P1",
        _("The subtotal of a parcel is the sum of its lines."),
        _("Parcel %(row)s: the subtotal is %(stored)s, but its lines are %(expected)s."),
        find_wrong_parcel_subtotals,
    ),
    of_orders(
        "parcel_tax",
        "P1",
        _("The tax of a parcel is the sum of its lines’ taxes and that of shipping."),
        _(
            "Parcel %(row)s: the tax is %(stored)s, but its lines’ taxes and that of shipping are %(expected)s."
        ),
        find_wrong_parcel_taxes,
    ),
    of_orders(
        "parcel_commission",
        "P1",
        _("The commission of a parcel is the sum of its lines’ and its shipping’s."),
        _(
            "Parcel %(row)s: the commission is %(stored)s, but that of its lines and shipping is %(expected)s."
        ),
        find_wrong_commissions,
    ),
    of_orders(
        "order_cancelled",
        "P1",
        _(
            "What an order costs less is the sum of its cancelled and returned parcels, and units of the others."
        ),
        _(
            "Order %(row)s: cancelled are %(stored)s, but its cancelled and returned parcels, and units, are "
            "%(expected)s."
        ),
        find_wrong_cancelled,
    ),
    of_orders(
        "order_currency",
        "P10",
        _("Lines and parcels have the currency of their order."),
        _("%(row)s is in %(stored)s, but its order is in %(expected)s."),
        find_other_currencies,
    ),
    of_orders(
        "order_whole_amounts",
        "P10",
        _("The amounts of orders, lines and parcels are whole minor units."),
        _("%(row)s has the amount %(stored)s, which is not a whole number of minor units."),
        find_fractions_of_orders,
    ),
)
