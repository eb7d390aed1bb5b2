"""Suspending, closing and reopening workshops, with what that means for parcels and money (docs/selling.md)."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.catalog.access import workshops_of
from artisans.catalog.artisan_states import (
    CHANGE_STATE,
    artisan_lock,
    artisan_move,
    check_staff,
    lock_for_owner,
)
from artisans.catalog.mails import workshop_state_mail
from artisans.catalog.models import Artisan, ArtisanStateChange, Product
from artisans.catalog.services import products_lock
from artisans.catalog.statuses import ArtisanState
from artisans.core.errors import Conflict, InvalidInput
from artisans.core.models import save_columns
from artisans.earnings.models import Debt
from artisans.earnings.selectors import ArtisanBalance, balances_of, open_debts
from artisans.notifications.services import notifications_enqueue
from orders.models import Parcel
from orders.statuses import ORDERS_CLOSED, PARCELS_UNSHIPPED, ParcelStatus

S = ArtisanState


class WorkshopChanged(Conflict):
    """The workshop's state was changed after the person opened the page."""

    def __init__(self) -> None:
        super().__init__(
            _("This workshop was changed after you opened the page. Nothing was done; read it again.")
        )


@dataclass(frozen=True, slots=True)
class WorkshopFacts:
    """What a person sees before they change a workshop's state."""

    products: int
    parcels_open: int
    parcels_under_way: int
    balances: list[ArtisanBalance]
    debts: list[Debt]

    @property
    def owes(self) -> bool:
        return any(balance.owed for balance in self.balances)


def facts_of(artisan: Artisan) -> WorkshopFacts:
    return WorkshopFacts(
        products=artisan.products.filter(is_active=True, parent=None, artisan__is_active=True).count(),
        parcels_open=parcels_open(artisan).count(),
        parcels_under_way=Parcel.objects.filter(artisan=artisan, status=ParcelStatus.SHIPPED).count(),
        balances=balances_of(artisan),
        debts=list(open_debts(artisan)),
    )


def parcels_open(artisan: Artisan) -> QuerySet[Parcel]:
    """Those that the artisan has to send, or will have to once their order is paid."""
    unshipped = Parcel.objects.filter(artisan=artisan, status__in=PARCELS_UNSHIPPED)
    return unshipped.exclude(order__status__in=ORDERS_CLOSED)


# ---- by staff --------------------------------------------------------------------------------------------------


class Act(StrEnum):
    """What staff may do to a workshop."""

    SUSPEND = "suspend"
    RESUME = "resume"
    CLOSE = "close"
    KEEP = "keep"
    REOPEN = "reopen"


OFFERED: dict[ArtisanState, tuple[Act, ...]] = {
    S.PENDING: (),
    S.ACTIVE: (Act.SUSPEND, Act.CLOSE),
    S.SUSPENDED: (Act.RESUME, Act.CLOSE),
    S.CLOSING: (Act.KEEP,),
    S.CLOSED: (Act.REOPEN,),
}


@transaction.atomic
def workshop_change(*, artisan_id: UUID, act: str, actor: User, reason: str, seen: str) -> ArtisanStateChange:
    """One of OFFERED, with an email that gives the artisan the reason. `seen`: the state that staff were shown.

    Errors: Forbidden, OwnWorkshop, WorkshopChanged; InvalidInput without a reason to suspend or close.
    Locks: artisan, its products.
    """
    artisan = artisan_lock(artisan_id)
    check_staff(actor, artisan_id, CHANGE_STATE)
    if artisan.state != seen or act not in OFFERED[artisan.state]:
        raise WorkshopChanged
    if act in {Act.SUSPEND, Act.CLOSE} and not reason:
        raise InvalidInput(_("Enter a reason; the artisan reads it."))
    if act == Act.CLOSE:
        return close(artisan, actor=actor, reason=reason)
    if act == Act.KEEP:
        return keep(artisan, actor=actor, reason=reason)
    to = S.SUSPENDED if act == Act.SUSPEND else S.ACTIVE
    return move(artisan, to, actor=actor, reason=reason)


