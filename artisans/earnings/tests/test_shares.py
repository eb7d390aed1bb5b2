"""An artisan's share of a parcel is the same figure wherever it is shown."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from artisans.core.templatetags.money import show
from orders.models import Order, Parcel
from payments.bookkeeping.refunds import refund_finish
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import Bearer, Earning, ReversalReason
from payments.refunds.staff import refund_open
from payments.tests.factories import record, remote_refund_of, start, usd
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

PARCELS = "/shop/artisan/parcels/"


@pytest.fixture
def refund(staff):
    def done(payment, **arguments) -> None:
        opened = refund_open(payment_id=payment.pk, reason="Chipped.", actor=staff, **arguments)
        refund_finish(refund_id=opened.pk, remote=remote_refund_of(opened))

    return done


@pytest.fixture
def read_order(browser, admin_user):
    """The text of the only order's page for staff."""

    def read() -> str:
        address = reverse("admin:orders_order_change", args=[Order.objects.get().pk])
        return page(browser(admin_user).get(address)).text

    return read


@pytest.fixture
def read_shares(browser, api, seller, read_order):
    """What each page, and the API, says that the artisan earns with their only parcel."""

    def read() -> dict[str, str]:
        parcel = Parcel.objects.get(artisan__user=seller)
        detail = page(browser(seller).get(reverse("orders:parcel", args=[parcel.pk]))).text
        share = detail.partition("Your share ")[2].split(" ")[0]
        rows = page(browser(seller).get(f"{PARCELS}?filter=all")).text
        earned = page(browser(seller).get("/shop/artisan/earnings/")).text
        return {
            "page": share or ("$0.00" if "Your earnings None: " in detail else "?"),
            "list": rows.partition("Your share ")[2].split(" ")[0],
            "API": f"${api(seller).get(f'/parcels/{parcel.pk}/').json()['share']}",
            "earnings": earned.rpartition("You earn ")[2].split(" ")[0],
            "staff": read_order().partition("artisan’s share ")[2].split(" ")[0],
        }

    return read


def test_goodwill_and_kept_commission_reduce_the_share_everywhere(
    sell, refund, read_shares, read_order, store
):
    payment = sell()
    assert set(read_shares().values()) == {"$91.44"}
    assert "Refunds and lost disputes" not in read_order()

    refund(payment, amount=usd("10.00"))
    refund(payment, amount=usd("5.00"), borne_by=Bearer.SHOP)
    after_goodwill = Earning.objects.get().remaining
    assert set(read_shares().values()) == {show(after_goodwill)} == {"$82.29"}
    assert "Refunds and lost disputes took $10.00 of it, besides what the shop bears" in read_order()

    store.commission_on_refund = "kept"
    store.save()
    refund(payment, amount=usd("20.00"))
    assert set(read_shares().values()) == {"$62.29"}

    refund(payment, amount=usd("64.99"))
    assert set(read_shares().values()) == {"$0.30"}  # of the shipping, of which the shop takes nothing


def test_nothing_is_earned_or_refunded_while_the_order_is_no_longer_paid(
    potter, bowl, shopper, staff, read_shares, read_order
):
    check = start(PaymentMethod.CHECK, {bowl: 1}, user=shopper)
    receipt = record(check, "99.99", actor=staff, reference="check 1")
    receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.BOUNCED, actor=staff)
    assert set(read_shares().values()) == {"$0.00"}
    assert "Not earned: the order is no longer paid" in read_order()
    assert "Refunds and lost disputes" not in read_order()


def test_parts_of_a_parcel_add_up_after_a_refund(sell, refund):
    payment = sell()
    refund(payment, amount=usd("10.00"))
    parcel = payment.order.parcels.get()
    earned = parcel.earnings(parcel.lines.all())
    assert earned.refunded == usd("10.00")
    assert earned.share + earned.fee + earned.remitted_tax == parcel.total - earned.refunded
    assert earned.commission < usd("8.55")


def test_shares_of_many_parcels_take_no_more_queries(sell, browser, api, seller):
    def queries() -> list[int]:
        counts = []
        for read in (browser(seller), api(seller)):
            address = "/parcels/" if counts else PARCELS
            with CaptureQueriesContext(connection) as found:
                assert read.get(address).status_code == 200
            counts.append(len(found))
        return counts

    sell()
    queries()  # the first answer that a process checks reads the API's description, with queries of its own
    before = queries()
    for _ in range(2):
        sell()
    assert queries() == before
