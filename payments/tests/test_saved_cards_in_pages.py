"""Paying with a saved card in a browser without JavaScript: at checkout, and on the page of a placed order."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from carts import views
from orders.models import Order
from payments.errors import PaymentDeclined
from payments.gateway.payments import payment_confirm, payment_ensure_at_provider
from payments.lifecycle.offer import method_choices
from payments.lifecycle.saved_methods import (
    method_remove,
    method_save,
)
from payments.methods import PaymentMethod
from payments.models import PaymentMethodInfo, ProviderCall, ProviderCustomer
from payments.providers.stripe.money import MAXIMUM_BY_BRAND
from payments.tasks import check_due_payments_task, check_due_setups_task
from payments.tests.factories import reread, start
from payments.tests.periodic import process_due
from payments.tests.saved_cards import save_after_3d_secure
from payments.web import provider_pages
from tests.checkout_client import CheckoutClient, order_at
from tests.html import page

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]


@pytest.fixture
def card(shopper):
    return lambda token="pm_card_visa": method_save(user=shopper, provider="stripe", token=token)


@pytest.fixture
def payment(shopper, stripe):
    made = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(made)
    return reread(made)


def choice_value(method):
    return f"saved:{method.pk}"


def choices(response):
    return [node.attrs["value"] for node in page(response).all("input", name="payment_method")]


def checked(response):
    found = page(response).all("input", name="payment_method")
    return [node.attrs["value"] for node in found if "checked" in node.attrs]


def payment_step(shop, bowl):
    shop.add(bowl)
    return shop.details()


def provider_page(payment):
    return reverse("payments:order_provider", args=[payment.order.access_token, "stripe"])


def pay(client, payment, method, **changes):
    url = reverse("payments:order_saved", args=[payment.order.access_token])
    body = {"payment_method": choice_value(method), "amount": str(payment.order.balance_due.minor)} | changes
    return client.post(url, body, follow=True)


# ---- at checkout ----------------------------------------------------------------------------------------------------


def test_default_card_is_preselected_and_an_expired_one_cannot_be_chosen(shop, card, bowl):
    old, other, default = card("pm_card_amex"), card("pm_card_mastercard"), card()
    PaymentMethodInfo.objects.filter(pk=old.pk).update(card_exp_year=2025, is_default=False)
    PaymentMethodInfo.objects.filter(pk=default.pk).update(is_default=True)

    step = payment_step(shop, bowl)

    assert choices(step)[:3] == [choice_value(default), choice_value(other), "credit_card"]
    assert checked(step) == [choice_value(default)]
    text = page(step).text
    assert "Visa ending in 4242 Expires 12/2034" in text
    assert "American Express ending in 0005 (not available for this order) This card expired 12/2025." in text
    assert "Another card" in text
    assert shop.payment(choice_value(old)).redirect_chain == []
    assert shop.payment(choice_value(other)).redirect_chain == [(reverse("carts:checkout_check"), 302)]


def test_card_that_takes_less_than_the_amount_is_refused_with_the_figure(
    shop, card, bowl, api, payment, monkeypatch
):
    monkeypatch.setitem(MAXIMUM_BY_BRAND, "amex", 5_000)
    amex = card("pm_card_amex")

    step = payment_step(shop, bowl)
    confirmed = api(payment.order.user).post(
        "/payments/confirm",
        {"payment_intent_id": payment.provider_payment_id, "payment_method_id": str(amex.pk)},
    )

    assert "This card takes up to $50.00; the amount due is $99.99." in page(step).text
    assert shop.payment(choice_value(amex)).redirect_chain == []
    assert confirmed.status_code == 400
    body = confirmed.json()
    assert (body["code"], body["most"], body["currency"]) == ("amount_too_large", "50.00", "USD")


def test_saved_card_pays_with_the_button_that_places_the_order(shop, card, bowl, stripe):
    form = shop.fill_checkout(choice_value(card()), bowl)
    assert "Visa ending in 4242" in shop.check_page().text

    response = shop.press(form)

    order = order_at(response["Location"])
    assert response["Location"] == reverse("payments:order", args=[order.access_token])
    assert (order.payment_status, order.status) == ("PAID", "CONFIRMED")
    assert (len(stripe.captured()), stripe.made()) == (1, 1)
    assert page(shop.client.get(response["Location"])).one("h1").text == "Thank you for your order"


def test_debit_card_is_offered_and_pays(shop, card, bowl, stripe):
    order = shop.buy(choice_value(card("pm_card_visa_debit")), bowl)

    assert (order.payment_status, len(stripe.captured())) == ("PAID", 1)


def test_order_button_pressed_twice_charges_once(shop, card, bowl, stripe):
    form = shop.fill_checkout(choice_value(card()), bowl)

    urls = [shop.press(form)["Location"] for _ in range(2)]

    assert (urls[0] == urls[1], len(stripe.captured())) == (True, 1)


def test_bank_that_asks_is_visited_and_the_order_is_paid_on_return(shop, shopper, bowl, stripe):
    always = save_after_3d_secure(shopper, stripe, "pm_card_authenticationRequired")
    form = shop.fill_checkout(choice_value(always), bowl)

    response = shop.press(form)

    assert (response.status_code, response["Location"].startswith(stripe.url)) == (303, True)
    made = shopper.orders.get().payments.get()
    stripe.authenticate(made)
    back = shop.client.get(reverse("payments:order_return", args=[made.order.access_token]), follow=True)
    assert page(back).one("h1").text == "Thank you for your order"
    assert len(stripe.captured()) == 1


def test_declined_saved_card_leads_to_the_other_ways(shop, card, shopper, bowl, stripe):
    bad = card("pm_card_chargeCustomerFail")

    response = shop.press(shop.fill_checkout(choice_value(bad), bowl), follow=True)

    made = shopper.orders.get().payments.get()
    assert response.redirect_chain[-1][0] == provider_page(made)
    text = page(response).text
    assert "Your payment did not go through." in text
    assert "Use another card" in text
    assert "Pay another way" in text
    assert (made.status, stripe.captured()) == ("FAILED", [])


def test_card_removed_before_ordering_leads_back_to_the_payment_step(
    shop, card, shopper, bowl, stripe, django_capture_on_commit_callbacks
):
    method = card()
    form = shop.fill_checkout(choice_value(method), bowl)
    with django_capture_on_commit_callbacks(execute=True):
        method_remove(user=shopper, method_id=method.pk)

    response = shop.press(form, follow=True)

    assert response.redirect_chain[-1][0] == reverse("carts:checkout_payment")
    assert (
        "Nothing was ordered, because the saved payment method you chose was removed." in page(response).text
    )
    assert (shopper.orders.count(), stripe.captured()) == (0, [])


def test_method_that_became_the_only_one_is_shown_before_it_is_used(shop, shopper, bowl, stripe, monkeypatch):
    form = shop.fill_checkout("credit_card", bowl)
    monkeypatch.setattr(
        views,
        "method_choices",
        lambda **of: [choice for choice in method_choices(**of) if choice.value == "bank_transfer"],
    )

    response = shop.press(form)

    assert str(views.CHANGES["method"]) in page(response).text
    assert shopper.orders.count() == 0


def test_card_of_another_user_cannot_be_chosen(shop, stranger, shopper, bowl, stripe):
    theirs = method_save(user=stranger, provider="stripe", token="pm_card_visa")
    step = payment_step(shop, bowl)
    assert choice_value(theirs) not in choices(step)

    assert "Choose one of the payment methods shown." in page(shop.payment(choice_value(theirs))).text


def test_guest_is_shown_no_saved_cards(browser, card, bowl):
    card()

    assert not [c for c in choices(payment_step(CheckoutClient(browser()), bowl)) if "saved" in c]


# ---- on the page of a placed order ----------------------------------------------------------------------------------


def test_placed_order_is_paid_with_one_button(shop, card, payment, stripe):
    method = card()
    shown = shop.client.get(provider_page(payment))
    assert (checked(shown), method.provider_method_id in shown.content.decode()) == (
        [choice_value(method)],
        False,
    )
    form = page(shown).all("form", class_="pay-box")[0].fields()
    assert form["amount"] == "9999"

    response = pay(shop.client, payment, method)

    assert page(response).one("h1").text == "Thank you for your order"
    assert stripe.captured() == [9999]


def test_other_amount_than_shown_is_not_charged(shop, card, payment, stripe):
    response = pay(shop.client, payment, card(), amount="9998")

    assert "The amount due has changed. Nothing was charged." in page(response).text
    assert stripe.captured() == []


@pytest.mark.usefixtures("broken_books")
def test_amount_is_compared_again_when_the_payment_is_locked(shop, card, payment, stripe, monkeypatch):
    ensure = provider_pages.payment_ensure_at_provider

    def cancel_a_part_meanwhile(payment):
        result = ensure(payment)
        Order.objects.filter(pk=payment.order_id).update(cancelled_minor=1000)
        return result

    monkeypatch.setattr(provider_pages, "payment_ensure_at_provider", cancel_a_part_meanwhile)
    response = pay(shop.client, payment, card())

    assert "The amount due has changed. Nothing was charged." in page(response).text
    assert stripe.captured() == []


def test_expired_and_unknown_cards_are_not_charged(shop, card, payment, stripe):
    method = card()
    PaymentMethodInfo.objects.update(card_exp_year=2025)
    shown = page(shop.client.get(provider_page(payment)))
    assert "This card expired 12/2025." in shown.text
    assert not shown.all("input", name="payment_method")

    for sent in (choice_value(method), "saved:x", "credit_card", ""):
        response = pay(shop.client, payment, method, payment_method=sent)
        assert "Choose one of your saved cards" in page(response).text
    assert stripe.captured() == []


def test_only_the_owner_of_the_order_pays_with_saved_cards(browser, stranger, payment, stripe):
    theirs = method_save(user=stranger, provider="stripe", token="pm_card_visa")

    for client in (browser(), browser(stranger)):
        assert not choices(client.get(provider_page(payment)))
        pay(client, payment, theirs)
    assert stripe.captured() == []


def test_card_is_tried_as_often_as_in_the_api(shop, card, payment, stripe, monkeypatch, settings):
    monkeypatch.setitem(settings.RATE_LIMITS, "confirms_principal", (1, 600))
    method = card("pm_card_chargeCustomerFail")
    pay(shop.client, payment, method)

    assert "Too many requests." in page(pay(shop.client, payment, method)).text


def test_another_way_includes_the_saved_cards(shop, card, shopper, stripe):
    method = card()
    made = start(PaymentMethod.BANK_TRANSFER, user=shopper)
    url = reverse("payments:order_pay", args=[made.order.access_token])
    assert choices(shop.client.get(url))[0] == choice_value(method)

    response = shop.client.post(url, {"payment_method": choice_value(method), "amount": "9999"}, follow=True)

    assert page(response).one("h1").text == "Thank you for your order"
    assert stripe.captured() == [9999]


def test_another_way_charges_a_saved_card_only_the_amount_that_the_page_showed(shop, card, shopper, stripe):
    method = card()
    made = start(PaymentMethod.BANK_TRANSFER, user=shopper)
    url = reverse("payments:order_pay", args=[made.order.access_token])
    [form] = [form for form in page(shop.client.get(url)).all("form") if "amount" in form.fields()]
    assert form.fields()["amount"] == "9999"

    of_an_earlier_release = shop.client.post(url, {"payment_method": choice_value(method)}, follow=True)
    assert of_an_earlier_release.redirect_chain[-1][0] == url
    assert "Check the amount and press the button again." in page(of_an_earlier_release).text
    assert made.order.payments.get().status == "PENDING"

    body = {"payment_method": choice_value(method), "amount": "9998"}
    response = shop.client.post(url, body, follow=True)

    assert "The amount due has changed. Nothing was charged." in page(response).text
    assert stripe.captured() == []


# ---- saving the card that pays --------------------------------------------------------------------------------------


def save_on_page(client, payment, **body):
    return client.post(reverse("payments:order_save", args=[payment.order.access_token]), body)


def come_back(client, payment):
    return client.get(reverse("payments:order_return", args=[payment.order.access_token]), follow=True)


def saved_of(user):
    return [method.card_last_four for method in PaymentMethodInfo.objects.filter(user=user, is_active=True)]


def test_card_that_pays_is_saved_when_the_buyer_wants_it(shop, shopper, payment, stripe):
    assert page(shop.client.get(provider_page(payment))).one("input", id="card-remember")

    assert save_on_page(shop.client, payment, save="on").status_code == 204
    assert "checked" in page(shop.client.get(provider_page(payment))).one("input", id="card-remember").attrs
    consented_at = timezone.now()
    stripe.pay(payment)
    come_back(shop.client, payment)

    assert (saved_of(shopper), stripe.captured(), stripe.made()) == (["4242"], [9999], 1)
    method = PaymentMethodInfo.objects.get()
    assert (method.is_default, method.consented_at < consented_at) == (True, True)
    assert ProviderCustomer.objects.get().user == shopper


def test_card_is_not_saved_when_the_buyer_changes_their_mind(shop, shopper, payment, stripe):
    save_on_page(shop.client, payment, save="on")
    assert save_on_page(shop.client, payment).status_code == 204
    shown = page(shop.client.get(provider_page(payment)))
    assert "checked" not in shown.one("input", id="card-remember").attrs

    stripe.pay(payment)
    come_back(shop.client, payment)

    assert (saved_of(shopper), stripe.journal("payment_method.attached")) == ([], [])


def test_card_is_saved_by_the_periodic_task_if_the_buyer_does_not_return(
    shop, shopper, payment, stripe, time_machine
):
    save_on_page(shop.client, payment, save="on")
    stripe.pay(payment)
    time_machine.move_to(timezone.now() + timedelta(minutes=3))

    check_due_payments_task()
    check_due_setups_task()

    assert (saved_of(shopper), reread(payment).status) == (["4242"], "COMPLETED")


def test_card_is_saved_on_the_hosted_page(shop, shopper, payment, stripe):
    url = reverse("payments:order_hosted", args=[payment.order.access_token])
    assert shop.client.post(url, {"save": "on"}).status_code == 303

    stripe.pay(payment)
    come_back(shop.client, payment)

    assert (saved_of(shopper), stripe.captured()) == (["4242"], [9999])


def test_consent_is_kept_when_the_hosted_page_is_known_only_later(
    shop, shopper, payment, stripe, time_machine
):
    stripe.fault("drop_after", path="/v1/checkout/sessions", method="POST")
    url = reverse("payments:order_hosted", args=[payment.order.access_token])
    asked_at = timezone.now()
    shop.client.post(url, {"save": "on"})

    time_machine.move_to(asked_at + timedelta(minutes=2))
    process_due()
    stripe.pay(payment)
    come_back(shop.client, payment)

    assert (saved_of(shopper), stripe.captured()) == (["4242"], [9999])
    assert PaymentMethodInfo.objects.get().consented_at - asked_at < timedelta(minutes=1)


def test_payment_is_booked_although_the_user_who_wanted_to_save_the_card_is_gone(
    shop, payment, stripe, time_machine
):
    stripe.fault("drop_after", path="/v1/checkout/sessions", method="POST")
    shop.client.post(reverse("payments:order_hosted", args=[payment.order.access_token]), {"save": "on"})
    call = ProviderCall.objects.get(operation="hosted", state="open")
    ProviderCall.objects.filter(pk=call.pk).update(request=call.request | {"saves_for": str(uuid4())})

    time_machine.move_to(timezone.now() + timedelta(minutes=2))
    process_due()
    stripe.pay(payment)
    come_back(shop.client, payment)

    assert (reread(payment).status, PaymentMethodInfo.objects.count()) == ("COMPLETED", 0)


def test_card_that_is_saved_already_is_not_saved_again_by_a_payment(shop, card, shopper, payment, stripe):
    method = card()
    save_on_page(shop.client, payment, save="on")
    stripe.pay(payment)
    come_back(shop.client, payment)

    assert PaymentMethodInfo.objects.get() == method


def test_guests_and_strangers_save_no_cards(browser, stranger, payment, stripe):
    for client in (browser(), browser(stranger)):
        assert not page(client.get(provider_page(payment))).all("input", id="card-remember")
        assert save_on_page(client, payment, save="on").status_code == 404
        client.post(reverse("payments:order_hosted", args=[payment.order.access_token]), {"save": "on"})
    stripe.pay(payment)
    come_back(browser(stranger), payment)

    assert PaymentMethodInfo.objects.count() == ProviderCall.objects.filter(operation="save").count() == 0


def test_consent_that_the_provider_does_not_take_is_reported(shop, payment, stripe):
    stripe.fault("drop_before", path="/v1/payment_intents/*", method="POST")

    answer = save_on_page(shop.client, payment, save="on")

    assert (answer.status_code, "not responding" in answer.content.decode()) == (409, True)
    shown = page(shop.client.get(provider_page(payment)))
    assert "checked" not in shown.one("input", id="card-remember").attrs


def test_card_page_shows_the_order_and_moves_the_focus_to_a_decline(shop, payment):
    shown = page(shop.client.get(provider_page(payment)))
    line = payment.order.lines.get()
    summary = shown.one("aside", class_="receipt").text
    assert [line.product_name in summary, "$99.99" in summary] == [True, True]
    assert not shown.all(id="decline")
    assert not shown.one("title").text.startswith("Error:")

    with pytest.raises(PaymentDeclined):
        payment_confirm(payment.pk, method_id="pm_card_visa_chargeDeclined")

    shown = page(shop.client.get(provider_page(payment)))
    decline = shown.one(id="decline")
    assert "declined" in decline.text
    assert (decline.attrs["tabindex"], decline.attrs["role"], "data-focus" in decline.attrs) == (
        "-1",
        "alert",
        True,
    )
    assert shown.one("title").text.startswith("Error:")
    assert page(shop.get("payments:order", payment.order.access_token)).one("title").text.startswith("Error:")
