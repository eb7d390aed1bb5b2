from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models.product import Product
from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import choices_constraint


class StockMoveKind(models.TextChoices):
    TAKE = "take", _("Ordered")
    RETURN = "return", _("Order cancelled or expired")
    RESTOCK = "restock", _("Returned with a refund")
    ADJUST = "adjust", _("Stock count")


class CountCause(models.TextChoices):
    """Why a count changed the stock."""

    COUNTED = "counted", _("Counted")
    MADE = "made", _("New items made")
    SOLD = "sold", _("Sold elsewhere")
    DAMAGED = "damaged", _("Damaged")
    LOST = "lost", _("Lost")
    RETURNED = "returned", _("Returned items")


class CountOutcome(models.TextChoices):
    """What came of the count of one product among several."""

    COUNTED = "counted", _("Counted")
    UNCHANGED = "unchanged", _("Unchanged")
    REPEATED = "repeated", _("Counted before")
    CONFLICT = "conflict", _("Not changed")
    REFUSED = "refused", _("Refused")


class StockMove(AppendOnlyModel):
    """One change of a product's stock. An order line takes once and returns once; a refund line restocks once.

    `refund_line` is the key of the refund's line, or of the `LineCancellation` whose units still exist.

    `cause` and `actor`: why someone counted, and who; staff write a reason only.
    """

    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(Product, models.PROTECT, related_name="stock_moves")
    kind = models.CharField(max_length=7, choices=StockMoveKind)
    quantity = models.IntegerField(help_text=_("Negative for sales."))
    order_line = models.UUIDField(null=True, blank=True)
    refund_line = models.UUIDField(null=True, blank=True)
    round = models.PositiveSmallIntegerField(
        default=0, help_text=_("How often a late payment reopened the order.")
    )
    reason = models.CharField(max_length=200, blank=True)
    cause = models.CharField(max_length=8, choices=CountCause, blank=True, default="", db_default="")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,  # it would read the whole table
    )
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-id",)
        constraints = [
            choices_constraint("kind", StockMoveKind.values, name="stock_move_kind_known"),
            models.UniqueConstraint(
                fields=["order_line", "kind", "round"],
                condition=Q(order_line__isnull=False) & ~Q(kind=StockMoveKind.RESTOCK),
                name="stock_move_once_per_line_and_kind",
            ),
            models.UniqueConstraint(
                fields=["refund_line"],
                condition=Q(refund_line__isnull=False),
                name="stock_move_once_per_refund_line",
            ),
            models.CheckConstraint(
                condition=Q(kind=StockMoveKind.RESTOCK, refund_line__isnull=False, order_line__isnull=False)
                | (~Q(kind=StockMoveKind.RESTOCK) & Q(refund_line__isnull=True)),
                name="stock_move_restock_names_its_refund",
            ),
            models.CheckConstraint(condition=~Q(quantity=0), name="stock_move_moves_something"),
            choices_constraint("cause", ["", *CountCause.values], name="stock_move_cause_known"),
        ]
        indexes = [
            models.Index(
                fields=["order_line"], condition=Q(kind=StockMoveKind.RESTOCK), name="stock_move_restocks"
            ),
            models.Index(fields=["product", "-id"], name="stock_move_of_product"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity:+d} {self.product_id}"
