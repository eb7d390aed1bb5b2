"""What is always true of payments, refunds, disputes and the ledger (docs/invariants.md)."""

from artisans.core.invariants import register_invariants
from artisans.ledger.models import LedgerEntry, LedgerPosting
from payments.invariants import ledger, orders, payments, refunds
from payments.models import (
    Capture,
    CashDeposit,
    Dispute,
    DisputeTransition,
    Earning,
    Payment,
    PaymentRefund,
    PaymentTransition,
    Receipt,
    ReceiptReversal,
    RefundLine,
    RefundTransition,
)

register_invariants(
    *orders.INVARIANTS,
    *payments.INVARIANTS,
    *refunds.INVARIANTS,
    *ledger.INVARIANTS,
    reads=(
        *(Payment, PaymentTransition, Capture, Receipt, ReceiptReversal, CashDeposit),
        *(PaymentRefund, RefundLine, RefundTransition, Dispute, DisputeTransition),
        *(Earning, LedgerEntry, LedgerPosting),
    ),
)
