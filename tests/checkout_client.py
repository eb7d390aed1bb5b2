"""A shopper in a browser without JavaScript: reads forms, fills them in and submits them."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from artisans.catalog.models import Product
from artisans.core.security.tokens import read_order_token
from orders.models import Order
from orders.tests.factories import ADDRESS
from tests.html import Node, page

DETAILS_FORM = {"email": "guest@example.test", "billing_same": "on", **ADDRESS}


@dataclass
class CheckoutClient:
    client: Client

    def get(self, name: str, *args: Any) -> HttpResponse:
        return self.client.get(reverse(name, args=args))

    def add(self, product: Product, quantity: int = 1, *, follow: bool = True) -> HttpResponse:
        sent = {"product_id": str(product.pk), "quantity": str(quantity)}
        return self.send("carts:item_add", sent, follow=follow)

    def details(self, *, follow: bool = True, **changes: Any) -> HttpResponse:
        """The step with the address; None leaves a field out, as an empty checkbox does."""
        result = {name: value for name, value in (DETAILS_FORM | changes).items() if value is not None}
        return self.send("carts:checkout_details", result, follow=follow)

    def payment(self, method: str, *, follow: bool = True) -> HttpResponse:
        return self.send("carts:checkout_payment", {"payment_method": method}, follow=follow)

    def send(self, name: str, data: dict[str, Any], *, follow: bool = True) -> HttpResponse:
        return self.client.post(reverse(name), data, follow=follow)

    def check_page(self) -> Node:
        response = self.get("carts:checkout_check")
        assert response.status_code == 200, response.status_code
        return page(response)

    def pay_form(self) -> dict[str, str]:
        """The form data of the order button."""
        return self.check_page().one("form", class_="pay-box").fields()

    def fill_checkout(self, method: str, *products: Product, **details: Any) -> dict[str, str]:
        """Without the pages between the steps."""
        for product in products:
            self.add(product, follow=False)
        self.details(follow=False, **details)
        self.payment(method, follow=False)
        return self.pay_form()

    def press(self, form: dict[str, str], *, follow: bool = False) -> HttpResponse:
        return self.client.post(reverse("carts:checkout_check"), form, follow=follow)

    def buy(self, method: str, *products: Product, **details: Any) -> Order:
        response = self.press(self.fill_checkout(method, *products, **details))
        assert response.status_code == 302, page(response).text
        return order_at(response["Location"])


def order_at(url: str) -> Order:
    """The order of a link."""
    link = read_order_token(url.rstrip("/").rpartition("/")[2])
    assert link is not None, url
    return Order.objects.get(pk=link[0])
