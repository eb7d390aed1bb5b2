from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import Product
from artisans.core.models import BaseModel, choices_constraint, currency_constraint
from artisans.core.money import Money
from orders.models import Order
from orders.problems import MAX_QUANTITY


class CartStatus(models.TextChoices):
    OPEN = "OPEN", _("Open")
    ORDERED = "ORDERED", _("Ordered")
    MERGED = "MERGED", _("Merged into another cart")


class Cart(BaseModel):
    """A cart, which can change until it becomes one order. Owned by a user or by the holder of its guest token.

    `draft` keeps the checkout answers, so that losing the session loses nothing.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="carts")
    token_hash = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001  # null: no guest
    status = models.CharField(max_length=7, choices=CartStatus, default=CartStatus.OPEN)
    currency = models.CharField(max_length=3)
    order = models.OneToOneField(Order, models.PROTECT, null=True, related_name="cart")
    draft = models.JSONField(default=dict)

    class Meta:
        default_permissions = ("view",)
        constraints = [
            choices_constraint("status", CartStatus.values, name="cart_status_known"),
            currency_constraint("cart_currency_iso"),
            models.CheckConstraint(
                condition=Q(user__isnull=True, token_hash__isnull=False)
                | Q(user__isnull=False, token_hash__isnull=True),
                name="cart_has_one_kind_of_owner",
            ),
            models.CheckConstraint(
                condition=Q(status="ORDERED", order__isnull=False)
                | (~Q(status="ORDERED") & Q(order__isnull=True)),
                name="cart_ordered_has_order",
            ),
            models.UniqueConstraint(
                fields=["user"], condition=Q(status="OPEN", user__isnull=False), name="cart_one_open_per_user"
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=~Q(status="ORDERED"), name="cart_not_ordered")
        ]

    def __str__(self) -> str:
        return str(self.pk)


class CartItem(BaseModel):
    """A product in the cart with the price last shown, which is compared with the current one and never charged."""

    cart = models.ForeignKey(Cart, models.CASCADE, related_name="items")
    product = models.ForeignKey(Product, models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField()
    seen_price_minor = models.BigIntegerField()
    seen_currency = models.CharField(max_length=3)

    class Meta:
        default_permissions = ("view",)
        ordering = ("created_at", "id")
        constraints = [
            models.UniqueConstraint(fields=["cart", "product"], name="cart_item_once_per_product"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=MAX_QUANTITY), name="cart_item_quantity_in_range"
            ),
            models.CheckConstraint(condition=Q(seen_price_minor__gt=0), name="cart_item_seen_price_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product_id}"

    @property
    def seen_price(self) -> Money:
        return Money.stored(self.seen_price_minor, self.seen_currency)
