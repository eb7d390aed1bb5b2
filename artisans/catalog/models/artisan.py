from datetime import date

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from artisans.catalog.statuses import ArtisanState
from artisans.core.models import BaseModel, choices_constraint

MAX_PROCESSING_DAYS = 365


class FeeTaxTreatment(models.TextChoices):
    """How the shop's commission is taxed for an artisan."""

    DOMESTIC = "domestic", _("Domestic: the shop adds its tax")
    REVERSE_CHARGE = "reverse_charge", _("Reverse charge: the artisan owes the tax")
    OUTSIDE = "outside", _("Outside the scope of the tax")


class Artisan(BaseModel):
    """A seller: one workshop with its own page.

    `processing_days`: within how many days it usually ships; `contact_email`: where buyers may write.
    `back_on`: the first day after a holiday, which begins on the day `holiday_from`, or at once without one. Both are
    days in the shop's time zone, and stay when the holiday is over.
    `is_active`: its products are on sale. It and `stored_state` change together (artisan_states.py); release 0.1.0
    knows only `is_active`.
    `low_stock`: at how many units of a product they are told that little is left; null for the shop's number
    (settings.LOW_STOCK).
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="artisan"
    )
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    email = models.EmailField(help_text=_("Receives notifications of new orders."))
    craft = models.CharField(max_length=60)
    town = models.CharField(max_length=80)
    story = models.TextField(blank=True)
    portrait = models.ImageField(upload_to="artisans/", blank=True)
    commission_ppm = models.PositiveIntegerField(
        "commission",
        default=0,
        help_text=_("The shop’s share of the subtotal, in millionths: 100000 is 10%."),
    )
    fee_tax_treatment = models.CharField(
        _("tax on commission"),
        max_length=14,
        choices=FeeTaxTreatment,
        default=FeeTaxTreatment.DOMESTIC,
        db_default=FeeTaxTreatment.DOMESTIC,
        help_text=_("Whether the shop adds tax to its commission. Applies to new orders only."),
    )
    is_active = models.BooleanField(default=True)
    stored_state = models.CharField(
        max_length=9,
        choices=ArtisanState,
        default=ArtisanState.ACTIVE,
        db_default=ArtisanState.ACTIVE,
        editable=False,
    )
    processing_days = models.PositiveSmallIntegerField(null=True, editable=False)
    contact_email = models.EmailField(default="", db_default="", editable=False)
    holiday_from = models.DateField(null=True, editable=False)
    back_on = models.DateField(null=True, editable=False)
    low_stock = models.PositiveIntegerField(null=True, editable=False)
    converted_currencies = models.JSONField(
        default=list, db_default=models.Value([], models.JSONField()), blank=True, editable=False
    )

    class Meta:
        ordering = ("name",)
        permissions = [
            ("change_artisan_access", _("Can change who acts for an artisan and where orders are sent")),
            ("change_commission", _("Can change artisans’ commission")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(commission_ppm__lte=1_000_000), name="artisan_commission_at_most_all"
            ),
            choices_constraint(
                "fee_tax_treatment", FeeTaxTreatment.values, name="artisan_fee_tax_treatment_known"
            ),
            choices_constraint("stored_state", ArtisanState.values, name="artisan_state_known"),
            models.CheckConstraint(
                condition=Q(is_active=False) | Q(stored_state=ArtisanState.ACTIVE),
                name="artisan_on_sale_only_if_active",
            ),
            models.CheckConstraint(
                condition=Q(processing_days__isnull=True)
                | Q(processing_days__gte=1, processing_days__lte=MAX_PROCESSING_DAYS),
                name="artisan_processing_days_in_range",
            ),
            models.CheckConstraint(
                condition=Q(holiday_from__isnull=True)
                | Q(back_on__isnull=False, back_on__gt=F("holiday_from")),
                name="artisan_holiday_ends_after_its_start",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def accepted_currencies(self) -> list[str]:
        """In which the shop may write converted prices. Never raises, whatever is stored."""
        stored = self.converted_currencies
        return [code for code in stored if isinstance(code, str)] if isinstance(stored, list) else []

    @property
    def state(self) -> ArtisanState:
        """What release 0.1.0 deactivates is suspended."""
        stored = ArtisanState(self.stored_state)
        return ArtisanState.SUSPENDED if stored == ArtisanState.ACTIVE and not self.is_active else stored

    @property
    def on_holiday_until(self) -> date | None:
        """The day from which orders are accepted again; None if they are today."""
        if self.back_on is None:
            return None
        today = timezone.localdate()
        has_begun = self.holiday_from is None or self.holiday_from <= today
        return self.back_on if has_begun and self.back_on > today else None
