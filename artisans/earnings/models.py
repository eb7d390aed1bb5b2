from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.catalog.models import Artisan
from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import BaseModel, choices_constraint, currency_constraint
from artisans.core.money import Money
from artisans.core.numbers import new_number
from artisans.core.templatetags.money import show
from orders.models import Order
from payments.models import Dispute


class HoldReason(models.TextChoices):
    DISPUTE = "dispute", gettext_lazy("Disputed payment")
    RESERVE = "reserve", gettext_lazy("Reserve")
    STAFF = "staff", gettext_lazy("Under review")
    TAX_DATA = "tax_data", gettext_lazy("Tax data missing")
    DESTINATION = "destination", gettext_lazy("Bank account to be confirmed")


BY_STAFF = (HoldReason.STAFF, HoldReason.TAX_DATA, HoldReason.DESTINATION)


class Hold(BaseModel):
    """Money of an artisan that is held back: it stays theirs, and is not paid out until the hold ends.

    `amount_minor`: taken from what was available; 0 if nothing was. `stops_releases`: while the hold lasts, pending
    earnings of `order` (without one, all in this currency) are not released. `until`: when it ends by itself; None if
    staff or the decision of `dispute` end it. `note`: why, shown to the artisan.
    """

    artisan = models.ForeignKey(Artisan, models.PROTECT, related_name="holds")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    reason = models.CharField(max_length=11, choices=HoldReason)
    note = models.CharField(max_length=300, blank=True)
    stops_releases = models.BooleanField(default=False)
    order = models.ForeignKey(Order, models.PROTECT, null=True, blank=True, related_name="holds")
    dispute = models.ForeignKey(Dispute, models.PROTECT, null=True, blank=True, related_name="holds")
    until = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        default_permissions = ("view",)
        permissions = [("change_holds", gettext_lazy("Can hold back artisans’ money and end holds"))]
        ordering = ("-created_at",)
        constraints = [
            choices_constraint("reason", HoldReason.values, name="hold_reason_known"),
            currency_constraint("hold_currency_iso"),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0) | Q(amount_minor=0, stops_releases=True),
                name="hold_holds_something",
            ),
            models.CheckConstraint(
                condition=Q(reason=HoldReason.DISPUTE, dispute__isnull=False, order__isnull=False)
                | (~Q(reason=HoldReason.DISPUTE) & Q(dispute__isnull=True)),
                name="hold_of_dispute_names_it",
            ),
            models.CheckConstraint(
                condition=~Q(reason=HoldReason.RESERVE) | Q(until__isnull=False, order__isnull=False),
                name="hold_of_reserve_ends",
            ),
            models.CheckConstraint(
                condition=~Q(reason__in=BY_STAFF) | Q(made_by__isnull=False), name="hold_by_staff_names_them"
            ),
            models.UniqueConstraint(
                fields=["artisan", "order"],
                condition=Q(reason=HoldReason.RESERVE, released_at__isnull=True),
                name="hold_one_reserve_per_order",
            ),
        ]
        indexes = [
            models.Index(
                fields=["artisan", "currency"], condition=Q(released_at__isnull=True), name="hold_active"
            ),
            models.Index(
                fields=["until"],
                condition=Q(released_at__isnull=True, until__isnull=False),
                name="hold_to_end",
            ),
            models.Index(
                fields=["dispute"],
                condition=Q(released_at__isnull=True, dispute__isnull=False),
                name="hold_of_dispute",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}, {self.artisan}"

    @property
    def amount(self) -> Money:
        return Money.stored(self.amount_minor, self.currency)

    @property
    def is_active(self) -> bool:
        return self.released_at is None

    @property
    def effect(self) -> str:
        return effect_text(self.amount, stops_releases=self.stops_releases)


def effect_text(amount: Money, *, stops_releases: bool) -> str:
    """What a hold does: "$20.00 held back"."""
    if not amount:
        return _("Releases stopped")
    if stops_releases:
        return _("%(amount)s held back, releases stopped") % {"amount": show(amount)}
    return _("%(amount)s held back") % {"amount": show(amount)}


def new_settlement_number() -> str:
    return f"SET-{new_number()}"


class Debt(BaseModel):
    """A time during which an artisan owed the shop: their available balance was below zero.

    The amount is the balance itself, which changes; `number` is the reference of a transfer that settles it.
    """

    number = models.CharField(max_length=13, unique=True, default=new_settlement_number, editable=False)
    artisan = models.ForeignKey(Artisan, models.PROTECT, related_name="debts")
    currency = models.CharField(max_length=3)
    ended_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-created_at",)
        constraints = [
            currency_constraint("debt_currency_iso"),
            models.UniqueConstraint(
                fields=["artisan", "currency"],
                condition=Q(ended_at__isnull=True),
                name="debt_one_open_per_currency",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(ended_at__isnull=True), name="debt_open"),
        ]

    def __str__(self) -> str:
        return self.number


PAY_CASH_IN = _("Pay cash into the bank account, and record it by its bank reference.")


class SettlementMeans(models.TextChoices):
    BANK = "bank", _("Bank transfer")
    CASH = "cash", _("Cash")  # no longer recorded: PAY_CASH_IN
    WRITE_OFF = "write_off", _("Written off")


class SettlementStatus(models.TextChoices):
    RECORDED = "recorded", _("Recorded")
    REVERSED = "reversed", _("Reversed")


class Settlement(BaseModel, AppendOnlyModel):
    """What an artisan paid of a debt, or what the shop gave up of it.

    `reference`: of the bank's statement (of cash, of its receipt), so that nothing is recorded twice; a write-off has
    none, but a reason in `note`. Changed once, when it is reversed.
    """

    undecided = ("status", SettlementStatus.RECORDED.value)
    personal = ("note", "reversal_reason")

    debt = models.ForeignKey(Debt, models.PROTECT, related_name="settlements")
    means = models.CharField(max_length=9, choices=SettlementMeans)
    status = models.CharField(max_length=8, choices=SettlementStatus, default=SettlementStatus.RECORDED)
    currency = models.CharField(max_length=3, help_text=_("That of the debt."))
    amount_minor = models.BigIntegerField()
    value_date = models.DateField()
    reference = models.CharField(max_length=80, blank=True)
    reference_key = models.CharField(max_length=120, blank=True)
    note = models.CharField(max_length=300, blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    reversed_at = models.DateTimeField(null=True, blank=True)
    reversed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reversal_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        default_permissions = ("view",)
        permissions = [
            ("settle_debts", _("Can record what artisans pay of their debts")),
            ("write_off_debts", _("Can write off artisans’ debts")),
        ]
        ordering = ("-created_at",)
        constraints = [
            choices_constraint("means", SettlementMeans.values, name="settlement_means_known"),
            choices_constraint("status", SettlementStatus.values, name="settlement_status_known"),
            currency_constraint("settlement_currency_iso"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="settlement_amount_positive"),
            models.CheckConstraint(
                condition=(Q(means=SettlementMeans.WRITE_OFF, reference_key="") & ~Q(note=""))
                | (~Q(means=SettlementMeans.WRITE_OFF) & ~Q(reference_key="")),
                name="settlement_has_reference_or_reason",
            ),
            models.CheckConstraint(
                condition=Q(
                    status=SettlementStatus.REVERSED, reversed_at__isnull=False, reversed_by__isnull=False
                )
                | (
                    ~Q(status=SettlementStatus.REVERSED)
                    & Q(reversed_at__isnull=True, reversed_by__isnull=True)
                ),
                name="settlement_reversed_by_somebody",
            ),
            models.UniqueConstraint(
                fields=["reference_key"],
                condition=Q(status=SettlementStatus.RECORDED) & ~Q(reference_key=""),
                name="settlement_once_per_reference",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_means_display()}, {self.debt}"

    @property
    def amount(self) -> Money:
        return Money.stored(self.amount_minor, self.currency)

    @property
    def is_write_off(self) -> bool:
        return self.means == SettlementMeans.WRITE_OFF

    @property
    def is_reversed(self) -> bool:
        return self.status == SettlementStatus.REVERSED
