"""The saved cards page in a browser without JavaScript, and the page with the card form."""

import re
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone

from payments.bookkeeping.saved_methods import method_store
from payments.lifecycle.saved_methods import method_save
from payments.models import PaymentMethodInfo, ProviderCall
from payments.providers.contract import RemoteMethod
from tests.html import page

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

LIST = "/shop/account/cards/"


@pytest.fixture
def card(shopper):
    return lambda token="pm_card_visa": method_save(user=shopper, provider="stripe", token=token)


@pytest.fixture
def shop(browser, shopper):
    return browser(shopper)


def begin(client):
    answer = client.post(f"{LIST}add/")
    assert answer.status_code == 302
    return answer["Location"]


def test_list_shows_brand_digits_expiry_and_default(shop, card):
    card("pm_card_amex")
    old = card("pm_card_visa_debit")
    PaymentMethodInfo.objects.filter(pk=old.pk).update(card_exp_year=2025)

    text = page(shop.get(LIST)).text

    assert "American Express •••• ending in 0005 Expires 12/2034 Default" in text
    assert "Visa •••• ending in 5556 Expired 12/2025 Expired Make default" in text


def test_paypal_account_is_shown_with_its_email_address(shop, shopper):
    remote = RemoteMethod("8kk8451t", "customer_1", "paypal", email="sam@example.test")
    kept = method_store(user_id=shopper.pk, provider="paypal", remote=remote, consented_at=timezone.now())

    assert "PayPal sam@example.test" in page(shop.get(LIST)).text
    asked = page(shop.get(reverse("payments:method_delete", args=[kept.pk])))
    assert "Remove PayPal sam@example.test?" in asked.text


def test_empty_list_says_that_no_card_is_needed(shop):
    assert "You can always pay without saving one" in page(shop.get(LIST)).text


def test_consent_is_shown_beside_the_button(shop):
    text = page(shop.get(LIST)).text

    assert "Stripe stores it" in text
    assert "used only when you choose it" in text
    assert "Agree and add a card" in text


def test_no_card_can_be_added_without_the_providers_keys(shop, settings):
    settings.STRIPE_SECRET_KEY = ""

    assert "Add a card" not in page(shop.get(LIST)).text


def test_another_card_becomes_the_default(shop, card):
    card()
    other = card("pm_card_mastercard")

    answer = shop.post(reverse("payments:method_default", args=[other.pk]), follow=True)

    assert "Mastercard ending in 4444 is now your default" in page(answer).text
    assert PaymentMethodInfo.objects.get(is_default=True) == other


def test_card_is_removed_after_confirmation(shop, card, stripe):
    one = card()
    address = reverse("payments:method_delete", args=[one.pk])

    asked = page(shop.get(address))
    assert "Remove Visa ending in 4242?" in asked.text
    assert PaymentMethodInfo.objects.filter(is_active=True).count() == 1

    answer = shop.post(address, follow=True)
    assert "Visa ending in 4242 was removed" in page(answer).text
    assert len(stripe.journal("payment_method.detached")) == 1
    assert shop.get(address).status_code == shop.post(address).status_code == 404


def test_adding_opens_the_providers_form_and_returns(shop, stripe):
    form = shop.get(begin(shop))
    node = page(form).one("form", id="card-form")
    setup_id = ProviderCall.objects.get().object_id
    assert node.attrs["data-secret"].startswith(setup_id)
    assert node.fields() == {}

    stripe.post("stripe/pay", setup_intent=setup_id, payment_method="pm_card_visa")
    result = page(shop.get(urlsplit(node.attrs["data-return"]).path, follow=True)).text

    assert "Visa ending in 4242 was saved. Nothing was charged." in result
    again = page(shop.get(form.request["PATH_INFO"], follow=True)).text
    assert "Visa ending in 4242 was saved" in again
    assert PaymentMethodInfo.objects.count() == 1


def test_returning_without_a_card_is_reported(shop):
    result = page(shop.get(f"{begin(shop)}return/", follow=True)).text

    assert "No card was saved, and nothing was charged." in result


@pytest.mark.parametrize("place", ["", "return/"])
def test_unavailable_provider_is_reported(shop, stripe, place):
    address = begin(shop)
    stripe.fault("drop_before", path="/v1/setup_intents/*", method="GET")

    answer = shop.get(f"{address}{place}", follow=True)

    assert answer.redirect_chain == [(LIST, 302)]
    assert re.search("is not responding|still checking", page(answer).text)


def test_adding_while_the_provider_is_down_changes_nothing(shop, stripe):
    stripe.fault("drop_before", path="/v1/*", method="POST", count=None)

    assert "is not responding" in page(shop.post(f"{LIST}add/", follow=True)).text


def test_only_the_form_page_loads_the_providers_script(shop, settings, card):
    settings.STRIPE_JS_URL = "https://js.stripe.com/v3/"
    card()
    policies = {
        name: shop.get(address)["Content-Security-Policy"]
        for name, address in {
            "list": LIST,
            "form": begin(shop),
            "remove": reverse("payments:method_delete", args=[PaymentMethodInfo.objects.get().pk]),
        }.items()
    }

    assert "script-src 'self' https://js.stripe.com;" in f"{policies['form']};"
    assert "stripe" not in policies["list"] + policies["remove"]


def test_card_pages_are_not_cached(shop):
    for address in (LIST, begin(shop)):
        assert shop.get(address)["Cache-Control"] == "no-store"


def test_pages_of_another_user_are_not_found(shop, browser, stranger, card):
    address, other = begin(shop), browser(stranger)
    one = card()

    assert other.get(address).status_code == 404
    assert other.get(f"{address}return/").status_code == 404
    for name in ("method_default", "method_delete"):
        assert other.post(reverse(f"payments:{name}", args=[one.pk])).status_code == 404
    assert PaymentMethodInfo.objects.filter(is_active=True).count() == 1


def test_card_is_added_only_by_post(shop):
    assert shop.get(f"{LIST}add/").status_code == 405


def test_account_menu_links_to_the_cards(shop):
    links = [node.attrs["href"] for node in page(shop.get("/")).all("a")]

    assert LIST in links
