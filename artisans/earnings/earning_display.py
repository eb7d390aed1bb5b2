"""Labels and tones of earnings; a tone is never the only cue."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from artisans.earnings.releases import Block, release_at
from orders.models import StoreRules
from orders.parcel_display import Tone
from orders.statuses import ParcelStatus
from payments.models import Earning, EarningStatus

TONES: dict[str, Tone] = {
    EarningStatus.PENDING: Tone.INFO,
    EarningStatus.RELEASED: Tone.OK,
    EarningStatus.CANCELLED: Tone.MUTED,
}
LABELS = {
    EarningStatus.PENDING: lambda: _("Pending"),
    EarningStatus.RELEASED: lambda: _("Available"),
    EarningStatus.CANCELLED: lambda: _("Not earned"),
}


@dataclass(frozen=True, slots=True)
class EarningDisplay:
    """An earning of `with_times` and `with_block`, with its parcel and order."""

    earning: Earning
    store: StoreRules

    @property
    def block(self) -> str:
        """What stops the release, in words."""
        is_pending = self.earning.status == EarningStatus.PENDING
        return str(Block(self.earning.block).label) if is_pending and self.earning.block else ""  # type: ignore[attr-defined]

    @property
    def why_not_earned(self) -> str:
        """Why nothing is earned any more."""
        parcel = self.earning.parcel
        if not self.earning.is_cancelled:
            return ""
        if parcel.status == ParcelStatus.RETURNED:
            return _("The parcel was returned")
        return _("The parcel was cancelled") if parcel.is_gone else _("The order is no longer paid")

    @property
    def label(self) -> str:
        return LABELS[EarningStatus(self.earning.status)]()

    @property
    def tone(self) -> Tone:
        return Tone.WARN if self.block else TONES.get(self.earning.status, Tone.MUTED)

    @property
    def release_at(self) -> datetime | None:
        if self.earning.status != EarningStatus.PENDING:
            return None
        return release_at(self.earning, self.store)
