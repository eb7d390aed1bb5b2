"""Whether a member of staff may act on an order's money."""

from artisans.accounts.models import User
from orders.models import Order
from orders.selectors import is_own_order
from payments.errors import NoPermission, OwnOrder


def check_staff_permission(actor: User, permission: str, order: Order) -> None:
    """Errors: NoPermission without the permission, OwnOrder for the actor's own order."""
    if not (actor.is_staff and actor.has_perm(permission)):
        raise NoPermission
    if is_own_order(order, actor):
        raise OwnOrder
