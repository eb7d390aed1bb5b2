"""An artisan cannot deliver some units of a parcel: what the order costs, what is owed and earned, and the stock."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from artisans.catalog.models import Artisan, Product
from artisans.core.errors import IllegalTransition, InvalidInput
from artisans.ledger.accounts import AccountKind
from artisans.ledger.models import LedgerPosting
from artisans.notifications.models import Notification
from orders.errors import NotCancellable, NotReleased, UnitsChanged
from orders.models import LineCancellation, Order, OrderLine, Parcel
from orders.selectors import lines_by_parcel
from orders.services.parcels import parcel_ship
from orders.shipments import progress_of
from orders.statuses import CashHolder
from payments.bookkeeping.refunds import refund_finish
from payments.errors import PaymentDisputed
from payments.lifecycle.cancel_and_expire import order_cancel, parcel_cannot_deliver
from payments.lifecycle.parcels import parcel_return
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import Bearer, Earning, Payment, PaymentRefund, ReversalReason
from payments.providers.contract import RemoteDispute, RemoteDisputeStatus, RemoteRefundStatus
from payments.refunds.staff import refund_open, refund_retry
from payments.selectors import refund_due
from payments.tests.factories import (
    apply_card_captures,
    give_back,
    record,
    remote_refund_of,
    reread,
    start,
    unit_selection,
    usd,
)
from tests.dump import dump
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "card_shop")]

CARD, CASH = PaymentMethod.CREDIT_CARD, PaymentMethod.CASH_ON_DELIVERY


@pytest.fixture
def paid(bowl, scarf, shopper) -> Payment:
    """By card: a bowl and three scarves, which cost 99.99 and 10.00 tax: 36.66, 36.67 and 36.66; 5 % commission."""
    Artisan.objects.filter(pk=scarf.artisan_id).update(commission_ppm=50_000)
    return apply_card_captures(start(CARD, {bowl: 1, scarf: 3}, user=shopper))


@pytest.fixture
def cash(bowl, scarf, shopper, store) -> Payment:
    store.cash_limit_minor = 10**6
    store.save()
    return start(CASH, {bowl: 1, scarf: 3}, user=shopper)


def of(payment: Payment, user) -> Parcel:
    return payment.order.parcels.select_related("order", "artisan").get(artisan__user=user)


def line_of(parcel: Parcel) -> OrderLine:
    return parcel.lines.get()


def not_coming(parcel: Parcel, quantity: int | None = 1, **changes) -> Parcel:
    units = None if quantity is None else {line_of(parcel).pk: quantity}
    asked = {"reason": "The loom broke.", "actor": parcel.artisan.user, "units": units} | changes
    return parcel_cannot_deliver(parcel_id=parcel.pk, **asked)


def ship(parcel: Parcel, quantity: int | None = None) -> None:
    units = None if quantity is None else {line_of(parcel).pk: quantity}
    parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="", actor=parcel.artisan.user, units=units)
    parcel.refresh_from_db()


def refunded(payment: Payment, staff, **asked) -> PaymentRefund:
    refund = refund_open(payment_id=payment.pk, reason="Torn.", actor=staff, **asked)
    refund_finish(refund_id=refund.pk, remote=remote_refund_of(refund))
    reread(payment)
    return refund


def stock(product: Product) -> int:
    return Product.objects.get(pk=product.pk).stock


def booked(payment: Payment, kind: AccountKind) -> int:
    """The credit balance of an account from this order's entries."""
    postings = LedgerPosting.objects.filter(entry__order_id=payment.order_id, account__kind=kind)
    return -(postings.aggregate(sum=Sum("amount_minor"))["sum"] or 0)


# ---- money -----------------------------------------------------------------------------------------------------------


