from django.conf import settings
from django.db import models
from django.db.models import Q

from artisans.core.models import BaseModel
from artisans.core.security.encryption import EncryptedTextField, KeyedHashField
from payments.methods import PaymentMethod
from payments.providers.registry import ACCOUNT_LENGTH, provider_choices


class ProviderCustomer(BaseModel):
    """A user's customer id at a provider. `account`: the provider's mode and account that the id belongs to, "" if
    it is not known."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="provider_customers")
    provider = models.CharField(max_length=32, choices=provider_choices)
    customer_id = models.CharField(max_length=120)
    account = models.CharField(max_length=ACCOUNT_LENGTH, blank=True, default="", db_default="")

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["user", "provider", "account"], name="provider_customer_one_per_account"
            ),
            models.UniqueConstraint(fields=["provider", "customer_id"], name="provider_customer_id_unique"),
        ]

    def __str__(self) -> str:
        return self.customer_id


class PaymentMethodInfo(BaseModel):
    """A payment method that its owner saved: the provider's token, and what identifies it to a person. `account`: as
    above."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="payment_methods")
    payment_method = models.CharField(max_length=20, choices=PaymentMethod)
    provider = models.CharField(max_length=32, choices=provider_choices)
    provider_method_id = EncryptedTextField(max_length=120)
    provider_method_hash = KeyedHashField(of="provider_method_id", db_default="")
    account = models.CharField(max_length=ACCOUNT_LENGTH, blank=True, default="", db_default="")
    card_brand = models.CharField(max_length=30, blank=True)
    card_last_four = models.CharField(max_length=4, blank=True)
    card_exp_month = models.PositiveSmallIntegerField(null=True, blank=True)
    card_exp_year = models.PositiveSmallIntegerField(null=True, blank=True)
    account_email = models.CharField(max_length=254, blank=True)
    is_default = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    consented_at = models.DateTimeField()

    class Meta:
        default_permissions = ("view",)
        ordering = ("-is_default", "-created_at")
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "provider_method_hash"],
                condition=Q(is_active=True) & ~Q(provider_method_hash=""),
                name="saved_method_token_once",
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(is_default=True, is_active=True),
                name="saved_method_one_default_per_user",
            ),
            models.CheckConstraint(
                condition=Q(card_last_four="") | Q(card_last_four__regex=r"^[0-9]{4}$"),
                name="saved_method_last_four_only",
            ),
            models.CheckConstraint(
                condition=Q(card_exp_month__isnull=True) | Q(card_exp_month__range=(1, 12)),
                name="saved_method_month_exists",
            ),
        ]

    def __str__(self) -> str:
        if not self.card_last_four:
            return self.get_provider_display()
        return f"{self.card_brand or 'card'} •••• {self.card_last_four}"
