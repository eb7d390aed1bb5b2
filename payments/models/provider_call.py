from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from artisans.core.models import BaseModel, choices_constraint
from artisans.core.security.encryption import decrypt_if_set
from payments.models.payment import Payment
from payments.models.refund import PaymentRefund
from payments.models.saved_method import PaymentMethodInfo
from payments.providers.registry import provider_choices, shape_key


class Operation(models.TextChoices):
    CREATE = "create", _("Create payment")
    HOSTED = "hosted", _("Create hosted payment page")
    RELEASE = "release", _("Replace payment object")
    CONFIRM = "confirm", _("Confirm payment")
    CANCEL = "cancel", _("Cancel payment")
    REFUND = "refund", _("Refund")
    SAVE = "save", _("Save payment method")
    DETACH = "detach", _("Remove payment method")


METHOD_IDS = ("method_id", "token")  # keys of `request` with the provider's id of a payment method
BUYER = "buyer"  # the key with the buyer's data; removed once the call is closed
SECRETS = (*METHOD_IDS, BUYER)  # encrypted


class CallState(models.TextChoices):
    OPEN = "open", _("Waiting for a response")
    DONE = "done", _("Completed")
    REFUSED = "refused", _("Declined")
    STUCK = "stuck", _("Needs attention")


CREATES_OBJECT = (Operation.CREATE, Operation.HOSTED)
GIVEN_UP = "given_up"  # `failure_code` of a payment whose provider did not respond


class ProviderCall(BaseModel):
    """A call to a provider, written before it is made. Its idempotency key is the same for every try.

    It is open until the provider's response is booked: not sent yet, in progress, or with an unknown outcome.
    `request` holds everything needed to repeat it exactly, and is deleted some time after the payment has ended
    (payments/retention.py); `object_id` is the id of the object that it created.
    """

    provider = models.CharField(max_length=32, choices=provider_choices)
    operation = models.CharField(max_length=8, choices=Operation)
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="calls")
    refund = models.ForeignKey(PaymentRefund, models.PROTECT, null=True, related_name="calls")
    method = models.ForeignKey(PaymentMethodInfo, models.PROTECT, null=True, related_name="calls")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    request = models.JSONField(default=dict)
    object_id = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=7, choices=CallState, default=CallState.OPEN)
    error = models.CharField(max_length=300, blank=True)
    tries = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    next_try_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    request_deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        default_permissions = ("view",)
        ordering = ("created_at",)
        constraints = [
            choices_constraint("operation", Operation.values, name="provider_call_operation_known"),
            choices_constraint("state", CallState.values, name="provider_call_state_known"),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(state=CallState.OPEN, refund__isnull=True),
                name="provider_call_one_open_per_payment",
            ),
            models.UniqueConstraint(
                fields=["refund"],
                condition=Q(state__in=[CallState.OPEN, CallState.DONE]),
                name="provider_call_one_per_refund",
            ),
            models.UniqueConstraint(
                fields=["provider", "object_id"],
                condition=Q(operation__in=CREATES_OBJECT) & ~Q(object_id=""),
                name="provider_call_object_once",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(state=CallState.OPEN), name="provider_call_due"),
            models.Index(
                fields=["created_at"],
                condition=Q(request_deleted_at__isnull=True),
                name="provider_call_request_kept",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_operation_display()} ({self.get_state_display()})"

    def secret(self, name: str) -> str:
        """One of SECRETS, decrypted; "" when the request does not have it. Errors: CannotDecrypt."""
        return decrypt_if_set(self.request.get(name, ""))

    @property
    def key(self) -> str:
        """The idempotency key: the same for every try of this call, and of no other call."""
        return shape_key(self.provider, f"alley-{self.operation}-{self.pk.hex}")
