from django.utils.translation import gettext as _

from artisans.core.errors import Conflict, Forbidden
from artisans.core.money import Money
from artisans.core.templatetags.money import show


class NoPermission(Forbidden):
    """The user may not hold back artisans' money."""

    def __init__(self) -> None:
        super().__init__(_("You need the permission to hold back artisans’ money."))


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


class HoldEnded(Conflict):
    """The hold has ended already."""

    def __init__(self) -> None:
        super().__init__(_("This hold has already ended."))


class HoldNotByStaff(Conflict):
    """Only the decision of the dispute ends such a hold."""

    def __init__(self) -> None:
        super().__init__(_("This hold ends when the dispute is decided; nobody can end it before."))
