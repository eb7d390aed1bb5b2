"""A new shop accepts no orders until tax, shipping and contact are set; `setup_shop` asks for them."""

from io import StringIO

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.urls import reverse

from artisans.accounts.models import User
from artisans.audit.models import AuditEntry
from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from artisans.regions.models import Place, ShopCurrency, TaxRate, TaxZoneArea
from artisans.regions.selectors import taxed_countries, taxes_at
from artisans.shipping.models import ShippingZoneArea
from artisans.shipping.selectors import methods_at, shipped_countries
from artisans.shipping.tests.factories import shipping_zone
from orders.checks import check_open
from orders.models import NO_CONTACT, Order, StoreRules
from orders.selectors import store_rules
from orders.tests.factories import store_of
from tests.html import page

pytestmark = pytest.mark.django_db

ANSWERS = {"tax_rate": "0", "shipping": "0", "support_email": "help@shop.test"}
ADMIN = "boss@shop.test"
PASSWORD = "correct-horse-battery-9"
ADDRESS = "123 Main St, Portland, OR, 97201"


@pytest.fixture
def goods(db) -> Product:
    """A product on sale in a shop that is not set up."""
    return ProductFactory.create(slug="moss-bowl", stock=5)


@pytest.fixture
def setup(settings):
    settings.SUPERUSER_PASSWORD = PASSWORD

    def run(**options: str) -> str:
        out, err = StringIO(), StringIO()
        call_command("setup_shop", "--no-input", stdout=out, stderr=err, **options)
        return out.getvalue() + err.getvalue()

    return run


@pytest.fixture
def typed(monkeypatch):
    """A user at the terminal who gives these answers, one per question, then presses Ctrl-C."""

    def run(*answers: str, **options: str) -> str:
        lines, out = iter(answers), StringIO()

        def answer(prompt: str) -> str:
            if (text := next(lines, None)) is None:
                raise KeyboardInterrupt
            return text

        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", answer)
        monkeypatch.setattr("orders.management.commands.setup_shop.getpass", lambda prompt: PASSWORD)
        call_command("setup_shop", stdout=out, stderr=out, **options)
        assert next(lines, None) is None, "an answer to no question"
        return out.getvalue()

    return run


# ---- before ------------------------------------------------------------------------------------------------------


def in_cart(client, goods) -> str:
    cart = client.post("/carts/", {"items": [{"product_id": str(goods.pk), "quantity": 1}]}, format="json")
    assert cart.status_code == 201
    return cart.json()["id"]


ORDERS = {
    "checkout": ("post", "/carts/{cart}/checkout", {"shipping_address": ADDRESS}),
    "summary": ("get", "/carts/{cart}/checkout/summary", {}),
    "validate": ("get", "/carts/{cart}/checkout/validate", {}),
    "one call": ("post", "/orders/", {"order_items": "goods", "shipping_address": ADDRESS}),
    "one call, unpaid": ("post", "/orders/", {"order_items": "goods", "shipping_address": ADDRESS}),
}


@pytest.mark.parametrize("way", ORDERS)
@pytest.mark.parametrize("rows", ["none", "made"])
def test_api_refuses_orders_and_quotes_before_the_shop_is_set_up(api, shopper, goods, way, rows):
    if rows == "made":
        StoreRules.objects.create(pk=1, tax_is_set=True)
    client = api(shopper)
    method, path, body = ORDERS[way]
    if body.get("order_items"):
        body = body | {"order_items": [{"product_id": str(goods.pk), "quantity": 1}]}
    if way in {"checkout", "one call"}:
        body = body | {"payment_method": "bank_transfer", "payment_provider": "manual"}

    answer = getattr(client, method)(
        path.format(cart=in_cart(client, goods)), body or None, format="json", HTTP_IDEMPOTENCY_KEY="k-1"
    )

    assert (answer.status_code, answer.json()["code"]) == (503, "shop_not_open")
    assert "tax" not in answer.json()["detail"]
    assert not Order.objects.exists()
    assert Product.objects.get(pk=goods.pk).stock == 5


def test_refused_order_succeeds_with_the_same_key_once_the_shop_is_set_up(api, shopper, goods, setup):
    client = api(shopper)
    body = {
        "order_items": [{"product_id": str(goods.pk), "quantity": 1}],
        "shipping_address": ADDRESS,
    }
    assert client.post("/orders/", body, format="json", HTTP_IDEMPOTENCY_KEY="k-1").status_code == 503

    setup(**ANSWERS)

    assert client.post("/orders/", body, format="json", HTTP_IDEMPOTENCY_KEY="k-1").status_code == 201


@pytest.mark.parametrize("step", ["", "_details", "_delivery", "_payment", "_check"])
def test_checkout_pages_place_no_order_before_the_shop_is_set_up(browser, goods, step):
    client = browser()
    client.post(reverse("carts:item_add"), {"product_id": str(goods.pk), "quantity": "1"})

    for answer in (
        client.get(reverse(f"carts:checkout{step}"), follow=True),
        client.post(reverse(f"carts:checkout{step}"), {"email": "guest@example.test"}, follow=True),
    ):
        assert answer.redirect_chain[-1][0] == reverse("carts:cart")
        assert "not taking orders yet" in answer.content.decode()
    assert not Order.objects.exists()


