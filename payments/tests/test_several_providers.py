"""A provider is a folder and a line in the registry: the toy provider is registered and used everywhere.

Also routing between providers, the form of idempotency keys, and removed providers.
"""

import hashlib
import hmac
import json
import re
from datetime import date, timedelta
from uuid import UUID

import pytest
from django.conf import settings as configured_settings
from django.utils import timezone

from artisans.core.admin.pages import admin_page_url
from artisans.core.money import Money
from artisans.regions.models import ExchangeRate, RateSheet
from payments.bookkeeping.provider_calls import is_too_old
from payments.errors import MethodNotOffered
from payments.gateway import connection
from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.offer import choose_provider, method_choices, unavailable_reason
from payments.lifecycle.saved_methods import payment_pay
from payments.methods import PaymentMethod
from payments.models import Operation, Payment, PaymentMethodInfo, ProviderCall, ReconciliationRun
from payments.providers import registry
from payments.providers.contract import Capture, RemoteStatus, Unknown
from payments.providers.paypal.money import to_paypal
from payments.providers.stripe.money import to_stripe
from payments.reconciliation.runs import reconcile
from payments.tasks import reconcile_task
from payments.tests import toy_provider
from payments.tests.factories import reread, start, usd
from payments.tests.periodic import process_due
from payments.tests.toy_provider import ToyBank
from tests.checkout_client import CheckoutClient
from tests.html import page

CARD = PaymentMethod.CREDIT_CARD
SECRET = "a secret of the toy bank"
ROOT = configured_settings.BASE_DIR


@pytest.fixture
def bank(monkeypatch, settings):
    """The shop with the toy bank as its only provider of card payments."""
    bank = ToyBank()
    monkeypatch.setattr(toy_provider, "BANK", bank)
    monkeypatch.setattr(registry, "PROVIDERS", (*registry.PROVIDERS, toy_provider.FACTS))  # the registry line
    settings.TOY_SECRET = SECRET
    settings.PAYMENT_ROUTES = "credit_card=toy"
    connection.configured.cache_clear()
    yield bank
    connection.configured.cache_clear()


@pytest.fixture
def toy(bank, store, shopper, bowl):
    """A card payment that is waiting at the toy bank."""
    payment = start(CARD, {bowl: 1}, user=shopper)
    payment_ensure_at_provider(payment)
    return reread(payment)


def approve(bank: ToyBank, payment: Payment) -> None:
    bank.change(Payment.objects.get(pk=payment.pk).provider_payment_id, status=RemoteStatus.APPROVED)


def pay(bank: ToyBank, payment: Payment) -> Payment:
    approve(bank, payment)
    payment_sync(payment.pk, cause="test")
    return reread(payment)


# ---- purchases ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_purchase_on_pages(bank, store, browser, bowl):
    walk = CheckoutClient(browser())
    form = walk.fill_checkout("credit_card", bowl)

    there = walk.press(form)

    payment = Payment.objects.get()
    assert (payment.payment_provider, there.status_code) == ("toy", 303)
    assert there["Location"] == f"https://toy.test/{payment.provider_payment_id}"
    order_page = walk.get("payments:order", payment.order.access_token)
    assert "Toy Bank" in page(order_page).text
    assert "https://toy.test" in order_page["Content-Security-Policy"]

    approve(bank, payment)
    back = walk.client.get(f"/shop/orders/{payment.order.access_token}/return/", follow=True)

    assert reread(payment).status == "COMPLETED"
    assert "Thank you" in page(back).one("h1").text


