from datetime import timedelta
from functools import reduce
from itertools import pairwise
from operator import and_

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from artisans.core.models import choices_constraint, currency_constraint
from artisans.core.test_mode import test_mode_field


class Step(models.TextChoices):
    """Of a checkout, in this order; each has a column with its first time."""

    STARTED = "started", _("First item in the cart")
    CART = "cart", _("Cart viewed")
    DETAILS = "details", _("Delivery details")
    DELIVERY = "delivery", _("Delivery")
    PAYMENT = "payment", _("Payment")
    CHECK = "check", _("Review")
    PLACED = "placed", _("Order placed")


COLUMNS = {step: f"{step}_at" for step in Step}
QUIET = timedelta(hours=1)  # after which an unfinished checkout counts as abandoned


class Channel(models.TextChoices):
    PAGE = "page", _("Shop pages")
    API = "api", _("API")
    UNKNOWN = "unknown", _("Unknown")


class Device(models.TextChoices):
    NARROW = "narrow", _("Phone")
    WIDE = "wide", _("Computer or tablet")
    UNKNOWN = "unknown", _("Unknown")


class Journey(models.Model):
    """How far a cart, or an order placed without one, came in the checkout, and when it first reached each step.

    `cart_id`, `order_id`: plain keys, because this app is below carts and orders. `delivery_country`: "" until known.
    `is_signed_in`: at the last step. `is_backfilled`: the order was placed before steps were recorded, or recording
    them failed; only `placed_at` is known. `is_merged`: continued as the journey of another cart. `was_abandoned`:
    went on after nothing had happened for QUIET. `abandoned_minor`: what was in the cart when it was abandoned, at the
    prices that the buyer saw last; null if that did not happen, or before it was recorded.
    """

    id = models.BigAutoField(primary_key=True)
    cart_id = models.UUIDField(null=True, unique=True)
    order_id = models.UUIDField(null=True, unique=True)
    channel = models.CharField(max_length=7, choices=Channel)
    device = models.CharField(max_length=7, choices=Device, default=Device.UNKNOWN)
    is_signed_in = models.BooleanField(default=False)
    is_staff = models.BooleanField(default=False)
    currency = models.CharField(max_length=3)
    delivery_country = models.CharField(max_length=2, blank=True)
    started_at = models.DateTimeField(null=True, db_index=True)
    cart_at = models.DateTimeField(null=True)
    details_at = models.DateTimeField(null=True)
    delivery_at = models.DateTimeField(null=True)
    payment_at = models.DateTimeField(null=True)
    check_at = models.DateTimeField(null=True)
    placed_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(db_index=True)
    is_backfilled = models.BooleanField(default=False)
    is_merged = models.BooleanField(default=False)
    is_test = test_mode_field()
    was_abandoned = models.BooleanField(default=False, db_default=False)
    abandoned_minor = models.PositiveBigIntegerField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            choices_constraint("channel", Channel.values, name="journey_channel_known"),
            choices_constraint("device", Device.values, name="journey_device_known"),
            currency_constraint("journey_currency_iso"),
            models.CheckConstraint(
                condition=Q(cart_id__isnull=False) | Q(order_id__isnull=False),
                name="journey_of_a_cart_or_order",
            ),
            models.CheckConstraint(
                condition=Q(placed_at__isnull=True, order_id__isnull=True)
                | Q(placed_at__isnull=False, order_id__isnull=False),
                name="journey_placed_has_order",
            ),
            models.CheckConstraint(  # otherwise a funnel could grow from one step to the next
                condition=Q(is_backfilled=True)
                | reduce(
                    and_,
                    (
                        Q(**{f"{later}__isnull": True}) | Q(**{f"{earlier}__isnull": False})
                        for earlier, later in pairwise(COLUMNS.values())
                    ),
                ),
                name="journey_steps_in_order",
            ),
            models.CheckConstraint(
                condition=Q(is_backfilled=False) | Q(started_at__isnull=True, placed_at__isnull=False),
                name="journey_backfilled_is_placed",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class ProblemKind(models.TextChoices):
    FORM = "form", _("Form")
    CART = "cart_problem", _("Cart")
    DECLINED = "declined", _("Payment declined")
    PROVIDER_DOWN = "provider_down", _("Payment provider unavailable")
    LIMITED = "limited", _("Limit reached")
    SCRIPT = "script", _("Script in the browser")
    SERVER = "server", _("Server error")


class JourneyProblem(models.Model):
    """Something that kept a buyer from going on. Never changed; it may stay longer than its journey.

    `code`: the name of a field, or an error code; never what was entered.
    """

    id = models.BigAutoField(primary_key=True)
    journey = models.ForeignKey(Journey, models.SET_NULL, null=True, related_name="problems")
    channel = models.CharField(max_length=7, choices=Channel)
    step = models.CharField(max_length=8, choices=Step)
    kind = models.CharField(max_length=13, choices=ProblemKind)
    code = models.CharField(max_length=60)
    is_staff = models.BooleanField(default=False)
    is_test = test_mode_field()
    at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()
        constraints = [
            choices_constraint("channel", Channel.values, name="journey_problem_channel_known"),
            choices_constraint("step", Step.values, name="journey_problem_step_known"),
            choices_constraint("kind", ProblemKind.values, name="journey_problem_kind_known"),
            models.CheckConstraint(
                condition=Q(code__regex=r"^[a-z0-9_.]+$"), name="journey_problem_code_is_a_name"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step}: {self.kind} {self.code}"
