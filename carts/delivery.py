"""The shipping methods that a buyer can choose between, as pages and API show them."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from artisans.core.money import Money
from artisans.shipping.choosing import Group, Method, business_days
from carts.selectors import CartSummary

SHOP = "shop"


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """A method with its price for all parcels of its group."""

    method: Method
    price: Money
    is_selected: bool

    @property
    def hint(self) -> str:
        return days_text(self.method)


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """Methods of which one is chosen for all these artisans' parcels. `name` is that of the form's field."""

    name: str
    artisans: dict[UUID, str]
    choices: list[MethodChoice]

    @property
    def artisan_names(self) -> str:
        return ", ".join(self.artisans.values())


def group_choices(summary: CartSummary) -> list[GroupChoice]:
    """In the order of the parcels; a group without a method is left out."""
    delivery, currency = summary.offer.delivery, summary.offer.quote.currency
    names = {group.artisan.pk: group.artisan.name for group in summary.groups}
    found = []
    for group in delivery.groups:
        chosen = {delivery.methods.get(parcel.artisan_id) for parcel in group.parcels}
        choices = [
            MethodChoice(option.method, Money(option.price_minor, currency), {option.method} == chosen)
            for option in group.options
        ]
        if choices:
            artisans = {parcel.artisan_id: names[parcel.artisan_id] for parcel in group.parcels}
            found.append(GroupChoice(name_of(group), artisans, choices))
    return found


def name_of(group: Group) -> str:
    owner = group.methods[0].artisan_id
    return SHOP if owner is None else str(owner)


def days_text(method: Method) -> str:
    """How long it takes; empty if the shop does not say."""
    if not method.is_pickup:
        return business_days(method.min_days, method.max_days)
    if method.max_days is None:
        return _("You collect it yourself.")
    days = ngettext("Ready in %(days)d business day.", "Ready in %(days)d business days.", method.max_days)
    return days % {"days": method.max_days}
