from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from artisans.core.append_only import SetOnceModel
from artisans.core.models import BaseModel, choices_constraint, currency_constraint, label_of
from artisans.core.money import Money
from artisans.core.numbers import new_number
from artisans.core.security.tokens import order_token
from artisans.core.test_mode import test_mode_field
from artisans.tax_ids.models import TaxIdStatus, check_read
from orders.addresses import address_lines, address_read
from orders.owed import IS_OWED, AmountOwed, Balance
from orders.statuses import ORDERS_CLOSED, OrderOrigin, OrderPaymentStatus, OrderStatus

# Of orders and parcels: prices include their tax, or it is added to them.
CHARGED = F("subtotal_minor") - F("discount_minor") + F("shipping_minor") - F("shipping_discount_minor")
TOTAL_IS_SUM_OF_PARTS = Q(prices_include_tax=True, total_minor=CHARGED) | Q(
    prices_include_tax=False, total_minor=CHARGED + F("tax_minor")
)
DISCOUNTS_WITHIN_PRICES = Q(
    discount_minor__gte=0,
    discount_minor__lte=F("subtotal_minor"),
    shipping_discount_minor__gte=0,
    shipping_discount_minor__lte=F("shipping_minor"),
)
MAY_AWAIT_MONEY = Q(payment_status="UNPAID", status__in=["PENDING", "CONFIRMED", "PROCESSING"])


