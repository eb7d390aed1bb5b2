"""What is owed between an order and its buyer: `Balance` for one order, `OWED_MINOR` for queries.

A refund of goods lowers the order's value; goodwill does not change what is due (docs/adr/0009).
"""

from dataclasses import dataclass

from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Greatest, Least
from django.db.models.lookups import GreaterThan
from django.utils.translation import gettext as _

from artisans.core.money import Money
from orders.statuses import ORDERS_CLOSED


@dataclass(frozen=True, slots=True)
class Balance:
    """An order's amounts, in minor units.

    `worth`: what the order costs now. `goodwill`: refunded beyond what was owed. `unassigned`: refunded at the
    provider with no reason recorded yet; it is set against later cancellations and returns first. `credit_held`: of
    gift cards and credit, to be captured when the rest is paid. `settled`: what parcels cost that were paid on
    delivery, each with its own cash, of an order that is not paid yet.
    """

    worth: int
    received: int
    refunded: int
    goodwill: int
    unassigned: int
    credit_held: int = 0
    settled: int = 0

    @property
    def net_received(self) -> int:
        return self.received - self.refunded

    @property
    def owed(self) -> int:
        """The part of the net received amount that belongs to the buyer."""
        return max(0, min(self.net_received, self.net_received + self.goodwill - self.worth))

    @property
    def outstanding(self) -> int:
        """What the buyer has to pay. A returned part payment is due again; a refund of a paid order is not."""
        return max(0, self.worth - self.paid)

    @property
    def paid(self) -> int:
        return self.net_received + self.goodwill + self.unassigned + self.credit_held

    def split_goodwill(self, amount: int, *, goods: int) -> int:
        """The goodwill part of a refund of `amount` that names `goods`: amounts already owed come first, and part
        payments for what is not paid yet, which are due again."""
        due_back = max(0, self.paid - self.settled) if self.outstanding else self.owed
        return max(0, amount - goods - due_back)


@dataclass(frozen=True, slots=True)
class RefundSums:
    """Completed refunds of an order by purpose, in minor units.

    `goods`: named goods and shipping, of parcels that are neither cancelled nor returned.
    """

    amount: int = 0
    goods: int = 0
    goodwill: int = 0
    unassigned: int = 0


@dataclass(frozen=True, slots=True)
class AmountOwed:
    """What is owed to a buyer, by reason. Refunds are counted against the surplus first, then the goods."""

    goods: Money
    surplus: Money
    closed: Money

    @property
    def total(self) -> Money:
        return self.goods + self.surplus + self.closed

    @property
    def reasons(self) -> list[tuple[str, Money]]:
        named = {
            _("For goods not delivered or returned"): self.goods,
            _("Paid in excess of the total"): self.surplus,
            _("Received for an order that has ended"): self.closed,
        }
        return [(reason, amount) for reason, amount in named.items() if amount]


OWED_MINOR = Greatest(
    Value(0),
    Least(
        F("received_minor") - F("refunded_minor"),
        F("received_minor")
        - F("refunded_minor")
        + F("goodwill_minor")
        - Case(
            When(status__in=ORDERS_CLOSED, then=Value(0)),
            default=F("total_minor") - F("cancelled_minor") - F("goods_refunded_minor"),
        ),
    ),
)
IS_OWED = Q(GreaterThan(OWED_MINOR, 0))