def test_shoppers_can_browse_and_only_staff_see_the_missing_settings(
    browser, shopper, powerless_staff, admin_user, goods
):
    missing = "the tax rate, the shipping charge, the contact address"
    for client in (browser(), browser(shopper), browser(powerless_staff)):
        for path in ("/", "/shop/products/moss-bowl/", "/shop/cart/", "/shop/orders/find/"):
            text = client.get(path).content.decode()
            assert "not taking orders yet" in text, path
            assert missing not in text
            assert "tax rate" not in text
            assert NO_CONTACT not in text

    for user, can_fill_in in ((powerless_staff, False), (admin_user, True)):
        start = page(browser(user).get("/admin/"))
        assert missing in start.one("p", id="not-open").text
        links = [link.attrs["href"] for link in start.one("p", id="not-open").all("a")]
        assert links == ["/admin/orders/storerules/"] * can_fill_in


PAGES = (
    *("/", "/shop/", "/shop/cart/", "/shop/checkout/", "/shop/orders/find/", "/shop/account/login/"),
    *("/shop/account/orders/", "/shop/account/cards/", "/docs", "/docs/errors", "/schema", "/health/ready"),
    *("/products/", "/artisans/", "/orders/", "/payments/", "/payments/methods", "/auth/me", "/parcels/"),
    *("/admin/", "/admin/orders/storerules/", "/admin/orders/storerules/add/", "/admin/orders/order/"),
    *("/admin/payments/payment/?q=9.99", "/admin/carts/cart/", "/admin/notifications/notification/"),
)


@pytest.mark.parametrize("path", PAGES)
def test_page_works_in_a_freshly_migrated_database(client, browser, api, admin_user, path):
    assert not StoreRules.objects.exists()
    for someone in (client, browser(admin_user), api(), api(admin_user)):
        assert someone.get(path).status_code < 500


# ---- the command -------------------------------------------------------------------------------------------------


def test_command_sets_up_the_shop_and_repeating_it_changes_nothing(setup, settings):
    assert check_open(None, ["default"])[0].id == "alley.W021"

    said = setup(
        **ANSWERS, country="de", currency="EUR", iban="DE89 3704 0044 0532 0130 00", admin_email=ADMIN
    )

    assert "The shop accepts orders." in said
    rules = store_rules()
    assert (rules.tax_rate_ppm, rules.shipping_minor, rules.currency, rules.country) == (0, 0, "EUR", "DE")
    assert rules.is_open
    assert check_open(None, ["default"]) == []
    admin = User.objects.get(email=ADMIN)
    assert (admin.is_superuser, admin.is_staff, admin.check_password(PASSWORD)) == (True, True, True)
    assert EmailAddress.objects.filter(user=admin, email=ADMIN, verified=True, primary=True).count() == 1
    before = [list(rows.values()) for rows in (StoreRules.objects, User.objects, AuditEntry.objects)]

    for _ in range(2):
        assert "The shop accepts orders." in setup()
        assert "already exists" in setup(admin_email=ADMIN)

    assert [list(rows.values()) for rows in (StoreRules.objects, User.objects, AuditEntry.objects)] == before


def test_command_changes_only_the_given_options(setup):
    setup(**ANSWERS, admin_email=ADMIN)
    before = StoreRules.objects.values().get()

    setup(tax_rate="8.875")

    assert StoreRules.objects.values().get() == before | {"tax_rate_ppm": 88_750}
    [entry] = AuditEntry.objects.filter(action="setting.change", actor_name="setup_shop")[:1]
    [change] = entry.data["changes"]
    assert (change["field"], change["old"], change["new"]) == ("tax_rate_ppm", "0 %", "8.875 %")


def test_command_writes_the_tables_by_place_that_orders_read(setup):
    setup(**ANSWERS | {"tax_rate": "19", "shipping": "4.90"}, country="DE", currency="EUR")

    def found() -> tuple[int, int]:
        [method] = methods_at(Place("DE"), artisan_ids=[], currency="EUR")
        return taxes_at(Place("DE")).rates[None].rate_ppm, method.tiers[0].price_minor

    assert found() == (190_000, 490)
    assert taxed_countries() == shipped_countries() == {"DE"}
    assert ShopCurrency.objects.get().code == "EUR"

    setup(countries="at,DE", tax_rate="20", cash_limit="70")
    assert found() == (200_000, 490)
    assert TaxRate.objects.count() == 2
    assert taxed_countries() == shipped_countries() == {"AT", "DE"}
    assert str(StoreRules.objects.get().cash_limit) == "70.00 EUR"

    setup(countries="all")
    assert taxed_countries() == shipped_countries() == {""}


def test_command_leaves_zones_that_staff_have_made_to_the_admin(setup):
    setup(**ANSWERS)
    shipping_zone("Islands", ("US", "HI"))

    with pytest.raises(CommandError, match="--shipping: there are several shipping zones"):
        setup(shipping="7")
    assert methods_at(Place("US"), artisan_ids=[], currency="USD")[0].tiers[0].price_minor == 0


