from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import Artisan
from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import choices_constraint, currency_constraint
from artisans.core.money import Money
from artisans.ledger import triggers
from artisans.ledger.accounts import OF_ARTISANS, SCOPE_NAMES, AccountKind, is_debit_kind


class EntryKind(models.TextChoices):
    CAPTURE = "capture", _("Captured by the provider")
    RECEIPT = "receipt", _("Received offline")
    RECEIPT_REVERSED = "receipt_reversed", _("Receipt reversed")
    CASH_DEPOSIT = "cash_deposit", _("Cash deposited in the bank")
    CASH_DEPOSIT_REVERSED = "deposit_reversed", _("Cash deposit reversed")
    REFUND = "refund", _("Refunded to the buyer")
    REFUND_FAILED = "refund_failed", _("Refund failed")
    DISPUTE_LOST = "dispute_lost", _("Dispute lost")
    DISPUTE_WON = "dispute_won", _("Lost dispute won after all")
    DISPUTE_TAKEN = "dispute_taken", _("Taken for a dispute")
    DISPUTE_BACK = "dispute_back", _("Given back from a dispute")
    PROVIDER_FEE = "provider_fee", _("Fee of the provider")
    WITHDRAWAL = "withdrawal", _("Withdrawn to the bank")
    CONVERSION = "conversion", _("Converted by the provider")
    FX_REALISED = "fx_realised", _("Exchange difference")
    SALE = "sale", _("Earned by artisans")
    SALE_CANCELLED = "sale_cancelled", _("No longer earned")
    CLAWBACK = "clawback", _("Refund shared with artisans")
    CLAWBACK_REVERSED = "clawback_reversed", _("Shared refund reversed")
    FEE_SHARE = "fee_share", _("Payment fee borne by artisans")
    RELEASE = "release", _("Earnings released")
    HOLD = "hold", _("Held back from the artisan")
    HOLD_RELEASED = "hold_released", _("No longer held back")
    SETTLEMENT = "settlement", _("Debt paid by the artisan")
    SETTLEMENT_REVERSED = "settlement_reversed", _("Payment of a debt reversed")
    WRITE_OFF = "write_off", _("Debt written off")
    WRITE_OFF_REVERSED = "write_off_reversed", _("Write-off of a debt reversed")


# Money that buyers paid or got back.
TRANSACTION_KINDS = (
    EntryKind.CAPTURE,
    EntryKind.RECEIPT,
    EntryKind.RECEIPT_REVERSED,
    EntryKind.REFUND,
    EntryKind.REFUND_FAILED,
    EntryKind.DISPUTE_LOST,
    EntryKind.DISPUTE_WON,
)
IS_TRANSACTION = Q(kind__in=[kind.value for kind in TRANSACTION_KINDS])


