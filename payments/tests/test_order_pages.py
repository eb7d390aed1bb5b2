"""The buyer's order page: by link, by account, after thirty days, after a typing error."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from artisans.core.numbers import new_number
from artisans.core.security.tokens import mailbox_token, order_token
from orders.models import Order
from orders.services.closing import order_links_revoke
from orders.tests.factories import place
from payments.bookkeeping.payments import payment_move
from payments.gateway.payments import payment_ensure_at_provider
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.receipts import payment_reject
from payments.methods import PaymentMethod
from payments.models import Payment
from payments.statuses import PaymentStatus
from payments.tests.factories import record, reread, start
from tests.dump import dump
from tests.html import Node, page

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store")]


def status(order, client: Client | None = None) -> Node:
    response = (client or Client()).get(reverse("payments:order", args=[order.access_token]))
    assert response.status_code == 200
    return page(response)


def pay_url(order) -> str:
    return reverse("payments:order_pay", args=[order.access_token])


def test_link_shows_the_order_in_a_new_browser(bowl):
    order = start(items={bowl: 2}).order

    shown = status(order).text

    for result in (
        order.order_number,
        "2 × Moss bowl",
        "$170.90",
        "$193.98",
        "12 Pier Road",
        "Harbour Pottery",
        "Awaiting transfer",
    ):
        assert result in shown, result
    assert "password" not in shown.lower()


def test_link_sends_no_referrer_and_is_not_cached():
    order = start().order

    for address in (reverse("payments:order", args=[order.access_token]), pay_url(order)):
        answer = Client().get(address)
        assert answer["Referrer-Policy"] == "no-referrer"
        assert "no-store" in answer["Cache-Control"]
        assert page(answer).one("meta", name="robots").attrs["content"] == "noindex"


@pytest.mark.parametrize("token", ["x", "0" * 32 + "-1.forged", "%00", "a" * 3000, "..%2f..", "' OR 1=1 --"])
@pytest.mark.parametrize("part", ["", "pay/", "mailbox/"])
def test_forged_link_is_not_found(token, part):
    """Not found, or not allowed for a method that the route does not have."""
    answers = [
        getattr(Client(), method)(f"/shop/orders/{token}/{part}").status_code for method in ("get", "post")
    ]

    if token == "..%2f..":  # not a path of the shop
        assert answers == [404, 404]
    else:
        assert answers == {"": [404, 405], "pay/": [404, 404], "mailbox/": [405, 404]}[part]


def test_link_of_another_order_or_version_is_refused(staff):
    order = start().order
    missing = reverse("payments:order", args=[order_token(order.user_id or staff.pk, 1)])
    assert Client().get(missing).status_code in {404, 410}
    old = reverse("payments:order", args=[order.access_token])

    order_links_revoke(order_id=order.pk, actor=staff)

    answer = Client().get(old)
    assert answer.status_code in {404, 410}
    assert "Pier Road" not in answer.content.decode()
    order.refresh_from_db()
    assert "Pier Road" in status(order).text


def test_viewing_changes_nothing():
    order = start().order
    key = mailbox_token(order.pk)
    before = dump()

    for address in (f"?mailbox={key}", "", "?cancel=1&pay=check"):
        Client().get(reverse("payments:order", args=[order.access_token]) + address)
        Client().get(pay_url(order) + address)

    assert dump() == before


def test_mailbox_is_confirmed_only_by_the_button():
    order = start().order
    address = reverse("payments:mailbox", args=[order.access_token])
    assert Client().get(address, {"mailbox": mailbox_token(order.pk)}).status_code == 405

    for forged in ("", "x", mailbox_token(place().order.pk)):
        assert Client().post(address, {"mailbox": forged}).status_code == 404
    order.refresh_from_db()
    assert order.mailbox_confirmed_at is None

    done = Client().post(address, {"mailbox": mailbox_token(order.pk)}, follow=True)

    order.refresh_from_db()
    assert order.mailbox_confirmed_at is not None
    assert "your items are reserved" in page(done).text


def test_guest_who_changes_from_check_to_card_reads_when_the_items_are_released(client, stripe):
    order = start(PaymentMethod.CHECK).order
    card = payment_choose_method(order_id=order.pk, method=PaymentMethod.CREDIT_CARD, actor=None).payment
    payment_ensure_at_provider(card)
    order.refresh_from_db()
    assert order.pay_by > order.expires_at

    shown = page(client.get(reverse("payments:order_provider", args=[order.access_token, "stripe"]))).text

    assert f"reserved until {date_format(timezone.localtime(order.expires_at), 'DATETIME_FORMAT')}" in shown


def test_money_that_may_be_on_its_way_is_mentioned_where_it_can_be(client):
    by_transfer, by_card = start().order, place().order

    assert "already sent the money" in page(client.get(pay_url(by_transfer))).text
    assert "already sent the money" not in page(client.get(pay_url(by_card))).text


def test_confirmation_button_needs_the_mailed_link():
    order = start().order
    link = reverse("payments:order", args=[order.access_token])

    assert "Confirm your email address" not in status(order).text
    assert "Please open the link in the email" in status(order).text
    assert "Confirm your email address" in page(Client().get(link, {"mailbox": mailbox_token(order.pk)})).text


def test_confirmation_of_a_closed_order_promises_no_hold(time_machine):
    order = start().order
    time_machine.move_to(timezone.now() + timedelta(hours=3))
    assert order_expire(order_id=order.pk)

    done = Client().post(
        reverse("payments:mailbox", args=[order.access_token]),
        {"mailbox": mailbox_token(order.pk)},
        follow=True,
    )

    assert "items are reserved" not in page(done).text


def test_browsers_that_hide_the_origin_can_still_confirm_and_pay(shopper):
    """With no-referrer a browser sends "Origin: null", which Django's CSRF check refuses."""
    order = start().order
    strict = Client(enforce_csrf_checks=True, headers={"Origin": "null"})

    confirmed = strict.post(
        reverse("payments:mailbox", args=[order.access_token]), {"mailbox": mailbox_token(order.pk)}
    )
    paid = strict.post(pay_url(order), {"payment_method": "check"})

    assert (confirmed.status_code, paid.status_code) == (302, 302)
    assert order.payments.get(status="PENDING").payment_method == "check"