@pytest.mark.django_db
def test_changed_method_is_reported_only_if_nothing_was_charged(toy, bank, browser, subtests):
    client, order, object_id = browser(), toy.order, toy.provider_payment_id
    address = f"/shop/orders/{order.access_token}/return/?token={object_id}"
    payment_choose_method(order_id=order.pk, method=PaymentMethod.BANK_TRANSFER, actor=None)
    captures = (Capture("take_1", toy.amount),)
    cases = [
        ({"status": RemoteStatus.CANCELLED}, True),
        ({"status": RemoteStatus.APPROVED}, True),
        ({"status": RemoteStatus.OPEN}, False),
        ({"status": RemoteStatus.PROCESSING}, False),
        ({"status": RemoteStatus.UNKNOWN}, False),
        ({"status": RemoteStatus.SUCCEEDED, "captures": captures}, False),
        ({"status": RemoteStatus.CANCELLED, "captures": ()}, False),  # its money is booked by now
    ]
    for remote, is_said in cases:
        bank.change(object_id, **remote)
        with subtests.test(**remote):
            shown = page(client.get(address, follow=True)).text
            assert (
                "The payment method of this order was changed. This attempt was not charged." in shown
            ) == is_said
    assert "not charged" not in page(client.get(address.replace(object_id, "toy_9"), follow=True)).text
    assert (reread(toy).status, toy.received) == ("COMPLETED", toy.amount)


@pytest.mark.django_db
def test_forms_may_redirect_only_to_providers_that_have_their_keys(bank, store, browser, bowl, settings):
    walk = CheckoutClient(browser())
    walk.fill_checkout("bank_transfer", bowl)

    policies = []
    for secret in (SECRET, ""):
        settings.TOY_SECRET = secret
        connection.configured.cache_clear()
        policies.append(walk.get("carts:checkout_check")["Content-Security-Policy"])

    assert ["https://toy.test" in policy for policy in policies] == [True, False]
    assert "paypal" not in policies[0]


@pytest.mark.django_db
@pytest.mark.parametrize("named", [{}, {"payment_provider": "toy"}])
def test_purchase_by_api(bank, store, shopper, api, bowl, named):
    order = start(PaymentMethod.BANK_TRANSFER, {bowl: 1}, user=shopper).order
    client = api(shopper)

    made = client.post(
        "/payments/intents", {"order_id": str(order.pk), "payment_method": "credit_card"} | named
    ).json()

    assert (made["payment_provider"], made["next_action"]["type"]) == ("toy", "redirect")
    assert made["next_action"]["url"] == f"https://toy.test/{made['provider_payment_id']}"
    approve(bank, Payment.objects.get(pk=made["id"]))
    confirmed = client.post("/payments/confirm", {"payment_intent_id": made["provider_payment_id"]})
    assert confirmed.json()["status"] == "COMPLETED"
    assert [row["id"] for row in client.get("/payments/?payment_provider=toy").json()["results"]] == [
        made["id"]
    ]


@pytest.mark.django_db
def test_payment_by_webhook(bank, toy, client):
    approve(bank, toy)
    event = {"event_id": "e1", "kind": "approved", "object_id": toy.provider_payment_id, "status": "approved"}
    body = json.dumps(event).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()

    def post(signed: str) -> int:
        return client.post(
            "/payments/webhooks/toy", body, content_type="application/json", headers={"Toy-Signature": signed}
        ).status_code

    assert (post("forged"), post(signature)) == (400, 200)
    process_due()

    assert reread(toy).status == "COMPLETED"
    assert client.post("/payments/webhooks/nobody").status_code == 404


@pytest.mark.django_db
def test_refund(bank, toy, api, staff):
    pay(bank, toy)

    answer = api(staff).post(
        "/payments/refunds", {"payment_id": str(toy.pk), "amount": "10.00", "reason": "Chipped"}
    )

    assert (answer.status_code, answer.json()["status"]) == (201, "COMPLETED")
    assert [refund.amount for one in bank.payments.values() for refund in one.refunds] == [usd("10.00")]
    assert reread(toy).status == "PARTIALLY_REFUNDED"


@pytest.mark.django_db
def test_reconciliation(bank, toy):
    taken = (Capture("take_1", toy.amount),)
    bank.change(toy.provider_payment_id, status=RemoteStatus.SUCCEEDED, captures=taken, action=None)

    run = reconcile("toy", since=timezone.now() - timedelta(days=1))

    assert (run.seen, run.synced_count, run.differences, run.error) == (1, 1, [], "")
    assert reread(toy).status == "COMPLETED"


