from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from artisans.core.models import BaseModel, choices_constraint


class FeeTaxTreatment(models.TextChoices):
    """How the shop's commission is taxed for an artisan."""

    DOMESTIC = "domestic", _("Domestic: the shop adds its tax")
    REVERSE_CHARGE = "reverse_charge", _("Reverse charge: the artisan owes the tax")
    OUTSIDE = "outside", _("Outside the scope of the tax")


class Artisan(BaseModel):
    """A seller: one workshop with its own page."""

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
        ]

    def __str__(self) -> str:
        return self.name
