"""Make purchases in a fresh demo shop, by bank transfer and by card, up to a refund, with screenshots of every page.

Screenshots go to docs/screenshots/ (wide) and docs/screenshots/narrow/ (320 pixels), for the README and for review.
"""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from scripts.run import providers
from scripts.services import chromium, free_port, temporary_folder

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs/screenshots"
PASSWORD = "demo-alley-1"  # noqa: S105  # the demo's public password
WIDE, NARROW = ViewportSize(width=1280, height=900), ViewportSize(width=320, height=720)
ADDRESS = {
    "email": "gia@example.com",
    "name": "Gia Guest",
    "line1": "12 Long Street",
    "city": "Portland",
    "region": "OR",
    "postal_code": "97201",
}


@contextmanager
def demo_shop() -> Iterator[str]:
    """A separate shop with demo data, outside var/."""
    with temporary_folder("screenshots") as folder:
        port, sandbox = str(free_port()), str(free_port())
        env = (
            os.environ
            | providers(sandbox)
            | {
                "DEMO": "true",
                "PORT": port,
                "SECRET_KEY": "only-for-screenshots" * 4,
                "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
                "MEDIA_ROOT": f"{folder}/media",
                "EMAIL_URL": f"filemail:///{folder}/mail",
                "LOG_LEVEL": "ERROR",
            }
        )
        subprocess.run([sys.executable, "-m", "scripts.prepare"], env=env, check=True)
        commands = (
            ["sandbox", "--port", sandbox],
            [
                "gunicorn",
                "artisans.wsgi",
                "--bind",
                f"127.0.0.1:{port}",
                "--threads",
                "8",
                "--no-control-socket",
            ],
        )
        servers = [subprocess.Popen([sys.executable, "-m", *command], env=env) for command in commands]
        try:
            url = f"http://localhost:{port}"
            wait_for(f"http://127.0.0.1:{sandbox}/_sandbox/health")
            wait_for(f"{url}/health/ready")
            yield url
        finally:
            for server in servers:
                server.terminate()
                server.wait(20)


def wait_for(url: str) -> None:
    for _ in range(120):
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310  # our own server
                return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"{url} does not answer.")


class Walk:
    """A browser window that takes screenshots at desktop and mobile width."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.page: Page = browser.new_context(viewport=WIDE).new_page()
        self.url = url

    def go(self, path: str) -> None:
        self.page.goto(self.url + path)

    def picture(self, name: str) -> None:
        print(f"  {name}")
        for size, folder in ((NARROW, FOLDER / "narrow"), (WIDE, FOLDER)):
            self.page.set_viewport_size(size)
            self.page.wait_for_load_state()
            self.page.wait_for_timeout(500)  # a page that waits for the provider is never idle
            self.page.screenshot(
                path=folder / f"{name}.jpg", full_page=name != "shop", type="jpeg", quality=80
            )

    def fill_address(self) -> None:
        for name, value in ADDRESS.items():
            self.page.fill(f"#id_{name}", value)
        self.press("Continue")

    def press(self, text: str) -> None:
        self.page.locator("main").get_by_role("button", name=text).first.click()
        self.page.wait_for_load_state()


def buy(walk: Walk) -> str:
    """Buy three items from two artisans by bank transfer, as a guest. Returns the order's URL."""
    page = walk.page
    walk.go("/")
    walk.picture("shop")
    for place, slug in enumerate(["atlantic-teapot", "moon-jar", "linen-towel-pair"]):
        walk.go(f"/shop/products/{slug}/")
        if place == 0:
            walk.picture("product")
        walk.press("Add")
    walk.picture("cart")
    walk.go("/shop/checkout/")
    walk.picture("checkout-1-details")
    walk.fill_address()
    page.get_by_label("Bank transfer").check()
    walk.picture("checkout-2-payment")
    walk.press("Continue")
    walk.picture("checkout-3-check")
    walk.press("Order and pay")
    walk.picture("order-awaiting")
    return page.url


def buy_by_card(walk: Walk) -> str:
    """Buy one item by card: declined, then confirmed with 3-D Secure. Returns the order's URL."""
    page = walk.page
    walk.go("/shop/products/atlantic-teapot/")
    walk.press("Add")
    walk.go("/shop/checkout/")
    walk.fill_address()
    page.get_by_label("Card").check()
    walk.press("Continue")
    walk.press("Order now")
    page.wait_for_url("**/pay/stripe/")
    page.locator("#card-element iframe").wait_for()
    walk.picture("card")
    enter_card(page, "4000000000000002")
    page.locator(".notice.bad").wait_for()
    walk.picture("card-declined")
    enter_card(page, "4000002760003184")
    bank = page.frame_locator("dialog iframe")
    bank.get_by_role("button", name="Complete").wait_for()
    walk.picture("card-3d-secure")
    bank.get_by_role("button", name="Complete").click()
    page.wait_for_url(re.compile(r"/shop/orders/[^/]+/$"))
    walk.picture("card-paid")
    return page.url


def enter_card(page: Page, number: str) -> None:
    frame = page.frame_locator("#card-element iframe")
    for name, value in (("number", number), ("expiry", "12 / 40"), ("cvc", "123")):
        frame.locator(f"[name={name}]").fill(value)
    page.locator("#card-pay").click()


def sign_in_as_staff(walk: Walk) -> None:
    page = walk.page
    walk.go("/admin/")
    page.fill("input[name=login], input[name=username]", "staff@demo.test")
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")


def record(walk: Walk, order_url: str) -> None:
    """Staff record the payment; the buyer's page changes to paid."""
    page = walk.page
    walk.go("/admin/")
    walk.picture("admin-home")
    walk.go("/admin/payments/payment/?needs=decision")
    walk.picture("admin-queue")
    page.locator("a[href$='/record/']").first.evaluate("link => location.assign(link.href)")
    page.wait_for_url("**/record/**")
    walk.picture("admin-record")
    page.fill("[name=bank_reference]", "TX-2026-0001")
    page.get_by_role("button", name="Record payment").click()
    page.wait_for_load_state()
    walk.picture("admin-recorded")
    page.goto(order_url)
    walk.picture("order-paid")


def refund(walk: Walk, order_url: str) -> None:
    """Staff refund part of the card payment."""
    page = walk.page
    walk.go("/admin/payments/payment/?status__exact=COMPLETED&payment_provider__exact=stripe")
    page.locator("#result_list tbody a").first.click()
    page.wait_for_url("**/change/**")
    walk.picture("admin-card-payment")
    page.locator("main a[href$='/refund/']").first.click()
    page.wait_for_url("**/refund/")
    walk.picture("admin-refund")
    page.fill("[name=amount]", "10.00")
    page.get_by_label("An item arrived damaged.").check()
    page.get_by_role("button", name="Send refund").click()
    page.wait_for_url("**/change/")
    walk.picture("admin-refunded")
    page.goto(order_url)
    walk.picture("order-partly-refunded")


def main() -> None:
    os.chdir(ROOT)
    (FOLDER / "narrow").mkdir(parents=True, exist_ok=True)
    with demo_shop() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        print(f"Screenshots of the shop, in {FOLDER.relative_to(ROOT)}:")
        by_transfer, by_card = buy(Walk(browser, url)), buy_by_card(Walk(browser, url))
        queue_page = Walk(browser, url)
        sign_in_as_staff(queue_page)
        record(queue_page, by_transfer)
        refund(queue_page, by_card)
        browser.close()


if __name__ == "__main__":
    main()