@pytest.mark.django_db
def test_admin_pages(bank, toy, browser, staff):
    client = browser(staff)
    pay(bank, toy)

    listed = client.get("/admin/payments/payment/?payment_provider__exact=toy")
    shown = client.get(admin_page_url(toy, "change"), follow=True)
    others = client.get("/admin/payments/payment/?payment_provider__exact=manual")

    assert toy.payment_number in page(listed).text
    assert "Toy Bank" in page(listed).text
    assert "Toy Bank" in page(shown).text
    assert toy.payment_number not in page(others).text


# ---- routing --------------------------------------------------------------------------------------------------------


@pytest.fixture
def both(bank, card_shop, settings):
    """Cards by the first provider, or by the toy bank where the first does not fit."""
    settings.PAYMENT_ROUTES = "credit_card=toy,stripe"
    return bank


def taker(amount: str = "99.99", currency: str = "USD", **choice: str) -> str:
    found = choose_provider(CARD, amount=Money.parse(amount, currency), **choice)
    return "" if isinstance(found, MethodNotOffered) else found.name


@pytest.mark.parametrize(
    ("amount", "currency", "code", "extra"),
    [
        ("0.49", "USD", "amount_too_small", {"least": "0.50", "currency": "USD"}),
        ("10000000000.00", "USD", "amount_too_large", {"most": "9999999999.99", "currency": "USD"}),
        ("10.00", "SYP", "currency_not_taken", {"currency": "SYP"}),
        ("1.001", "KWD", "method_not_offered", {}),
    ],
)
def test_refused_amount_names_its_figure(card_shop, amount, currency, code, extra):
    refusal = choose_provider(CARD, amount=Money.parse(amount, currency))

    assert isinstance(refusal, MethodNotOffered)
    assert (refusal.code, refusal.extra) == (code, extra)


@pytest.mark.django_db
def test_converted_amount_reaches_the_least_one_of_the_settlement_currency_at_the_latest_rates(
    card_shop, settings
):
    settings.STRIPE_SETTLEMENT_CURRENCIES = "USD"
    yen = Money(83, "JPY")
    assert choose_provider(CARD, amount=yen) is not None
    assert isinstance(
        choose_provider(CARD, amount=Money(49, "JPY")), MethodNotOffered
    )  # without rates, its own

    for number, rate in enumerate((200, 150)):
        sheet = RateSheet.objects.create(
            source="manual", base="USD", valid_on=date(2026, 11, 28 + number), sha256=str(number)
        )
        for code, one in (("USD", 1), ("JPY", rate)):
            ExchangeRate.objects.create(sheet=sheet, currency=code, rate_e10=one * 10**10)

    refusal = choose_provider(CARD, amount=yen - Money(1, "JPY"))
    assert isinstance(refusal, MethodNotOffered)
    assert (refusal.code, refusal.extra) == ("amount_too_small", {"least": "83", "currency": "JPY"})
    assert not isinstance(choose_provider(CARD, amount=yen), MethodNotOffered)


def test_first_suitable_provider_of_the_route_is_used(both):
    assert taker() == "toy"
    assert taker("500.01") == "stripe", "above the limit of the toy bank"
    assert taker("0.99") == "stripe", "below it"
    assert taker(currency="EUR") == "stripe"
    assert taker(country="DE") == "stripe"
    assert taker(country="US") == "toy"
    assert taker("0.10") == "", "below both minimums"


def test_without_a_route_the_first_registered_provider_with_keys_is_used(both, settings):
    settings.PAYMENT_ROUTES = ""
    assert taker() == "stripe"

    settings.STRIPE_SECRET_KEY = ""
    assert taker() == "toy"


def test_named_provider_is_not_routed(both):
    assert taker(provider="stripe") == "stripe"
    assert taker("500.01", provider="toy") == ""