class LedgerAccount(AppendOnlyModel):
    """An account of the double-entry ledger (artisans/ledger/accounts.py). Created when it is first used."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=20, choices=AccountKind)
    artisan = models.ForeignKey(Artisan, models.PROTECT, null=True, related_name="ledger_accounts")
    scope = models.CharField(
        max_length=40, blank=True, help_text=_("Which provider, bank account or holder.")
    )
    currency = models.CharField(max_length=3)

    class Meta:
        default_permissions = ("view",)
        ordering = ("kind", "currency", "scope", "id")
        constraints = [
            choices_constraint("kind", AccountKind.values, name="ledger_account_kind_known"),
            currency_constraint("ledger_account_currency_iso"),
            models.UniqueConstraint(
                fields=["kind", "scope", "currency"],
                condition=Q(artisan__isnull=True),
                name="ledger_account_once",
            ),
            models.UniqueConstraint(
                fields=["kind", "artisan", "scope", "currency"],
                condition=Q(artisan__isnull=False),
                name="ledger_account_once_per_artisan",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=sorted(OF_ARTISANS), artisan__isnull=False)
                | (~Q(kind__in=sorted(OF_ARTISANS)) & Q(artisan__isnull=True)),
                name="ledger_account_of_artisan_names_one",
            ),
        ]

    def __str__(self) -> str:
        owner = self.artisan.name if self.artisan else ""
        scope = SCOPE_NAMES.get(self.scope, self.scope)
        return " · ".join(filter(None, (str(self.get_kind_display()), owner, scope, self.currency)))

    @property
    def is_debit(self) -> bool:
        """Whether a debit increases what is on the account."""
        return is_debit_kind(self.kind)

    def on_account(self, minor: int) -> Money:
        """A balance or posting as what is on the account: positive on the side that increases it."""
        return Money.stored(minor if self.is_debit else -minor, self.currency)


class LedgerEntry(AppendOnlyModel):
    """A balanced set of postings that one fact caused, such as a capture or a completed refund.

    `id` is derived from `key`, so that a fact is booked once; `fact_id` is the primary key of the fact's row. Entries
    are inserted after their postings: the insert checks that these sum to zero in every currency, and no posting can
    be added later. `order_id` and `parcel_id` refer to apps above this one, so they are no foreign keys.
    The fact says who acted: the ledger has no personal data.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=20, choices=EntryKind)
    fact_id = models.UUIDField()
    happened_at = models.DateTimeField()
    booked_on = models.DateField(db_index=True)
    order_id = models.UUIDField(null=True)
    parcel_id = models.UUIDField(null=True)
    reverses = models.OneToOneField("self", models.PROTECT, null=True, related_name="reversal")

    class Meta:
        verbose_name_plural = _("ledger entries")
        default_permissions = ("view",)
        ordering = ("-happened_at", "-key")
        constraints = [choices_constraint("kind", EntryKind.values, name="ledger_entry_kind_known")]
        indexes = [
            models.Index(fields=["order_id", "happened_at"], name="ledger_entry_of_order"),
            models.Index(fields=["fact_id", "kind"], name="ledger_entry_of_fact"),
            models.Index(
                fields=["-happened_at", "-key"], condition=IS_TRANSACTION, name="ledger_transaction_day"
            ),
            models.Index(
                fields=["kind", "-happened_at", "-key"],
                condition=IS_TRANSACTION,
                name="ledger_transaction_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @classmethod
    def extra_triggers(cls, vendor: str) -> dict[str, str]:
        return triggers.of_entry(vendor)


class LedgerPosting(AppendOnlyModel):
    """An amount on an account: positive for a debit, negative for a credit."""

    id = models.BigAutoField(primary_key=True)
    entry = models.ForeignKey(LedgerEntry, models.PROTECT, related_name="postings", db_index=False)
    position = models.PositiveSmallIntegerField()
    account = models.ForeignKey(LedgerAccount, models.PROTECT, related_name="postings", db_index=False)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()

    class Meta:
        default_permissions = ("view",)
        ordering = ("entry", "position")
        constraints = [
            currency_constraint("ledger_posting_currency_iso"),
            models.CheckConstraint(condition=~Q(amount_minor=0), name="ledger_posting_amount_not_zero"),
            models.UniqueConstraint(fields=["entry", "position"], name="ledger_posting_position_once"),
        ]
        indexes = [
            models.Index(fields=["account", "id"], include=["amount_minor"], name="ledger_posting_of_account")
        ]

    def __str__(self) -> str:
        return f"{self.amount} ({self.account_id})"

    @property
    def amount(self) -> Money:
        return Money.stored(self.amount_minor, self.currency)

    @property
    def debit(self) -> Money | None:
        return self.amount if self.amount_minor > 0 else None

    @property
    def credit(self) -> Money | None:
        return Money.stored(-self.amount_minor, self.currency) if self.amount_minor < 0 else None

    @classmethod
    def extra_triggers(cls, vendor: str) -> dict[str, str]:
        return triggers.of_posting(vendor)


class LedgerPeriod(AppendOnlyModel):
    """A closed month. Nothing can be booked on its days any more; corrections are entries of an open one.

    `trial_balance`: one row for each account with postings up to its last day: `account`, `kind`, `scope`, `artisan`,
    `currency`, `balance_minor`.
    """

    id = models.BigAutoField(primary_key=True)
    first_day = models.DateField(unique=True)
    last_day = models.DateField(unique=True)
    open_from = models.DateField(unique=True, help_text=_("The day after the last one."))
    closed_at = models.DateTimeField(auto_now_add=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    trial_balance = models.JSONField()
    note = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text=_("Why money was still unexplained when the month was closed."),
    )
    first_open_posting = models.BigIntegerField(
        null=True, help_text=_("No posting before it is on a later day, so that sums can start there.")
    )

    class Meta:
        default_permissions = ("view",)
        permissions = [("close_period", _("Can close a month of the ledger"))]
        ordering = ("-last_day",)
        constraints = [
            models.CheckConstraint(
                condition=Q(first_day__lte=F("last_day")) & Q(last_day__lt=F("open_from")),
                name="ledger_period_days_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_day} – {self.last_day}"

    @classmethod
    def extra_triggers(cls, vendor: str) -> dict[str, str]:
        return triggers.of_period(vendor)


class LedgerCheckpoint(AppendOnlyModel):
    """The balance of an account over its postings up to `last_posting`, so that later sums start there."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(LedgerAccount, models.PROTECT, related_name="checkpoints", db_index=False)
    period = models.ForeignKey(LedgerPeriod, models.PROTECT, related_name="checkpoints")
    currency = models.CharField(max_length=3)
    balance_minor = models.BigIntegerField()
    last_posting = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        ordering = ("account", "-last_posting")
        constraints = [
            currency_constraint("ledger_checkpoint_currency_iso"),
            models.UniqueConstraint(fields=["account", "period"], name="ledger_checkpoint_once_per_period"),
        ]
        indexes = [models.Index(fields=["account", "-last_posting"], name="ledger_checkpoint_latest")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.period_id}"
