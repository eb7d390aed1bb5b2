"""The simulated Stripe.js in a real browser, on a page of another origin with a strict content security policy."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from sandbox.tests.client import BACK, PUBLIC

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang="en"><title>Shop</title><h1>Pay</h1>
<div id="card"></div><button id="pay">Pay</button><p id="said" role="status"></p>
<script src="%(js)s/v3/"></script><script src="/shop.js"></script></html>"""
SCRIPT = """
const config = %(config)s;
const stripe = Stripe(config.key);
const elements = stripe.elements({ clientSecret: config.secret, appearance: { theme: "night" } });
const element = elements.create("payment");
element.mount("#card");
element.on("ready", () => { document.title = "ready"; });
element.on("loaderror", ({ elementType, error }) => { document.title = `${elementType} ${error.type}`; });
const said = document.getElementById("said");
document.getElementById("pay").addEventListener("click", async () => {
  said.textContent = "…";
  const act = config.secret.startsWith("seti_") ? "confirmSetup" : "confirmPayment";
  const { error } = await stripe[act]({ elements, confirmParams: { return_url: `${location.origin}/return?order=7` } });
  said.textContent = `${error.code}: ${error.message}`;
});
"""


class Shop:
    """A page with a card element; `policy` is what a careful shop sends."""

    def __init__(self, provider: str) -> None:
        self.secret = ""
        shop = self
        policy = f"default-src 'self'; script-src 'self' {provider}; frame-src {provider}; style-src 'self'"

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                config = json.dumps({"key": PUBLIC, "secret": shop.secret})
                kind, text = "text/html", PAGE % {"js": provider}
                if self.path == "/shop.js":
                    kind, text = "text/javascript", SCRIPT % {"config": config}
                elif self.path.startswith("/return"):
                    text = "<title>Back</title>"
                self.send_response(200)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Security-Policy", policy)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def tab(chromium, sandbox) -> Iterator[Page]:
    """Fails when the page logs an error, such as a breach of its policy."""
    page = chromium.new_page(viewport={"width": 320, "height": 900})
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    page.close()
    assert [text for text in errors if "402" not in text and "favicon" not in text] == []


@pytest.fixture
def shop(sandbox) -> Iterator[Shop]:
    shop = Shop(sandbox.url)
    yield shop
    shop.server.shutdown()
    shop.server.server_close()


@pytest.fixture
def pay(stripe_api, shop, tab):
    """Open the shop for a new intent, choose a test card by its label, press Pay; returns the intent's id."""

    def act(label, *, intent=None):
        intent = intent or stripe_api.v1.payment_intents.create({"amount": 9999, "currency": "usd"})
        shop.secret = intent.client_secret
        tab.goto(shop.url)
        choose(tab, label)
        return intent.id

    return act


def choose(tab, label):
    frame = tab.frame_locator("#card iframe")
    frame.get_by_text("Test cards").click()
    frame.get_by_role("button", name=label, exact=False).first.click()
    tab.get_by_role("button", name="Pay").click()


def came_back(tab, shop):
    tab.wait_for_url(f"{shop.url}/return**")
    return {name: values[0] for name, values in parse_qs(urlsplit(tab.url).query).items()}


def test_paying(stripe_api, shop, tab, pay):
    intent = pay("Succeeds 4242")

    back = came_back(tab, shop)

    assert back["order"] == "7"
    assert (back["payment_intent"], back["redirect_status"]) == (intent, "succeeded")
    assert back["payment_intent_client_secret"] == shop.secret
    assert stripe_api.v1.payment_intents.retrieve(intent).status == "succeeded"


def test_declined_then_another_card(shop, tab, pay):
    pay("Insufficient funds")
    expect(tab.get_by_role("status")).to_have_text("card_declined: Your card has insufficient funds.")
    expect(tab.frame_locator("#card iframe").get_by_role("alert")).to_have_text(
        "Your card has insufficient funds."
    )

    choose(tab, "Succeeds (Mastercard)")

    assert came_back(tab, shop)["redirect_status"] == "succeeded"


@pytest.mark.parametrize("passed", [True, False])
def test_three_d_secure_in_a_dialog(stripe_api, shop, tab, pay, passed):
    intent = pay("3-D Secure 2 required")
    bank = tab.frame_locator("dialog iframe")
    expect(bank.get_by_role("heading")).to_have_text("3-D Secure authentication")

    bank.get_by_role("button", name="Complete" if passed else "Fail").click()

    if passed:
        assert came_back(tab, shop)["redirect_status"] == "succeeded"
    else:
        expect(tab.get_by_role("status")).to_contain_text("payment_intent_authentication_failure")
        expect(tab.locator("dialog")).to_have_count(0)
    wanted = "succeeded" if passed else "requires_payment_method"
    assert stripe_api.v1.payment_intents.retrieve(intent).status == wanted


