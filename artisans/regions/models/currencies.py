from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import CombinedExpression
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import choices_constraint, currency_constraint
from artisans.core.money import Money
from artisans.core.validators import validate_currency


class Rounding(models.TextChoices):
    NEAREST = "nearest", _("To the nearest")
    UP = "up", _("Up")


class ShopCurrency(models.Model):
    """A currency that the shop sells in. All amounts are in its minor units (ISO 4217).

    `step_minor`: every price, tax and shipping charge is a multiple of it, so that providers can charge and refund
    every total (KWD 10, HUF 100 for whole forints). Converted prices are multiples of `price_step_minor` less
    `price_charm_minor` (100 less 1: 12.99). `cash_limit_minor`: null if cash on delivery is not offered in it.
    The shop's own currency is that of its store rules.
    """

    code = models.CharField(_("code"), max_length=3, primary_key=True, validators=[validate_currency])
    is_active = models.BooleanField(_("offered to shoppers"), default=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    step_minor = models.BigIntegerField(_("smallest step of amounts, in minor units"), default=1)
    price_step_minor = models.BigIntegerField(_("step of converted prices, in minor units"), default=1)
    price_charm_minor = models.BigIntegerField(
        _("taken off converted prices, in minor units"),
        default=0,
        help_text=_("1 with a step of 100: 12.99."),
    )
    rounding = models.CharField(
        _("rounding of converted prices"), max_length=7, choices=Rounding, default=Rounding.NEAREST
    )
    cash_limit_minor = models.BigIntegerField(
        _("cash on delivery up to, in minor units"),
        null=True,
        blank=True,
        help_text=_("Empty: not offered in this currency."),
    )

    class Meta:
        default_permissions = ("view", "add", "change")
        verbose_name = _("currency")
        verbose_name_plural = _("currencies")
        ordering = ("position", "code")
        constraints = [
            models.CheckConstraint(condition=Q(code__regex=r"^[A-Z]{3}$"), name="shop_currency_iso"),
            choices_constraint("rounding", Rounding.values, name="shop_currency_rounding_known"),
            models.CheckConstraint(
                condition=Q(step_minor__gt=0, price_step_minor__gt=0), name="shop_currency_steps_positive"
            ),
            models.CheckConstraint(
                condition=Q(price_charm_minor__gte=0, price_charm_minor__lt=F("price_step_minor")),
                name="shop_currency_charm_below_step",
            ),
            models.CheckConstraint(
                condition=Exact(CombinedExpression(F("price_step_minor"), "%%", F("step_minor")), 0)
                & Exact(CombinedExpression(F("price_charm_minor"), "%%", F("step_minor")), 0),
                name="shop_currency_price_steps_are_steps",
            ),
            models.CheckConstraint(
                condition=Q(cash_limit_minor__isnull=True) | Q(cash_limit_minor__gte=0),
                name="shop_currency_cash_limit_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def currency(self) -> str:
        return self.code

    @property
    def cash_limit(self) -> Money | None:
        minor = self.cash_limit_minor
        return None if minor is None else Money.stored(minor, self.code)


class RateSource(models.TextChoices):
    ECB = "ecb", _("European Central Bank")
    MANUAL = "manual", _("Entered by staff")


class RateSheet(AppendOnlyModel):
    """Exchange rates of a day: how much of each currency one unit of `base` is worth. `sha256`: of the file."""

    id = models.BigAutoField(primary_key=True)
    source = models.CharField(max_length=6, choices=RateSource)
    base = models.CharField(max_length=3)
    valid_on = models.DateField()
    sha256 = models.CharField(max_length=64, unique=True)
    imported_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view", "add")
        verbose_name = _("exchange rates of a day")
        verbose_name_plural = _("exchange rates")
        ordering = ("-valid_on", "-id")
        constraints = [
            choices_constraint("source", RateSource.values, name="rate_sheet_source_known"),
            models.CheckConstraint(condition=Q(base__regex=r"^[A-Z]{3}$"), name="rate_sheet_base_iso"),
            models.UniqueConstraint(
                fields=["source", "valid_on"], condition=Q(source="ecb"), name="rate_sheet_one_of_a_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_source_display()} {self.valid_on}"


class ExchangeRate(AppendOnlyModel):
    """One unit of the sheet's base currency is worth `rate_e10` / 10**10 units of `currency`."""

    id = models.BigAutoField(primary_key=True)
    sheet = models.ForeignKey(RateSheet, models.PROTECT, related_name="rates")
    currency = models.CharField(max_length=3)
    rate_e10 = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        ordering = ("sheet_id", "currency")
        constraints = [
            currency_constraint("exchange_rate_currency_iso"),
            models.CheckConstraint(condition=Q(rate_e10__gt=0), name="exchange_rate_positive"),
            models.UniqueConstraint(fields=["sheet", "currency"], name="exchange_rate_once_in_sheet"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.sheet}"
