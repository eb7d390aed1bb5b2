"""A provider that takes eight seconds for each answer, with many open payments: mails and deadlines do not wait. With
the processes of the Procfile; test_slow_provider_sqlite.py does the same with those of `make run`.
"""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.utils import timezone

from artisans.accounts.models import User
from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from artisans.notifications.models import MailState, Notification
from orders.models import Order
from orders.statuses import OrderStatus
from tests.live.cards import card_order, due_to_expire, reset_sandbox, time_passes
from tests.live.runner import Caller, Sandbox, Shop, meanwhile, wait_for
from tests.live.users import order_body, order_in

OPEN_PAYMENTS = 24
SECONDS_PER_ANSWER = 8
MAIL_WITHIN = 5
EXPIRED_WITHIN = 60 + 5  # the periodic task runs once a minute
pytestmark = [pytest.mark.crash, pytest.mark.alone, pytest.mark.usefixtures("clean_database")]


@pytest.fixture(scope="module")
def shop(database, production: Callable[..., Shop], sandbox: Sandbox) -> Iterator[Shop]:
    env = sandbox.env | {"MAX_OPEN_ORDERS": "1000", "MAIL_POLL_SECONDS": "20"}
    with production(**env) as shop:
        sandbox.tell(shop)
        shop.start()
        shop.mailer.start()
        yield shop


@pytest.fixture
def provider(shop: Shop, sandbox: Sandbox) -> Iterator[Sandbox]:
    yield sandbox
    reset_sandbox(sandbox)


def transfer_order(buyer: Caller, product: Product) -> Order:
    return order_in(buyer.post("/orders/", order_body((product, 1), method="bank_transfer")))


def unsent() -> int:
    return Notification.objects.filter(state=MailState.WAITING).count()


def unanswered(provider: Sandbox) -> int:
    return sum(row["status"] is None for row in provider.get("requests")["rows"])


def keep_busy(stop: threading.Event) -> None:
    """Every open payment is due for a check all the time."""
    while not stop.wait(1):
        time_passes()


def test_slow_provider_delays_neither_mails_nor_deadlines(caller, buyers, provider):
    check_that_nobody_waits(caller, buyers, provider)


def check_that_nobody_waits(
    caller: Callable[..., Caller], buyers: Callable[[int], list[User]], provider: Sandbox
) -> None:
    bowl = ProductFactory.create(stock=100)
    for user in buyers(OPEN_PAYMENTS):
        card_order(caller(user), bowl)
    buyer, other = (caller(user) for user in buyers(2))
    overdue = transfer_order(buyer, bowl)
    wait_for(lambda: not unsent(), detail="the emails about these orders are not sent")
    provider.fault("delay", path="/v1/*", count=None, seconds=SECONDS_PER_ANSWER)

    with meanwhile(keep_busy):
        wait_for(lambda: unanswered(provider), detail="nobody waits for the provider")
        transfer_order(other, bowl)
        ordered_at = time.monotonic()
        wait_for(lambda: not unsent(), detail="the email of the new order is not sent")
        assert time.monotonic() - ordered_at < MAIL_WITHIN

        due_to_expire(overdue)
        wait_for(lambda: Order.objects.get(pk=overdue.pk).status == OrderStatus.EXPIRED)
        late = timezone.now() - Order.objects.get(pk=overdue.pk).expires_at
        assert late.total_seconds() < EXPIRED_WITHIN
