"""Saved cards at Stripe: setup with the buyer, by token, listing and detaching."""

import pytest

from payments.providers.contract import ActionKind, DeclineGroup, ObjectNotFound, Refused
from payments.tests.stripe_helpers import build_confirm_request, build_create_request, build_save_request


def test_saving_starts_with_a_customer_and_a_client_secret(adapter, sandbox):
    setup = adapter.save_start(build_save_request())

    assert (setup.is_done, setup.method) == (False, None)
    assert setup.action.kind is ActionKind.CONFIRM
    assert setup.action.client_secret.startswith(setup.setup_id + "_secret_")
    customer = sandbox.journal("customer.created")[0]
    assert (customer["id"], customer["metadata"]) == (setup.customer_id, {"user_id": "user-1"})
    assert adapter.save_start(build_save_request()) == setup


def test_saving_is_done_when_the_buyer_entered_a_card(adapter, sandbox):
    setup = adapter.save_start(build_save_request())
    sandbox.post("stripe/pay", setup_intent=setup.setup_id, payment_method="pm_card_amex")

    done = adapter.save_read(setup.setup_id)

    assert (done.is_done, done.action, done.customer_id) == (True, None, setup.customer_id)
    assert (done.method.brand, done.method.last_four) == ("amex", "0005")
    assert adapter.saved_methods(setup.customer_id) == [done.method]
    assert adapter.save_start(build_save_request()) == done


def test_saving_uses_the_existing_customer(adapter, sandbox):
    customer = adapter.save_start(build_save_request("first")).customer_id

    assert adapter.save_start(build_save_request("second", customer)).customer_id == customer
    assert len(sandbox.journal("customer.created")) == 1


def test_failed_saving_can_be_continued(adapter, sandbox):
    setup = adapter.save_start(build_save_request())
    sandbox.post("stripe/pay", setup_intent=setup.setup_id, payment_method="pm_card_visa_chargeDeclined")

    now = adapter.save_read(setup.setup_id)

    assert (now.is_done, now.action.client_secret) == (False, setup.action.client_secret)


@pytest.mark.parametrize(
    ("card", "funding", "last_four"),
    [("visa", "credit", "4242"), ("visa_debit", "debit", "5556"), ("mastercard_prepaid", "prepaid", "5100")],
)
def test_token_is_saved_as_a_card_of_the_customer(adapter, card, funding, last_four):
    method = adapter.save_token(build_save_request(), f"pm_card_{card}")

    assert (method.funding, method.last_four) == (funding, last_four)
    assert method.customer_id.startswith("cus_")
    assert adapter.saved_methods(method.customer_id) == [method]
    assert adapter.save_token(build_save_request(), f"pm_card_{card}") == method


def test_saved_token_can_pay(adapter):
    method = adapter.save_token(build_save_request(), "pm_card_visa")
    made = adapter.create(build_create_request(customer_id=method.customer_id))

    assert adapter.confirm(build_confirm_request(made, method.method_id)).captures


def test_saved_card_may_be_saved_again(adapter):
    method = adapter.save_token(build_save_request(), "pm_card_visa")

    assert adapter.save_token(build_save_request("save-2", method.customer_id), method.method_id) == method


def test_customer_is_created_once_per_user_even_after_a_refusal(adapter, sandbox):
    with pytest.raises(Refused):
        adapter.save_token(build_save_request("declined"), "pm_card_visa_chargeDeclined")
    first = adapter.save_start(build_save_request("first")).customer_id
    second = adapter.save_token(build_save_request("second"), "pm_card_visa").customer_id
    other = adapter.save_start(build_save_request("other", user="user-2")).customer_id

    assert first == second != other
    assert len(sandbox.journal("customer.created")) == 2


def test_card_of_another_customer_is_refused_before_anything_happens(adapter, sandbox):
    theirs = adapter.save_token(build_save_request("theirs", user="user-2"), "pm_card_visa")
    ours = adapter.save_start(build_save_request("ours")).customer_id
    setups = len(sandbox.journal("setup.created"))

    for customer_id in (ours, ""):
        with pytest.raises(Refused, match="method_of_another_customer"):
            adapter.save_token(build_save_request("steal", customer_id), theirs.method_id)

    assert len(sandbox.journal("setup.created")) == setups
    assert adapter.saved_methods(ours) == []


@pytest.mark.parametrize(
    "token", ["4242424242424242", "tok_visa", "pm_", "", "pm_1/../x", "pm_1 ", "card_1", "pm_é"]
)
def test_invalid_payment_method_is_refused_without_a_call_or_an_echo(adapter, sandbox, token):
    with pytest.raises(Refused, match="token_invalid") as seen:
        adapter.save_token(build_save_request(), token)

    assert len(token) < 4 or token not in str(seen.value)
    assert sandbox.get("requests")["rows"] == []


def test_unknown_payment_method_is_refused(adapter):
    with pytest.raises(Refused, match="resource_missing"):
        adapter.save_token(build_save_request(), "pm_no")


@pytest.mark.parametrize(
    ("card", "group"),
    [
        ("visa_chargeDeclinedStolenCard", DeclineGroup.DECLINED),
        ("chargeDeclinedExpiredCard", DeclineGroup.EXPIRED),
        ("authenticationRequired", DeclineGroup.AUTHENTICATION),
    ],
)
def test_token_that_the_bank_refuses_to_save_is_refused(adapter, sandbox, card, group):
    with pytest.raises(Refused) as seen:
        adapter.save_token(build_save_request(), f"pm_card_{card}")

    assert seen.value.decline is group
    assert sandbox.journal("payment_method.attached") == []


def test_detaching_a_card_twice_is_not_an_error(adapter, sandbox):
    method = adapter.save_token(build_save_request(), "pm_card_visa")

    adapter.detach(method.method_id, key="detach-1")
    adapter.detach(method.method_id, key="detach-2")
    adapter.detach("pm_no", key="detach-3")
    adapter.detach("nonsense", key="detach-4")

    assert adapter.saved_methods(method.customer_id) == []
    assert len(sandbox.journal("payment_method.detached")) == 1


@pytest.mark.parametrize("customer_id", ["", "cus_no"])
def test_unknown_customer_has_no_cards(adapter, customer_id):
    assert adapter.saved_methods(customer_id) == []


def test_unknown_setup_is_not_found(adapter):
    with pytest.raises(ObjectNotFound):
        adapter.save_read("seti_no")