def test_incomplete_fields_show_errors(sandbox, stripe_api, shop, tab):
    shop.secret = stripe_api.v1.payment_intents.create({"amount": 9999, "currency": "usd"}).client_secret
    tab.goto(shop.url)
    expect(tab).to_have_title("ready")

    tab.get_by_role("button", name="Pay").click()

    expect(tab.get_by_role("status")).to_contain_text("incomplete_number")
    number = tab.frame_locator("#card iframe").get_by_label("Card number")
    expect(number).to_be_focused()
    expect(number).to_have_attribute("aria-invalid", "true")
    assert sandbox.journal("intent.confirmed") == []


def test_saving_a_card(stripe_api, shop, tab, pay):
    customer = stripe_api.v1.customers.create({}).id
    intent = stripe_api.v1.setup_intents.create({"customer": customer})

    pay("Succeeds 4242", intent=intent)

    assert came_back(tab, shop)["setup_intent"] == intent.id
    assert len(stripe_api.v1.customers.payment_methods.list(customer).data) == 1


def test_the_hosted_page(stripe_api, shop, tab):
    line = {"price_data": {"currency": "usd", "unit_amount": 2000, "product_data": {"name": "Vase"}}}
    params = {
        "mode": "payment",
        "success_url": f"{shop.url}/return?s={{CHECKOUT_SESSION_ID}}",
        "line_items": [line],
    }
    session = stripe_api.v1.checkout.sessions.create(params)
    tab.goto(session.url)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 320

    tab.get_by_label("3-D Secure 2 required").check()
    tab.get_by_role("button", name="Pay $20.00").click()
    tab.get_by_role("button", name="Complete authentication").click()

    assert came_back(tab, shop)["s"] == session.id


def test_the_pages_are_accessible_and_the_console_works(stripe_api, sandbox, tab):
    line = {"price_data": {"currency": "usd", "unit_amount": 2000, "product_data": {"name": "Vase"}}}
    session = stripe_api.v1.checkout.sessions.create(
        {"mode": "payment", "success_url": BACK, "line_items": [line]}
    )
    params = {"amount": 9999, "currency": "usd", "confirm": True, "return_url": BACK}
    asked = stripe_api.v1.payment_intents.create(
        {**params, "payment_method": "pm_card_authenticationRequired"}
    )
    stripe_api.v1.payment_intents.create({**params, "payment_method": "pm_card_visa"})
    bank = asked.next_action.redirect_to_url.url
    for address in (session.url, bank, f"{sandbox.url}/v3/element", f"{sandbox.url}/_sandbox/"):
        tab.goto(address)
        found = [rule["id"] for rule in Axe().run(tab).response["violations"] if rule["impact"] != "moderate"]
        assert (address, found) == (address, [])
        assert tab.evaluate("document.documentElement.scrollWidth") <= 320

    tab.get_by_role("button", name="Refund").first.click()
    tab.wait_for_load_state()

    assert [row["amount"] for row in sandbox.journal("refund.created")] == [9999]


@pytest.mark.parametrize(
    ("secret", "fault", "title"),
    [
        ("pi_gone_secret_x", None, "payment invalid_request_error"),
        (None, "drop_before", "payment api_connection_error"),
        (None, "unavailable", "payment api_connection_error"),
    ],
)
def test_a_form_that_cannot_load_says_so(sandbox, stripe_api, chromium, shop, secret, fault, title):
    intent = stripe_api.v1.payment_intents.create({"amount": 9999, "currency": "usd"})
    shop.secret = secret or intent.client_secret
    if fault:
        sandbox.fault(fault, path="/v3/element", count=None)
    page = chromium.new_page()
    page.goto(shop.url)
    expect(page).to_have_title(title, timeout=60_000)
    page.close()


@pytest.mark.parametrize("fault", ["drop_before", "garbage", "truncate", "unavailable"])
def test_blocked_or_incomplete_script_defines_no_stripe(sandbox, chromium, shop, fault):
    sandbox.fault(fault, path="/v3/", count=None)
    page = chromium.new_page()
    page.goto(shop.url)
    assert page.evaluate("typeof window.Stripe") == "undefined"
    page.close()