@pytest.mark.django_db
def test_total_that_no_provider_accepts_is_explained(both, store):
    def reason(amount: str, currency: str = "USD") -> str:
        total = Money.parse(amount, currency)
        return unavailable_reason(CARD, total=total, is_known_buyer=True, store=store)

    assert reason("99.99") == ""
    assert reason("0.10") == "Credit card is available from $1.00; the amount due is $0.10."
    assert (
        reason("10000000000")
        == "Credit card is available up to $500.00; the amount due is $10,000,000,000.00."
    )
    assert reason("100.00", "EUR") == ""
    [card] = [
        c for c in method_choices(total=usd("0.10"), is_known_buyer=True, store=store) if c.value == CARD
    ]
    assert not card.is_available


@pytest.mark.django_db
def test_retry_keeps_the_provider_unless_another_is_named(both, stripe, toy, settings):
    settings.PAYMENT_ROUTES = "credit_card=stripe,toy"

    again = payment_choose_method(order_id=toy.order_id, method=CARD, actor=None)
    assert (again.is_new, again.payment.pk) == (False, toy.pk)

    other = payment_choose_method(order_id=toy.order_id, method=CARD, actor=None, provider="stripe")
    assert (other.is_new, other.payment.payment_provider) == (True, "stripe")
    assert reread(toy).status == "CANCELLED"


@pytest.mark.django_db
def test_saved_method_is_charged_by_its_provider(both, stripe, toy, shopper):
    saved = PaymentMethodInfo.objects.create(
        user=shopper,
        payment_method=CARD,
        provider="stripe",
        provider_method_id="pm_card_visa",
        consented_at=timezone.now(),
    )

    result = payment_pay(toy.pk, user=shopper, method_reference=str(saved.pk))

    assert (result.payment.payment_provider, result.payment.status) == ("stripe", "COMPLETED")
    assert reread(toy).status == "CANCELLED"


@pytest.mark.parametrize(
    ("routes", "sentence"),
    [
        ("credit_card=toy; paypal = paypal ;", ""),
        ("credit=stripe", "PAYMENT_ROUTES: 'credit' is not a payment method."),
        ("credit_card=square", "PAYMENT_ROUTES: 'square' is not a registered provider."),
        ("paypal=stripe", "PAYMENT_ROUTES: stripe does not take paypal."),
        ("credit_card=", "PAYMENT_ROUTES names no provider for credit_card."),
        ("credit_card=toy;credit_card=stripe", "PAYMENT_ROUTES names credit_card twice."),
    ],
)
def test_invalid_routes_are_found_by_the_system_check(bank, settings, routes, sentence):
    settings.PAYMENT_ROUTES = routes

    assert list(registry.find_route_errors()) == [sentence] * bool(sentence)


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD", "HUF", "TWD", "ISK", "MGA", "EUR", "XYZ"])
@pytest.mark.parametrize(
    ("name", "method", "convert"), [("stripe", "credit_card", to_stripe), ("paypal", "paypal", to_paypal)]
)
def test_amounts_within_the_limits_can_be_sent(name, method, convert, currency):
    limits = registry.limits_of(registry.find_facts(name), method, currency)

    if limits is not None:
        for minor in (limits.least, limits.least + limits.step, limits.least + 7 * limits.step):
            convert(Money(minor, currency))
        assert limits.least % limits.step == 0
        assert limits.least <= limits.most


# ---- keys -----------------------------------------------------------------------------------------------------------


def test_keys_fit_every_provider_and_are_stable_and_unique(bank):
    for facts in registry.PROVIDERS:
        calls = [
            ProviderCall(pk=UUID(int=number), provider=facts.name, operation=operation)
            for operation in Operation
            for number in (1, 2, 2**127)
        ]
        keys = [call.key for call in calls]
        assert len(set(keys)) == len(keys)
        assert keys == [call.key for call in calls]
        for key in keys:
            assert len(key) <= facts.keys.longest
            assert facts.keys.alphabet.issuperset(key)


