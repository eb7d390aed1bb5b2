from django.utils.translation import gettext as _

from artisans.core.errors import Conflict, Forbidden


class NoPermission(Forbidden):
    """The user may not close months of the ledger."""

    def __init__(self) -> None:
        super().__init__(_("You need permission to close months of the ledger."))


class CannotView(Forbidden):
    """The user may not read the ledger."""

    def __init__(self) -> None:
        super().__init__(_("You need permission to view the ledger."))


class LedgerBusy(Conflict):
    """Payments are being booked at the moment."""

    retryable = True

    def __init__(self) -> None:
        super().__init__(_("Payments are being booked at the moment. Try again in a minute."))