# ---- by owners -------------------------------------------------------------------------------------------------


@transaction.atomic
def closing_request(*, artisan: Artisan, actor: User, reason: str = "") -> Artisan:
    """Stop selling now, and close once no parcel is open. Repeating it changes nothing.

    Errors: OwnersOnly, IllegalTransition before the workshop is approved. Locks: artisan, its products.
    """
    artisan = lock_for_owner(artisan.pk, actor)
    if artisan.state not in {S.CLOSING, S.CLOSED}:
        close(artisan, actor=actor, reason=reason)
    return artisan


@transaction.atomic
def closing_cancel(*, artisan: Artisan, actor: User) -> Artisan:
    """While it is not closed yet, and unless the shop closes it. Repeating it changes nothing.

    Errors: OwnersOnly, Conflict. Locks: artisan.
    """
    artisan = lock_for_owner(artisan.pk, actor)
    if artisan.state == S.CLOSED:
        raise Conflict(_("Your workshop is closed. Ask the shop to reopen it."))
    if artisan.state == S.CLOSING:
        if not may_cancel(artisan):
            raise Conflict(_("The shop is closing your workshop. Contact us."))
        keep(artisan, actor=actor)
    return artisan


def may_cancel(artisan: Artisan) -> bool:
    """Whether someone of the workshop asked for its closing."""
    asked = last_change(artisan)
    if asked is None or asked.actor is None:
        return False
    return asked.by_workshop or artisan.pk in workshops_of(
        asked.actor
    )  # release 0.1.0 does not write by_workshop


# ---- shared ----------------------------------------------------------------------------------------------------


def last_change(artisan: Artisan) -> ArtisanStateChange | None:
    return artisan.state_changes.select_related("actor").order_by("-created_at").first()


def move(artisan: Artisan, to: ArtisanState, *, actor: User | None, reason: str = "") -> ArtisanStateChange:
    change = artisan_move(artisan, to, actor=actor, reason=reason)
    notifications_enqueue(workshop_state_mail(artisan, change))
    return change


def close(artisan: Artisan, *, actor: User, reason: str) -> ArtisanStateChange:
    """At once if no parcel is open; otherwise the periodic task closes it after the last one."""
    if parcels_open(artisan).exists():
        return move(artisan, S.CLOSING, actor=actor, reason=reason)
    change = artisan_move(artisan, S.CLOSING, actor=actor, reason=reason)
    return close_if_done(artisan, reason=reason) or change


def keep(artisan: Artisan, *, actor: User, reason: str = "") -> ArtisanStateChange:
    """Back to the state before the closing."""
    asked = last_change(artisan)
    return move(artisan, S(asked.old) if asked else S.ACTIVE, actor=actor, reason=reason)


def close_if_done(artisan: Artisan, *, reason: str = "") -> ArtisanStateChange | None:
    """Close a workshop that is closing, unless a parcel is open. The caller holds its lock.

    Placing an order locks the products, so that after them no order is on its way that these parcels do not show; and
    because they are off sale, no late payment revives an expired order.
    """
    published = products_lock(artisan.products.filter(is_active=True).values_list("pk", flat=True))
    if parcels_open(artisan).exists():
        return None
    for product in published.values():
        archive(product)
    artisan.invitations.all().delete()
    return move(artisan, S.CLOSED, actor=None, reason=reason)


def archive(product: Product) -> None:
    """With its variants, which are only off sale, so that publishing it again brings them back."""
    product.is_active = False
    product.archived_at = None if product.parent_id else timezone.now()
    save_columns(product, ["is_active", "archived_at"])


def workshops_to_close() -> Iterator[UUID]:
    yield from Artisan.objects.filter(stored_state=S.CLOSING).order_by("pk").values_list("pk", flat=True)


@transaction.atomic
def workshop_close_due(artisan_id: UUID) -> bool:
    """Whether it was closed. Locks: artisan, its products."""
    artisan = artisan_lock(artisan_id)
    return artisan.state == S.CLOSING and close_if_done(artisan) is not None
