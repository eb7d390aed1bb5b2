"""PayPal's pages in a real browser: small screen, keyboard only, without JavaScript, and checked with axe."""

from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from sandbox.tests.paypal_client import EXPERIENCE, Refused, link, money, order_body

pytestmark = pytest.mark.browser


@pytest.fixture
def tab(chromium, sandbox):
    """Without JavaScript, 320 pixels wide; fails when the page logs an error."""
    context = chromium.new_context(viewport={"width": 320, "height": 800}, java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(60_000)
    errors = []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert errors == []


def order(paypal, sandbox, **context):
    """An order whose return URL exists."""
    back = {
        "return_url": f"{sandbox.url}/_sandbox/?back=1",
        "cancel_url": f"{sandbox.url}/_sandbox/?cancelled=1",
    }
    body = order_body(items=[{"name": "Moss bowl", "quantity": "2", "unit_amount": money("40.00")}])
    body["purchase_units"][0]["amount"] = money("99.99") | {
        "breakdown": {"item_total": money("80.00"), "shipping": money("5.99"), "tax_total": money("14.00")}
    }
    body["payment_source"]["paypal"]["experience_context"] = EXPERIENCE | back | context
    return paypal.post("/v2/checkout/orders", body)


def came_back(tab):
    tab.wait_for_url("**/_sandbox/**")
    return {name: values[0] for name, values in parse_qs(urlsplit(tab.url).query).items()}


def test_a_buyer_approves_without_javascript(paypal, sandbox, tab):
    made = order(paypal, sandbox)
    tab.goto(link(made, "payer-action"))
    expect(tab.get_by_role("heading", level=1)).to_have_text("Pay Artisans Alley with PayPal")
    expect(tab.get_by_role("row", name="Moss bowl × 2")).to_contain_text("80.00 USD")

    tab.get_by_role("radio", name="Robin Review").check()
    tab.get_by_role("button", name="Pay 99.99 USD").click()

    assert came_back(tab) == {"back": "1", "token": made["id"], "PayerID": "REV2EW2222222"}
    assert paypal.get(f"/v2/checkout/orders/{made['id']}")["status"] == "APPROVED"


def test_a_buyer_cancels_with_the_keyboard(paypal, sandbox, tab):
    made = order(paypal, sandbox, user_action="CONTINUE")
    tab.goto(link(made, "payer-action"))
    expect(tab.get_by_role("button", name="Approve 99.99 USD")).to_be_visible()

    tab.get_by_role("button", name="Cancel and return to shop").focus()
    tab.keyboard.press("Enter")

    assert came_back(tab) == {"cancelled": "1", "token": made["id"]}


def test_a_declined_card_is_replaced_on_the_page(paypal, sandbox, tab):
    made = order(paypal, sandbox)
    tab.goto(link(made, "payer-action"))
    tab.get_by_role("radio", name="Dana Declined").check()
    tab.get_by_role("button", name="Pay 99.99 USD").click()
    came_back(tab)
    with pytest.raises(Refused) as refused:
        paypal.capture(made["id"])

    tab.goto(link(refused.value.body, "redirect"))
    expect(tab.get_by_role("alert")).to_have_text("Dana, your card was declined. Choose another way to pay.")
    tab.get_by_role("radio", name="Bank account").check()
    tab.get_by_role("button", name="Pay 99.99 USD").click()

    came_back(tab)
    assert paypal.capture(made["id"])["status"] == "COMPLETED"


def test_buyer_agrees_to_save_the_wallet(paypal, sandbox, tab):
    context = {"return_url": f"{sandbox.url}/_sandbox/?kept=1", "cancel_url": f"{sandbox.url}/_sandbox/"}
    source = {"paypal": {"usage_type": "MERCHANT", "experience_context": context}}
    token = paypal.post("/v3/vault/setup-tokens", {"payment_source": source})

    tab.goto(link(token, "approve"))
    tab.get_by_role("button", name="Agree and save").click()

    assert came_back(tab)["approval_token_id"] == token["id"]
    assert paypal.get(f"/v3/vault/setup-tokens/{token['id']}")["status"] == "APPROVED"


def test_the_pages_are_accessible_and_fit_a_small_phone(paypal, sandbox, chromium, approved):
    made = order(paypal, sandbox)
    declined = approved("declined")
    with pytest.raises(Refused):
        paypal.capture(declined)
    source = {"paypal": {"usage_type": "MERCHANT"}}
    token = paypal.post("/v3/vault/setup-tokens", {"payment_source": source})
    retry = f"{sandbox.url}/checkoutnow?token={declined}"
    page = chromium.new_page(viewport={"width": 320, "height": 800})
    try:
        for address in (
            link(made, "payer-action"),
            retry,
            link(token, "approve"),
            f"{sandbox.url}/_sandbox/",
        ):
            page.goto(address)
            found = [rule["id"] for rule in Axe().run(page).response["violations"]]
            assert (address, found) == (address, [])
            assert page.evaluate("document.documentElement.scrollWidth") <= 320
            heights = page.evaluate(
                "[...document.querySelectorAll('button, label')].map(each => each.offsetHeight)"
            )
            assert (address, min(heights) >= 44) == (address, True)
    finally:
        page.close()
