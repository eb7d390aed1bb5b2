from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from artisans.core.compiled import compiled
from artisans.core.models import choices_constraint, currency_constraint
from artisans.core.money import Money
from artisans.core.security.encryption import EncryptedTextField
from artisans.core.validators import validate_account_number, validate_bank_code, validate_currency
from artisans.regions.models import TaxClass, TaxRate
from artisans.shipping.models import ShippingRate
from orders.countries import KNOWN, meant_by
from orders.statuses import CashHolder, CommissionOnRefund, FeeBearer, ShippingTax, TaxBy, TaxRemitter

NO_CONTACT = "help@localhost"


def validate_country(code: str) -> None:
    if code not in KNOWN:
        meant = " or ".join(f"{known} ({KNOWN[known]})" for known in meant_by(code))
        raise ValidationError(
            _("Enter the two letters of a country (ISO 3166-1), such as %(meant)s.")
            % {"meant": meant or "US"}
        )


class StoreRules(models.Model):
    """The store's settings, a single row: bank account, rules and limits.

    The shop takes no orders until tax, shipping and the support address are set; 0 is a valid value. Only processes of
    release 0.1.0 read `tax_rate_ppm`, `shipping_minor` and the two flags: rates are in tables by place (ADR 19).
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
        help_text=_("In millionths: 100000 is 10%."),
    )
    prices_include_tax = models.BooleanField(
        _("prices include tax"),
        default=False,
        db_default=False,
        help_text=_("Prices of products and shipping. Applies to new orders only."),
    )
    gross_fixed = models.BooleanField(
        _("prices with tax are the same everywhere"),
        default=True,
        db_default=True,
        help_text=_("If prices include tax. Otherwise they change with the rate of the buyer’s country."),
    )
    shipping_tax = models.CharField(
        _("tax on shipping"),
        max_length=5,
        choices=ShippingTax,
        default=ShippingTax.NONE,
        db_default=ShippingTax.NONE,
    )
    shipping_tax_class = models.ForeignKey(
        TaxClass,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("tax class of shipping"),
        help_text=_(
            "If shipping is taxed at the rate of a class. The shop does not sell where it has no rate."
        ),
    )
    tax_by = models.CharField(
        _("place that decides the tax rate"),
        max_length=11,
        choices=TaxBy,
        default=TaxBy.DESTINATION,
        db_default=TaxBy.DESTINATION,
    )
    subsidy_is_taxed = models.BooleanField(
        _("tax discounts that the shop pays for"),
        default=False,
        db_default=False,
        help_text=_("Tax is then charged on the price that the artisan gets. Ask your accountant."),
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
        "approval required above, in minor units",
        null=True,
        blank=True,
        help_text=_(
            "Refunds and receipts above this amount per order need a second person’s approval. "
            "Leave empty to never require one."
        ),
    )
    second_person_for_settings = models.BooleanField(
        "approval required for settings that affect money",
        default=False,
        db_default=False,
        help_text=_(
            "Changes to tax, currency, bank account, commission and roles need a colleague’s approval."
        ),
    )

    hold_days = models.PositiveSmallIntegerField(
        _("days until earnings are released"),
        default=14,
        db_default=14,
        help_text=_("After delivery. At least the days for returns."),
    )
    longest_hold_days = models.PositiveSmallIntegerField(
        _("days until earnings are released without a report of delivery"),
        default=30,
        db_default=30,
        help_text=_("After shipping, if nobody reports the delivery."),
    )
    return_days = models.PositiveSmallIntegerField(
        _("days for returns"),
        default=14,
        db_default=14,
        help_text=_("After delivery, in which buyers may return what they bought."),
    )
    reserve_ppm = models.PositiveIntegerField(
        _("reserve"),
        default=0,
        db_default=0,
        help_text=_("The part of each release that is held back, in millionths: 100000 is 10%."),
    )
    reserve_days = models.PositiveSmallIntegerField(
        _("days of the reserve"), default=0, db_default=0, help_text=_("How long the reserve is held back.")
    )
    commission_on_refund = models.CharField(
        _("commission on refunded goods"),
        max_length=8,
        choices=CommissionOnRefund,
        default=CommissionOnRefund.RETURNED,
        db_default=CommissionOnRefund.RETURNED,
    )
    tax_remitter = models.CharField(
        _("who pays the tax on goods to the tax office"),
        max_length=7,
        choices=TaxRemitter,
        default=TaxRemitter.ARTISAN,
        db_default=TaxRemitter.ARTISAN,
        help_text=_("If the shop does, artisans do not receive the tax. Applies to new orders only."),
    )
    commission_tax_ppm = models.PositiveIntegerField(
        _("tax rate on commission"),
        default=0,
        db_default=0,
        help_text=_("In millionths: 200000 is 20%. For artisans with domestic tax on commission."),
    )
    payment_fee_bearer = models.CharField(
        _("who bears the fees of payment providers"),
        max_length=7,
        choices=FeeBearer,
        default=FeeBearer.SHOP,
        db_default=FeeBearer.SHOP,
        help_text=_(
            "Artisans bear them by the totals of their parcels, and keep bearing them after a refund. "
            "Applies to new orders only."
        ),
    )
    cash_holder = models.CharField(
        _("who holds cash on delivery"),
        max_length=7,
        choices=CashHolder,
        default=CashHolder.SHOP,
        db_default=CashHolder.SHOP,
    )

    debt_days = models.PositiveSmallIntegerField(
        _("days until an artisan is asked to pay what they owe"),
        default=30,
        db_default=30,
        help_text=_("After refunds and fees have taken more than they had earned."),
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
            models.CheckConstraint(
                condition=Q(hold_days__gte=F("return_days")), name="store_hold_covers_returns"
            ),
            models.CheckConstraint(
                condition=Q(longest_hold_days__gte=F("hold_days")), name="store_longest_hold_is_longest"
            ),
            models.CheckConstraint(condition=Q(reserve_ppm__lte=1_000_000), name="store_reserve_at_most_all"),
            models.CheckConstraint(
                condition=Q(commission_tax_ppm__lte=1_000_000), name="store_commission_tax_at_most_all"
            ),
            choices_constraint(
                "commission_on_refund", CommissionOnRefund.values, name="store_commission_on_refund_known"
            ),
            choices_constraint("tax_remitter", TaxRemitter.values, name="store_tax_remitter_known"),
            choices_constraint("payment_fee_bearer", FeeBearer.values, name="store_payment_fee_bearer_known"),
            choices_constraint("shipping_tax", ShippingTax.values, name="store_shipping_tax_known"),
            models.CheckConstraint(
                condition=~Q(shipping_tax=ShippingTax.CLASS) | Q(shipping_tax_class__isnull=False),
                name="store_shipping_tax_has_class",
            ),
            choices_constraint("tax_by", TaxBy.values, name="store_tax_by_known"),
            choices_constraint("cash_holder", CashHolder.values, name="store_cash_holder_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @cached_property
    def missing_answers(self) -> list[str]:
        """Names of the settings that must be set before the shop takes orders."""
        has_tax, has_shipping = places_of_store.first() or (False, False)
        answers = {
            "the tax rate": has_tax,
            "the shipping charge": has_shipping,
            "the contact address": self.has_contact,
        }
        return [name for name, is_set in answers.items() if not is_set]

    @property
    def has_contact(self) -> bool:
        return self.support_email not in {"", NO_CONTACT}

    @property
    def is_open(self) -> bool:
        return not self.missing_answers

    @property
    def cash_limit(self) -> Money:
        return Money.stored(self.cash_limit_minor, self.currency)

    @property
    def second_person_above(self) -> Money | None:
        minor = self.second_person_above_minor
        return None if minor is None else Money(minor, self.currency)


@compiled
def places_of_store() -> QuerySet[StoreRules, tuple[bool, bool]]:
    """Whether some place has a tax rate, and one a shipping charge in the store's currency."""
    taxed = TaxRate.objects.filter(zone__areas__isnull=False)
    shipped = ShippingRate.objects.filter(
        method__is_active=True, method__zone__areas__isnull=False, currency=OuterRef("currency")
    )
    return StoreRules.objects.filter(pk=1).order_by().values_list(Exists(taxed), Exists(shipped))
