"""The ledger has all money of payments and orders."""

from django.utils.translation import gettext_lazy as _

from artisans.core.invariants import Invariant, Mismatch
from orders.invariants.rows import Found
from payments.bookkeeping.ledger import find_differences
from payments.models import Capture, Dispute, PaymentRefund, Receipt


def find_unbooked() -> Found:
    yield from map(Mismatch, find_differences())


# ---- the list --------------------------------------------------------------------------------------------------

INVARIANTS = (
    Invariant(
        "ledger_complete",
        "P8",
        _("The ledger has all money that was received, earned and given back, exactly, and nothing else."),
        _("%(row)s"),
        find_unbooked,
        tables=(Capture, Receipt, PaymentRefund, Dispute),
        remedy=_("manage.py ledger fill books what is missing; see docs/runbook.md#ledgerdiffers."),
        is_nightly=False,  # payments.check_ledger
    ),
)