class Order(BaseModel, SetOnceModel):
    """An order: its prices and addresses as placed. Payments settle it, and it is shipped as parcels.

    `pay_by` is the due date shown to the buyer; `expires_at`, some days later, ends the hold on stock.
    `paid_at` is when the order was first paid in full, whatever was refunded since; null for an order of release 0.1.0
    whose time is not certain. `released_at` is when the artisans were allowed to ship. `is_test`: as of its latest
    payment, or of the shop when it was placed.
    """

    set_once = ("paid_at",)

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
    origin = models.CharField(
        max_length=7, choices=OrderOrigin, default=OrderOrigin.SHOP, db_default=OrderOrigin.SHOP
    )
    currency = models.CharField(max_length=3)
    step_minor = models.BigIntegerField(
        default=1, db_default=1, help_text=_("What the order costs and refunds are multiples of it.")
    )
    tax_rate_ppm = models.PositiveIntegerField(null=True, help_text=_("Empty if items have several rates."))
    prices_include_tax = models.BooleanField(default=False, db_default=False)
    is_reverse_charge = models.BooleanField(
        default=False, db_default=False, help_text=_("The buyer owes the tax.")
    )
    company = models.CharField(_("company"), max_length=150, blank=True, default="", db_default="")
    vat_id = models.CharField(_("VAT ID"), max_length=20, blank=True, default="", db_default="")
    vat_id_check = models.JSONField(
        null=True, blank=True, help_text=_("What was known of the VAT ID when the order was placed.")
    )
    subtotal_minor = models.BigIntegerField()
    discount_minor = models.BigIntegerField(default=0, db_default=0)
    tax_minor = models.BigIntegerField()
    shipping_minor = models.BigIntegerField()
    shipping_discount_minor = models.BigIntegerField(default=0, db_default=0)
    total_minor = models.BigIntegerField()
    credit_held_minor = models.BigIntegerField(
        default=0, db_default=0, help_text=_("The part of the total that is held of gift cards and credit.")
    )
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
    is_test = test_mode_field()
    is_extended = models.BooleanField(
        default=False, help_text=_("Due date extended after a partial payment.")
    )
    stock_round = models.PositiveSmallIntegerField(default=0)
    paid_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    payment_withdrawn_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("When a released order became unpaid again; its unshipped parcels wait."),
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
            models.CheckConstraint(condition=TOTAL_IS_SUM_OF_PARTS, name="order_total_is_sum_of_parts"),
            models.CheckConstraint(condition=DISCOUNTS_WITHIN_PRICES, name="order_discount_within_subtotal"),
            models.CheckConstraint(
                condition=Q(is_reverse_charge=False) | Q(tax_minor=0, prices_include_tax=False),
                name="order_reverse_charge_has_no_tax",
            ),
            models.CheckConstraint(
                condition=Q(is_reverse_charge=False) | (~Q(vat_id="") & Q(vat_id_check__isnull=False)),
                name="order_reverse_charge_has_vat_id",
            ),
            models.CheckConstraint(
                condition=Q(credit_held_minor__gte=0, credit_held_minor__lte=F("total_minor")),
                name="order_credit_held_within_total",
            ),
            models.CheckConstraint(condition=Q(step_minor__gt=0), name="order_step_positive"),
            choices_constraint("origin", OrderOrigin.values, name="order_origin_known"),
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
            models.Index(fields=["status", "created_at"], name="order_status"),
            models.Index(fields=["total_minor"], name="order_total"),
            models.Index(fields=["paid_at"], condition=Q(paid_at__isnull=False), name="order_paid_on"),
            models.Index(fields=["paid_at"], condition=Q(paid_at__isnull=False), name="order_paid"),
            models.Index(fields=["updated_at"], condition=IS_OWED, name="order_refund_due"),
            models.Index(fields=["expires_at"], condition=Q(status="PENDING"), name="order_to_expire"),
            models.Index(
                fields=["network", "created_at"], condition=Q(status="PENDING"), name="order_of_network"
            ),
            # for the limits on unpaid orders
            models.Index(fields=["network"], condition=MAY_AWAIT_MONEY, name="order_unpaid"),
            models.Index(fields=["user"], condition=MAY_AWAIT_MONEY, name="order_unpaid_of_user"),
            models.Index(
                fields=["email"],
                condition=Q(user=None, mailbox_confirmed_at__isnull=False),
                name="order_confirmed_of_guest",
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
    def discount(self) -> Money:
        return self.money(self.discount_minor)

    @property
    def shipping_discount(self) -> Money:
        return self.money(self.shipping_discount_minor)

    @property
    def has_discount(self) -> bool:
        return self.discount_minor > 0 or self.shipping_discount_minor > 0

    @property
    def tax_added(self) -> Money:
        """The tax that prices do not include."""
        return self.money(0 if self.prices_include_tax else self.tax_minor)

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
            credit_held=self.credit_held_minor,
        )

    @property
    def can_be_shipped(self) -> bool:
        return self.released_at is not None and self.payment_withdrawn_at is None

    @property
    def is_waiting_for_payment(self) -> bool:
        """A payment was reversed after release; nothing is shipped until the amount is paid again."""
        return self.is_alive and self.payment_withdrawn_at is not None

    @property
    def ends_unless_confirmed(self) -> bool:
        """Whether the hold ends before the payment is due, because the buyer has not confirmed their address."""
        if self.mailbox_confirmed_at is not None or self.pay_by is None or self.expires_at is None:
            return False
        return self.expires_at < self.pay_by

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
    def due_now(self) -> Money:
        """What the open payment is over; all of the balance, as orders are paid at once."""
        return self.balance_due

    @property
    def due_at(self) -> datetime | None:
        """The due date of the payment; None once the order is paid or closed."""
        return self.pay_by if self.balance_due else None

    @property
    def reserved_until(self) -> datetime | None:
        """When the hold on stock ends; None once the order is paid or closed."""
        return self.expires_at if self.status == OrderStatus.PENDING else None

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
    def vat_id_evidence(self) -> list[str]:
        """What was known of the VAT ID when the order was placed."""
        check = check_read(self.vat_id_check)
        if not check.status:
            return []
        status = str(label_of(TaxIdStatus, check.status))
        by_whom = _("decided by staff") if check.is_decided_by_staff else _("said VIES")
        said = f"{status}, {by_whom}, {date_format(check.checked_at)}" if check.checked_at else status
        return [said, *check.facts]

    @property
    def shipping_phone(self) -> str:
        """The buyer's phone number for the carrier, as it was entered; empty if they gave none."""
        return address_read(self.shipping_address).get("phone", "")

    @property
    def billing_address_lines(self) -> list[str]:
        return address_lines(self.billing_address)

    @property
    def access_token(self) -> str:
        return order_token(self.pk, self.token_version)
