from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import choices_constraint
from artisans.regions.models.areas import Area

STANDARD = "standard"  # the class of products without one


class TaxRounding(models.TextChoices):
    LINE = "line", _("Per line")
    DOCUMENT = "document", _("Once per rate over the order")


class TaxClass(models.Model):
    """A kind of goods that is taxed alike, such as books or food. Products without one are "standard"."""

    code = models.SlugField(_("code"), max_length=30, unique=True)
    name = models.CharField(_("name"), max_length=60)

    class Meta:
        default_permissions = ("view", "add", "change")
        verbose_name = _("tax class")
        verbose_name_plural = _("tax classes")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class TaxZone(models.Model):
    """Where the same tax rates apply: its areas.

    `rounding`: how tax is rounded. `has_reverse_charge`: businesses there with a valid VAT id are not charged tax.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    rounding = models.CharField(
        _("tax is rounded"), max_length=8, choices=TaxRounding, default=TaxRounding.LINE
    )
    has_reverse_charge = models.BooleanField(
        _("reverse charge"),
        default=False,
        help_text=_("Businesses there with a valid VAT id pay no tax to the shop."),
    )

    class Meta:
        default_permissions = ("view", "add", "change")
        verbose_name = _("tax zone")
        verbose_name_plural = _("tax zones")
        ordering = ("name",)
        constraints = [
            choices_constraint("rounding", TaxRounding.values, name="tax_zone_rounding_known"),
        ]

    def __str__(self) -> str:
        return self.name


class TaxZoneArea(Area):
    zone = models.ForeignKey(TaxZone, models.CASCADE, related_name="areas")


class TaxRate(AppendOnlyModel):
    """What is added to goods of a class in a zone, from `valid_from` on; the next rate ends it. Never changed.

    `name` is what buyers read beside the amount: "VAT", "Sales tax".
    """

    id = models.BigAutoField(primary_key=True)
    zone = models.ForeignKey(TaxZone, models.PROTECT, related_name="rates")
    tax_class = models.ForeignKey(TaxClass, models.PROTECT, related_name="rates")
    rate_ppm = models.PositiveIntegerField(_("rate"), help_text=_("In millionths: 100000 is 10%."))
    name = models.CharField(_("name"), max_length=30, blank=True, default="")
    valid_from = models.DateTimeField(_("applies from"))
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view", "add")
        verbose_name = _("tax rate")
        verbose_name_plural = _("tax rates")
        ordering = ("zone_id", "tax_class_id", "-valid_from")
        constraints = [
            models.CheckConstraint(condition=Q(rate_ppm__lte=1_000_000), name="tax_rate_at_most_all"),
            models.UniqueConstraint(fields=["zone", "tax_class", "valid_from"], name="tax_rate_one_start"),
        ]

    def __str__(self) -> str:
        return f"{self.zone} {self.tax_class} {self.valid_from}"
