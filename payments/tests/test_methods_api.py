"""`/payments/methods` as a client sees it, against the sandbox."""

import re

import pytest

from payments.api import saved_methods
from payments.models import PaymentMethodInfo, ProviderCall
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

PATH = "/payments/methods"
TOKEN = {"provider": "stripe", "provider_method_id": "pm_card_visa"}


@pytest.fixture
def client(api, shopper, django_capture_on_commit_callbacks):
    """The shopper's client; also runs what follows a commit, since tests run in a transaction."""
    made = api(shopper)
    request = made.generic

    def and_commit(*args, **kwargs):
        with django_capture_on_commit_callbacks(execute=True):
            return request(*args, **kwargs)

    made.generic = and_commit
    return made


def save(client, **changes):
    answer = client.post(PATH, TOKEN | changes)
    assert answer.status_code == 201, answer.content
    return answer.json()


def listed(client):
    answer = client.get(f"{PATH}/")
    assert answer.status_code == 200
    return [(row["card_last_four"], row["is_default"]) for row in answer.json()["results"]]


def test_saved_method_shows_brand_and_last_digits_but_no_token(client):
    made = save(client, payment_method="credit_card")

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made.pop("created_at"))
    assert made == {
        "id": str(PaymentMethodInfo.objects.get().pk),
        "payment_method": "credit_card",
        "provider": "stripe",
        "card_brand": "visa",
        "card_last_four": "4242",
        "card_exp_month": 12,
        "card_exp_year": 2034,
        "account_email": "",
        "is_default": True,
        "is_expired": False,
    }


def test_list_default_and_delete(client):
    first = save(client)
    second = save(client, provider_method_id="pm_card_mastercard")
    assert listed(client) == [("4242", True), ("4444", False)]

    changed = client.put(f"{PATH}/{second['id']}", {"is_default": True})
    assert (changed.status_code, changed.json()["is_default"]) == (200, True)
    assert listed(client) == [("4444", True), ("4242", False)]
    assert client.patch(f"{PATH}/{first['id']}/", {"is_default": True}).status_code == 200

    gone = client.delete(f"{PATH}/{first['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert listed(client) == [("4444", True)]
    assert client.delete(f"{PATH}/{first['id']}").status_code == 404


def test_list_is_one_page_in_the_common_format(client):
    save(client)

    answer = client.get(PATH).json()

    assert list(answer) == ["next", "previous", "results"]
    assert (answer["next"], answer["previous"]) == (None, None)


def test_second_read_queries_no_payment_tables(client, django_assert_max_num_queries):
    save(client)
    listed(client)

    with django_assert_max_num_queries(1) as asked:
        assert listed(client) == [("4242", True)]

    assert all("accounts_authtoken" in query["sql"] for query in asked.captured_queries)


@pytest.mark.parametrize(
    "body",
    [
        {"is_default": True, "user": "x"},
        {"is_default": True, "provider_method_id": "pm_1"},
        {"is_default": True, "card_last_four": "1111"},
        {"is_active": False},
        {},
        {"is_default": "perhaps"},
    ],
)
def test_only_the_default_can_be_changed(client, body):
    made = save(client)

    assert client.put(f"{PATH}/{made['id']}", body).status_code == 400

    assert PaymentMethodInfo.objects.filter(is_default=True, card_last_four="4242", is_active=True).exists()


def test_default_is_changed_by_choosing_another(client):
    made = save(client)

    problem(client.put(f"{PATH}/{made['id']}", {"is_default": False}), 400, "default_wanted")


def test_setup_returns_the_next_action_and_is_finished_by_its_id(client, stripe):
    begun = client.post(PATH, {"provider": "stripe", "setup": True})
    assert begun.status_code == 202
    action = begun.json()["next_action"]
    assert (action["type"], action["publishable_key"]) == ("confirm_with_client_secret", "pk_test_sandbox")
    setup_id = begun.json()["setup_id"]
    finish = {"provider": "stripe", "setup_id": setup_id}
    assert client.post(PATH, finish).status_code == 202

    stripe.post("stripe/pay", setup_intent=setup_id, payment_method="pm_card_amex")

    answers = [client.post(PATH, finish) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert listed(client) == [("0005", True)]
    assert action["client_secret"] not in str(list(ProviderCall.objects.values()))


def test_setup_of_another_user_is_not_found(client, api, stranger):
    begun = client.post(PATH, {"provider": "stripe", "setup": True}).json()

    answer = api(stranger).post(PATH, {"provider": "stripe", "setup_id": begun["setup_id"]})

    problem(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "validation_error"),
        ({"provider": "stripe"}, "validation_error"),
        (TOKEN | {"setup": True}, "validation_error"),
        (TOKEN | {"user": "x"}, "validation_error"),
        (TOKEN | {"provider": "manual"}, "validation_error"),
        (TOKEN | {"payment_method": "paypal"}, "method_not_offered"),
        (TOKEN | {"payment_method": "bank_transfer"}, "validation_error"),
        ({"provider": "paypal", "setup": True}, "method_not_offered"),
        (TOKEN | {"provider_method_id": "tok_visa"}, "method_not_usable"),
        (TOKEN | {"provider_method_id": "x"}, "method_not_usable"),
        ([], "validation_error"),
        ("4242424242424242", "validation_error"),
    ],
)
def test_invalid_body_is_refused(client, body, code):
    answer = client.post(PATH, body)

    problem(answer, 400, code)
    assert PaymentMethodInfo.objects.count() == 0
    assert "4242" not in answer.content.decode()


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ("pm_card_visa_chargeDeclined", 402, "method_declined"),
        ("pm_card_authenticationRequired", 402, "method_declined"),
    ],
)
def test_card_refused_by_its_bank_is_reported(client, token, status, code):
    problem(client.post(PATH, TOKEN | {"provider_method_id": token}), status, code)


