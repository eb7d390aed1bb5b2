"""A shopper in a real browser; records every problem on the way."""

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    FrameLocator,
    Locator,
    Page,
    Playwright,
    Response,
    ViewportSize,
)

from artisans.catalog.models import Product
from orders.models import Order
from scripts.services import chromium
from tests.checkout_client import DETAILS_FORM, order_at

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
COUNTED = {"document", "stylesheet", "script", "font"}
TEXT = {"document", "stylesheet", "script"}
MAX_TABS = 80
WIDE, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=320, height=640)


@contextmanager
def chromium_of(playwright: Playwright) -> Iterator[Browser]:
    args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    browser = playwright.chromium.launch(executable_path=chromium(), args=args)
    try:
        yield browser
    finally:
        browser.close()


@dataclass
class Window:
    """A private window on the shop. `problems`: console errors, refused content, failed or foreign requests.

    `friends`: other hosts that its pages may contact, such as the payment provider's.
    """

    page: Page
    url: str
    folder: Path
    friends: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(60_000)
        self.page.add_init_script(PATIENT_CARD_FORM)
        self.page.on("console", self.on_console)
        self.page.on("pageerror", lambda error: self.problems.append(f"{self.page.url}: {error}"))
        self.page.on("response", self.on_response)

    def on_console(self, message: ConsoleMessage) -> None:
        is_status = message.text.startswith("Failed to load resource")  # on_response judges these
        if message.type in {"error", "warning"} and not is_status:
            self.problems.append(f"{self.page.url}: {message.text}")

    def on_response(self, response: Response) -> None:
        self.responses.append(response)
        if response.url.startswith(self.friends):
            return
        if not response.url.startswith((self.url, "data:", "blob:")):
            self.problems.append(f"{self.page.url} asks {response.url}")
        if response.status >= 400 and response.request.resource_type != "document":
            self.problems.append(f"{self.page.url}: {response.status} for {response.url}")

    def empty(self) -> None:
        """As when it was opened; the shop's pages store nothing but cookies."""
        self.page.goto("about:blank")
        self.page.unroute_all()
        self.page.set_viewport_size(WIDE)
        self.page.context.clear_cookies()
        self.problems.clear()
        self.responses.clear()

    # ---- reading -------------------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    @property
    def status(self) -> int:
        """Of the page that is shown."""
        frame = self.page.main_frame
        pages = [r for r in self.responses if r.request.resource_type == "document" and r.frame == frame]
        return pages[-1].status

    def go(self, path: str) -> "Window":
        self.page.goto(self.url + path)
        return self

    def text(self) -> str:
        return " ".join(self.page.inner_text("body").split())

    def heading(self) -> str:
        return " ".join(self.page.inner_text("h1").split())

    def violations(self, *, without: tuple[str, ...] = ()) -> list[str]:
        """What axe finds against WCAG 2.2 AA, as lines of rule and place. `without`: rules that are not applied."""
        self.page.wait_for_load_state()
        options = {"runOnly": WCAG, "resultTypes": ["violations"], "iframes": False}
        found = Axe().run(
            self.page, options=options | {"rules": {rule: {"enabled": False} for rule in without}}
        )
        return [
            f"{self.path}: {rule['id']}: {rule['help']}: {', '.join(str(node['target']) for node in rule['nodes'][:3])}"
            for rule in found.response["violations"]
        ]

    def overflow(self) -> str:
        """The elements wider than the window; "" when nothing scrolls horizontally."""
        wide = self.page.evaluate(WIDER_THAN_WINDOW)
        return f"{self.path} is too wide: {wide}" if wide else ""

    def weigh(self, path: str) -> int:
        """Bytes of the page's own HTML, CSS, scripts and fonts, compressed as a server sends them."""
        self.page.context.new_cdp_session(self.page).send("Network.setCacheDisabled", {"cacheDisabled": True})
        self.responses.clear()
        self.page.goto(self.url + path, wait_until="networkidle")
        counted = {
            r.url: r.request.resource_type for r in self.responses if r.request.resource_type in COUNTED
        }
        total = 0
        for address, kind in counted.items():
            body = self.page.context.request.get(address).body()
            total += len(gzip.compress(body)) if kind in TEXT else len(body)
        return total

    # ---- buying --------------------------------------------------------------------------------------------------

    def press(self, name: str | re.Pattern[str]) -> None:
        self.page.get_by_role("button", name=name).first.click()

    def follow(self, name: str | re.Pattern[str]) -> None:
        self.page.get_by_role("link", name=name).first.click()

    def add(self, product: Product, quantity: int = 1) -> None:
        self.go(f"/shop/products/{product.slug}/")
        self.page.get_by_label("Quantity").fill(str(quantity))
        self.press("Add to cart")
        self.page.wait_for_url("**/shop/cart/")

    def details(self, **changes: str) -> None:
        result: dict[str, Any] = DETAILS_FORM | changes
        for name in ("email", "phone", "name", "line1", "postal_code", "city", "region"):
            self.page.locator(f"#id_{name}").fill(result[name])
        self.page.get_by_label("Note to the artisans").fill(changes.get("note", ""))
        self.press("Continue")
        self.page.wait_for_url("**/checkout/payment/")

    def payment(self, method: str) -> None:
        self.page.get_by_label(method).check()
        self.press("Continue to review")
        self.page.wait_for_url("**/checkout/check/")

    def fill_checkout(self, *products: Product, method: str = "Bank transfer", **details: str) -> Locator:
        for product in products:
            self.add(product)
        self.follow("Checkout")
        self.details(**details)
        self.payment(method)
        return self.place_button

    @property
    def place_button(self) -> Locator:
        return self.page.locator(".pay-box button")

    def place(self) -> Order:
        self.place_button.click()
        self.page.wait_for_url(re.compile(r"/shop/orders/[^/]+/$"))
        return order_at(self.page.url)

    # ---- paying by card ------------------------------------------------------------------------------------------

    def order_by_card(self, *products: Product, **details: str) -> Order:
        """Up to the page with the card element, or with the way to the provider's page."""
        self.fill_checkout(*products, method="Card", **details).click()
        # the load event waits for the provider's script, which may be slow
        self.page.wait_for_url("**/pay/stripe/", wait_until="domcontentloaded")
        return order_at(self.page.url.removesuffix("pay/stripe/"))

    def wait_for_card_form(self) -> FrameLocator:
        """The provider's frame. It is ready when the shop shows the button."""
        self.page.locator("#card-form button").wait_for()
        return self.page.frame_locator("#card-element iframe")

    def type_card(self, number: str, *, button: str = "card-pay") -> None:
        frame = self.wait_for_card_form()
        for name, value in (("number", number), ("expiry", "12 / 40"), ("cvc", "123")):
            frame.locator(f"[name={name}]").fill(value)
        self.page.locator(f"#{button}").click()

    # ---- staff pages ---------------------------------------------------------------------------------------------

    def record_money(self, order: Order) -> None:
        """Record the full amount as shown on the bank statement."""
        self.go(f"/admin/payments/payment/{order.payments.get().pk}/change/").follow("Record payment")
        self.page.get_by_label("Bank reference").fill(f"STATEMENT-{order.order_number}")
        self.press("Record payment")
        self.page.get_by_text(f"${order.total.amount} recorded").wait_for()

    # ---- by keyboard ---------------------------------------------------------------------------------------------

    def tab_to(self, target: Locator) -> None:
        """Press Tab until the target has the focus; the focus must be visible at every stop."""
        for _ in range(MAX_TABS):
            if target.evaluate("e => e === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
            if unseen := self.page.evaluate(FOCUS_UNSEEN):
                raise AssertionError(f"{self.path}: {unseen}")
        raise AssertionError(f"{self.path}: Tab does not reach {target}")

    def type_into(self, field_id: str, text: str) -> None:
        self.tab_to(self.page.locator(f"#{field_id}"))
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)