def test_units_that_do_not_come_are_owed_with_their_tax_and_taken_from_the_earning(
    paid, other_seller, shopper, mails
):
    parcel = of(paid, other_seller)
    before = booked(paid, AccountKind.SELLER_PENDING), booked(paid, AccountKind.COMMISSION)

    not_coming(parcel)

    order = reread(paid).order
    assert (order.cancelled_minor, order.refund_due, order.balance_due) == (3666, usd("36.66"), usd("0"))
    assert (order.status, order.payment_status, order.owed.goods) == ("CONFIRMED", "PAID", usd("36.66"))
    [row] = LineCancellation.objects.all()
    assert (row.quantity, row.amount_minor, row.reason, row.actor) == (
        1,
        3666,
        "The loom broke.",
        other_seller,
    )
    assert progress_of(list(parcel.lines.all())).left_units == 2
    # 5.00 commission on 109.99: the unit's part, 1.67, goes back to the artisan.
    after = booked(paid, AccountKind.SELLER_PENDING), booked(paid, AccountKind.COMMISSION)
    assert (before[0] - after[0], before[1] - after[1]) == (3666 - 167, 167)
    assert booked(paid, AccountKind.ORDER) == 3666
    earning = Earning.objects.get(parcel=parcel)
    assert (earning.returned_minor, earning.returned_commission_minor) == (3666 - 167, 167)
    assert of(paid, other_seller).earnings(parcel.lines.all()).refunded == usd("36.66")
    mail = mails(shopper.email)[-1]
    assert "some items will not be delivered" in mail.subject
    for text in (
        "1 x Tide scarf",
        "The loom broke.",
        "We will refund $36.66.",
        "The rest of the parcel will be",
    ):
        assert text in mail.body


def test_cancelled_units_add_up_to_exactly_the_parcel_in_any_number_of_steps(paid, other_seller, scarf):
    parcel, left = of(paid, other_seller), stock(scarf)
    amounts = []
    for _ in range(3):
        before = Order.objects.get(pk=paid.order_id).cancelled_minor
        parcel = not_coming(parcel)
        amounts.append(Order.objects.get(pk=paid.order_id).cancelled_minor - before)
    assert amounts == [
        3666,
        3667,
        parcel.total_minor - 3666 - 3667,
    ]  # the last one with the parcel's shipping
    assert (parcel.status, stock(scarf)) == ("CANCELLED", left + 3)
    assert reread(paid).order.refund_due == parcel.total
    assert booked(paid, AccountKind.ORDER) == parcel.total_minor
    assert Earning.objects.get(parcel=parcel).status == "cancelled"


def test_all_units_at_once_cancel_the_parcel_as_without_units(paid, other_seller, mails, shopper):
    parcel = not_coming(of(paid, other_seller), 3)
    assert (parcel.status, reread(paid).order.refund_due) == ("CANCELLED", parcel.total)
    assert [mail.subject for mail in mails(shopper.email) if "a parcel was cancelled" in mail.subject]
    assert not Notification.objects.filter(kind="units_cancelled").exists()


def test_the_delivery_is_still_charged_once_the_other_units_are_shipped(paid, seller, other_seller):
    parcel = of(paid, other_seller)
    ship(parcel, 1)

    parcel = not_coming(parcel, 2)

    assert (parcel.status, reread(paid).order.refund_due) == ("SHIPPED", usd("73.33"))
    left = parcel.total_minor - 7333 - (500 - 333)
    assert booked(paid, AccountKind.SELLER_PENDING) == of(paid, seller).total_minor + left
    parcel_return(parcel_id=parcel.pk, actor=other_seller, restock=True)
    assert reread(paid).order.refund_due == parcel.total


def test_the_last_refund_of_a_line_gives_back_exactly_what_is_left_of_it(paid, other_seller, staff):
    parcel = of(paid, other_seller)
    not_coming(parcel)
    ship(parcel)

    refund = refunded(paid, staff, items=unit_selection((line_of(parcel), 2)))

    assert refund.amount == usd("73.33")
    line = line_of(parcel)
    assert (line.refundable_quantity, line.uncharged) == (0, usd("109.99"))
    assert paid.order.refund_due == usd("36.66")
    refunded(paid, staff, amount=usd("36.66"))
    assert not paid.order.refund_due
    assert booked(paid, AccountKind.ORDER) == 0


