"""Whether a member of staff may act on an order's money."""

from artisans.accounts.models import User
from artisans.catalog.access import workshops_of
from orders.errors import OwnMoney
from orders.models import Order
from orders.selectors import is_own_order
from payments.errors import NoPermission, OwnOrder
from payments.models import Bearer


def check_staff_permission(actor: User, permission: str, order: Order) -> None:
    """Errors: NoPermission without the permission, OwnOrder for the actor's own order."""
    if not (actor.is_staff and actor.has_perm(permission)):
        raise NoPermission
    if is_own_order(order, actor):
        raise OwnOrder


def check_bearer(actor: User, borne_by: Bearer, order: Order) -> None:
    """Errors: OwnMoney if the shop would bear what otherwise a workshop bears for which the actor acts."""
    if borne_by == Bearer.SHOP and order.parcels.filter(artisan__in=workshops_of(actor)).exists():
        raise OwnMoney