# How long a page waits for the card form (LOAD_LIMIT in stripe.js): longer, since a test machine may be busy, and
# shorter in tests about a form that does not load.
PATIENT_CARD_FORM = """
const { setTimeout: start } = window;
window.setTimeout = (what, wait, ...rest) =>
    start(what, wait === 10_000 ? (window.isImpatient ? 2_000 : 60_000) : wait, ...rest);
"""
IMPATIENT = "window.isImpatient = true;"

# What reaches out to the right, when the page can be scrolled there.
WIDER_THAN_WINDOW = """() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const wide = [...document.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > width + 1);
    return wide.slice(0, 5).map(e => e.tagName + "." + e.className);
}"""

# Why the focus cannot be seen: no ring, outside the window, or something lies over it; "" when it can.
FOCUS_UNSEEN = """() => {
    const e = document.activeElement;
    if (!e || e === document.body) return "";
    const shown = e.matches("input[type=radio], input[type=checkbox]") ? (e.closest("label") ?? e) : e;
    const hasRing = [e, shown].some(x => {
        const s = getComputedStyle(x);
        return (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== "none";
    });
    const name = e.tagName + "#" + e.id + " " + (e.textContent || e.name || "").trim().slice(0, 40);
    if (!hasRing) return "no focus ring on " + name;
    const box = shown.getBoundingClientRect();
    if (!box.width || box.bottom < 0 || box.top > innerHeight) return "focus is outside the window on " + name;
    const middle = Math.min(innerHeight - 1, Math.max(0, box.top + box.height / 2));
    const top = document.elementFromPoint(box.left + box.width / 2, middle);
    const isCovered = top && !shown.contains(top) && !top.contains(shown);
    return isCovered ? "focus lies under " + top.tagName + "." + top.className + ": " + name : "";
}"""
