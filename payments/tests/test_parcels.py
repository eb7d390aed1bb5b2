"""Parcels that are begun and parcels that come back: statuses, stock, money, and who is told."""

import pytest
from django.db import transaction

from artisans.audit.models import AuditEntry
from artisans.catalog.models import StockMove
from artisans.core.errors import IllegalTransition, InvalidInput
from orders.errors import NotReleased
from orders.services import parcel_deliver, parcel_ship, parcel_start
from orders.tests.factories import place
from payments.errors import NoPermission, OwnOrder
from payments.methods import PaymentMethod
from payments.services.parcels import parcel_return
from payments.tests.factories import paid_by_card, pieces, record, refund, reread, start, usd

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

CASH = PaymentMethod.CASH_ON_DELIVERY


def stock(product) -> int:
    product.refresh_from_db()
    return product.stock


def ship(parcel, *, arrives: bool = False) -> None:
    actor = parcel.artisan.user
    parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="T-1", actor=actor)
    if arrives:
        parcel_deliver(parcel_id=parcel.pk, actor=actor)


def come_back(parcel, **changes) -> None:
    wish = {"parcel_id": parcel.pk, "restock": True, "actor": parcel.artisan.user} | changes
    with transaction.atomic():
        parcel_return(**wish)


@pytest.fixture
def paid(bowl, scarf, shopper, staff):
    """Three bowls of one artisan, a scarf of another; paid."""
    payment = start(pieces={bowl: 3, scarf: 1}, user=shopper)
    record(payment, payment.amount, actor=staff)
    return payment


def of(order, user):
    return order.parcels.get(artisan__user=user)


def test_parcel_is_started_once_and_the_order_follows(paid, seller):
    mine = of(paid.order, seller)

    parcel_start(parcel_id=mine.pk, actor=seller)
    with pytest.raises(IllegalTransition), transaction.atomic():
        parcel_start(parcel_id=mine.pk, actor=seller)

    mine.refresh_from_db()
    assert (mine.status, reread(paid).order.status) == ("STARTED", "PROCESSING")
    assert AuditEntry.objects.filter(action="parcel.move", data={"to": "STARTED"}, actor=seller).count() == 1
    ship(mine)
    mine.refresh_from_db()
    assert [row.new for row in mine.transitions.all()] == ["STARTED", "PACKED", "SHIPPED"]


def test_parcel_is_not_started_while_its_order_is_unpaid(bowl, seller):
    placed = place({bowl: 1})

    with pytest.raises(NotReleased), transaction.atomic():
        parcel_start(parcel_id=placed.parcels[0].pk, actor=seller)


@pytest.mark.parametrize("arrives", [False, True], ids=["on its way", "delivered"])
def test_parcel_comes_back_to_the_shelf_and_its_money_is_owed_once(
    paid, bowl, scarf, seller, shopper, mails, arrives
):
    mine = of(paid.order, seller)
    ship(mine, arrives=arrives)
    left, others = stock(bowl), stock(scarf)

    come_back(mine)
    with pytest.raises(IllegalTransition):
        come_back(mine)

    mine.refresh_from_db()
    assert (mine.status, stock(bowl), stock(scarf)) == ("RETURNED", left + 3, others)
    assert reread(paid).order.to_return == mine.total
    assert paid.order.status == "CONFIRMED", "the other parcel was not begun"
    [told] = [m for m in mails(shopper.email) if m.subject.endswith("a parcel came back")]
    assert f"We will return ${mine.total.amount} to you." in told.body
    assert "Tide scarf" not in told.body
    assert not [m for m in mails(seller.email) if "came back" in m.subject], "the artisan said so"


@pytest.mark.parametrize(
    ("restock", "units", "back"), [(True, None, 3), (False, None, 0), (True, 2, 2), (True, 0, 0)]
)
def test_only_what_is_fit_for_sale_goes_back_on_sale(paid, bowl, seller, restock, units, back):
    mine = of(paid.order, seller)
    ship(mine)
    left = stock(bowl)

    come_back(mine, restock=restock, units=None if units is None else {mine.lines.get().pk: units})

    assert stock(bowl) == left + back
    assert reread(paid).order.to_return == mine.total, "however little of it can be sold"