def test_units_that_were_refunded_before_are_not_owed_again(paid, other_seller, staff):
    parcel = of(paid, other_seller)
    refunded(paid, staff, items=unit_selection((line_of(parcel), 1)))

    not_coming(parcel)

    assert (paid.order.goods_refunded_minor, reread(paid).order.goods_refunded_minor) == (3666, 0)
    assert not paid.order.refund_due
    assert line_of(parcel).refundable_quantity == 2
    assert booked(paid, AccountKind.ORDER) == 0
    not_coming(parcel)
    assert reread(paid).order.refund_due == usd("36.67")


def test_refund_of_a_unit_that_was_sent_does_not_count_for_one_that_does_not_come(paid, other_seller, staff):
    parcel = of(paid, other_seller)
    ship(parcel, 2)
    refunded(paid, staff, items=unit_selection((line_of(parcel), 1)))

    not_coming(parcel)

    assert reread(paid).order.refund_due == usd("36.67")


def test_units_are_owed_if_the_refund_that_named_them_fails_and_can_be_refunded_again(
    paid, other_seller, staff
):
    parcel = of(paid, other_seller)
    refund = refunded(paid, staff, items=unit_selection((line_of(parcel), 1)))
    not_coming(parcel)

    refund_finish(refund_id=refund.pk, remote=remote_refund_of(refund, RemoteRefundStatus.FAILED))

    assert reread(paid).order.refund_due == usd("36.66")
    again = refund_retry(refund_id=refund.pk, actor=staff)
    refund_finish(refund_id=again.pk, remote=remote_refund_of(again))
    assert (again.amount, again.goodwill) == (usd("36.66"), usd("0"))
    assert not reread(paid).order.refund_due


def test_the_artisan_bears_what_does_not_come_also_if_the_shop_bore_its_refund(paid, other_seller, staff):
    parcel = of(paid, other_seller)
    refunded(paid, staff, items=unit_selection((line_of(parcel), 1)), borne_by=Bearer.SHOP)
    assert booked(paid, AccountKind.GOODWILL) == -3666

    not_coming(parcel)

    assert booked(paid, AccountKind.GOODWILL) == booked(paid, AccountKind.ORDER) == 0
    assert Earning.objects.get(parcel=parcel).returned_minor == 3666 - 167


def test_the_shop_keeps_no_commission_on_units_that_do_not_come(paid, other_seller, store):
    store.commission_on_refund = "kept"
    store.save()
    not_coming(of(paid, other_seller))
    assert Earning.objects.get(artisan__user=other_seller).returned_commission_minor == 167


# ---- not paid --------------------------------------------------------------------------------------------------------


def test_cash_on_delivery_costs_less(cash, other_seller, staff, mails, shopper):
    parcel, due = of(cash, other_seller), cash.order.balance_due

    not_coming(parcel)

    parcel = of(reread(cash), other_seller)
    assert (cash.amount, cash.order.balance_due, cash.order.refund_due) == (
        due - usd("36.66"),
        due - usd("36.66"),
        usd("0"),
    )
    assert parcel.cash_due == parcel.total - usd("36.66")
    assert "Your total is now $36.66 lower." in mails(shopper.email)[-1].body
    ship(parcel)
    record(cash, parcel.cash_due, actor=staff, parcel_id=parcel.pk, holder=CashHolder.ARTISAN)
    earning = Earning.objects.get(parcel=parcel)
    assert (earning.status, earning.returned_minor) == ("released", 3666)
    assert not of(cash, other_seller).cash_due


def test_order_that_awaits_its_transfer_is_not_the_artisans_yet(scarf, other_seller, shopper):
    waiting = start(items={scarf: 3}, user=shopper)
    before = dump()
    with pytest.raises(NotReleased):
        not_coming(of(waiting, other_seller))
    assert dump() == before


