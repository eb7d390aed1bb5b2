"""A cart that another tab orders or merges while a page uses it: the page leads on, and nothing is lost."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from artisans.accounts.tests.factories import PASSWORD
from carts import views
from carts.models import Cart
from orders.models import Order
from payments.models import Payment
from tests.checkout_client import CheckoutClient, order_at
from tests.html import page
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

SIGNED_IN = "You have signed in since that page was shown, and your carts were combined. Nothing was ordered."
BODY = {
    "customer_email": "guest@example.test",
    "shipping_address": "123 Main St, City, State, 12345",
    "payment_method": "bank_transfer",
}


@pytest.fixture
def walk(browser) -> CheckoutClient:
    return CheckoutClient(browser())


@pytest.fixture
def meanwhile(monkeypatch) -> Callable[..., None]:
    """Let something happen just before the next page calls this service, after it has read the cart."""

    def happen(service: str, act: Callable[[], object]) -> None:
        called = getattr(views, service)

        def act_first(**kwargs: object) -> object:
            monkeypatch.setattr(views, service, called)
            act()
            return called(**kwargs)

        monkeypatch.setattr(views, service, act_first)

    return happen


def other_tab(walk: CheckoutClient) -> CheckoutClient:
    tab = Client()
    tab.cookies.load({name: morsel.value for name, morsel in walk.client.cookies.items()})
    return CheckoutClient(tab)


def sign_in(client: Client, user) -> None:
    answer = client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    assert answer.status_code == 302


def messages_of(client: Client) -> str:
    return page(client.get(reverse("carts:cart"))).text


def test_checkout_of_a_merged_cart_is_a_conflict(walk, api, shopper, bowl):
    walk.add(bowl)
    token, cart = walk.client.cookies[settings.CART_COOKIE].value, Cart.objects.get()
    sign_in(walk.client, shopper)

    body = problem(api(cart=token).post(f"/carts/{cart.pk}/checkout", BODY), 409, "cart_closed")

    assert "combined" in body["detail"]
    assert "ordered" not in body["detail"]
    assert not Order.objects.exists()


def test_order_button_of_a_guest_who_signs_in_meanwhile_orders_nothing(walk, shopper, bowl, meanwhile):
    form = walk.fill_checkout("bank_transfer", bowl)
    meanwhile("cart_checkout", lambda: sign_in(other_tab(walk).client, shopper))

    answer = walk.press(form)

    assert (answer.status_code, answer["Location"]) == (302, reverse("carts:checkout"))
    assert SIGNED_IN in messages_of(walk.client)
    assert not Order.objects.exists()


@pytest.mark.parametrize("step", ["details", "payment"])
def test_answer_to_a_cart_that_is_ordered_meanwhile_leads_to_the_order(walk, bowl, meanwhile, step):
    form = walk.fill_checkout("bank_transfer", bowl)
    meanwhile("cart_draft_save", lambda: other_tab(walk).press(form))

    answer = walk.details(follow=False) if step == "details" else walk.payment("check", follow=False)

    assert order_at(answer["Location"]) == Order.objects.get()
    assert Payment.objects.get().payment_method == "bank_transfer"


def test_answer_of_a_guest_who_signs_in_meanwhile_leads_to_the_joint_cart(walk, shopper, bowl, meanwhile):
    walk.add(bowl)
    meanwhile("cart_draft_save", lambda: sign_in(other_tab(walk).client, shopper))

    answer = walk.details(follow=False)

    assert (answer.status_code, answer["Location"]) == (302, reverse("carts:checkout"))
    assert SIGNED_IN in messages_of(walk.client)


@pytest.mark.parametrize("back", ["", "checkout"])
def test_accepting_changes_of_a_cart_that_is_ordered_meanwhile_leads_to_the_order(
    walk, bowl, meanwhile, back
):
    form = walk.fill_checkout("bank_transfer", bowl)
    meanwhile("cart_accept", lambda: other_tab(walk).press(form))

    answer = walk.send("carts:accept", {"next": back}, follow=False)

    assert order_at(answer["Location"]) == Order.objects.get()


@pytest.mark.parametrize("who", ["guest", "user"])
def test_item_added_to_a_cart_that_is_ordered_meanwhile_is_in_a_new_cart(
    browser, shopper, bowl, scarf, meanwhile, who
):
    walk = CheckoutClient(browser(shopper if who == "user" else None))
    form = walk.fill_checkout("bank_transfer", bowl)
    tab = walk if who == "user" else other_tab(walk)
    meanwhile("cart_items_add", lambda: tab.press(form))

    answer = walk.add(scarf, 2)

    assert "Added to your cart." in page(answer).text
    ordered, cart = Cart.objects.get(status="ORDERED"), Cart.objects.get(status="OPEN")
    assert list(ordered.items.values_list("product__name", flat=True)) == ["Moss bowl"]
    assert list(cart.items.values_list("product__name", "quantity")) == [("Tide scarf", 2)]
    assert "Tide scarf" in messages_of(walk.client)