def test_personal_data_is_masked_after_thirty_days_but_not_for_the_owner(
    shopper, stranger, browser, time_machine
):
    order = start(user=shopper, note="ring at Lovelace").order
    time_machine.move_to(timezone.now() + timedelta(days=30, minutes=1))

    for client in (Client(), browser(stranger)):
        shown = status(order, client)
        for secret in ("Pier Road", "Lovelace", "Astoria", shopper.email, order.phone, "555 0123"):
            assert secret not in str(shown), secret
        assert order.order_number in shown.text
    assert "12 Pier Road" in status(order, browser(shopper)).text


def test_guest_with_a_verified_email_address_sees_their_data(shopper, browser, time_machine):
    order = start(email=shopper.email).order
    shopper.emailaddress_set.create(email=shopper.email, verified=True, primary=True)
    time_machine.move_to(timezone.now() + timedelta(days=31))

    assert "12 Pier Road" in status(order, browser(shopper)).text


def test_paid_order_shows_no_instructions_and_no_payment_option(shopper, staff):
    payment = start(user=shopper)
    record(payment, "99.99", actor=staff)

    shown = status(payment.order)

    assert "DE89" not in shown.text
    assert "Pay another way" not in shown.text
    assert Client().get(pay_url(payment.order)).status_code == 302


def test_partial_payment_shows_the_outstanding_amount(shopper, staff):
    payment = start(user=shopper)
    record(payment, "90.00", actor=staff)

    shown = status(payment.order)

    assert "We received $90.00. Please send the remaining $9.99" in shown.text
    assert "$9.99" in shown.one("section", class_="slip").text


def test_order_paid_by_an_older_payment_requests_no_payment(shopper, staff):
    payment = start(user=shopper)
    Client().post(pay_url(payment.order), {"payment_method": "check"})
    record(payment, "99.99", actor=staff)

    shown = status(payment.order)

    assert not shown.all("section", class_="slip")
    assert "Your order is paid" in shown.text
    assert "Bank transfer payment of $99.99 received." in shown.text


def test_rejected_payment_shows_the_reason_and_offers_another_method(shopper, staff):
    payment = start(user=shopper)
    payment_reject(payment_id=payment.pk, reason="The check bounced.", actor=staff)

    shown = status(payment.order)

    assert "The check bounced." in shown.text
    assert "Nothing was charged" in shown.text
    assert [a.attrs["href"] for a in shown.all("a") if a.text == "Pay another way"] == [
        pay_url(payment.order)
    ]


def test_another_method_is_chosen_on_a_separate_page():
    payment = start(PaymentMethod.CHECK)
    form = page(Client().get(pay_url(payment.order)))
    assert form.one("input", checked="").attrs["value"] == "check"
    assert "Pay $99.99 this way" in form.text

    Client().post(pay_url(payment.order), {"payment_method": "bank_transfer"})
    Client().post(pay_url(payment.order), {"payment_method": "bank_transfer"})

    assert sorted(Payment.objects.values_list("payment_method", "status")) == [
        ("bank_transfer", "PENDING"),
        ("check", "CANCELLED"),
    ]


@pytest.mark.parametrize("method", ["", "gold", "credit_card", "cash_on_delivery"])
def test_unavailable_method_is_refused_with_an_explanation(method):
    payment = start()

    shown = page(Client().post(pay_url(payment.order), {"payment_method": method}))

    assert shown.one(class_="error-summary").text
    assert Payment.objects.count() == 1


