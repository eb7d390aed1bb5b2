"""Paying with a saved card, with a token from the browser, or checking whether the buyer paid in the browser."""

import pytest

from artisans.core.errors import NotFound
from payments.errors import MethodRemoved, NotConfirmable, PaymentDeclined
from payments.gateway.payments import payment_ensure_at_provider, payment_replace_at_provider
from payments.lifecycle import saved_methods
from payments.lifecycle.saved_methods import (
    method_remove,
    method_save,
    method_setup_finish,
    method_setup_start,
    payment_pay,
)
from payments.methods import PaymentMethod
from payments.models import Operation, PaymentMethodInfo, ProviderCustomer, WebhookEvent
from payments.tests.factories import reread, start
from payments.webhooks.inbox import webhook_process
from sandbox.tests.client import client
from tests.dump import raw_dump
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

CARD = PaymentMethod.CREDIT_CARD


VISA = "pm_card_visa"


def card(user, token=VISA):
    return method_save(user=user, provider="stripe", token=token)


@pytest.fixture
def saved(shopper, stripe):
    return card(shopper)


@pytest.fixture
def payment(shopper, stripe):
    """Created before the buyer is a customer at the provider when used before `saved`."""
    made = start(CARD, user=shopper)
    payment_ensure_at_provider(made)
    return reread(made)


def confirm(api, user, payment, **body):
    return api(user).post("/payments/confirm", {"payment_intent_id": payment.provider_payment_id, **body})


def paid_for(stripe):
    """Which customer each captured charge belongs to."""
    intents = [row["payment_intent"] for row in stripe.journal("charge.captured")]
    return [client(stripe.url).v1.payment_intents.retrieve(each).customer for each in intents]


# ---- with a saved card ---------------------------------------------------------------------------------------------


def test_saved_card_pays_an_intent_of_its_customer(saved, payment, api, shopper, stripe):
    answer = confirm(api, shopper, payment, payment_method_id=str(saved.pk))

    assert (answer.status_code, answer.json()["status"]) == (200, "COMPLETED")
    assert (stripe.captured(), stripe.made()) == ([9999], 1)
    assert paid_for(stripe) == [ProviderCustomer.objects.get().customer_id]


def test_intent_without_a_customer_is_replaced_before_the_saved_card_pays(
    payment, saved, api, shopper, stripe
):
    first = payment.provider_payment_id

    answer = confirm(api, shopper, payment, payment_method_id=str(saved.pk))

    assert (answer.status_code, answer.json()["status"]) == (200, "COMPLETED")
    assert answer.json()["provider_payment_id"] != first
    assert [row["id"] for row in stripe.journal("intent.canceled")] == [first]
    assert (stripe.captured(), stripe.made()) == ([9999], 2)
    assert paid_for(stripe) == [ProviderCustomer.objects.get().customer_id]


