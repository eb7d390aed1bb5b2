"""At sign-in the guest's cart joins the user's; nothing is lost, nothing is shared."""

import pytest
from django.conf import settings
from django.urls import reverse

from artisans.accounts.principals import Principal
from artisans.accounts.tests.factories import PASSWORD
from artisans.core.security.tokens import hash_secret
from carts.models import Cart
from carts.services import cart_items_add, cart_merge, cart_open
from tests.checkout_client import CheckoutClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def filled(principal: Principal, items) -> tuple[Cart, Principal]:
    cart, token, *_ = cart_open(principal)
    owner = Principal(cart_hash=hash_secret(token)) if token else principal
    cart_items_add(principal=owner, cart_id=cart.pk, adds={product.pk: n for product, n in items.items()})
    return cart, owner


def content(cart: Cart) -> dict[str, int]:
    return dict(cart.items.values_list("product__name", "quantity"))


def test_quantities_add_up_and_the_guest_cart_is_closed(shopper, bowl, scarf):
    mine, _ = filled(Principal(user=shopper), {bowl: 1})
    guest_cart, guest = filled(Principal(), {bowl: 2, scarf: 3})

    cart_merge(guest=guest, user=shopper)

    guest_cart.refresh_from_db()
    assert content(mine) == {"Moss bowl": 3, "Tide scarf": 3}
    assert (guest_cart.status, guest_cart.items.count()) in {("MERGED", 0), ("MERGED", 1)}


def test_merging_twice_adds_nothing(shopper, bowl):
    mine, _ = filled(Principal(user=shopper), {bowl: 1})
    _, guest = filled(Principal(), {bowl: 2})

    cart_merge(guest=guest, user=shopper)
    cart_merge(guest=guest, user=shopper)

    assert content(mine) == {"Moss bowl": 3}


def test_quantities_are_capped_at_the_cart_limit(shopper, bowl):
    type(bowl).objects.filter(pk=bowl.pk).update(stock=500)
    mine, _ = filled(Principal(user=shopper), {bowl: 60})
    _, guest = filled(Principal(), {bowl: 60})

    cart_merge(guest=guest, user=shopper)

    assert content(mine) == {"Moss bowl": 99}


def test_user_without_a_cart_gets_the_guests_items(shopper, bowl):
    _, guest = filled(Principal(), {bowl: 2})

    cart_merge(guest=guest, user=shopper)

    assert content(Cart.objects.get(user=shopper, status="OPEN")) == {"Moss bowl": 2}


@pytest.mark.parametrize("guest", [Principal(), Principal(cart_hash="0" * 64)])
def test_missing_guest_cart_changes_nothing(shopper, guest):
    cart_merge(guest=guest, user=shopper)

    assert not Cart.objects.filter(token_hash__isnull=False).exists()


def test_signing_in_on_a_page_merges_and_keeps_what_was_typed(browser, shopper, bowl):
    walk = CheckoutClient(browser())
    walk.add(bowl)
    walk.details(email=shopper.email, line1="77 Typed Street")

    walk.client.post(reverse("account_login"), {"login": shopper.email, "password": PASSWORD})

    cart = Cart.objects.get(user=shopper)
    assert content(cart) == {"Moss bowl": 1}
    assert cart.draft["shipping"]["line1"] == "77 Typed Street"


def test_guest_token_is_refused_after_the_merge(browser, api, shopper, bowl):
    walk = CheckoutClient(browser())
    walk.add(bowl)
    token = walk.client.cookies[settings.CART_COOKIE].value
    guest_cart = Cart.objects.get()
    walk.client.post(reverse("account_login"), {"login": shopper.email, "password": PASSWORD})

    answer = api(cart=token).post(f"/carts/{guest_cart.pk}/items", {"product_id": str(bowl.pk)})

    assert answer.status_code == 409
    assert api(cart=token).get(f"/carts/{Cart.objects.get(user=shopper).pk}").status_code == 404
