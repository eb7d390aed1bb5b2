"""Rate limits: reported in every answer, enforced, and not avoidable by forged headers."""

import logging
import re
from collections.abc import Mapping
from itertools import count as numbers

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import RequestFactory
from django.urls import include, path
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.tests.factories import PASSWORD, UserFactory
from artisans.core.api.views import ApiView, limited
from artisans.core.errors import Conflict
from artisans.core.models import IdempotencyKey
from artisans.core.security.client_ip import client_line
from payments.models import Payment
from payments.tests.factories import start
from tests.problems import problem


class Confirm(ApiView):
    """A view as an engineer would write it; every card is declined."""

    permission_classes = (AllowAny,)

    @limited("confirms")
    def post(self, request: Request) -> Response:
        raise Conflict("The card was declined.")


urlpatterns = [path("confirm", Confirm.as_view(), name="confirm"), path("", include("artisans.urls"))]
pytestmark = [
    pytest.mark.once,
    pytest.mark.django_db,
    pytest.mark.urls(__name__),
    pytest.mark.usefixtures("store"),
]


@pytest.fixture(autouse=True)
def one_window(time_machine):
    """Windows begin at round times; a test must not run across such a boundary."""
    time_machine.move_to("2031-03-01 12:00:30+00:00", tick=False)


def limit(monkeypatch, **counts: int):
    limits = settings.RATE_LIMITS | {name: (n, 600) for name, n in counts.items()}
    monkeypatch.setattr(settings, "RATE_LIMITS", limits)


def parse_rate_limits(answer) -> dict[str, tuple[int, int, int, int]]:
    """By policy: quota, window, remaining requests, and seconds until reset."""
    policy = dict(re.findall(r'"([a-z_]+)";(q=\d+;w=\d+)(?:, |$)', answer["RateLimit-Policy"]))
    state = dict(re.findall(r'"([a-z_]+)";(r=\d+;t=\d+)(?:, |$)', answer["RateLimit"]))
    assert policy.keys() == state.keys()
    assert len(policy) == answer["RateLimit"].count('"') / 2
    return {name: tuple(map(int, re.findall(r"\d+", policy[name] + state[name]))) for name in policy}


def at(client, address: str = "192.0.2.1", forwarded: str = ""):
    client.defaults["REMOTE_ADDR"] = address
    if forwarded:
        client.defaults["HTTP_X_FORWARDED_FOR"] = forwarded
    return client


# ---- rate limit headers ----------------------------------------------------------------------------------------


def test_answer_reports_the_remaining_requests(api, shopper):
    client = api(shopper)

    answers = [client.post("/carts/", {}) for _ in range(2)]

    assert parse_rate_limits(answers[0]) == {
        "carts_network": (300, 600, 299, 570),
        "carts_principal": (60, 600, 59, 570),
    }
    assert parse_rate_limits(answers[1]) == {
        "carts_network": (300, 600, 298, 570),
        "carts_principal": (60, 600, 58, 570),
    }


@pytest.mark.parametrize(
    "address", ["/carts/", "/orders/", "/payments/intents", "/auth/register", "/auth/token"]
)
def test_refusal_reports_the_remaining_requests(api, shopper, address):
    answer = api(shopper).post(address, {"x": 1})

    problem(answer, 400, "validation_error")
    assert parse_rate_limits(answer)


def test_request_over_the_limit_is_refused_until_the_window_ends(api, shopper, monkeypatch, time_machine):
    limit(monkeypatch, carts_principal=3)
    client = api(shopper)
    assert {client.post("/carts/", {}).status_code for _ in range(3)} <= {200, 201}

    refused = client.post("/carts/", {})

    body = problem(refused, 429, "rate_limited")
    assert (body["retryable"], body["retry_after"], refused["Retry-After"]) == (True, 570, "570")
    assert parse_rate_limits(refused)["carts_principal"] == (3, 600, 0, 570)
    time_machine.shift(569)
    problem(client.post("/carts/", {}), 429)
    time_machine.shift(1)
    assert client.post("/carts/", {}).status_code == 200


