from django.utils.translation import gettext as _

from artisans.core.errors import Conflict, Forbidden
from artisans.core.money import Money
from artisans.core.templatetags.money import show


class NoPermission(Forbidden):
    """The user may not hold back artisans' money."""

    def __init__(self) -> None:
        super().__init__(_("You need permission to hold back artisans’ money."))


class MayNotSettle(Forbidden):
    """The user may not record what artisans pay of their debts, or write debts off."""

    def __init__(self) -> None:
        super().__init__(
            _("You need permission to record payments of artisans’ debts, or to write them off.")
        )


class HoldAboveBalance(Conflict):
    """More is to be held back than the artisan has available."""

    def __init__(self, available: Money) -> None:
        super().__init__(
            _(
                "Only %(available)s is available to this artisan. Hold back that amount at most; to keep later "
                "earnings too, stop releases."
            )
            % {"available": show(available)}
        )


class HoldRepeated(Conflict):
    """The form was used for another hold already, for example before going back in the browser."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "This form was already used for another hold. Nothing was changed; open it again for one more hold."
            )
        )


class HoldEnded(Conflict):
    """The hold has ended already."""

    def __init__(self) -> None:
        super().__init__(_("This hold has already ended."))


class HoldNotByStaff(Conflict):
    """Only the decision of the dispute ends such a hold."""

    def __init__(self) -> None:
        super().__init__(_("This hold ends when the dispute is decided; it cannot be ended earlier."))


class OwedChanged(Conflict):
    """The artisan owes another amount than the page showed."""

    def __init__(self, owed: Money) -> None:
        super().__init__(
            _("The artisan now owes %(owed)s. Nothing was recorded. Check the amount and send it again.")
            % {"owed": show(owed)}
        )


class SettlementAboveDebt(Conflict):
    """More was entered than the artisan owes."""

    def __init__(self, owed: Money, *, is_write_off: bool) -> None:
        text = (
            _("The artisan owes %(owed)s. Write off that amount at most.")
            if is_write_off
            else _(
                "The artisan owes %(owed)s. If more was received, confirm it; the rest becomes available to the "
                "artisan."
            )
        )
        super().__init__(text % {"owed": show(owed)})


class SettlementReversed(Conflict):
    """The payment or write-off was reversed already."""

    def __init__(self) -> None:
        super().__init__(_("This was already reversed."))
