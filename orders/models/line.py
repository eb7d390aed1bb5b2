from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import Artisan, Product
from artisans.core.models import BaseModel
from artisans.core.money import Money, half_up
from orders.models.order import Order
from orders.models.parcel import Parcel

# What a line sells for, without tax: `OrderLine.net_minor`.
LINE_NET = (
    F("line_total_minor")
    - F("discount_minor")
    + F("subsidy_minor")
    - Case(
        When(prices_include_tax=True, then=F("tax_minor")),
        default=Value(0),
        output_field=models.BigIntegerField(),
    )
)
FROZEN = ("commission_ppm", "commission_minor", "commission_tax_minor", "remitted_tax_minor")


class OrderLine(BaseModel):
    """One product of the order as agreed: name, price, artisan and fees are copies that never change.

    `commission_minor` and `commission_tax_minor` are the line's parts of the parcel's fee and of the tax on it;
    `remitted_tax_minor` is the part of `tax_minor` that the shop pays to the tax office; `commission_ppm` the rate. All
    four are null if a process of release 0.1.0 placed the order, and so is `tax_rate_ppm`.

    `line_total_minor` is before the discount; `subsidy_minor` is the part of the discount that the shop bears.
    `tax_minor` is included in these prices, or added to them. Refunds of units are multiples of `step_minor`.

    `cancelled_quantity` units will not be delivered; `cancelled_minor` is their price with tax. `lost_quantity` of them
    did not go back on sale. `cancelled_refunded_quantity` of them had been refunded before, with
    `cancelled_refunded_minor`, and are not refunded again. All five are sums of `LineCancellation`.
    """

    order = models.ForeignKey(Order, models.PROTECT, related_name="lines")
    parcel = models.ForeignKey(Parcel, models.PROTECT, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="order_lines")
    artisan = models.ForeignKey(Artisan, models.PROTECT, related_name="order_lines")
    position = models.PositiveSmallIntegerField()
    product_name = models.CharField(max_length=120)
    artisan_name = models.CharField(max_length=100)
    currency = models.CharField(max_length=3)
    unit_price_minor = models.BigIntegerField()
    quantity = models.PositiveIntegerField()
    line_total_minor = models.BigIntegerField()
    discount_minor = models.BigIntegerField(default=0, db_default=0)
    subsidy_minor = models.BigIntegerField(default=0, db_default=0)
    prices_include_tax = models.BooleanField(default=False, db_default=False)
    tax_rate_ppm = models.PositiveIntegerField(null=True)
    tax_name = models.CharField(max_length=40, blank=True, default="", db_default="")
    tax_minor = models.BigIntegerField()
    step_minor = models.BigIntegerField(default=1, db_default=1)
    refunded_quantity = models.PositiveIntegerField(
        default=0, help_text=_("Quantity refunded or being refunded.")
    )
    commission_ppm = models.PositiveIntegerField(null=True)
    commission_minor = models.BigIntegerField(null=True)
    commission_tax_minor = models.BigIntegerField(null=True)
    remitted_tax_minor = models.BigIntegerField(null=True)
    cancelled_quantity = models.PositiveIntegerField(default=0, db_default=0)
    cancelled_minor = models.BigIntegerField(default=0, db_default=0)
    lost_quantity = models.PositiveIntegerField(default=0, db_default=0)
    cancelled_refunded_quantity = models.PositiveIntegerField(default=0, db_default=0)
    cancelled_refunded_minor = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        default_permissions = ("view",)
        ordering = ("order_id", "position")
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="order_line_position_unique"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="order_line_quantity_positive"),
            models.CheckConstraint(
                condition=Q(line_total_minor=F("unit_price_minor") * F("quantity"))
                # Tax was taken out of the whole line: its unit price is rounded.
                | Q(
                    tax_minor=0,
                    line_total_minor__gte=F("unit_price_minor") * F("quantity") - F("quantity") / 2,
                    line_total_minor__lte=F("unit_price_minor") * F("quantity") + F("quantity") / 2,
                ),
                name="order_line_total_is_product",
            ),
            models.CheckConstraint(
                condition=Q(discount_minor__gte=0, discount_minor__lte=F("line_total_minor")),
                name="order_line_discount_within_total",
            ),
            models.CheckConstraint(
                condition=Q(subsidy_minor__gte=0, subsidy_minor__lte=F("discount_minor")),
                name="order_line_subsidy_within_discount",
            ),
            models.CheckConstraint(condition=Q(step_minor__gt=0), name="order_line_step_positive"),
            models.CheckConstraint(condition=Q(tax_minor__gte=0), name="order_line_tax_not_negative"),
            models.CheckConstraint(
                condition=Q(refunded_quantity__gte=0, refunded_quantity__lte=F("quantity")),
                name="order_line_refunded_at_most_ordered",
            ),
            models.CheckConstraint(
                condition=Q(**dict.fromkeys((f"{name}__isnull" for name in FROZEN), True))
                | Q(**dict.fromkeys((f"{name}__isnull" for name in FROZEN), False)),
                name="order_line_fees_frozen_together",
            ),
            models.CheckConstraint(
                condition=Q(
                    commission_minor__gte=0,
                    commission_tax_minor__gte=0,
                    commission_minor__lte=F("line_total_minor") - F("commission_tax_minor"),
                    remitted_tax_minor__gte=0,
                    remitted_tax_minor__lte=F("tax_minor"),
                ),
                name="order_line_fees_within_total",
            ),
            models.CheckConstraint(
                condition=Q(
                    cancelled_quantity__lte=F("quantity"),
                    lost_quantity__lte=F("cancelled_quantity"),
                    cancelled_minor__gte=0,
                )
                & (
                    Q(
                        prices_include_tax=True,
                        cancelled_minor__lte=F("line_total_minor") - F("discount_minor"),
                    )
                    | Q(
                        prices_include_tax=False,
                        cancelled_minor__lte=F("line_total_minor") - F("discount_minor") + F("tax_minor"),
                    )
                ),
                name="order_line_cancelled_at_most_ordered",
            ),
            models.CheckConstraint(
                condition=Q(
                    cancelled_refunded_quantity__lte=F("cancelled_quantity"),
                    cancelled_refunded_minor__gte=0,
                    cancelled_refunded_minor__lte=F("cancelled_minor"),
                ),
                name="order_line_cancelled_refunded_within_cancelled",
            ),
            models.CheckConstraint(
                condition=Q(
                    quantity__gte=F("refunded_quantity")
                    + F("cancelled_quantity")
                    - F("cancelled_refunded_quantity")
                ),
                name="order_line_unit_given_back_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product_name}"

    @property
    def unit_price(self) -> Money:
        return Money.stored(self.unit_price_minor, self.currency)

    @property
    def line_total(self) -> Money:
        return Money.stored(self.line_total_minor, self.currency)

    @property
    def agreed_quantity(self) -> int:
        """The quantity without units that will not be delivered."""
        return self.quantity - self.cancelled_quantity

    @property
    def uncharged_quantity(self) -> int:
        """Units that were cancelled or refunded, or are being refunded."""
        return self.refunded_quantity + self.cancelled_quantity - self.cancelled_refunded_quantity

    @property
    def refundable_quantity(self) -> int:
        return self.quantity - self.uncharged_quantity

    @property
    def discount(self) -> Money:
        return Money.stored(self.discount_minor, self.currency)

    @property
    def tax_added_minor(self) -> int:
        """The tax that prices do not include."""
        return 0 if self.prices_include_tax else self.tax_minor

    @property
    def charged_minor(self) -> int:
        """What the buyer pays for the line: with tax, without its discount."""
        return self.line_total_minor - self.discount_minor + self.tax_added_minor

    @property
    def net_minor(self) -> int:
        """What the line sells for, without tax: commission is a part of it."""
        included = self.tax_minor - self.tax_added_minor
        return self.line_total_minor - self.discount_minor + self.subsidy_minor - included

    @property
    def tax(self) -> Money:
        return Money.stored(self.tax_minor, self.currency)

    @property
    def cancelled(self) -> Money:
        return Money.stored(self.cancelled_minor, self.currency)

    @property
    def uncharged(self) -> Money:
        """The value of cancelled and refunded units with tax, pending refunds included."""
        refunded = self.value_minor(self.refunded_quantity)
        minor = self.cancelled_minor + self.goods_refunded(refunded)
        return Money.stored(min(minor, self.charged_minor), self.currency)

    def value_minor(self, quantity: int) -> int:
        """What the first `quantity` units cost with tax; all of them cost exactly what the line does."""
        if quantity == self.quantity:
            return self.charged_minor
        parts = (self.line_total_minor - self.discount_minor, self.tax_added_minor)
        return sum(half_up(part * quantity, self.quantity, self.step_minor) for part in parts)

    def goods_refunded(self, refunded: int) -> int:
        """How much of what refunds of the line gave back is for units that were not cancelled. Minor units."""
        return max(0, refunded - self.cancelled_refunded_minor)


class HeldLine(models.Model):
    """A line of an order that an unknown buyer placed and may not have paid yet: finds what they hold by product.

    Written with the order. Rows of orders that no longer await money count as nothing and are deleted once a minute.
    """

    line = models.OneToOneField(OrderLine, models.PROTECT, primary_key=True, related_name="held")
    product = models.ForeignKey(Product, models.PROTECT, related_name="+")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)
