from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import Artisan, Product
from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import BaseModel, choices_constraint, currency_constraint
from artisans.core.money import Money
from artisans.core.numbers import new_number
from artisans.core.security.encryption import EncryptedTextField
from artisans.core.security.tokens import order_token
from artisans.core.validators import validate_account_number, validate_bank_code, validate_currency
from orders.addresses import address_lines
from orders.countries import KNOWN, meant_by
from orders.owed import AmountOwed, Balance
from orders.statuses import (
    ORDERS_CLOSED,
    PARCELS_ENDED,
    PARCELS_SHIPPED,
    PARCELS_UNSHIPPED,
    OrderPaymentStatus,
    OrderStatus,
    ParcelInstruction,
    ParcelStatus,
)

NO_CONTACT = "help@localhost"


def validate_country(code: str) -> None:
    if code not in KNOWN:
        meant = " or ".join(f"{known} ({KNOWN[known]})" for known in meant_by(code))
        raise ValidationError(
            _("Enter the two letters of a country (ISO 3166-1), such as %(meant)s.")
            % {"meant": meant or "US"}
        )


class StoreRules(models.Model):
    """The store's settings, a single row: tax, shipping, bank account and limits.

    The shop takes no orders until tax, shipping and the support address are set; 0 is a valid value.
    """

    name = models.CharField(max_length=60, default="Artisans Alley")
    support_email = models.EmailField(default=NO_CONTACT)
    currency = models.CharField(max_length=3, default="USD", validators=[validate_currency])
    country = models.CharField(
        max_length=2, default="US", help_text=_("ISO 3166-1 alpha-2 code."), validators=[validate_country]
    )
    tax_rate_ppm = models.PositiveIntegerField(
        "tax rate",
        default=0,
        validators=[MaxValueValidator(1_000_000)],
        help_text=_("In millionths: 100000 is 10 %."),
    )
    shipping_minor = models.BigIntegerField("shipping per order, in minor units", default=0)
    tax_is_set = models.BooleanField(default=False, db_default=False, editable=False)
    shipping_is_set = models.BooleanField(default=False, db_default=False, editable=False)
    cash_limit_minor = models.BigIntegerField("cash on delivery up to, in minor units", default=15_000)
    account_holder = models.CharField(max_length=100, blank=True)
    account_iban = EncryptedTextField(
        "account number or IBAN", max_length=40, blank=True, validators=[validate_account_number]
    )
    account_bic = EncryptedTextField(
        "BIC or routing number", max_length=20, blank=True, validators=[validate_bank_code]
    )
    account_bank = models.CharField(max_length=80, blank=True)
    check_payee = models.CharField("checks payable to", max_length=100, blank=True)
    check_address = models.TextField("checks sent to", blank=True)
    second_person_above_minor = models.BigIntegerField(
        "second person for money above, in minor units",
        null=True,
        blank=True,
        help_text=_(
            "Refunds and receipts above this amount per order need a second person’s approval. Empty: never."
        ),
    )
    second_person_for_settings = models.BooleanField(
        "second person for settings that steer money",
        default=False,
        db_default=False,
        help_text=_(
            "Changes to tax, currency, bank account, commission and roles need a colleague’s approval."
        ),
    )

    class Meta:
        verbose_name = verbose_name_plural = _("store rules")
        default_permissions = ("view", "change")
        permissions = [("change_bank_account", _("Can change the bank account and check address"))]
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="store_rules_one_row"),
            models.CheckConstraint(
                condition=Q(tax_rate_ppm__lte=1_000_000), name="store_tax_rate_at_most_all"
            ),
            models.CheckConstraint(condition=Q(shipping_minor__gte=0), name="store_shipping_not_negative"),
            models.CheckConstraint(
                condition=Q(cash_limit_minor__gte=0), name="store_cash_limit_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(second_person_above_minor__isnull=True) | Q(second_person_above_minor__gte=0),
                name="store_second_person_limit_not_negative",
            ),
            currency_constraint("store_currency_iso"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def missing_answers(self) -> list[str]:
        """Names of the settings that must be set before the shop takes orders."""
        answers = {
            "the tax rate": self.tax_is_set,
            "the shipping charge": self.shipping_is_set,
            "the contact address": self.support_email not in {"", NO_CONTACT},
        }
        return [name for name, is_set in answers.items() if not is_set]

    @property
    def is_open(self) -> bool:
        return not self.missing_answers

    @property
    def shipping(self) -> Money:
        return Money.stored(self.shipping_minor, self.currency)

    @property
    def cash_limit(self) -> Money:
        return Money.stored(self.cash_limit_minor, self.currency)

    @property
    def second_person_above(self) -> Money | None:
        minor = self.second_person_above_minor
        return None if minor is None else Money(minor, self.currency)


class Order(BaseModel):
    """An order: its prices and addresses as placed. Payments settle it, and it is shipped as parcels.

    `pay_by` is the due date shown to the buyer; `expires_at`, some days later, ends the hold on stock.
    `released_at` is when the artisans were allowed to ship.
    """

    order_number = models.CharField(max_length=9, unique=True, default=new_number, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="orders")
    email = models.EmailField(db_index=True)
    phone = models.CharField(
        max_length=20, blank=True, db_index=True, help_text=_("Digits only, to limit unpaid orders.")
    )
    status = models.CharField(max_length=10, choices=OrderStatus, default=OrderStatus.PENDING)
    payment_status = models.CharField(
        max_length=18, choices=OrderPaymentStatus, default=OrderPaymentStatus.UNPAID
    )
    currency = models.CharField(max_length=3)
    tax_rate_ppm = models.PositiveIntegerField()
    subtotal_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    shipping_minor = models.BigIntegerField()
    total_minor = models.BigIntegerField()
    received_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    cancelled_minor = models.BigIntegerField(
        default=0, help_text=_("Amount of cancelled or returned parcels, included in the total.")
    )
    goods_refunded_minor = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text=_("Refunded for items and shipping of active parcels."),
    )
    goodwill_minor = models.BigIntegerField(default=0, db_default=0, help_text=_("Refunded as goodwill."))
    unassigned_minor = models.BigIntegerField(
        default=0, db_default=0, help_text=_("Refunded at the provider, awaiting a decision.")
    )
    shipping_address = models.JSONField()
    billing_address = models.JSONField()
    delivery_note = models.CharField(max_length=300, blank=True)
    network = models.CharField(
        max_length=64, blank=True, help_text=_("Hash of the buyer’s network, to limit unpaid orders.")
    )
    token_version = models.PositiveIntegerField(
        default=1, help_text=_("Increase to revoke all links to the order.")
    )
    mailbox_confirmed_at = models.DateTimeField(null=True, blank=True)
    pay_by = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    is_extended = models.BooleanField(
        default=False, help_text=_("Due date extended after a partial payment.")
    )
    stock_round = models.PositiveSmallIntegerField(default=0)
    released_at = models.DateTimeField(null=True, blank=True)
    payment_withdrawn_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("Since when a released order is unpaid again; unshipped parcels wait."),
    )

    class Meta:
        default_permissions = ("view",)
        permissions = [
            ("cancel_order", _("Can cancel unshipped orders")),
            ("revoke_links", _("Can revoke links to orders")),
        ]
        ordering = ("-created_at",)
        constraints = [
            choices_constraint("status", OrderStatus.values, name="order_status_known"),
            choices_constraint(
                "payment_status", OrderPaymentStatus.values, name="order_payment_status_known"
            ),
            currency_constraint("order_currency_iso"),
            models.CheckConstraint(
                condition=Q(total_minor=F("subtotal_minor") + F("tax_minor") + F("shipping_minor")),
                name="order_total_is_sum_of_parts",
            ),
            models.CheckConstraint(
                condition=Q(subtotal_minor__gt=0, tax_minor__gte=0, shipping_minor__gte=0),
                name="order_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("received_minor")),
                name="order_refunded_at_most_received",
            ),
            models.CheckConstraint(
                condition=Q(cancelled_minor__gte=0, cancelled_minor__lte=F("total_minor")),
                name="order_cancelled_at_most_total",
            ),
            models.CheckConstraint(
                condition=Q(goods_refunded_minor__gte=0, goods_refunded_minor__lte=F("total_minor")),
                name="order_goods_refunded_at_most_total",
            ),
            models.CheckConstraint(
                condition=Q(
                    goodwill_minor__gte=0,
                    unassigned_minor__gte=0,
                    refunded_minor__gte=F("goodwill_minor") + F("unassigned_minor"),
                ),
                name="order_goodwill_at_most_refunded",
            ),
            models.CheckConstraint(
                condition=Q(released_at__isnull=True) | ~Q(status__in=["PENDING", "EXPIRED"]),
                name="order_released_only_when_confirmed",
            ),
            models.CheckConstraint(
                condition=Q(payment_withdrawn_at__isnull=True) | Q(released_at__isnull=False),
                name="order_payment_withdrawn_after_release",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="order_of_user"),
            models.Index(fields=["expires_at"], condition=Q(status="PENDING"), name="order_to_expire"),
            models.Index(
                fields=["network", "created_at"], condition=Q(status="PENDING"), name="order_of_network"
            ),
        ]

    def __str__(self) -> str:
        return self.order_number

    def money(self, minor: int) -> Money:
        return Money.stored(minor, self.currency)

    @property
    def subtotal(self) -> Money:
        return self.money(self.subtotal_minor)

    @property
    def tax(self) -> Money:
        return self.money(self.tax_minor)

    @property
    def shipping(self) -> Money:
        return self.money(self.shipping_minor)

    @property
    def total(self) -> Money:
        return self.money(self.total_minor)

    @property
    def received(self) -> Money:
        return self.money(self.received_minor)

    @property
    def refunded(self) -> Money:
        return self.money(self.refunded_minor)

    @property
    def goodwill(self) -> Money:
        return self.money(self.goodwill_minor)

    @property
    def unassigned(self) -> Money:
        return self.money(self.unassigned_minor)

    @property
    def agreed_total_minor(self) -> int:
        """The total without cancelled and returned parcels; the full total once the order is closed."""
        return self.total_minor - (self.cancelled_minor if self.is_alive else 0)

    @property
    def is_alive(self) -> bool:
        return self.status not in ORDERS_CLOSED

    def worth_without(self, goods_refunded: int) -> int:
        """What the order costs now, in minor units, less the refunds of named goods. Zero once it is closed."""
        return self.total_minor - self.cancelled_minor - goods_refunded if self.is_alive else 0

    @property
    def balance(self) -> Balance:
        return Balance(
            worth=self.worth_without(self.goods_refunded_minor),
            received=self.received_minor,
            refunded=self.refunded_minor,
            goodwill=self.goodwill_minor,
            unassigned=0 if self.status == OrderStatus.PENDING else self.unassigned_minor,
        )

    @property
    def can_be_shipped(self) -> bool:
        return self.released_at is not None and self.payment_withdrawn_at is None

    @property
    def is_waiting_for_payment(self) -> bool:
        """A payment was reversed after release; nothing is shipped until the amount is paid again."""
        return self.is_alive and self.payment_withdrawn_at is not None

    @property
    def collects_cash(self) -> bool:
        """Whether artisans collect the amount due on delivery; only cash on delivery has no due date."""
        return self.released_at is not None and self.pay_by is None and bool(self.balance_due)

    @property
    def may_change_method(self) -> bool:
        """Whether the buyer can still choose another payment method."""
        return self.status == OrderStatus.PENDING or self.is_waiting_for_payment

    @property
    def balance_due(self) -> Money:
        """What the buyer still has to pay: zero once the order was paid in full or is closed."""
        return self.money(self.balance.outstanding)

    @property
    def refund_due(self) -> Money:
        """What is owed to the buyer, pending refunds included."""
        return self.money(self.balance.owed)

    @property
    def owed(self) -> AmountOwed:
        """What is owed to the buyer, by reason."""
        total = self.balance.owed
        surplus = max(0, self.received_minor - self.total_minor) if self.is_alive else total
        goods = max(total - surplus, min(total, self.cancelled_minor))
        rest, nothing = self.money(total - goods), self.money(0)
        return AmountOwed(
            goods=self.money(goods),
            surplus=rest if self.is_alive else nothing,
            closed=nothing if self.is_alive else rest,
        )

    @property
    def shipping_address_lines(self) -> list[str]:
        return address_lines(self.shipping_address)

    @property
    def billing_address_lines(self) -> list[str]:
        return address_lines(self.billing_address)

    @property
    def access_token(self) -> str:
        return order_token(self.pk, self.token_version)


