from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import Artisan, FeeTaxTreatment
from artisans.core.models import BaseModel, choices_constraint
from artisans.core.money import Money, allocate
from artisans.shipping.choosing import business_days
from orders.models.order import DISCOUNTS_WITHIN_PRICES, TOTAL_IS_SUM_OF_PARTS, Order
from orders.shares import Shares, frozen_shares
from orders.statuses import (
    PARCELS_ENDED,
    PARCELS_SHIPPED,
    PARCELS_UNSHIPPED,
    FeeBearer,
    ParcelInstruction,
    ParcelStatus,
    TaxRemitter,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orders.models.line import OrderLine


# What the buyer pays for the shipping of a parcel, with the tax on it: `Parcel.shipping_charged_minor`.
SHIPPING_CHARGED = (
    F("shipping_minor")
    - F("shipping_discount_minor")
    + Case(
        When(prices_include_tax=True, then=Value(0)),
        default=F("shipping_tax_minor"),
        output_field=models.BigIntegerField(),
    )
)


@dataclass(frozen=True, slots=True)
class Earnings:
    """An artisan's share of a parcel: its total less what refunds took back, less what the shop takes of the rest.

    `refunded`: with units that will not be delivered, besides what the shop bears, and the whole total while nothing is
    earned. The shop takes `commission`, `commission_tax` on it, and `remitted_tax`, which it pays to the tax office.
    `payment_fee`: the part of the fees of payment providers that the artisan bears, with the tax on it.
    """

    refunded: Money
    commission: Money
    commission_tax: Money
    remitted_tax: Money
    payment_fee: Money
    share: Money

    @property
    def fee(self) -> Money:
        """The commission with its tax."""
        return self.commission + self.commission_tax


class Parcel(BaseModel):
    """What one artisan ships of an order, with its own lines, amounts and status.

    `commission_minor` is the shop's whole fee, frozen when the order was placed: the parts of the lines and of the
    shipping (`shipping_commission_minor`); `commission_tax_minor` is the tax on it, by `commission_tax_ppm`.
    `tax_remitter` says who pays the tax on the goods to the tax office, `payment_fee_bearer` who bears the fees of
    payment providers. `commission_ppm` is the rate of all lines, or
    the fee's part of the subtotal if they have several. `tax_minor` is that of the lines and of the shipping
    (`shipping_tax_minor`).
    """

    order = models.ForeignKey(Order, models.PROTECT, related_name="parcels")
    artisan = models.ForeignKey(Artisan, models.PROTECT, related_name="parcels")
    number = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=9, choices=ParcelStatus, default=ParcelStatus.NEW)
    currency = models.CharField(max_length=3)
    prices_include_tax = models.BooleanField(default=False, db_default=False)
    subtotal_minor = models.BigIntegerField()
    discount_minor = models.BigIntegerField(default=0, db_default=0)
    subsidy_minor = models.BigIntegerField(default=0, db_default=0)
    tax_minor = models.BigIntegerField()
    shipping_minor = models.BigIntegerField()
    shipping_discount_minor = models.BigIntegerField(default=0, db_default=0)
    shipping_tax_minor = models.BigIntegerField(default=0, db_default=0)
    total_minor = models.BigIntegerField()
    shipping_method = models.CharField(
        max_length=60, default="", db_default="", help_text=_("Its name then.")
    )
    shipping_min_days = models.PositiveSmallIntegerField(
        null=True, help_text=_("Business days that it took then, at least.")
    )
    shipping_max_days = models.PositiveSmallIntegerField(null=True)
    commission_ppm = models.PositiveIntegerField()
    commission_minor = models.BigIntegerField()
    carrier = models.CharField(max_length=60, blank=True)
    tracking = models.CharField(max_length=80, blank=True)
    cash_reported_at = models.DateTimeField(null=True, blank=True)
    cash_reported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    cash_received_minor = models.BigIntegerField(
        default=0, db_default=0, help_text=_("Cash on delivery that staff recorded for this parcel.")
    )
    cancelled_minor = models.BigIntegerField(
        default=0, db_default=0, help_text=_("Amount of units that will not be delivered, of the total.")
    )
    instruction = models.CharField(
        max_length=6, choices=ParcelInstruction, blank=True, db_default="", default=""
    )
    commission_tax_minor = models.BigIntegerField(default=0, db_default=0)
    commission_tax_ppm = models.PositiveIntegerField(default=0, db_default=0)
    shipping_commission_minor = models.BigIntegerField(default=0, db_default=0)
    shipping_commission_tax_minor = models.BigIntegerField(default=0, db_default=0)
    fee_tax_treatment = models.CharField(
        max_length=14, choices=FeeTaxTreatment, blank=True, default="", db_default=""
    )
    tax_remitter = models.CharField(
        max_length=7, choices=TaxRemitter, default=TaxRemitter.ARTISAN, db_default=TaxRemitter.ARTISAN
    )
    payment_fee_bearer = models.CharField(
        max_length=7, choices=FeeBearer, default=FeeBearer.SHOP, db_default=FeeBearer.SHOP
    )

    class Meta:
        default_permissions = ("view",)
        ordering = ("order_id", "number")  # sorts without a join
        constraints = [
            choices_constraint("status", ParcelStatus.values, name="parcel_status_known"),
            choices_constraint("instruction", ParcelInstruction.values, name="parcel_instruction_known"),
            models.CheckConstraint(
                condition=~Q(instruction=ParcelInstruction.HOLD) | Q(status__in=PARCELS_UNSHIPPED),
                name="parcel_on_hold_until_sent",
            ),
            models.CheckConstraint(
                condition=~Q(instruction=ParcelInstruction.RETURN) | Q(status__in=PARCELS_SHIPPED),
                name="parcel_expected_back_once_sent",
            ),
            models.UniqueConstraint(fields=["order", "artisan"], name="parcel_one_per_order_and_artisan"),
            models.UniqueConstraint(fields=["order", "number"], name="parcel_number_unique_in_order"),
            models.CheckConstraint(condition=TOTAL_IS_SUM_OF_PARTS, name="parcel_total_is_sum_of_parts"),
            models.CheckConstraint(condition=DISCOUNTS_WITHIN_PRICES, name="parcel_discount_within_subtotal"),
            models.CheckConstraint(
                condition=Q(subsidy_minor__gte=0, subsidy_minor__lte=F("discount_minor")),
                name="parcel_subsidy_within_discount",
            ),
            models.CheckConstraint(
                condition=Q(shipping_tax_minor__gte=0, shipping_tax_minor__lte=F("tax_minor")),
                name="parcel_shipping_tax_within_tax",
            ),
            models.CheckConstraint(
                condition=Q(commission_minor__gte=0, commission_minor__lte=F("subtotal_minor")),
                name="parcel_commission_within_subtotal",
            ),
            models.CheckConstraint(
                condition=Q(
                    commission_tax_minor__gte=0,
                    commission_tax_minor__lte=F("subtotal_minor") - F("commission_minor"),
                    commission_tax_ppm__lte=1_000_000,
                ),
                name="parcel_commission_tax_within_subtotal",
            ),
            models.CheckConstraint(
                condition=Q(
                    shipping_commission_minor__gte=0,
                    shipping_commission_minor__lte=F("commission_minor"),
                    shipping_commission_tax_minor__gte=0,
                    shipping_commission_tax_minor__lte=F("commission_tax_minor"),
                    shipping_minor__gte=F("shipping_commission_minor") + F("shipping_commission_tax_minor"),
                ),
                name="parcel_shipping_commission_within_shipping",
            ),
            choices_constraint(
                "fee_tax_treatment", ["", *FeeTaxTreatment.values], name="parcel_fee_tax_treatment_known"
            ),
            choices_constraint("tax_remitter", TaxRemitter.values, name="parcel_tax_remitter_known"),
            choices_constraint(
                "payment_fee_bearer", FeeBearer.values, name="parcel_payment_fee_bearer_known"
            ),
            models.CheckConstraint(
                condition=Q(cash_received_minor__gte=0, cash_received_minor__lte=F("total_minor")),
                name="parcel_cash_within_total",
            ),
            models.CheckConstraint(
                condition=Q(cancelled_minor__gte=0, cancelled_minor__lte=F("total_minor")),
                name="parcel_cancelled_within_total",
            ),
        ]
        indexes = [
            models.Index(Upper("tracking"), condition=~Q(tracking=""), name="parcel_tracking"),
            models.Index(fields=["order"], condition=Q(instruction="hold"), name="parcel_on_hold"),
        ]

    def __str__(self) -> str:
        return f"{self.order.order_number}-{self.number}"

    @property
    def subtotal(self) -> Money:
        return Money.stored(self.subtotal_minor, self.currency)

    @property
    def tax(self) -> Money:
        return Money.stored(self.tax_minor, self.currency)

    @property
    def shipping(self) -> Money:
        return Money.stored(self.shipping_minor, self.currency)

    @property
    def shipping_tax(self) -> Money:
        return Money.stored(self.shipping_tax_minor, self.currency)

    @property
    def shipping_method_text(self) -> str:
        """The shipping method with its days; empty if the parcel has none."""
        days = business_days(self.shipping_min_days, self.shipping_max_days)
        return f"{self.shipping_method} ({days})" if days else self.shipping_method

    @property
    def shipping_charged_minor(self) -> int:
        """What the buyer pays for shipping: with tax, without its discount."""
        added = 0 if self.prices_include_tax else self.shipping_tax_minor
        return self.shipping_minor - self.shipping_discount_minor + added

    @property
    def discount(self) -> Money:
        return Money.stored(self.discount_minor + self.shipping_discount_minor, self.currency)

    @property
    def tax_added(self) -> Money:
        """The tax that prices do not include."""
        return Money.stored(0 if self.prices_include_tax else self.tax_minor, self.currency)

    @property
    def total(self) -> Money:
        return Money.stored(self.total_minor, self.currency)

    @property
    def cancelled(self) -> Money:
        """The amount of units that will not be delivered."""
        return Money.stored(self.cancelled_minor, self.currency)

    @property
    def agreed_total_minor(self) -> int:
        """The total without units that will not be delivered."""
        return self.total_minor - self.cancelled_minor

    @property
    def is_on_hold(self) -> bool:
        return self.instruction == ParcelInstruction.HOLD

    @property
    def is_waiting_for_payment(self) -> bool:
        return self.order.is_waiting_for_payment and self.status in PARCELS_UNSHIPPED

    @property
    def is_gone(self) -> bool:
        return self.status in PARCELS_ENDED

    def earnings(self, lines: "Iterable[OrderLine]") -> Earnings:
        """What the artisan earns with the parcel's `lines`, as its earning says; before it is earned, what is expected.

        Reads the earning unless it was joined (`select_related("earning")`).
        """
        lines, earning = list(lines), getattr(self, "earning", None)
        if earning is None:
            return self.expected_earnings(lines)
        left = Shares() if self.is_gone else earning.left_of(Shares.sum(frozen_shares(self, lines)))
        return self.show_shares(left, earning.payment_fee.minor)

    def expected_earnings(self, lines: "Iterable[OrderLine]") -> Earnings:
        """What the artisan earns once the parcel is paid: its shares without refunded and cancelled items; nothing if
        it ended."""
        lines, left = list(lines), Shares()
        if not self.is_gone:
            *of_lines, left = frozen_shares(self, lines)
            for line, shares in zip(lines, of_lines, strict=True):
                returned = Shares(*allocate(line.uncharged.minor, shares))
                left = left.plus(shares.minus(returned))
        return self.show_shares(left)

    def show_shares(self, left: Shares, payment_fee: int = 0) -> Earnings:
        amounts = (
            self.total_minor - left.total,
            left.commission,
            left.commission_tax,
            left.remitted_tax,
            payment_fee,
            left.net - payment_fee,
        )
        return Earnings(*(Money.stored(minor, self.currency) for minor in amounts))

    @property
    def share(self) -> Money:
        """The artisan's earnings; reads the parcel's lines and its earning unless they were read with it."""
        return self.earnings(self.lines.all()).share

    @property
    def cash_received(self) -> Money:
        return Money.stored(self.cash_received_minor, self.currency)

    @property
    def cash_due(self) -> Money:
        """What is outstanding for this parcel, at most the balance due of the whole order."""
        left = 0 if self.is_gone else max(0, self.agreed_total_minor - self.cash_received_minor)
        return Money.stored(min(left, self.order.balance_due.minor), self.currency)

    @property
    def cash_to_collect(self) -> Money | None:
        """Cash to collect on delivery; None if it was recorded, or the order is paid in another way."""
        return self.cash_due if self.order.collects_cash and self.cash_due else None