def test_confirming_again_with_the_replaced_id_gets_the_same_answer(payment, saved, api, shopper, stripe):
    answers = [confirm(api, shopper, payment, payment_method_id=str(saved.pk)) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert stripe.captured() == [9999]


def test_saved_card_can_be_given_by_its_token(saved, payment, api, shopper, stripe):
    answer = confirm(api, shopper, payment, payment_method_id=saved.provider_method_id)

    assert (answer.json()["status"], stripe.captured()) == ("COMPLETED", [9999])


def test_database_dump_contains_no_id_of_a_saved_used_and_removed_card(
    saved, payment, api, shopper, stripe, deliver
):
    body = {"payment_intent_id": payment.provider_payment_id, "payment_method_id": saved.provider_method_id}
    answer = api(shopper).post("/payments/confirm", body, HTTP_IDEMPOTENCY_KEY="pay-1")
    assert answer.json()["status"] == "COMPLETED"
    assert saved.provider_method_id not in answer.content.decode()
    stripe.post("stripe/event", type="payment_method.detached", id=saved.provider_method_id)
    assert set(deliver(*stripe.events())) == {200}
    for event in WebhookEvent.objects.all():
        webhook_process(event.pk)
    method_remove(user=shopper, method_id=saved.pk)

    lines = [line for line in raw_dump().splitlines() if saved.provider_method_id in line]

    assert not lines
    assert PaymentMethodInfo.objects.get().provider_method_id == saved.provider_method_id


def test_saved_card_pays_after_the_hosted_page_was_opened(saved, payment, shopper, stripe):
    payment_replace_at_provider(payment.pk, Operation.HOSTED)

    result = payment_pay(payment.pk, user=shopper, method_reference=str(saved.pk))

    assert (result.payment.status, stripe.captured()) == ("COMPLETED", [9999])
    assert len(stripe.journal("session.expired")) == 1


def test_saved_card_whose_bank_asks_first_waits_for_the_buyer(payment, api, shopper, stripe):
    always = stripe_saved(shopper, stripe, "pm_card_authenticationRequired")

    answer = confirm(api, shopper, payment, payment_method_id=str(always.pk))

    assert (answer.json()["status"], answer.json()["next_action"]["type"]) == ("PENDING", "redirect")
    assert stripe.captured() == []
    stripe.authenticate(reread(payment))
    assert confirm(api, shopper, payment).json()["status"] == "COMPLETED"


def stripe_saved(user, stripe, token):
    """A card that its owner saved after 3-D Secure."""
    setup = method_setup_start(user=user, provider="stripe")
    stripe.post("stripe/pay", setup_intent=setup.setup_id, payment_method=token)
    stripe.post("stripe/authenticate", setup_intent=setup.setup_id, passed=True)
    return method_setup_finish(setup.setup_id).method


def test_declined_saved_card_is_reported_and_another_one_pays(payment, shopper, stripe):
    bad, good = card(shopper, "pm_card_chargeCustomerFail"), card(shopper)

    with pytest.raises(PaymentDeclined, match="bank declined"):
        payment_pay(payment.pk, user=shopper, method_reference=str(bad.pk))
    result = payment_pay(payment.pk, user=shopper, method_reference=str(good.pk))

    assert (result.payment.status, stripe.captured(), stripe.made()) == ("COMPLETED", [9999], 2)


def test_card_missing_at_the_provider_is_removed_with_an_explanation(saved, payment, api, shopper, stripe):
    other = card(shopper, "pm_card_mastercard")
    client(stripe.url).v1.payment_methods.detach(saved.provider_method_id)

    answer = confirm(api, shopper, payment, payment_method_id=str(saved.pk))

    problem(answer, 409, "method_gone")
    assert "Nothing was charged" in answer.json()["detail"]
    assert [m.pk for m in PaymentMethodInfo.objects.filter(is_active=True, is_default=True)] == [other.pk]
    assert (reread(payment).status, stripe.captured()) == ("PENDING", [])


def test_removed_card_cannot_pay(saved, payment, shopper, stripe):
    method_remove(user=shopper, method_id=saved.pk)

    for name in (str(saved.pk), saved.provider_method_id):
        with pytest.raises(NotFound):
            payment_pay(payment.pk, user=shopper, method_reference=name)

    assert (reread(payment).status, stripe.captured()) == ("PENDING", [])


def test_card_of_another_user_is_not_found_by_id_or_token(payment, api, shopper, stranger, stripe):
    theirs = card(stranger)

    for name in (str(theirs.pk), theirs.provider_method_id):
        problem(confirm(api, shopper, payment, payment_method_id=name), 404, "not_found")
    assert (reread(payment).status, stripe.captured()) == ("PENDING", [])


def test_unknown_outcome_with_a_saved_card_is_processing_and_charged_once(
    saved, payment, api, shopper, stripe
):
    stripe.fault("drop_after", path="/v1/payment_intents/*/confirm", method="POST")

    answer = confirm(api, shopper, payment, payment_method_id=str(saved.pk))
    assert (answer.status_code, answer.json()["status"]) == (200, "PROCESSING")

    assert confirm(api, shopper, payment).json()["status"] == "COMPLETED"
    assert stripe.captured() == [9999]


# ---- with a token, or without --------------------------------------------------------------------------------------


def test_founding_body_confirms_with_a_token_and_is_idempotent(payment, api, shopper, stripe):
    answers = [confirm(api, shopper, payment, payment_method_id="pm_card_visa") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["status"] == "COMPLETED"
    assert stripe.captured() == [9999]


def test_guest_confirms_with_a_token_from_the_browser(api, stripe):
    payment = start(CARD)
    payment_ensure_at_provider(payment)
    guest = api(order=reread(payment).order.access_token)
    token = stripe.browser("POST", "/v1/payment_methods", **TYPED)[1]["id"]
    body = {"payment_intent_id": str(payment.pk), "payment_method_id": token}

    assert guest.post("/payments/confirm", body).json()["status"] == "COMPLETED"
    assert stripe.captured() == [9999]


TYPED = {
    "type": "card",
    "card[number]": "4242424242424242",
    "card[exp_month]": "12",
    "card[exp_year]": "2034",
}


def test_confirming_without_a_method_reads_the_browsers_payment(payment, api, shopper, stripe):
    waiting = confirm(api, shopper, payment).json()
    assert (waiting["status"], waiting["next_action"]["type"]) == ("PENDING", "confirm_with_client_secret")

    stripe.pay(payment)

    assert confirm(api, shopper, payment).json()["status"] == "COMPLETED"
    assert [row["actor"] for row in stripe.journal("charge.captured")] == ["browser"]


def test_confirming_during_an_outage_reports_no_outcome(payment, api, shopper, stripe):
    stripe.fault("drop_before", path="/v1/payment_intents/*", method="GET")

    problem(confirm(api, shopper, payment), 503, "provider_unavailable")

    assert reread(payment).status == "PENDING"


@pytest.mark.parametrize("token", ["pm_unknown123", "no token"])
def test_unknown_token_is_refused_with_an_explanation(payment, api, shopper, stripe, token):
    problem(confirm(api, shopper, payment, payment_method_id=token), 400, "method_not_usable")

    assert (reread(payment).status, stripe.captured()) == ("PENDING", [])


def test_offline_payment_cannot_be_confirmed(shopper):
    transfer = start(PaymentMethod.BANK_TRANSFER, user=shopper)

    with pytest.raises(NotConfirmable):
        payment_pay(transfer.pk, user=shopper)


def test_payment_of_another_user_is_not_found(payment, api, stranger):
    problem(confirm(api, stranger, payment, payment_method_id="pm_card_visa"), 404, "not_found")


# ---- at the same time ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("detached_first", [True, False])
def test_removing_a_card_during_its_payment_ends_paid_or_refused(
    saved, payment, shopper, stripe, monkeypatch, detached_first
):
    """The card is removed between reading it and the provider's confirmation, or just after."""
    real = saved_methods.payment_confirm

    def confirmed_late(payment_id, **arguments):
        if detached_first:
            method_remove(user=shopper, method_id=saved.pk)
        try:
            return real(payment_id, **arguments)
        finally:
            if not detached_first:
                method_remove(user=shopper, method_id=saved.pk)

    monkeypatch.setattr(saved_methods, "payment_confirm", confirmed_late)

    if detached_first:
        with pytest.raises(MethodRemoved):
            payment_pay(payment.pk, user=shopper, method_reference=str(saved.pk))
    else:
        payment_pay(payment.pk, user=shopper, method_reference=str(saved.pk))

    assert reread(payment).status == ("PENDING" if detached_first else "COMPLETED")
    assert stripe.captured() == ([] if detached_first else [9999])
    assert len(stripe.journal("payment_method.detached")) == 1
