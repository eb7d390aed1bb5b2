"""Card numbers: in test mode the published ones are replaced by test tokens; no number or code is passed on."""

import logging

import pytest

from artisans.core.security.card_data import holds_card_data
from payments.models import PaymentMethodInfo
from payments.providers.stripe.test_cards import TEST_CARDS
from sandbox.stripe_api.cards import BY_NAME
from tests.dump import readable_dump
from tests.problems import problem

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

PATH = "/payments/methods"
FOUNDING = {
    "payment_method": "credit_card",
    "provider": "stripe",
    "card_number": "4242424242424242",
    "card_exp_month": 12,
    "card_exp_year": 2025,
    "card_cvc": "793",
    "is_default": True,
}
REAL_LOOKING = "4111111111111111"


@pytest.fixture
def client(api, shopper, settings):
    settings.ALLOW_TEST_CARDS = True
    return api(shopper)


@pytest.fixture
def seen(caplog, stripe):
    """Everything that was logged, stored and sent to the provider."""
    caplog.set_level(logging.DEBUG)

    def everything() -> str:
        logged = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
        kept = stripe.get("requests"), stripe.get("journal")
        return f"{logged} {readable_dump()} {kept}"

    return everything


def test_founding_body_saves_the_test_card(client, seen):
    answer = client.post(PATH, FOUNDING)

    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert (made["card_brand"], made["card_last_four"], made["is_default"]) == ("visa", "4242", True)
    assert "4242424242424242" not in answer.content.decode()
    assert FOUNDING["card_cvc"] not in made.values()
    assert "4242424242424242" not in seen()
    assert "card_cvc" not in seen()


def test_each_published_number_maps_to_the_providers_test_token(client):
    """The sandbox lists the same cards from the provider's documentation, independently of our list."""
    for number, token in TEST_CARDS.items():
        assert BY_NAME[token.removeprefix("pm_card_")].number == number


def test_declined_test_card_is_declined(client):
    answer = client.post(PATH, FOUNDING | {"card_number": "4000000000000002"})

    problem(answer, 402, "method_declined")


@pytest.mark.parametrize(
    "changes",
    [
        {"card_number": REAL_LOOKING},
        {"card_number": "4242 4242 4242 4242"},
        {"card_number": 4242424242424242},
        {"card_number": "4242424242424241"},
        {"card_number": ["4242424242424242"]},
        {"card_number": {"x": "4242424242424242"}},
        {"card_number": None},
        {"card_number": ""},
        {"provider": "paypal"},
        {"provider": ["stripe"]},
        {"provider_method_id": "pm_card_visa"},
        {"note": REAL_LOOKING},
        {"is_default": REAL_LOOKING},
        {REAL_LOOKING: "x"},
        {"card_number": REAL_LOOKING, "provider": REAL_LOOKING},
    ],
)
def test_other_card_data_is_refused_without_an_echo(client, seen, changes):
    body = FOUNDING | changes

    answer = client.post(PATH, body)

    result = problem(answer, 400, "raw_card_data_not_accepted")
    del result["request_id"]  # random, so it sometimes contains any three digits
    for secret in (REAL_LOOKING, "4242424242424242", "793", "2025"):
        assert secret not in str(result)
    for secret in (REAL_LOOKING, "4242424242424242"):
        assert secret not in seen()
    assert PaymentMethodInfo.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    [
        {"provider": "stripe", "card_cvc": "793"},
        {"provider": "stripe", "cvc": "793", "provider_method_id": "pm_card_visa"},
        {"provider": "stripe", "provider_method_id": REAL_LOOKING},
        {"provider": "stripe", "provider_method_id": f"pm_{REAL_LOOKING}"},
        {"provider": "stripe", "setup_id": REAL_LOOKING},
        {"provider": "stripe", "card": {"number": "x"}},
        {"provider": "stripe", "provider_method_id": "pm_card_visa", "x": [{"y": REAL_LOOKING}]},
    ],
)
def test_card_data_under_other_names_is_refused(client, seen, body):
    answer = client.post(PATH, body)

    problem(answer, 400, "raw_card_data_not_accepted")
    assert REAL_LOOKING not in answer.content.decode() + seen()


@pytest.mark.parametrize(
    "mode",
    [
        {"ALLOW_TEST_CARDS": False},
        {"STRIPE_SECRET_KEY": "sk_live_sandbox"},
        {"STRIPE_SECRET_KEY": "rk_test_sandbox"},
        {"STRIPE_SECRET_KEY": ""},
    ],
)
def test_published_numbers_are_refused_outside_test_mode(client, settings, seen, mode):
    for name, value in mode.items():
        setattr(settings, name, value)

    answer = client.post(PATH, FOUNDING)

    problem(answer, 400, "raw_card_data_not_accepted")
    assert "4242424242424242" not in answer.content.decode() + seen()


@pytest.mark.parametrize(
    "text",
    [
        '{"card_number": "4111111111111111", ',
        '{"card_number": 4111111111111111e3}',
        '{"card_number": "4111111111111111", "card_number": "4111111111111111"}',
        '["4111111111111111"]',
        '"4111111111111111"',
        "4111111111111111",
    ],
)
def test_body_that_is_not_an_object_is_not_quoted(client, seen, text):
    answer = client.generic("POST", PATH, text, content_type="application/json")

    assert answer.status_code == 400
    assert REAL_LOOKING not in answer.content.decode() + seen()


def test_changing_a_method_quotes_no_card_number(client, seen):
    made = client.post(PATH, FOUNDING).json()

    answer = client.put(f"{PATH}/{made['id']}", {"is_default": True, REAL_LOOKING: "x"})

    problem(answer, 400, "raw_card_data_not_accepted")
    assert REAL_LOOKING not in answer.content.decode() + seen()


def test_confirming_with_a_card_number_is_refused_and_nothing_is_sent(client, seen, bowl):
    order = client.post(
        "/orders/",
        {
            "shipping_address": "123 Test St, Test City, TC 12345",
            "order_items": [{"product_id": str(bowl.pk), "quantity": 1}],
            "payment_method": "credit_card",
        },
    ).json()
    body = {"payment_intent_id": order["payment"]["id"], "payment_method_id": REAL_LOOKING}

    answer = client.post("/payments/confirm", body)

    problem(answer, 400, "raw_card_data_not_accepted")
    assert REAL_LOOKING not in answer.content.decode() + seen()


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ("4111-1111-1111-1111", True),
        ("x 4111.1111.1111.1111 y", True),
        ("４１１１１１１１１１１１１１１１", True),
        ({"a": [{"b": 4111111111111111}]}, True),
        ({"CVC": ""}, True),
        ("pm_1MqLiJLkdIwHu7ixUEgbFdYF", False),
        ("seti_1Mm8s8LkdIwHu7ix0OXBfTRG", False),
        (True, False),
        (None, False),
        ({"is_default": True, "provider": "stripe"}, False),
    ],
)
def test_card_data_is_detected(value, holds):
    assert holds_card_data(value) is holds