def test_unknown_outcome_is_reported_and_a_retry_continues(client, stripe):
    stripe.fault("drop_after", path="/v1/setup_intents", method="POST")

    answer = client.post(PATH, TOKEN)
    problem(answer, 503, "method_under_way")
    assert answer.json()["retryable"] is True

    assert client.post(PATH, TOKEN).status_code == 201
    assert len(stripe.journal("payment_method.attached")) == 1


def test_card_testing_by_saving_cards_is_limited(client, browser, shopper):
    declined = TOKEN | {"provider_method_id": "pm_card_visa_chargeDeclined"}
    for _ in range(10):
        problem(client.post(PATH, declined), 402, "method_declined")

    problem(client.post(PATH, TOKEN), 429, "rate_limited")
    assert browser(shopper).post("/shop/account/cards/add/").status_code == 429


def test_repeated_key_saves_once(client, stripe):
    key = {"HTTP_IDEMPOTENCY_KEY": "save-1"}

    answers = [client.post(PATH, TOKEN, **key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len(stripe.journal("payment_method.attached")) == 1


def test_retry_after_a_crash_is_answered_from_the_saved_method(client, stripe, monkeypatch, time_machine):
    key = {"HTTP_IDEMPOTENCY_KEY": "save-2"}
    with monkeypatch.context() as crash:
        crash.setattr(saved_methods, "method_out", lambda row: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            client.post(PATH, TOKEN, **key)

    answer = client.post(PATH, TOKEN, **key)

    assert (answer.status_code, answer.json()["card_last_four"]) == (201, "4242")
    assert len(stripe.journal("payment_method.attached")) == 1


def test_guests_have_no_saved_methods(api):
    for guest in (api(), api(cart="some-token"), api(order="some-token")):
        assert guest.get(PATH).status_code == 401
        assert guest.post(PATH, TOKEN).status_code == 401


def test_method_of_another_user_is_not_found(client, api, stranger):
    made = save(client)
    other = api(stranger)

    for answer in (
        other.put(f"{PATH}/{made['id']}", {"is_default": True}),
        other.delete(f"{PATH}/{made['id']}"),
    ):
        problem(answer, 404, "not_found")
    assert listed(other) == []
    assert listed(client) == [("4242", True)]