@pytest.mark.parametrize(
    ("restock", "units"), [(True, {"own": 4}), (True, {"own": -1}), (True, {"other": 1}), (False, {"own": 1})]
)
def test_units_that_were_never_sent_cannot_come_back(paid, bowl, seller, other_seller, restock, units):
    mine = of(paid.order, seller)
    ship(mine)
    lines = {"own": mine.lines.get(), "other": of(paid.order, other_seller).lines.get()}
    left = stock(bowl)

    with pytest.raises(InvalidInput):
        come_back(mine, restock=restock, units={lines[name].pk: n for name, n in units.items()})

    mine.refresh_from_db()
    assert (mine.status, stock(bowl)) == ("SHIPPED", left)


def test_cash_parcel_refused_at_the_door_ends_the_order_and_its_payment(bowl, shopper, seller, mails):
    payment = start(CASH, {bowl: 1}, user=shopper)
    mine = payment.order.parcels.get()
    ship(mine)

    come_back(mine)

    order = reread(payment).order
    assert (order.status, order.payment_status, payment.status) == ("CANCELLED", "UNPAID", "CANCELLED")
    assert not order.balance_due
    assert not order.to_return
    assert stock(bowl) == 10
    [told] = [m for m in mails(shopper.email) if m.subject.endswith("a parcel came back")]
    assert "You have not been charged for it." in told.body


def test_cash_for_the_other_parcel_is_still_collected(bowl, scarf, shopper, staff, seller, other_seller):
    payment = start(CASH, {bowl: 1, scarf: 1}, user=shopper)
    refused, kept = of(payment.order, seller), of(payment.order, other_seller)
    ship(refused)
    ship(kept)

    come_back(refused)

    assert reread(payment).order.balance_due == kept.total == payment.amount
    assert payment.order.status == "SHIPPED"
    record(payment, kept.total, actor=staff)
    assert (payment.order.payment_status, payment.order.to_return) == ("PAID", usd("0.00"))


def test_order_whose_parcels_all_came_back_is_cancelled(paid, seller, other_seller):
    for user in (seller, other_seller):
        ship(of(paid.order, user), arrives=True)
        come_back(of(paid.order, user))

    order = reread(paid).order
    assert (order.status, order.to_return) == ("CANCELLED", order.total)


@pytest.mark.parametrize("state", ["NEW", "STARTED"])
def test_what_was_not_sent_does_not_come_back(paid, seller, bowl, state):
    mine = of(paid.order, seller)
    if state == "STARTED":
        parcel_start(parcel_id=mine.pk, actor=seller)
    left = stock(bowl)

    with pytest.raises(IllegalTransition):
        come_back(mine)

    mine.refresh_from_db()
    assert (mine.status, stock(bowl)) == (state, left)


def test_staff_record_what_came_back_and_its_artisan_hears_of_it(paid, seller, admin_user, mails):
    mine = of(paid.order, seller)
    ship(mine)

    come_back(mine, actor=admin_user, reason="moved away", restock=False)

    [told] = [m for m in mails(seller.email) if m.subject.endswith("the parcel came back")]
    assert "moved away" in told.body
    [entry] = AuditEntry.objects.filter(actor=admin_user, action="parcel.move")
    assert entry.data == {"to": "RETURNED", "restocked": 0}


@pytest.mark.parametrize(
    ("who", "error"), [("stranger", NoPermission), ("shopper", NoPermission), ("other_seller", NoPermission)]
)
def test_nobody_else_says_that_a_parcel_came_back(paid, seller, request, who, error):
    mine = of(paid.order, seller)
    ship(mine)

    with pytest.raises(error):
        come_back(mine, actor=request.getfixturevalue(who))

    mine.refresh_from_db()
    assert mine.status == "SHIPPED"


def test_staff_do_not_take_back_a_parcel_of_their_own_order(paid, seller, admin_user):
    mine = of(paid.order, seller)
    ship(mine)
    type(paid.order).objects.filter(pk=paid.order_id).update(user=admin_user)

    with pytest.raises(OwnOrder):
        come_back(mine, actor=admin_user)


def test_units_of_a_returned_parcel_are_not_put_on_sale_by_its_refund_too(
    stripe, bowl, shopper, staff, seller
):
    payment = paid_by_card(stripe, {bowl: 2}, user=shopper)
    mine, left = payment.order.parcels.get(), stock(bowl)
    ship(mine)
    line = mine.lines.get()
    refund(payment, actor=staff, pieces=pieces((line, 1), restock=True))
    assert stock(bowl) == left + 1

    come_back(mine)

    assert stock(bowl) == left + 2
    assert StockMove.objects.filter(order_line=line.pk, kind="return").get().quantity == 1