def test_order_whose_transfer_bounced_costs_less(scarf, other_seller, shopper, staff):
    payment = start(items={scarf: 3}, user=shopper)
    receipt = record(payment, payment.amount, actor=staff)
    receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.BOUNCED, actor=staff)
    due = reread(payment).order.balance_due

    not_coming(of(payment, other_seller))

    assert reread(payment).order.balance_due == payment.outstanding == due - usd("36.66")
    record(payment, payment.outstanding, actor=staff)
    assert (payment.order.can_be_shipped, payment.order.balance_due) == (True, usd("0"))
    assert Earning.objects.get().returned_minor == 3666


# ---- stock -----------------------------------------------------------------------------------------------------------


def test_only_units_that_exist_go_back_on_sale(paid, other_seller, scarf, staff):
    parcel, left = of(paid, other_seller), stock(scarf)
    not_coming(parcel, restock=False)
    assert stock(scarf) == left
    not_coming(parcel)
    assert stock(scarf) == left + 1
    refunded(paid, staff, items=unit_selection((line_of(parcel), 1), restock=True))
    assert stock(scarf) == left + 2
    line = line_of(parcel)
    assert (line.cancelled_quantity, line.lost_quantity, line.refunded_quantity) == (2, 1, 1)


def test_whole_parcel_can_be_lost(paid, other_seller, scarf):
    left = stock(scarf)
    parcel = not_coming(of(paid, other_seller), None, restock=False)
    assert (parcel.status, stock(scarf)) == ("CANCELLED", left)
    assert reread(paid).order.refund_due == parcel.total


def test_staff_cancel_what_is_left_and_only_that_goes_back(paid, other_seller, scarf, staff, mails):
    parcel, left = of(paid, other_seller), stock(scarf)
    not_coming(parcel, restock=False)

    order_cancel(order_id=paid.order_id, reason="Late.", actor=staff, parcels=[parcel.pk])

    assert (stock(scarf), reread(paid).order.refund_due) == (left + 2, parcel.total)
    assert "2 x Tide scarf" in mails(other_seller.email)[-1].body
    with pytest.raises(IllegalTransition), transaction.atomic():
        not_coming(parcel)


# ---- refused ---------------------------------------------------------------------------------------------------------


def test_no_more_units_than_are_left_to_ship(paid, seller, other_seller):
    parcel = of(paid, other_seller)
    ship(parcel, 1)
    not_coming(parcel)
    before = dump()
    foreign = {of(paid, seller).lines.get().pk: 1}
    for error, said, changes in (
        (InvalidInput, "but 1 is left to ship", {"quantity": 2}),
        (InvalidInput, "at least one item", {"quantity": 0}),
        (InvalidInput, "not belong", {"units": foreign}),
        (InvalidInput, "Enter a reason", {"reason": " "}),
        (NotCancellable, "cannot be cancelled", {"quantity": None}),
        (
            UnitsChanged,
            "of this parcel is left",
            {"seen": 2},
        ),  # as the page was before the button was pressed
    ):
        with pytest.raises(error, match=said), transaction.atomic():
            not_coming(parcel, **changes)
    assert dump() == before


def test_shipped_and_returned_parcels_are_not_cut(paid, other_seller):
    parcel = of(paid, other_seller)
    ship(parcel)
    with pytest.raises(IllegalTransition):
        not_coming(parcel)
    parcel_return(parcel_id=parcel.pk, actor=other_seller, restock=True)
    with pytest.raises(IllegalTransition):
        not_coming(parcel)


def test_units_that_do_not_come_are_owed_while_a_dispute_is_open(paid, other_seller, staff):
    found = RemoteDispute("dp_1", usd("10.00"), RemoteDisputeStatus.OPEN)
    apply_card_captures(paid, disputes=(found,))

    not_coming(of(paid, other_seller))

    assert (reread(paid).order.refund_due, refund_due(paid.order, paid)) == (usd("36.66"), 3666)
    with pytest.raises(PaymentDisputed):
        refund_open(payment_id=paid.pk, reason="Owed.", actor=staff, amount=usd("36.66"))