def test_refused_request_changes_nothing(api, shopper, bowl, monkeypatch):
    limit(monkeypatch, checkout_principal=0)
    cart = api(shopper).post("/carts/", {"items": [{"product_id": str(bowl.pk)}]}).json()

    for address in ("/orders/", f"/carts/{cart['id']}/checkout"):
        problem(api(shopper).post(address, {}), 429)

    bowl.refresh_from_db()
    assert bowl.stock == 10


def test_route_without_a_limit_has_no_headers(api, shopper):
    for answer in (api(shopper).get("/carts/"), api(shopper).get("/orders/"), api().get("/products/")):
        assert "RateLimit" not in answer


def test_limit_inside_an_action_is_reported_when_it_refuses(api, shopper):
    for _ in range(settings.RATE_LIMITS["login_account"][0]):
        api().post("/auth/token", {"email": shopper.email, "password": "wrong"})

    refused = api().post("/auth/token", {"email": shopper.email, "password": PASSWORD})

    problem(refused, 429)
    assert parse_rate_limits(refused).keys() == {"login_network", "login_account"}
    assert parse_rate_limits(refused)["login_account"][2] == 0


def test_factor_for_load_tests_is_reported(api, shopper, settings):
    settings.RATE_LIMIT_FACTOR = 10

    assert parse_rate_limits(api(shopper).post("/carts/", {}))["carts_principal"][:3] == (600, 600, 599)


def test_unknown_limit_raises_when_the_view_is_defined():
    with pytest.raises(LookupError, match="'cofirms'"):
        limited("cofirms")


# ---- who is counted --------------------------------------------------------------------------------------------


def test_users_do_not_share_a_limit(api, shopper, stranger, monkeypatch):
    limit(monkeypatch, carts_principal=1)

    assert api(shopper).post("/carts/", {}).status_code == 201
    problem(api(shopper).post("/carts/", {}), 429)
    assert api(stranger).post("/carts/", {}).status_code == 201


def test_user_has_the_same_limit_on_every_network(api, shopper, monkeypatch):
    limit(monkeypatch, carts_principal=1)

    assert at(api(shopper), "192.0.2.1").post("/carts/", {}).status_code == 201
    problem(at(api(shopper), "198.51.100.1").post("/carts/", {}), 429)


