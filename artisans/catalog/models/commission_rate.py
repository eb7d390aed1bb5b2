from django.conf import settings
from django.db import models
from django.db.models import F, Q

from artisans.catalog.models.artisan import Artisan
from artisans.catalog.models.category import Category
from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import currency_constraint


class CommissionRate(AppendOnlyModel):
    """What the shop takes of an artisan's sales, from `valid_from` on; no `artisan` or no `category` means all of them.

    Only starts are stored, and a rate is never changed: the next one ends it. The most specific rate applies
    (orders/commission.py). With `is_end` it says that from then on the next less exact one does. `minimum`, `cap` and
    `fixed` are amounts per parcel; with `on_shipping` the shop takes its share of the shipping too. `made_by` is null
    for rates copied from `Artisan.commission_ppm`.
    """

    id = models.BigAutoField(primary_key=True)
    artisan = models.ForeignKey(Artisan, models.PROTECT, null=True, blank=True, related_name="rates")
    category = models.ForeignKey(Category, models.PROTECT, null=True, blank=True, related_name="rates")
    currency = models.CharField(max_length=3)
    is_end = models.BooleanField(default=False)
    rate_ppm = models.PositiveIntegerField(default=0)
    minimum_minor = models.BigIntegerField(default=0)
    cap_minor = models.BigIntegerField(null=True, blank=True)
    fixed_minor = models.BigIntegerField(default=0)
    on_shipping = models.BooleanField(default=False)
    valid_from = models.DateTimeField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-valid_from", "-id")
        constraints = [
            models.CheckConstraint(condition=Q(rate_ppm__lte=1_000_000), name="commission_rate_at_most_all"),
            models.CheckConstraint(
                condition=Q(minimum_minor__gte=0, fixed_minor__gte=0), name="commission_rate_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(cap_minor__isnull=True) | Q(cap_minor__gte=F("minimum_minor")),
                name="commission_rate_cap_at_least_minimum",
            ),
            models.CheckConstraint(
                condition=Q(is_end=False)
                | Q(
                    Q(artisan__isnull=False) | Q(category__isnull=False),
                    rate_ppm=0,
                    minimum_minor=0,
                    cap_minor__isnull=True,
                    fixed_minor=0,
                    on_shipping=False,
                ),
                name="commission_rate_end_takes_nothing",
            ),
            currency_constraint("commission_rate_currency_iso"),
            models.UniqueConstraint(
                fields=["currency", "valid_from"],
                condition=Q(artisan__isnull=True, category__isnull=True),
                name="commission_rate_one_start_of_store",
            ),
            models.UniqueConstraint(
                fields=["category", "currency", "valid_from"],
                condition=Q(artisan__isnull=True),
                name="commission_rate_one_start_of_category",
            ),
            models.UniqueConstraint(
                fields=["artisan", "currency", "valid_from"],
                condition=Q(category__isnull=True),
                name="commission_rate_one_start_of_artisan",
            ),
            models.UniqueConstraint(
                fields=["artisan", "category", "currency", "valid_from"],
                name="commission_rate_one_start_of_artisan_in_category",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.artisan or '*'} / {self.category or '*'}"
