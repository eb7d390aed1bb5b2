"""The ledger has no personal data (artisans/core/personal_data.py)."""

from artisans.core.personal_data import register

IMPERSONAL = {
    "ledger.LedgerAccount": {"kind", "scope", "currency"},
    "ledger.LedgerEntry": {"key", "kind"},
    "ledger.LedgerPosting": {"currency"},
    "ledger.LedgerPeriod": {"trial_balance", "note"},
    "ledger.LedgerCheckpoint": {"currency"},
}

register(impersonal=IMPERSONAL)
