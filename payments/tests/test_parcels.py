"""Started and returned parcels: statuses, stock, money and mails."""

import pytest
from django.db import transaction

from artisans.audit.models import AuditEntry
from artisans.catalog.models import Artisan, StockMove
from artisans.core.errors import IllegalTransition, InvalidInput
from artisans.core.money import Money
from orders.errors import NotReleased, ParcelChanged, ParcelOnHold
from orders.services.parcels import parcel_deliver, parcel_ship, parcel_start
from orders.statuses import ParcelDecision
from orders.tests.factories import place
from payments.errors import NoPermission, OwnOrder
from payments.lifecycle.parcels import parcel_return
from payments.methods import PaymentMethod
from payments.models import Payment, RefundDecision
from payments.providers.contract import RemoteDispute, RemoteDisputeStatus, RemoteRefund, RemoteRefundStatus
from payments.refunds.staff import refund_decide, refund_open
from payments.tests.factories import (
    apply_card_captures,
    give_back,
    paid_by_card,
    record,
    refund,
    remote_refund_of,
    reread,
    start,
    unit_selection,
    usd,
)
from tests import rows
from tests.html import page
from tests.problems import problem

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
    create_request = {"parcel_id": parcel.pk, "restock": True, "actor": parcel.artisan.user} | changes
    with transaction.atomic():
        parcel_return(**create_request)


@pytest.fixture(scope="module", autouse=True)
def shared_paid(module_db, module_stripe) -> dict[str, Payment]:
    rows.store()
    shopper = rows.shopper()
    offline = start(items={rows.bowl(): 3, rows.scarf(): 1}, user=shopper)
    record(offline, offline.amount, actor=rows.staff())
    card = paid_by_card(module_stripe, {rows.bowl(): 1, rows.scarf(): 1}, user=shopper)
    return {"offline": offline, "card": card}


@pytest.fixture
def paid(shared_paid) -> Payment:
    """Three bowls of one artisan, a scarf of another; paid."""
    return Payment.objects.get(pk=shared_paid["offline"].pk)


def of(order, user):
    return order.parcels.get(artisan__user=user)


def test_parcel_is_started_once_and_the_order_status_follows(paid, seller):
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


def test_parcel_of_an_unpaid_order_cannot_be_started(bowl, seller):
    placed = place({bowl: 1})

    with pytest.raises(NotReleased), transaction.atomic():
        parcel_start(parcel_id=placed.parcels[0].pk, actor=seller)