@pytest.mark.parametrize(
    ("provider", "operation", "hours", "expected"),
    [
        ("stripe", Operation.CONFIRM, 22, False),
        ("stripe", Operation.CONFIRM, 24, True),
        ("paypal", Operation.CONFIRM, 4, False),
        ("paypal", Operation.CONFIRM, 6, True),
        ("paypal", Operation.SAVE, 2, False),
        ("paypal", Operation.SAVE, 3, True),
        ("gone", Operation.CONFIRM, 0, True),
    ],
)
def test_keys_are_reused_only_as_long_as_the_provider_stores_them(provider, operation, hours, expected):
    created = timezone.now() - timedelta(hours=hours, seconds=1)

    assert is_too_old(ProviderCall(provider=provider, operation=operation, created_at=created)) == expected


# ---- a removed provider ---------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_payment_of_a_removed_provider_stays_readable(bank, toy, monkeypatch, api, shopper, browser, staff):
    without = tuple(facts for facts in registry.PROVIDERS if facts.name != "toy")
    monkeypatch.setattr(registry, "PROVIDERS", without)
    connection.configured.cache_clear()

    with pytest.raises(Unknown, match="not_configured"):
        payment_sync(toy.pk, cause="test")

    assert toy.flags.filter(resolved_at=None, kind="stuck").count() == 1
    assert api(shopper).get(f"/payments/{toy.pk}").json()["payment_provider"] == "toy"
    assert browser(staff).get(admin_page_url(toy, "change"), follow=True).status_code == 200
    assert browser().get(f"/shop/orders/{toy.order.access_token}/").status_code == 200


@pytest.mark.django_db
def test_nightly_reconciliation_lists_payments_of_removed_providers(bank, toy, monkeypatch):
    without = tuple(facts for facts in registry.PROVIDERS if facts.name != "toy")
    monkeypatch.setattr(registry, "PROVIDERS", without)
    connection.configured.cache_clear()

    reconcile_task()

    [run] = ReconciliationRun.objects.all()
    assert (run.provider, [row["payment"] for row in run.differences]) == ("toy", [str(toy.pk)])
    assert run.differences[0]["kind"] == "unregistered"


# ---- names ----------------------------------------------------------------------------------------------------------

MAY_NAME = re.compile(
    r"payments/providers/(registry\.py|{names}/)|payments/methods\.py|artisans/settings\.py|artisans/site/(demo|docs)"
    r"|templates/(payments/providers/{names}/|docs/|demo/)|static/js/providers/{names}|/tests/|/migrations/"
    r"|/catalog/demo/|carts/management/demo_year".replace(
        "{names}", "(" + "|".join(facts.name for facts in registry.PROVIDERS) + ")"
    )
)


def test_providers_are_not_named_outside_their_folders():
    name = re.compile("|".join(facts.name for facts in registry.remote_providers()), re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in ("artisans", "carts", "orders", "payments", "templates", "static")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".html", ".txt", ".js", ".css", ".json"}
        and not MAY_NAME.search(str(path.relative_to(ROOT)))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if name.search(line)
    ]

    assert found == []


def test_provider_with_an_invalid_variable_is_disabled_and_others_are_not(
    stripe, store, shopper, settings, browser
):
    settings.PAYPAL_CLIENT_ID = settings.PAYPAL_CLIENT_SECRET = "sandbox"
    settings.PAYPAL_VERIFY_BY_CALL = "maybe"
    payment = start(CARD, user=shopper)

    shown = browser(shopper).get(f"/shop/orders/{payment.order.access_token}/pay/")

    assert shown.status_code == 200
    assert CARD in connection.offered_methods()
    assert PaymentMethod.PAYPAL not in connection.offered_methods()
    with pytest.raises(Unknown, match="not_configured"):
        connection.execute("paypal", lambda provider: provider.read("5O190127TN364715T"))