def test_guests_without_a_token_are_counted_by_ip_address(api, monkeypatch):
    limit(monkeypatch, carts_principal=1, carts_network=2)

    for address in ("192.0.2.1", "192.0.2.2"):
        answers = [at(api(), address).post("/carts/", {}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert parse_rate_limits(answers[0]).keys() == {"carts_network"}


@pytest.mark.parametrize("header", ["HTTP_X_CART_TOKEN", "HTTP_X_ORDER_TOKEN"])
def test_made_up_tokens_do_not_avoid_the_limit(api, monkeypatch, header):
    limit(monkeypatch, confirms_network=3)
    next_numbers = numbers()

    answers = [at(api()).post("/confirm", {}, **{header: f"made.up{next(next_numbers)}"}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [409, 409, 409, 429]


@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_forged_forwarded_header_does_not_avoid_the_limit(api, monkeypatch, settings, proxies):
    """Trusted proxies append the address that they saw; anything before it was sent by the client."""
    settings.TRUSTED_PROXIES = proxies
    limit(monkeypatch, confirms_network=3)
    seen = ["203.0.113.5", "10.0.0.1"][:proxies]

    answers = [
        at(api(), "10.0.0.2" if proxies else "203.0.113.5", ", ".join([f"198.51.100.{n}", *seen])).post(
            "/confirm", {}
        )
        for n in range(4)
    ]

    assert [answer.status_code for answer in answers] == [409, 409, 409, 429]


def test_clients_behind_our_proxy_are_counted_separately(api, monkeypatch, settings):
    settings.TRUSTED_PROXIES = 1
    limit(monkeypatch, confirms_network=1)

    for client in ("203.0.113.5", "203.0.113.6"):
        answers = [at(api(), "10.0.0.2", client).post("/confirm", {}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [409, 429]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("unix:", "unix:", True),
    ],
)
def test_client_is_an_ipv4_address_or_an_ipv6_64_network(one, other, same):
    lines = [client_line(RequestFactory().get("/", REMOTE_ADDR=address)) for address in (one, other)]

    assert (lines[0] == lines[1]) == same


# ---- what it is for --------------------------------------------------------------------------------------------


def test_card_testing_is_stopped_after_ten_declined_cards(api, shopper, caplog):
    answers = [api(shopper).post("/confirm", {}) for _ in range(30)]

    assert [answer.status_code for answer in answers] == [409] * 10 + [429] * 20
    alerts = [record for record in caplog.records if record.message == "rate_limited"]
    assert [(record.levelno, record.limit) for record in alerts] == [(logging.WARNING, "confirms_principal")]


def test_card_testing_with_many_accounts_is_stopped_by_network(api):
    testers = [api(user) for user in UserFactory.create_batch(5)]

    answers = [at(tester).post("/confirm", {}) for _ in range(8) for tester in testers]

    assert [answer.status_code for answer in answers] == [409] * 30 + [429] * 10
    assert at(api(), "198.51.100.1").post("/confirm", {}).status_code == 409, "others may pay"


def test_two_hundred_intents_in_a_minute_are_too_many(api, shopper):
    payment = start(user=shopper)
    body = {"order_id": str(payment.order_id), "payment_method": payment.payment_method}
    client = api(shopper)

    answers = [client.post("/payments/intents", body) for _ in range(200)]

    assert [answer.status_code for answer in answers] == [200] * 30 + [429] * 170
    assert Payment.objects.count() == 1


def test_password_guessing_is_stopped_without_affecting_others(api, shopper, stranger):
    """First for one account, then across many; the forwarded addresses are forged."""
    for number in range(100):
        guesser = at(api(), "192.0.2.1", f"198.51.100.{number}")
        last = guesser.post("/auth/token", {"email": shopper.email, "password": f"guess-{number}"})
    problem(last, 429)
    spread = [
        at(api(), "192.0.2.66").post("/auth/token", {"email": f"{n}@example.test", "password": "x"})
        for n in range(40)
    ]
    assert [answer.status_code for answer in spread] == [400] * 30 + [429] * 10

    for user in (shopper, stranger):
        right = {"email": user.email, "password": PASSWORD}
        assert at(api(), "203.0.113.9").post("/auth/token", right).status_code == 200


# ---- together with keys ----------------------------------------------------------------------------------------


def test_replays_count_and_the_refusal_is_not_stored(api, shopper, monkeypatch, time_machine):
    limit(monkeypatch, carts_principal=2)
    client = api(shopper)

    def send(key: str):
        return client.post("/carts/", {}, HTTP_IDEMPOTENCY_KEY=key)

    first, again = send("one"), send("one")
    refused = [send("one"), send("two")]

    assert parse_rate_limits(first)["carts_principal"][2] == 1
    assert parse_rate_limits(again)["carts_principal"][2] == 0, "a replay reports the current limit"
    for answer in refused:
        problem(answer, 429)
    assert [row.key for row in IdempotencyKey.objects.all()] == ["one"]
    time_machine.shift(600)
    assert send("one").content == first.content
    assert send("two").status_code == 200


def test_lost_counter_stops_nobody(api, shopper, monkeypatch):
    def gone(key, *rest):
        raise ValueError(key)

    monkeypatch.setattr(cache, "incr", gone)

    assert {api(shopper).post("/confirm", {}).status_code for _ in range(12)} == {409}


def test_cache_keys_contain_no_personal_data(api, shopper, monkeypatch):
    kept: Mapping[str, object] = {}
    monkeypatch.setattr(cache, "add", lambda key, *rest: kept.update({key: rest}) or True)

    api(shopper).post("/confirm", {})

    assert len(kept) == 2
    named = {part for key in kept for part in key.split(":")}
    assert not named & {str(shopper.pk), shopper.email, "127.0.0.1"}
