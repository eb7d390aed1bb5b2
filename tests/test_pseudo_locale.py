"""In a made-up language that puts every marked text into brackets, no text of a page is left without them."""

import re
from collections.abc import Iterator
from pathlib import Path

import django
import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.http import HttpResponse
from django.urls import reverse
from django.utils import translation

from orders.countries import KNOWN
from orders.tests.factories import ADDRESS
from scripts import messages, unmarked
from tests.checkout_client import DETAILS_FORM, CheckoutClient, order_at

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store", "en_xa")]

PACKAGES = ("contrib/admin", "contrib/auth", "contrib/humanize", "conf")
# Texts of Unfold, which has no English catalogue to read them from.
UNFOLD = ("Light", "Dark", "System", "Type to search")
# Texts from the database and users; everything else on a page is a text of the program.
DATA = [
    *(
        "Moss bowl",
        "Tide scarf",
        "Harbour Pottery",
        "Loom and Light",
        "Potter",
        "Sam Shopper",
        "Artisans Alley Co.",
        "Standard",  # a shipping method
    ),
    *UNFOLD,
    *("Alley Bank", "1 Alley Lane", "COBADEFFXXX", "Payments team", "Refunds team", "Orders team"),
    *(name for name in (*KNOWN.values(), *ADDRESS.values(), *DETAILS_FORM.values()) if len(name) > 2),
]
ICONS = re.compile(r"(?<=material-symbols)([^>]*>)[^<]*")
PATTERNS = (
    r"[\d.,]+ [A-Z]{3}",
    r"Kind \d+",
    r"\S+@\S+",
    r"DE89[\d ]+",
    r"\b[A-Z0-9]{9}\b",
    r"AA-[\w-]+",
    r"\b[A-Z]{2}\b",
)
KNOWN_DATA = re.compile(
    "|".join(
        [*map(re.escape, sorted(DATA + [name.upper() for name in DATA], key=len, reverse=True)), *PATTERNS]
    )
)


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A locale folder with ⟦every text⟧ of the shop and of Django and allauth."""
    import allauth  # noqa: PLC0415

    english = [Path(django.__file__).parent / part / "locale" for part in PACKAGES]
    english.append(Path(allauth.__file__).parent / "locale")
    catalogs = [
        messages.catalog(),
        *(read_po((folder / "en/LC_MESSAGES/django.po").open("rb")) for folder in english),
    ]
    made = Catalog(locale="en", fuzzy=False)
    for message in (message for texts in catalogs for message in texts if message.id):
        ids = [message.id] if isinstance(message.id, str) else message.id
        words = tuple(f"⟦{text}⟧" for text in ids)
        made.add(message.id, words[0] if isinstance(message.id, str) else words, context=message.context)
    folder = tmp_path_factory.mktemp("locale") / "en_XA/LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "django.mo").open("wb") as file:
        write_mo(file, made)
    return folder.parent.parent


@pytest.fixture
def en_xa(settings, catalogue: Path) -> Iterator[None]:
    settings.LOCALE_PATHS = [catalogue]
    settings.LANGUAGES = [("en", "English"), ("en-xa", "Pseudo-English")]
    with translation.override("en-xa"):
        yield


def left_over(html: str) -> list[str]:
    """Texts and read-aloud attributes outside of brackets, without the data."""
    page = unmarked.Page()
    page.feed(ICONS.sub(r"\1", without_brackets(html)))
    found = (KNOWN_DATA.sub(" ", re.sub(r'^[\w-]+="', "", text)) for _line, text in page.found)
    return [" ".join(text.split()) for text in found if unmarked.has_words(text)]


def without_brackets(html: str) -> str:
    """Removes the innermost brackets first, since a marked text may hold another; its tags stay."""
    while (
        shorter := re.sub(r"⟦([^⟦⟧]*)⟧", lambda found: "".join(re.findall(r"<[^>]*>", found[1])), html)
    ) != html:
        html = shorter
    return html


def assert_marked(response: HttpResponse) -> None:
    assert response.status_code in {200, 404}, response.status_code
    html = response.content.decode()
    assert "⟦" in html
    assert not left_over(html), "\n".join(left_over(html))


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/?q=zzz",
        "/shop/products/{product}/",
        "/shop/artisans/harbour-pottery/",
        "/shop/cart/",
        "/shop/orders/find/",
        "/shop/nowhere/",
        "/shop/account/login/",
        "/shop/account/signup/",
        "/shop/account/password/reset/",
    ],
)
def test_page_for_everybody_is_marked(browser, bowl, address):
    assert_marked(browser().get(address.format(product=bowl.slug)))


def test_checkout_and_order_are_marked(browser, shopper, bowl, scarf):
    walk = CheckoutClient(browser(shopper))
    for product in (bowl, scarf):
        walk.add(product)
    for name in ("carts:cart", "carts:checkout_details"):
        assert_marked(walk.get(name))
    assert_marked(walk.details(name=""))  # with an error
    assert_marked(walk.details())
    assert_marked(walk.payment("bank_transfer"))
    order = order_at(walk.press(walk.pay_form())["Location"])
    assert_marked(walk.get("payments:order", order.access_token))
    assert_marked(walk.get("payments:order_pay", order.access_token))
    assert_marked(walk.get("payments:order_history"))
    assert_marked(walk.get("payments:order_cancel", order.pk))


@pytest.mark.parametrize(
    "name",
    [
        "account_email",
        "account_change_password",
        "account_sessions",
        "account_tokens",
        "account_data",
        "account_erase",
        "mfa_index",
        "payments:method_list",
        "payments:order_history",
    ],
)
def test_page_of_an_account_is_marked(browser, shopper, name):
    assert_marked(browser(shopper).get(reverse(name)))


def test_dashboard_of_staff_is_marked(browser, shopper, staff, bowl):
    CheckoutClient(browser(shopper)).buy("bank_transfer", bowl)
    assert_marked(browser(staff).get(reverse("admin:index")))


def test_mails_are_marked(browser, shopper, bowl, mails):
    CheckoutClient(browser()).buy("bank_transfer", bowl)
    [mail] = mails(DETAILS_FORM["email"])
    for text in (mail.subject, mail.body, mail.alternatives[0][0]):
        assert not left_over(text), "\n".join(left_over(text))
