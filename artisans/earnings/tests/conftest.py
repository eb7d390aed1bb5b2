"""Orders of which artisans earn something, and what happens to them later."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.db import transaction
from django.utils import timezone

from artisans.accounts.models import User
from artisans.catalog.models import Artisan, Product
from artisans.earnings.holds import HoldRequest, hold_place
from artisans.earnings.models import Debt, HoldReason
from artisans.earnings.selectors import NO_LINES, ArtisanBalance, Line, balances_of, lines_of
from artisans.earnings.tasks import release_task
from artisans.ledger.models import LedgerAccount
from artisans.ledger.selectors import account_page
from orders.services.parcels import parcel_deliver, parcel_ship
from payments.methods import PaymentMethod
from payments.models import Payment
from payments.providers.contract import RemoteDispute, RemoteDisputeStatus
from payments.tests.factories import apply_card_captures, start, usd

TENTH = 100_000  # in millionths
STATUS = {"open": RemoteDisputeStatus.OPEN, "won": RemoteDisputeStatus.WON, "lost": RemoteDisputeStatus.LOST}


@pytest.fixture(autouse=True)
def card_shop(settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"


@pytest.fixture
def potter(bowl) -> Artisan:
    """The bowl's artisan, of whose goods the shop takes 10 %."""
    return with_commission(bowl.artisan)


def with_commission(artisan: Artisan) -> Artisan:
    if artisan.commission_ppm != TENTH:  # what is not written need not be checked afterwards
        Artisan.objects.filter(pk=artisan.pk).update(commission_ppm=TENTH)
        artisan.refresh_from_db()
    return artisan


@pytest.fixture
def sell(potter, shopper, bowl) -> Callable[..., Payment]:
    """`sell()`: a bowl is paid by card: 99.99, of which the artisan earns 91.44. `sell(scarf=1)` adds another's."""

    def one(**more: int) -> Payment:
        return paid({bowl: 1} | {request_product(name): count for name, count in more.items()}, shopper)

    def request_product(name: str) -> Any:
        from tests import rows  # noqa: PLC0415  # its rows need a database

        return getattr(rows, name)()

    return one


def paid(products: dict[Product, int], shopper: User) -> Payment:
    """By card, in full."""
    with transaction.atomic():
        payment = start(PaymentMethod.CREDIT_CARD, products, user=shopper)
    return apply_card_captures(payment)


@pytest.fixture
def deliver(potter) -> Callable[[Payment], None]:
    """All parcels of the order are shipped and delivered."""

    return parcels_deliver


def parcels_deliver(payment: Payment) -> None:
    for parcel in payment.order.parcels.select_related("artisan__user"):
        seller = parcel.artisan.user
        parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="", actor=seller)
        parcel_deliver(parcel_id=parcel.pk, actor=seller)


@pytest.fixture
def later(time_machine) -> Callable[..., None]:
    """`later(days=14)`: the time passes, and the periodic task runs."""

    def wait(**duration: float) -> None:
        time_machine.shift(timedelta(**duration))
        release_task()

    time_machine.move_to(timezone.now(), tick=False)
    return wait


@pytest.fixture
def released(sell, deliver, later) -> Callable[..., Payment]:
    """An order whose earnings have been released."""

    def sold_long_ago(**more: int) -> Payment:
        payment = sell(**more)
        deliver(payment)
        later(days=14, seconds=1)
        return payment

    return sold_long_ago


@pytest.fixture
def dispute() -> Callable[..., None]:
    """`dispute(payment, "50.00", "open")`: what the provider reports."""

    def report(payment: Payment, amount: str, status: str, *, key: str = "dp_1") -> None:
        remote = RemoteDispute(key, usd(amount), STATUS[status], "fraudulent")
        apply_card_captures(payment, disputes=(remote,))

    return report


@pytest.fixture
def indebted(released, potter, dispute, admin_user) -> Payment:
    """The earnings of one order were released, some of them are held back, and then its dispute was lost: 60.00 is
    owed."""
    payment = released()
    request = HoldRequest(amount=usd("60.00"), reason=HoldReason.STAFF, note="We check the photos.")
    hold_place(artisan_id=potter.pk, request=request, actor=admin_user)
    dispute(payment, "99.99", "lost")
    return payment


@pytest.fixture
def debt(indebted) -> Debt:
    release_task()
    return Debt.objects.get()


class LinesPage(NamedTuple):
    """Lines of an account as its artisan reads them, and the keys of the pages beside."""

    lines: list[Line]
    older: int | None
    newer: int | None


def lines_page(artisan: Artisan, account: LedgerAccount | None, **place: int | None) -> LinesPage:
    found = account_page(account, **place) if account else NO_LINES  # type: ignore[arg-type]
    return LinesPage(lines_of(artisan, found.lines), found.older, found.newer)


def money(artisan: Artisan) -> ArtisanBalance:
    [balance] = balances_of(artisan)
    return balance


def figures(artisan: Artisan) -> tuple[str, str, str]:
    """Pending, available, held back."""
    balance = money(artisan)
    return balance.pending.amount, balance.available.amount, balance.held.amount