def test_owner_cancels_after_confirmation(shopper, stranger, browser):
    payment = start(user=shopper)
    address = reverse("payments:order_cancel", args=[payment.order_id])
    assert Client().post(address).status_code == 302, "to the sign-in page"
    assert browser(stranger).post(address).status_code == 404
    client = browser(shopper)
    assert "Cancel order" in page(client.get(address)).one("h1").text
    assert reread(payment).order.status == "PENDING"

    done = page(client.post(address, {"reason": "too dear"}, follow=True))

    assert "was cancelled" in done.text
    assert reread(payment).order.status == "CANCELLED"


def test_link_does_not_offer_cancelling(shopper):
    of_account, of_guest = status(start(user=shopper).order).text, status(start().order).text

    assert "Cancel order" not in of_account + of_guest
    assert ("write to" in of_account, "To cancel this order, write to" in of_guest) == (False, True)


def test_paid_order_cannot_be_cancelled_on_its_page(shopper, staff, browser):
    payment = start(user=shopper)
    record(payment, "99.99", actor=staff)

    done = browser(shopper).post(reverse("payments:order_cancel", args=[payment.order_id]), follow=True)

    assert "was cancelled" not in page(done).text
    assert reread(payment).order.status == "CONFIRMED"


def test_history_has_only_own_and_verified_guest_orders(shopper, stranger, browser):
    mine, guest = start(user=shopper).order, start(email=shopper.email).order
    theirs = start(user=stranger).order
    shown = page(browser(shopper).get(reverse("payments:order_history"))).text
    assert [order.order_number in shown for order in (mine, guest, theirs)] == [True, False, False]

    shopper.emailaddress_set.create(email=shopper.email, verified=True, primary=True)

    shown = page(browser(shopper).get(reverse("payments:order_history"))).text
    assert [order.order_number in shown for order in (mine, guest, theirs)] == [True, True, False]
    assert Client().get(reverse("payments:order_history"))["Location"].startswith(reverse("account_login"))


def find(number: str, email: str):
    return Client().post(reverse("payments:order_find"), {"order_number": number, "email": email})


def test_find_my_order_gives_everyone_the_same_answer(mails):
    order = place().order
    answers = [
        find(order.order_number, order.email),
        find(order.order_number, "x@example.test"),
        find(new_number(), order.email),
    ]
    texts = {page(answer).one("main").text for answer in answers if answer.status_code == 200}

    assert len(texts) == 1
    assert "If there is an order with this number" in texts.pop()
    [mail] = mails()
    assert (mail.to, order.access_token in mail.body) == ([order.email], True)


@pytest.mark.parametrize("spelling", [str.lower, lambda n: f" {n[:3]} {n[3:6]}-{n[6:]} "])
def test_order_number_is_accepted_in_any_format(spelling, mails):
    order = place().order

    find(spelling(order.order_number), order.email.upper())

    assert len(mails(order.email)) == 1


def test_mistyped_order_number_is_reported():
    order = place().order
    wrong = order.order_number[:-1] + ("2" if order.order_number[-1] != "2" else "3")

    shown = page(find(wrong, order.email))

    assert "not a valid order number" in shown.one(class_="error-summary").text
    assert shown.one(id="id_order_number").attrs["value"] == wrong


def test_repeated_request_within_an_hour_mails_once(mails):
    order = place().order

    for _ in range(4):
        find(order.order_number, order.email)

    assert len(mails(order.email)) == 1


def test_found_link_works_after_the_old_ones_were_revoked(staff, mails):
    order = place().order
    find(order.order_number, order.email)
    order_links_revoke(order_id=order.pk, actor=staff)

    find(order.order_number, order.email)

    link = re.search(r"/shop/orders/\S+", mails(order.email)[-1].body)
    assert Client().get(link.group()).status_code == 200


def test_closed_orders_say_whether_anything_was_charged(shopper):
    order = start(user=shopper).order
    order_cancel(order_id=order.pk, reason="", actor=shopper)
    order.refresh_from_db()

    assert "You have not been charged" in status(order).text


def test_another_way_to_pay_is_not_offered_while_the_outcome_is_open(bowl, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    card = start(PaymentMethod.CREDIT_CARD, {bowl: 1})
    payment_move(card, PaymentStatus.PROCESSING, cause="no answer")

    shown = status(card.order)

    assert "Do not pay again" in shown.text
    assert "Pay another way" not in shown.text
    assert Client().get(pay_url(card.order))["Location"] == reverse(
        "payments:order", args=[card.order.access_token]
    )


def test_unconfirmed_guest_reads_until_when_the_order_is_kept():
    order = start(email="guest@example.test").order
    Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() + timedelta(hours=2))
    order.refresh_from_db()
    end = date_format(timezone.localtime(order.expires_at), "DATETIME_FORMAT")

    assert f"Please open the link in the email we sent to guest@example.test by {end}" in status(order).text
