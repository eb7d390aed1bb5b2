from django.utils.translation import gettext as _

from artisans.core.errors import Conflict


class TaxIdChanged(Conflict):
    """The status of the VAT ID has changed since the page was shown."""

    code = "tax_id_changed"
    remedy = "Look at the VAT ID again, then decide."

    def __init__(self) -> None:
        super().__init__(
            _("The status of this VAT ID has changed since this page was shown. Nothing was saved.")
        )


class ViesNotUsed(Conflict):
    """The shop does not ask VIES."""

    code = "vies_not_used"
    remedy = "Set `VIES_API_BASE`, or decide on the VAT ID."

    def __init__(self) -> None:
        super().__init__(
            _("This shop does not ask VIES (VIES_API_BASE is not set). Decide on the VAT ID yourself.")
        )
