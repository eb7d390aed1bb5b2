"""The tables of this app in the registry of personal data."""

from artisans.core.personal_data import register

register(
    impersonal={
        "privacy.Erasure": {"state", "source", "alias", "address_hash", "facts"},  # emptied at the end
        "privacy.ErasurePermit": {"table_name", "row_id"},
        "privacy.LockedRecord": {"target", "content"},  # encrypted, kept by law
    }
)
