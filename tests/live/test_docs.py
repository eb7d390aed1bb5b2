"""The API documentation pages in a browser that can reach only this shop."""

import pytest

from tests.live.runner import Shop

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("postgres_only", "transactional_db")]


@pytest.fixture(scope="module")
def shop(postgres_only, demo_shop) -> Shop:
    return demo_shop


@pytest.fixture
def offline(shared_window, shop):
    """A window whose network ends at the shop; its fixture fails on console errors and foreign requests."""
    opened = shared_window()
    opened.page.route(lambda url: not url.startswith((shop.url, "data:")), lambda route: route.abort())
    return opened


def test_swagger_shows_the_operations_without_the_internet(offline):
    offline.go("/docs")
    offline.page.locator("#operations-carts-cart_checkout").wait_for()

    assert offline.page.locator(".opblock").count() > 20
    assert "Order a cart" in offline.text()


def test_operation_can_be_opened_and_tried(offline):
    offline.go("/docs")
    block = offline.page.locator("#operations-products-product_list")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()

    block.locator(".live-responses-table .response-col_status", has_text="200").wait_for()


@pytest.mark.parametrize(
    "address",
    ["/docs/errors", "/docs/statuses", "/docs/guides", "/docs/guides/test-cards"],
)
def test_reading_page_is_accessible_and_fits_a_phone(offline, address):
    offline.page.set_viewport_size({"width": 320, "height": 700})
    offline.go(address)

    assert offline.violations() == []
    assert offline.overflow() == ""


SLOW_RULES = ("color-contrast", "target-size")  # most of the time on a page of 11,000 elements
REMOVE_ALIKE = """() => {
    const seen = new Set();
    for (const section of document.querySelectorAll(".operation")) {
        const kinds = new Set([...section.querySelectorAll("*")].map(e => e.tagName + "." + e.className));
        const shape = [...kinds].sort().join();
        if (seen.has(shape)) section.remove();
        seen.add(shape);
    }
    return [seen.size, document.querySelectorAll(".operation").length];
}"""


def test_long_reference_is_accessible_and_fits_a_phone(offline):
    """Colours and sizes are judged on the first operation of each shape."""
    offline.page.set_viewport_size({"width": 320, "height": 700})
    offline.go("/docs/reference")

    assert offline.violations(without=SLOW_RULES) == []
    assert offline.overflow() == ""

    shapes, left = offline.page.evaluate(REMOVE_ALIKE)
    assert shapes == left > 3
    assert offline.violations() == []


def test_problem_type_links_to_its_explanation(offline, shop):
    offline.go("/docs/errors#quote_changed")

    assert offline.page.locator("#quote_changed").is_visible()
