from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import Artisan
from artisans.core.models import choices_constraint, currency_constraint
from artisans.core.money import Money
from artisans.regions.models import Area


class MethodKind(models.TextChoices):
    DELIVERY = "delivery", _("Delivery")
    PICKUP = "pickup", _("Pickup")


class ChargedPer(models.TextChoices):
    ORDER = "order", _("Per order")
    PARCEL = "parcel", _("Per parcel")


class ShippingZone(models.Model):
    """Where the same shipping methods are offered: its areas. Nothing is shipped outside all zones."""

    name = models.CharField(_("name"), max_length=60, unique=True)

    class Meta:
        default_permissions = ("view", "add", "change")
        verbose_name = _("shipping zone")
        verbose_name_plural = _("shipping zones")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class ShippingZoneArea(Area):
    zone = models.ForeignKey(ShippingZone, models.CASCADE, related_name="areas")


class ShippingMethod(models.Model):
    """A way to ship to a zone, of the shop or of one artisan, whose own methods take the place of the shop's.

    Charged once per order, split over its parcels, or for each parcel. Business days from shipping to delivery.
    """

    zone = models.ForeignKey(ShippingZone, models.PROTECT, related_name="methods")
    artisan = models.ForeignKey(
        Artisan, models.PROTECT, null=True, blank=True, related_name="shipping_methods"
    )
    name = models.CharField(_("name"), max_length=60)
    kind = models.CharField(_("kind"), max_length=8, choices=MethodKind, default=MethodKind.DELIVERY)
    charged_per = models.CharField(_("charged"), max_length=6, choices=ChargedPer, default=ChargedPer.ORDER)
    min_days = models.PositiveSmallIntegerField(_("days, at least"), null=True, blank=True)
    max_days = models.PositiveSmallIntegerField(_("days, at most"), null=True, blank=True)
    is_active = models.BooleanField(_("offered"), default=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        default_permissions = ("view", "add", "change")
        verbose_name = _("shipping method")
        verbose_name_plural = _("shipping methods")
        ordering = ("position", "pk")
        constraints = [
            choices_constraint("kind", MethodKind.values, name="shipping_method_kind_known"),
            choices_constraint("charged_per", ChargedPer.values, name="shipping_method_charged_per_known"),
            models.CheckConstraint(
                condition=Q(artisan__isnull=True) | Q(charged_per=ChargedPer.PARCEL),
                name="shipping_method_of_artisan_per_parcel",
            ),
            models.CheckConstraint(
                condition=Q(min_days__isnull=True, max_days__isnull=True) | Q(min_days__lte=F("max_days")),
                name="shipping_method_days_in_order",
            ),
            models.UniqueConstraint(
                fields=["zone", "name"],
                condition=Q(artisan__isnull=True),
                name="shipping_method_name_of_shop",
            ),
            models.UniqueConstraint(
                fields=["zone", "artisan", "name"], name="shipping_method_name_of_artisan"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ShippingRate(models.Model):
    """What a method costs from a weight and a value of goods on; the row with the highest reached bounds counts,
    weight first. A method without a row in a currency is not offered in it. 0 is free."""

    method = models.ForeignKey(ShippingMethod, models.CASCADE, related_name="rates")
    currency = models.CharField(_("currency"), max_length=3)
    min_weight_g = models.PositiveIntegerField(_("from a weight of (grams)"), default=0)
    min_goods_minor = models.BigIntegerField(_("from goods worth, in minor units"), default=0)
    price_minor = models.BigIntegerField(_("price, in minor units"))

    class Meta:
        default_permissions = ()
        verbose_name = _("shipping rate")
        verbose_name_plural = _("shipping rates")
        ordering = ("method_id", "currency", "min_weight_g", "min_goods_minor")
        constraints = [
            currency_constraint("shipping_rate_currency_iso"),
            models.CheckConstraint(
                condition=Q(price_minor__gte=0, min_goods_minor__gte=0), name="shipping_rate_not_negative"
            ),
            models.UniqueConstraint(
                fields=["method", "currency", "min_weight_g", "min_goods_minor"],
                name="shipping_rate_once_per_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.price}"

    @property
    def price(self) -> Money:
        return Money.stored(self.price_minor, self.currency)
