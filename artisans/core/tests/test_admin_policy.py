"""The admin's theme needs eval and inline styles; no other page allows them."""

import pytest

pytestmark = pytest.mark.django_db


def policy(response) -> dict[str, set[str]]:
    parts = (part.split() for part in response["Content-Security-Policy"].split(";"))
    return {name: set(values) for name, *values in parts}


@pytest.mark.usefixtures("store")
def test_only_the_admin_relaxes_the_content_policy(browser, staff, client):
    staff_client, shop = policy(browser(staff).get("/admin/")), policy(client.get("/"))

    assert staff_client["script-src"] == {"'self'", "'unsafe-eval'", "'unsafe-inline'"}
    assert staff_client["style-src"] == {"'self'", "'unsafe-inline'"}
    assert staff_client["default-src"] == shop["default-src"] == {"'self'"}
    assert "unsafe" not in str(shop)


def test_staff_use_the_shops_sign_in_page(client):
    answer = client.get("/admin/", follow=True)

    assert answer.redirect_chain[-1][0].startswith("/shop/account/login/")
