"""The code of the release before sells on today's schema, and either code continues with the orders of the other.

As during an upgrade: `migrate` ran, and processes of both releases are at work until the older ones are replaced; and
as after a rollback. The release's code runs with today's packages.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import reverse

from artisans.accounts.models import User
from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from orders.models import HeldLine, Order
from orders.tests.factories import store_of
from payments.bookkeeping.ledger import ledger_fill, payments_with_recent_money
from payments.models import Payment
from scripts.releases import releases, unpack
from tests.checkout_client import DETAILS_FORM
from tests.html import page
from tests.live.cards import CONFIRM, PAID, confirm_body, now, object_of, pay, status
from tests.live.conftest import empty_database
from tests.live.runner import Caller, Sandbox, Shop, wait_for
from tests.live.users import (
    Visitor,
    bearer_of,
    money_staff,
    order_body,
    order_in,
    order_page,
    receipt_form,
    receipt_path,
    review_form,
)

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures("postgres_only", "transactional_db")]
# Pages do without collected styles, which would take as long as all the rest.
SETTINGS = """\
from artisans.settings import *

STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
"""


@pytest.fixture(scope="module")
def old_code() -> Path:
    folder = unpack(releases()[-1])
    (folder / "settings_of_upgrade_test.py").write_text(SETTINGS)
    return folder


@pytest.fixture(scope="module")
def shops(postgres_only, production, sandbox: Sandbox, old_code: Path) -> Iterator[dict[str, Shop]]:
    """Of both releases, on one database and one broker. The workers do not run."""
    empty_database()
    store_of()
    env = sandbox.env | {"MAX_OPEN_ORDERS": "1000", "WEB_CONCURRENCY": "1"}
    old_env = env | {"DJANGO_SETTINGS_MODULE": "settings_of_upgrade_test"}
    with production(root=old_code, **old_env) as old, production(**env) as new:
        old.web.launch()
        new.start(worker=False)
        old.web.wait_ready()  # it accepts the newer schema
        yield {"old": old, "new": new}


@pytest.fixture(autouse=True)
def periodic_fill(shops) -> Iterator[None]:
    """The task of today's release that books what processes of the one before received."""
    yield
    ledger_fill(payments_with_recent_money())


@pytest.fixture
def old(shops) -> Shop:
    return shops["old"]


@pytest.fixture
def new(shops) -> Shop:
    return shops["new"]


@pytest.fixture(scope="module")
def bowl(shops) -> Product:
    return ProductFactory.create(name="Moss bowl", stock=500)


def work(sandbox: Sandbox, shop: Shop, *, without: Shop) -> None:
    """From now on only this shop has a worker, and gets the providers' events."""
    without.worker.kill()
    sandbox.tell(shop)
    if shop.worker.process is None:
        shop.worker.start()


def buy(shop: Shop, product: Product, method: str, user: User | None = None) -> Order:
    """A purchase on the pages, by a guest unless a user is given."""
    buyer = Visitor(shop.url, user)
    for name, form in (
        ("carts:item_add", {"product_id": str(product.pk), "quantity": "1"}),
        (
            "carts:checkout_details",
            DETAILS_FORM | {"email": user.email if user else f"{method}@example.test"},
        ),
        ("carts:checkout_payment", {"payment_method": method}),
        ("carts:checkout_check", {}),
    ):
        filled = form or review_form(buyer)
        response = buyer.post(reverse(name), filled)
        assert response.status_code == 302, f"{name} {filled}: {page(response.text).one('main').text}"
    return Order.objects.latest("created_at")


def errors_of(shop: Shop) -> list[str]:
    """An older worker may get a task that it does not know, which is dropped: it runs periodically. One that stops
    may close the connection of its scheduler, which sends its task after the next start."""
    usual = ("unregistered task", "apply scheduled task")
    lines = (shop.web.output + shop.worker.output).splitlines()
    return [line for line in lines if "Traceback" in line and not any(text in line for text in usual)]


def card_payment(order: Order) -> Payment:
    payment = Payment.objects.select_related("order").get(order=order)
    wait_for(lambda: now(payment).provider_payment_id, detail="no payment at the provider")
    return payment


def test_todays_code_continues_with_orders_of_the_release_before(old, new, bowl, sandbox, buyers):
    work(sandbox, old, without=new)
    by_card, in_cash = buy(old, bowl, "credit_card"), buy(old, bowl, "cash_on_delivery", buyers(1)[0])
    transfer = buy(old, bowl, "bank_transfer")
    payment = card_payment(by_card)
    pay(sandbox, payment)
    wait_for(lambda: status(payment) == PAID, detail="the event was not processed")
    staff = money_staff()
    for path in ("/admin/login/", "/admin/orders/order/", order_page(in_cash), order_page(by_card)):
        assert Visitor(old.url, staff).get(path).status_code == 200, path
    assert errors_of(old) == []

    work(sandbox, new, without=old)
    for order in (by_card, in_cash, transfer):
        assert order.order_number in Visitor(new.url).get(order_page(order)).text
    recorded = Visitor(new.url, staff).post(receipt_path(transfer), receipt_form(transfer))
    refund = {"payment_id": str(payment.pk), "amount": "1.00", "reason": "broken"}
    refunded = Caller(new.port, token=bearer_of(staff)).post("/payments/refunds", refund)
    assert (recorded.status_code, refunded.status) == (302, 201), refunded
    wait_for(lambda: Payment.objects.get(pk=payment.pk).refunded_minor == 100)
    assert Order.objects.get(pk=transfer.pk).payment_status == "PAID"

    open_transfer = buy(old, bowl, "bank_transfer")
    new.trigger("payments.expire_orders")
    wait_for(
        HeldLine.objects.filter(line__order=open_transfer).exists, detail="it does not count for the limits"
    )


def test_release_before_continues_with_orders_of_todays_code(old, new, bowl, sandbox, buyers):
    """Also after a rollback."""
    [user] = buyers(1)
    buyer = Caller(new.port, token=bearer_of(user))
    cards = [order_in(buyer.post("/orders/", order_body((bowl, 1), method="credit_card"))) for _ in range(2)]
    transfer = buy(new, bowl, "bank_transfer")
    payment, challenged = map(card_payment, cards)
    buyer.post(CONFIRM, confirm_body(challenged, "pm_card_authenticationRequired"))
    assert challenged.attempts.get().outcome == "challenged"  # which the release before does not know
    work(sandbox, old, without=new)
    pay(sandbox, payment)
    sandbox.post("stripe/authenticate", payment_intent=object_of(challenged), passed=True)
    wait_for(lambda: status(payment) == status(challenged) == PAID, detail="the events were not processed")
    for order in (*cards, transfer):
        assert order.order_number in Visitor(old.url).get(order_page(order)).text
    staff = money_staff()
    recorded = Visitor(old.url, staff).post(receipt_path(transfer), receipt_form(transfer))
    assert recorded.status_code == 302
    assert errors_of(old) == []
