"""Refused requests about currencies and exchange rates."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from artisans.core.errors import TEXT, Conflict, InvalidInput


class RatesKnown(Conflict):
    """These exchange rates were imported before; nothing was changed."""

    code = "rates_known"
    remedy = "Nothing needs to be done."


class RatesJump(Conflict):
    """Exchange rates differ by more than 20% from those known before; nothing was imported yet."""

    code = "rates_jump"
    remedy = "Check the rates in `currencies`, and confirm them if they are right."
    members: ClassVar[Mapping[str, Mapping[str, Any]]] = {"currencies": {"type": "array", "items": TEXT}}

    def __init__(self, currencies: list[str]) -> None:
        text = _(
            "More than 20%% off the last rates: %(codes)s. Check them, and confirm to import them anyway."
        )
        super().__init__(text % {"codes": ", ".join(currencies)}, extra={"currencies": currencies})


class CurrencyNotOffered(InvalidInput):
    """The shop does not sell in this currency."""

    code = "currency_not_offered"
    remedy = "Use one of `GET /currencies/`."

    def __init__(self, currency: str) -> None:
        super().__init__(_("The shop does not sell in %(currency)s.") % {"currency": currency[:10]})