def test_cancellations_are_append_only(paid, other_seller):
    not_coming(of(paid, other_seller))
    for change in (lambda rows: rows.update(quantity=2), lambda rows: rows.delete()):
        with pytest.raises(IntegrityError), transaction.atomic():
            change(LineCancellation.objects.all())


def test_units_of_an_offline_order_are_paid_back_by_hand(scarf, other_seller, shopper, staff):
    payment = start(items={scarf: 3}, user=shopper)
    record(payment, payment.amount, actor=staff)
    not_coming(of(payment, other_seller))
    give_back(payment, "36.66", actor=staff, beyond_owed=False)
    assert not payment.order.refund_due


# ---- pages and API ---------------------------------------------------------------------------------------------------


def path(parcel: Parcel) -> str:
    return f"/shop/artisan/parcels/{parcel.pk}/cannot-deliver/"


def test_page_asks_for_units_and_says_what_became_of_them(browser, paid, other_seller, shopper, staff):
    parcel = of(paid, other_seller)
    client, name = browser(other_seller), f"units-{line_of(parcel).pk}"
    form = page(client.get(path(parcel))).one("form", class_="card").fields()
    assert (form[name], form["seen"]) == ("", "3")

    refused = page(client.post(path(parcel), form | {name: "4", "reason": "Torn.", "restock": "no"}))
    assert "You entered 4 × Tide scarf, but 3 are left to ship." in refused.text
    assert refused.one("form", class_="card").fields()["reason"] == "Torn."
    asked = form | {name: "1", "reason": "Torn.", "restock": "no"}
    assert client.post(path(parcel), asked).status_code == 302
    again = page(client.post(path(parcel), asked))
    assert "Only 2 units of this parcel are left to ship" in again.text

    assert LineCancellation.objects.get().restocked is False
    own = page(client.get(f"/shop/artisan/parcels/{parcel.pk}/")).text
    assert "2 × Tide scarf 1 cancelled $66.66" in own
    assert "not back on sale" in own
    buyers = page(browser(shopper).get(f"/shop/orders/{paid.order.access_token}/")).text
    assert "1 × Tide scarf will not be delivered: $36.66 less. Reason: Torn." in buyers
    staffs = page(browser(staff).get(f"/admin/orders/order/{paid.order_id}/change/")).text
    assert "1 cancelled, $36.66: Torn." in staffs
    slip = page(client.get(f"/shop/artisan/parcels/slips/?parcel={parcel.pk}")).text
    assert "2 × Tide scarf" in slip


def test_list_of_cancelled_units_has_as_many_statements_for_any_number(api, paid, cash, other_seller):
    client, parcels = api(other_seller), [of(payment, other_seller) for payment in (paid, cash)]
    client.get("/parcels/cancellations")  # records the use of the token, at most once a minute
    counts = []
    for some in ([parcels[0]], parcels * 2):
        for parcel in some:
            not_coming(parcel)
        with CaptureQueriesContext(connection) as caught:
            rows = client.get("/parcels/cancellations").json()["results"]
        counts.append((len(rows), len(caught)))

    assert counts == [(1, counts[0][1]), (5, counts[0][1])]


def test_api_cancels_units(api, paid, other_seller):
    parcel = of(paid, other_seller)
    units = [{"line": str(line_of(parcel).pk), "quantity": 1}]
    body = {"reason": "Torn.", "units": units, "restock": False, "seen": 3}

    answer = api(other_seller).post(f"/parcels/{parcel.pk}/cannot_deliver", body)

    assert answer.status_code == 200, answer.json()
    [item] = answer.json()["items"]
    found = answer.json()["status"], answer.json()["cancelled"], item["cancelled_quantity"]
    assert found == ("NEW", "36.66", 1)
    again = api(other_seller).post(f"/parcels/{parcel.pk}/cannot_deliver", body)
    assert (again.status_code, again.json()["code"]) == (409, "units_changed")
    empty = api(other_seller).post(f"/parcels/{parcel.pk}/cannot_deliver", body | {"units": []})
    assert empty.status_code == 400
    assert lines_by_parcel(paid.order)[parcel.pk][0].cancelled_quantity == 1