def test_shop_opens_with_the_last_of_several_partial_runs(setup):
    for name, text in ANSWERS.items():
        assert not store_rules().is_open
        setup(**{name: text})

    assert store_rules().is_open


@pytest.mark.parametrize(
    ("option", "text"),
    [
        *(("tax_rate", text) for text in ("101", "-1", "1e1", "ten", "", "1.23456", "٣")),
        *(("shipping", text) for text in ("-1", "5.999", "1,50", "", "1e3", "9" * 30)),
        *(("currency", text) for text in ("US", "ZZZ", "", "dollars")),
        *(("country", text) for text in ("XX", "USA", "")),
        *(("support_email", text) for text in ("help", "", "a@b", "x" * 300 + "@shop.test")),
        *(("name", text) for text in ("", "x" * 61)),
        *(("countries", text) for text in ("", "UK", "US DE XX", "all US")),
        ("iban", "x" * 41),
        ("cash_limit", "-5"),
    ],
)
def test_invalid_option_is_named_and_nothing_is_changed(setup, option, text):
    with pytest.raises(CommandError, match=f"--{option.replace('_', '-')}: "):
        setup(**ANSWERS | {option: text})

    assert not StoreRules.objects.exists()


def test_changing_the_currency_requires_the_amounts_again(setup):
    setup(**ANSWERS, admin_email=ADMIN)

    with pytest.raises(CommandError, match="--shipping and --cash-limit in the new currency"):
        setup(currency="JPY")
    with pytest.raises(CommandError, match="--shipping in the new currency"):
        setup(currency="EUR")
    assert store_rules().currency == "USD"

    setup(currency="JPY", shipping="600", cash_limit="20000")
    [method] = methods_at(Place("US"), artisan_ids=[], currency="JPY")
    assert [tier.price_minor for tier in method.tiers] == [600]


@pytest.mark.parametrize("password", ["short", "password1234", "kiln-Ox9-wv", ""])
def test_weak_or_missing_password_creates_no_administrator(setup, settings, password):
    settings.SUPERUSER_PASSWORD = password

    with pytest.raises(CommandError):
        setup(**ANSWERS, admin_email=ADMIN)

    assert not User.objects.exists()


def test_existing_shopper_is_not_made_an_administrator(setup, shopper):
    with pytest.raises(CommandError, match="already exists"):
        setup(**ANSWERS, admin_email=shopper.email.upper())

    shopper.refresh_from_db()
    assert not shopper.is_superuser


def test_prompt_repeats_until_each_answer_is_valid(typed):
    basics = ("", "eur", "DE")
    required = ("nobody", "help@shop.test", "", "19", "4.90")
    rest = ["UK", "DE at", *[""] * 7]

    said = typed(*basics, *required, *rest, ADMIN)

    rules = store_rules()
    assert (rules.name, rules.currency, rules.country) == ("Artisans Alley", "EUR", "DE")
    assert (rules.tax_rate_ppm, rules.shipping_minor, rules.support_email) == (190_000, 490, "help@shop.test")
    assert "--support-email: " in said
    assert (
        "--countries: Enter the two letters of a country (ISO 3166-1), such as GB (United Kingdom)." in said
    )
    assert sorted(ShippingZoneArea.objects.values_list("country", flat=True)) == ["AT", "DE"]
    assert User.objects.get(email=ADMIN).is_superuser
    assert "The shop accepts orders." in typed(), "asked again for a question already answered"


def test_interrupted_setup_continues_where_it_stopped(typed):
    with pytest.raises(CommandError, match="Stopped"):
        typed("", "EUR", "DE", "help@shop.test")
    assert not store_rules().is_open

    typed("19", "4.90", ADMIN)

    assert store_rules().is_open


# ---- the admin ---------------------------------------------------------------------------------------------------


def rules_form(client, path: str) -> dict[str, str]:
    return page(client.get(path)).one("form", id="storerules_form").fields()


def test_superuser_creates_the_missing_row_once(browser, admin_user, staff):
    add = "/admin/orders/storerules/add/"
    assert browser(staff).get(add).status_code == 403
    client = browser(admin_user)
    sent = rules_form(client, add) | {"cash_limit": "150", "support_email": "help@shop.test"}

    assert client.post(add, sent).status_code == 302

    assert store_rules().missing_answers == ["the tax rate", "the shipping charge"]
    assert client.get(add).status_code == 403
    assert client.post(add, sent).status_code == 403


def test_every_missing_setting_is_named():
    assert StoreRules().missing_answers == ["the tax rate", "the shipping charge", "the contact address"]
    for missing, changes in {
        "the tax rate": {"tax_is_set": False},
        "the shipping charge": {"shipping_is_set": False},
        "the contact address": {"support_email": NO_CONTACT},
    }.items():
        for model in (ShippingZoneArea, TaxZoneArea):
            model.objects.all().delete()
        assert store_of(**changes).missing_answers == [missing]
    assert store_of().is_open