@pytest.mark.parametrize("arrives", [False, True], ids=["on its way", "delivered"])
def test_returned_parcel_is_restocked_and_its_refund_due_once(
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
    assert reread(paid).order.refund_due == mine.total
    assert paid.order.status == "CONFIRMED", "the other parcel was not started"
    [captured_twice] = [m for m in mails(shopper.email) if m.subject.endswith("a parcel was returned")]
    assert f"We will refund ${mine.total.amount}." in captured_twice.body
    assert "Tide scarf" not in captured_twice.body
    assert not [m for m in mails(seller.email) if "returned" in m.subject], "recorded by the artisan"


@pytest.mark.parametrize(
    ("restock", "units", "back"), [(True, None, 3), (False, None, 0), (True, 2, 2), (True, 0, 0)]
)
def test_only_sellable_units_are_restocked(paid, bowl, seller, restock, units, back):
    mine = of(paid.order, seller)
    ship(mine)
    left = stock(bowl)

    come_back(mine, restock=restock, units=None if units is None else {mine.lines.get().pk: units})

    assert stock(bowl) == left + back
    assert reread(paid).order.refund_due == mine.total, "even if only some can be sold again"


@pytest.mark.parametrize(
    ("restock", "units"), [(True, {"own": 4}), (True, {"own": -1}), (True, {"other": 1}), (False, {"own": 1})]
)
def test_units_that_were_never_shipped_cannot_be_returned(paid, bowl, seller, other_seller, restock, units):
    mine = of(paid.order, seller)
    ship(mine)
    lines = {"own": mine.lines.get(), "other": of(paid.order, other_seller).lines.get()}
    left = stock(bowl)

    with pytest.raises(InvalidInput):
        come_back(mine, restock=restock, units={lines[name].pk: n for name, n in units.items()})

    mine.refresh_from_db()
    assert (mine.status, stock(bowl)) == ("SHIPPED", left)


def test_refused_cash_parcel_ends_the_order_and_its_payment(bowl, shopper, seller, mails):
    left = stock(bowl)
    payment = start(CASH, {bowl: 1}, user=shopper)
    mine = payment.order.parcels.get()
    ship(mine)

    come_back(mine)

    order = reread(payment).order
    assert (order.status, order.payment_status, payment.status) == ("CANCELLED", "UNPAID", "CANCELLED")
    assert not order.balance_due
    assert not order.refund_due
    assert stock(bowl) == left
    [captured_twice] = [m for m in mails(shopper.email) if m.subject.endswith("a parcel was returned")]
    assert "You have not been charged for it." in captured_twice.body


def test_cash_for_the_other_parcel_is_still_collected(bowl, scarf, shopper, staff, seller, other_seller):
    payment = start(CASH, {bowl: 1, scarf: 1}, user=shopper)
    refused, kept = of(payment.order, seller), of(payment.order, other_seller)
    ship(refused)
    ship(kept)

    come_back(refused)

    assert reread(payment).order.balance_due == kept.total == payment.amount
    assert payment.order.status == "SHIPPED"
    record(payment, kept.total, actor=staff)
    assert (payment.order.payment_status, payment.order.refund_due) == ("PAID", usd("0.00"))


def test_order_with_all_parcels_returned_is_cancelled(paid, seller, other_seller):
    for user in (seller, other_seller):
        ship(of(paid.order, user), arrives=True)
        come_back(of(paid.order, user))

    order = reread(paid).order
    assert (order.status, order.refund_due) == ("CANCELLED", order.total)
    assert {parcel.share for parcel in order.parcels.all()} == {Money(0, "USD")}


@pytest.mark.parametrize("state", ["NEW", "STARTED"])
def test_unshipped_parcel_cannot_be_returned(paid, seller, bowl, state):
    mine = of(paid.order, seller)
    if state == "STARTED":
        parcel_start(parcel_id=mine.pk, actor=seller)
    left = stock(bowl)

    with pytest.raises(IllegalTransition):
        come_back(mine)

    mine.refresh_from_db()
    assert (mine.status, stock(bowl)) == (state, left)


def test_staff_record_a_return_and_the_artisan_is_notified(paid, seller, admin_user, mails):
    mine = of(paid.order, seller)
    ship(mine)

    come_back(mine, actor=admin_user, reason="moved away", restock=False)

    [captured_twice] = [m for m in mails(seller.email) if m.subject.endswith(": parcel returned")]
    assert "moved away" in captured_twice.body
    [entry] = AuditEntry.objects.filter(actor=admin_user, action="parcel.move")
    assert entry.data == {"to": "RETURNED", "restocked": 0}


@pytest.mark.parametrize(
    ("who", "error"), [("stranger", NoPermission), ("shopper", NoPermission), ("other_seller", NoPermission)]
)
def test_others_cannot_record_a_returned_parcel(paid, seller, request, who, error):
    mine = of(paid.order, seller)
    ship(mine)

    with pytest.raises(error):
        come_back(mine, actor=request.getfixturevalue(who))

    mine.refresh_from_db()
    assert mine.status == "SHIPPED"


def test_staff_cannot_record_a_return_of_their_own_order(paid, seller, admin_user):
    mine = of(paid.order, seller)
    ship(mine)
    type(paid.order).objects.filter(pk=paid.order_id).update(user=admin_user)

    with pytest.raises(OwnOrder):
        come_back(mine, actor=admin_user)


def test_return_does_not_restock_units_already_restocked_by_a_refund(stripe, bowl, shopper, staff, seller):
    payment = paid_by_card(stripe, {bowl: 2}, user=shopper)
    mine, left = payment.order.parcels.get(), stock(bowl)
    ship(mine)
    line = mine.lines.get()
    refund(payment, actor=staff, items=unit_selection((line, 1), restock=True))
    assert stock(bowl) == left + 1

    come_back(mine)

    assert stock(bowl) == left + 2
    assert StockMove.objects.filter(order_line=line.pk, kind="return").get().quantity == 1


# ---- money refunded before the parcel was shipped -------------------------------------------------------------------


def shipping_refused(parcel) -> bool:
    try:
        with transaction.atomic():
            ship(parcel)
    except ParcelOnHold:
        return True
    return False


@pytest.fixture
def card(shared_paid, stripe) -> Payment:
    """A bowl of one artisan, a scarf of another; paid by card."""
    return Payment.objects.get(pk=shared_paid["card"].pk)


def subjects(mails, user) -> list[str]:
    return [m.subject.partition(": ")[2] for m in mails(user.email)]


def test_full_refund_without_a_decision_puts_parcels_on_hold(card, staff, seller, other_seller, mails):
    refund(card, card.amount.amount, actor=staff)

    for user in (seller, other_seller):
        assert shipping_refused(of(card.order, user))
        with pytest.raises(ParcelOnHold), transaction.atomic():
            parcel_start(parcel_id=of(card.order, user).pk, actor=user)
        assert subjects(mails, user).count("parcel on hold") == 1
    assert reread(card).order.status == "CONFIRMED"


@pytest.mark.parametrize("halves", [("50.00", "rest"), ("rest",)])
def test_parcels_are_on_hold_however_the_money_was_refunded(card, staff, seller, halves):
    for part in halves:
        refund(card, card.refundable.amount if part == "rest" else part, actor=staff)

    assert shipping_refused(of(card.order, seller))


def test_partial_refund_holds_no_parcel(card, staff, seller):
    refund(card, "5.00", actor=staff)

    assert not shipping_refused(of(card.order, seller))


def test_refund_of_all_units_of_a_parcel_holds_only_that_parcel(card, staff, seller, other_seller):
    line = of(card.order, seller).lines.get()
    refund(card, actor=staff, items=unit_selection((line, 1)))

    assert shipping_refused(of(card.order, seller))
    assert not shipping_refused(of(card.order, other_seller))


def test_money_held_counts_for_shipped_parcels_first(card, staff, seller, other_seller):
    sent, waits = of(card.order, seller), of(card.order, other_seller)
    ship(sent)

    refund(card, waits.total.amount, actor=staff)

    assert shipping_refused(waits)


def test_each_parcel_follows_its_decision(card, staff, seller, other_seller, bowl, scarf, mails, shopper):
    cancelled, sent = of(card.order, seller), of(card.order, other_seller)
    left = stock(bowl), stock(scarf)

    refund(
        card,
        card.amount.amount,
        actor=staff,
        parcels={cancelled.pk: ParcelDecision.CANCEL, sent.pk: ParcelDecision.SEND},
    )

    cancelled.refresh_from_db()
    assert (cancelled.status, stock(bowl), stock(scarf)) == ("CANCELLED", left[0] + 1, left[1])
    assert not shipping_refused(sent)
    assert "parcel on hold" not in subjects(mails, other_seller) + subjects(mails, seller)
    assert "parcel cancelled, do not ship" in subjects(mails, seller)
    assert "a parcel was cancelled" in subjects(mails, shopper)
    assert not reread(card).order.refund_due


def test_refund_with_every_parcel_cancelled_ends_the_order(card, staff):
    parcels = dict.fromkeys(card.order.parcels.values_list("pk", flat=True), ParcelDecision.CANCEL)

    refund(card, card.amount.amount, actor=staff, parcels=parcels)

    order = reread(card).order
    assert (order.status, order.payment_status, order.refund_due) == ("CANCELLED", "REFUNDED", usd("0.00"))


def test_decision_to_ship_anyway_is_required_again_after_another_refund(card, staff, seller):
    mine = of(card.order, seller)
    refund(
        card, actor=staff, items=unit_selection((mine.lines.get(), 1)), parcels={mine.pk: ParcelDecision.SEND}
    )

    refund(card, card.refundable.amount, actor=staff)

    assert shipping_refused(mine)


def test_shipped_parcel_is_expected_back_or_kept_or_returned(card, staff, seller, other_seller, bowl, mails):
    waits, kept = of(card.order, seller), of(card.order, other_seller)
    ship(waits)
    ship(kept)
    refund(
        card,
        card.amount.amount,
        actor=staff,
        parcels={waits.pk: ParcelDecision.AWAIT_RETURN, kept.pk: ParcelDecision.KEEP},
    )

    waits.refresh_from_db()
    assert (waits.status, waits.instruction) == ("SHIPPED", "return")
    assert "return expected" in subjects(mails, seller)
    left = stock(bowl)
    come_back(waits)
    waits.refresh_from_db()
    assert (waits.status, waits.instruction, stock(bowl)) == ("RETURNED", "", left + 1)
    assert not reread(card).order.refund_due, "its money was refunded before"


@pytest.mark.parametrize(("decision", "back"), [("returned", 1), ("written_off", 0)])
def test_return_is_recorded_with_its_refund(card, staff, seller, bowl, decision, back):
    mine = of(card.order, seller)
    ship(mine)
    left = stock(bowl)

    refund(card, mine.total.amount, actor=staff, parcels={mine.pk: ParcelDecision(decision)})

    mine.refresh_from_db()
    assert (mine.status, stock(bowl)) == ("RETURNED", left + back)
    assert not reread(card).order.refund_due


def test_decision_about_a_parcel_shipped_meanwhile_refunds_nothing(card, staff, seller, stripe):
    mine = of(card.order, seller)
    ship(mine)

    with pytest.raises(ParcelChanged), transaction.atomic():
        refund_open(
            payment_id=card.pk,
            reason="x",
            actor=staff,
            amount=card.amount,
            parcels={mine.pk: ParcelDecision.CANCEL},
        )

    assert not card.refunds.exists()
    assert stripe.refunded() == []


def test_decision_about_a_parcel_of_another_order_is_refused(card, staff, bowl):
    other = place({bowl: 1}).parcels[0]

    with pytest.raises(InvalidInput), transaction.atomic():
        refund_open(
            payment_id=card.pk,
            reason="x",
            actor=staff,
            amount=usd("1.00"),
            parcels={other.pk: ParcelDecision.CANCEL},
        )

    assert not card.refunds.exists()


def test_failed_refund_releases_held_parcels_but_not_cancelled_ones(
    bowl, scarf, shopper, staff, seller, other_seller, mails, settings
):
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    card = apply_card_captures(start(PaymentMethod.CREDIT_CARD, {bowl: 1, scarf: 1}, user=shopper))
    cancelled, held = of(card.order, seller), of(card.order, other_seller)
    sent = refund_open(
        payment_id=card.pk,
        reason="x",
        actor=staff,
        amount=card.amount,
        parcels={cancelled.pk: ParcelDecision.CANCEL},
    )
    assert shipping_refused(held)

    apply_card_captures(card, refunds=(remote_refund_of(sent, RemoteRefundStatus.FAILED),))

    cancelled.refresh_from_db()
    assert (cancelled.status, reread(card).order.refund_due) == ("CANCELLED", cancelled.total)
    assert "parcel no longer on hold" in subjects(mails, other_seller)
    assert not shipping_refused(held)


def outside(payment, amount) -> RemoteRefund:
    return RemoteRefund("re_outside", amount, RemoteRefundStatus.SUCCEEDED)


@pytest.fixture
def captured_twice(bowl, scarf, shopper, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    return apply_card_captures(start(PaymentMethod.CREDIT_CARD, {bowl: 1, scarf: 1}, user=shopper))


def test_refund_at_the_provider_holds_parcels_until_staff_decide(
    captured_twice, staff, seller, other_seller, mails
):
    apply_card_captures(captured_twice, refunds=(outside(captured_twice, captured_twice.amount),))
    assert shipping_refused(of(captured_twice.order, seller))

    refund_decide(refund_id=captured_twice.refunds.get().pk, decision=RefundDecision.NOTHING, actor=staff)

    assert subjects(mails, seller).count("parcel on hold") == 1
    assert "parcel no longer on hold" in subjects(mails, seller)
    assert not shipping_refused(of(captured_twice.order, seller))


def test_external_refund_of_one_parcels_amount_holds_the_parcels_it_could_be_for(
    captured_twice, seller, other_seller, staff
):
    small, large = sorted(captured_twice.order.parcels.all(), key=lambda parcel: parcel.total_minor)

    apply_card_captures(captured_twice, refunds=(outside(captured_twice, small.total),))

    assert shipping_refused(small)
    assert not shipping_refused(large)
    captured_twice.refunds.get()
    refund_decide(
        refund_id=captured_twice.refunds.get().pk,
        decision=RefundDecision.NOTHING,
        actor=staff,
        parcels={small.pk: ParcelDecision.CANCEL},
    )
    small.refresh_from_db()
    assert small.status == "CANCELLED"


def test_lost_dispute_holds_parcels_and_a_won_one_releases_them(captured_twice, seller):
    def dispute(status):
        apply_card_captures(
            captured_twice, disputes=(RemoteDispute("dp_1", captured_twice.amount, status, "fraudulent"),)
        )

    dispute(RemoteDisputeStatus.OPEN)
    mine = of(captured_twice.order, seller)
    mine.refresh_from_db()
    assert not mine.is_on_hold

    dispute(RemoteDisputeStatus.LOST)
    mine.refresh_from_db()
    assert mine.is_on_hold

    dispute(RemoteDisputeStatus.WON)
    mine.refresh_from_db()
    assert not mine.is_on_hold


def test_offline_refund_also_holds_parcels(paid, staff, seller):
    give_back(paid, paid.amount.amount, actor=staff)

    assert shipping_refused(of(paid.order, seller))


def test_refunded_cash_of_one_parcel_does_not_hold_the_others(
    bowl, scarf, shopper, staff, seller, other_seller
):
    payment = start(CASH, {bowl: 1, scarf: 1}, user=shopper)
    first, second = of(payment.order, seller), of(payment.order, other_seller)
    ship(first)
    record(payment, first.total, actor=staff)

    give_back(payment, first.total.amount, actor=staff)

    assert not shipping_refused(second), "its cash is collected at the door"


def test_amount_refunded_with_a_cancelled_parcel_is_not_goodwill(card, staff, seller, other_seller):
    gone, kept = of(card.order, seller), of(card.order, other_seller)

    done = refund(card, gone.total.amount, actor=staff, parcels={gone.pk: ParcelDecision.CANCEL})

    assert done.goodwill_minor == 0
    assert not reread(card).order.refund_due, "it was refunded with the parcel"
    kept.refresh_from_db()
    assert (kept.status, kept.instruction) == ("NEW", "")


# ---- pages and API --------------------------------------------------------------------------------------------------


def test_artisans_page_starts_a_parcel_and_records_its_return(browser, paid, seller, bowl):
    mine, client, left = of(paid.order, seller), browser(seller), stock(bowl)
    address = f"/shop/artisan/parcels/{mine.pk}/"

    client.post(address, {"start": "1"})
    mine.refresh_from_db()
    assert mine.status == "STARTED"
    assert not page(client.get(address)).all("button", name="start")
    client.post(address, {"ship": "1", "carrier": "USPS"})
    refused = page(client.post(f"{address}returned/", {}, follow=True))
    assert "Choose whether the items can be sold again." in refused.text
    client.post(f"{address}returned/", {"restock": "yes"})

    mine.refresh_from_db()
    assert (mine.status, stock(bowl)) == ("RETURNED", left + 3)


def test_pages_and_api_agree_on_a_parcel_on_hold(browser, api, card, staff, seller, shopper, client):
    refund(card, card.amount.amount, actor=staff)
    mine = of(card.order, seller)

    staff_client = page(browser(seller).get(f"/shop/artisan/parcels/{mine.pk}/"))
    assert "On hold: the payment was refunded. Do not ship this parcel yet." in staff_client.text
    assert not staff_client.all("button", name="ship")
    assert "On hold" in page(browser(seller).get("/shop/artisan/parcels/")).text
    answer = api(seller).post(f"/parcels/{mine.pk}/ship", {"carrier": "USPS"})
    assert (answer.status_code, answer.json()["code"]) == (409, "parcel_on_hold")
    assert api(seller).get(f"/parcels/{mine.pk}").json()["instruction"] == "hold"
    bought = page(client.get(f"/shop/orders/{card.order.access_token}/")).one("main").text
    assert "Refunded" in bought
    assert "will not be shipped for now" in bought
    assert "Preparing" not in bought


def test_buyer_sees_that_the_order_was_returned(client, bowl, shopper, seller):
    payment = start(CASH, {bowl: 1}, user=shopper)
    ship(payment.order.parcels.get())
    come_back(payment.order.parcels.get())

    shown = page(client.get(f"/shop/orders/{payment.order.access_token}/")).one("main").text

    assert "Your order was returned" in shown
    assert "cancelled" not in shown.lower()


def test_buyer_of_a_started_order_is_referred_to_support(browser, paid, seller, shopper):
    client, address = browser(shopper), f"/shop/orders/{paid.order.access_token}/"
    assert "Cancel order" in page(client.get(address)).text

    parcel_start(parcel_id=of(paid.order, seller).pk, actor=seller)

    shown = page(client.get(address)).text
    assert "Cancel order" not in shown
    assert "contact us" in shown


def test_api_records_a_return_with_units(api, paid, seller, bowl):
    mine, client = of(paid.order, seller), api(seller)
    assert client.post(f"/parcels/{mine.pk}/start").json()["status"] == "STARTED"
    client.post(f"/parcels/{mine.pk}/ship", {"carrier": "USPS"})
    left, line = stock(bowl), str(mine.lines.get().pk)

    wrong = client.post(
        f"/parcels/{mine.pk}/returned", {"restock": True, "units": [{"line": line, "quantity": 4}]}
    )
    done = client.post(
        f"/parcels/{mine.pk}/returned", {"restock": True, "units": [{"line": line, "quantity": 2}]}
    )

    assert (wrong.status_code, done.status_code, done.json()["status"]) == (400, 200, "RETURNED")
    assert stock(bowl) == left + 2


def test_api_refuses_a_list_of_units_that_is_empty_or_names_a_line_twice(api, paid, seller, bowl):
    mine, client = of(paid.order, seller), api(seller)
    one, left = {"line": str(mine.lines.get().pk), "quantity": 1}, stock(bowl)

    def refused(action: str, body: dict[str, object], words: str) -> None:
        for units, why in (([], words), ([one, one | {"quantity": 2}], "listed twice"), (None, "null")):
            answer = client.post(f"/parcels/{mine.pk}/{action}", body | {"units": units})
            assert why in str(problem(answer)), units

    refused("ship", {"carrier": "USPS"}, "at least one item")
    assert not mine.shipments.exists()
    client.post(f"/parcels/{mine.pk}/ship", {"carrier": "USPS"})
    refused("returned", {"restock": True}, "at least one item")

    mine.refresh_from_db()
    assert (mine.status, stock(bowl)) == ("SHIPPED", left)


@pytest.mark.parametrize(
    ("parcels", "status"),
    [
        ([{"decision": "cancel"}], 400),
        ([{"decision": "burn"}], 400),
        ([{"decision": "keep"}], 409),
        ([{"decision": "cancel"}, {"decision": "send"}], 400),
        ([{"decision": "cancel", "parcel": "00000000-0000-4000-8000-000000000000"}], 400),
    ],
    ids=["without its parcel", "unknown", "not possible now", "twice", "of nobody"],
)
def test_invalid_decision_refunds_nothing(api, card, staff, seller, stripe, parcels, status):
    mine = str(of(card.order, seller).pk)
    if len(parcels) > 1 or parcels[0]["decision"] in {"burn", "keep"}:
        parcels = [{"parcel": mine, **one} for one in parcels]
    create_request = {"payment_id": str(card.pk), "amount": "1.00", "reason": "x", "parcels": parcels}

    answer = api(staff).post("/payments/refunds", create_request)

    assert answer.status_code == status
    assert (card.refunds.count(), stripe.refunded()) == (0, [])


@pytest.fixture
def with_fee(stripe, bowl, shopper):
    """Three bowls, of which the shop takes 12.5%; paid by card."""
    Artisan.objects.update(commission_ppm=125_000)
    return paid_by_card(stripe, {bowl: 3}, user=shopper)


@pytest.mark.parametrize(
    ("units", "sums"), [(1, ("$94.00", "$21.36", "$172.62")), (3, ("$281.99", "$0.00", "$5.99"))]
)
def test_artisans_share_follows_refunded_items(browser, api, with_fee, staff, seller, units, sums):
    parcel, (refunded, fee, share) = of(with_fee.order, seller), sums
    refund(with_fee, actor=staff, items=unit_selection((parcel.lines.get(), units)))

    detail = page(browser(seller).get(f"/shop/artisan/parcels/{parcel.pk}/")).one("aside").text

    assert f"Refunded −{refunded}" in detail
    assert f"Shop’s fee (12.50% of your items) −{fee}" in detail
    assert f"Your share {share}" in detail
    assert share in page(browser(seller).get("/shop/artisan/parcels/?filter=all")).text
    assert api(seller).get(f"/parcels/{parcel.pk}").json()["share"] == share.lstrip("$")