class Parcel(BaseModel):
    """What one artisan ships of an order, with its own lines, amounts and status."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="parcels")
    artisan = models.ForeignKey(Artisan, models.PROTECT, related_name="parcels")
    number = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=9, choices=ParcelStatus, default=ParcelStatus.NEW)
    currency = models.CharField(max_length=3)
    subtotal_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    shipping_minor = models.BigIntegerField()
    total_minor = models.BigIntegerField()
    commission_ppm = models.PositiveIntegerField()
    commission_minor = models.BigIntegerField()
    carrier = models.CharField(max_length=60, blank=True)
    tracking = models.CharField(max_length=80, blank=True)
    cash_reported_at = models.DateTimeField(null=True, blank=True)
    instruction = models.CharField(
        max_length=6, choices=ParcelInstruction, blank=True, db_default="", default=""
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
            models.CheckConstraint(
                condition=Q(total_minor=F("subtotal_minor") + F("tax_minor") + F("shipping_minor")),
                name="parcel_total_is_sum_of_parts",
            ),
            models.CheckConstraint(
                condition=Q(commission_minor__gte=0, commission_minor__lte=F("subtotal_minor")),
                name="parcel_commission_within_subtotal",
            ),
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
    def total(self) -> Money:
        return Money.stored(self.total_minor, self.currency)

    @property
    def is_on_hold(self) -> bool:
        return self.instruction == ParcelInstruction.HOLD

    @property
    def is_waiting_for_payment(self) -> bool:
        return self.order.is_waiting_for_payment and self.status in PARCELS_UNSHIPPED

    @property
    def is_gone(self) -> bool:
        return self.status in PARCELS_ENDED

    @property
    def share(self) -> Money:
        """The artisan's earnings: the parcel's total less commission; zero if it was cancelled or returned."""
        return Money.stored(0 if self.is_gone else self.total_minor - self.commission_minor, self.currency)

    @property
    def cash_to_collect(self) -> Money | None:
        """Cash to collect on delivery, at most the balance due of the whole order."""
        if self.is_gone or not self.order.collects_cash:
            return None
        return Money.stored(min(self.total_minor, self.order.balance_due.minor), self.currency)


class OrderLine(BaseModel):
    """One product of the order as agreed: name, price and artisan are copies that never change."""

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
    tax_minor = models.BigIntegerField()
    refunded_quantity = models.PositiveIntegerField(
        default=0, help_text=_("Quantity refunded or being refunded.")
    )

    class Meta:
        default_permissions = ("view",)
        ordering = ("order_id", "position")
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="order_line_position_unique"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="order_line_quantity_positive"),
            models.CheckConstraint(
                condition=Q(line_total_minor=F("unit_price_minor") * F("quantity")),
                name="order_line_total_is_product",
            ),
            models.CheckConstraint(condition=Q(tax_minor__gte=0), name="order_line_tax_not_negative"),
            models.CheckConstraint(
                condition=Q(refunded_quantity__gte=0, refunded_quantity__lte=F("quantity")),
                name="order_line_refunded_at_most_ordered",
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
    def refundable_quantity(self) -> int:
        return self.quantity - self.refunded_quantity

    @property
    def tax(self) -> Money:
        return Money.stored(self.tax_minor, self.currency)


class Transition(AppendOnlyModel):
    """One status change. Append-only."""

    id = models.BigAutoField(primary_key=True)
    old = models.CharField(max_length=18, blank=True)
    new = models.CharField(max_length=18)
    cause = models.CharField(max_length=300)
    actor_name = models.CharField(max_length=150)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        default_permissions = ("view",)
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.old or 'start'} → {self.new}"


class OrderTransition(Transition):
    order = models.ForeignKey(Order, models.PROTECT, related_name="transitions")


class ParcelTransition(Transition):
    parcel = models.ForeignKey(Parcel, models.PROTECT, related_name="transitions")
