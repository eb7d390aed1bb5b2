from typing import Any, ClassVar

from django.db import models
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext_lazy as _

from artisans.core.money import Money
from artisans.ledger.accounts import AccountKind
from artisans.ledger.models import (
    IS_TRANSACTION,
    TRANSACTION_KINDS,
    EntryKind,
    LedgerEntry,
    LedgerPosting,
)

OF_DISPUTES = (EntryKind.DISPUTE_LOST, EntryKind.DISPUTE_WON)
ALWAYS_FOR_BUYERS = [kind.value for kind in TRANSACTION_KINDS if kind not in OF_DISPUTES]


class TransactionManager(models.Manager["Transaction"]):
    def get_queryset(self) -> QuerySet["Transaction"]:
        """With `order_minor` and `currency` of the posting on the account of orders.

        An entry of a dispute may have none: it says only where the provider has the money.
        """
        postings = LedgerPosting.objects.filter(
            entry=OuterRef("pk"), account__kind=AccountKind.ORDER
        ).order_by()
        rows: QuerySet[Transaction] = super().get_queryset().filter(IS_TRANSACTION)
        return rows.annotate(
            order_minor=Subquery(postings.values("amount_minor")[:1]),
            currency=Subquery(postings.values("currency")[:1]),
        ).filter(Q(kind__in=ALWAYS_FOR_BUYERS) | Q(order_minor__isnull=False))


class Transaction(LedgerEntry):
    """Money that buyers paid or got back, as it was booked.

    The admin adds its payment and what bank or provider call it (payments/admin/transactions.py).
    """

    payment: Any
    reference: str

    objects: ClassVar[TransactionManager] = TransactionManager()

    class Meta:
        proxy = True
        verbose_name = _("transaction")
        verbose_name_plural = _("transactions")
        default_permissions = ()  # those who see payments see them
        ordering = ("-happened_at", "-key")

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.amount}"

    @property
    def amount(self: Any) -> Money | None:
        """Positive for what was received; None for an entry that is not about an order."""
        return None if self.order_minor is None else Money.stored(-self.order_minor, self.currency)
