"""Customers, saved cards and SetupIntents."""

import pytest

from sandbox.tests.client import BACK, SDK


@pytest.fixture
def customer(stripe_api):
    return stripe_api.v1.customers.create({"email": "sam@shop.test", "metadata": {"user": "7"}}).id


def save(api, customer, card="pm_card_visa"):
    intent = api.v1.setup_intents.create(
        {"customer": customer, "automatic_payment_methods": {"enabled": True}}
    )
    return api.v1.setup_intents.confirm(intent.id, {"payment_method": card, "return_url": BACK})


def methods(api, customer):
    return [row.id for row in api.v1.customers.payment_methods.list(customer).data]


def test_customers(stripe_api, customer):
    changed = stripe_api.v1.customers.update(customer, {"name": "Sam", "metadata": {"user": "", "vip": "1"}})
    assert (changed.name, changed.metadata.to_dict()) == ("Sam", {"vip": "1"})
    assert [row.id for row in stripe_api.v1.customers.list({"email": "sam@shop.test"}).data] == [customer]

    assert stripe_api.v1.customers.delete(customer).deleted
    assert stripe_api.v1.customers.retrieve(customer).deleted
    assert stripe_api.v1.customers.list().data == []


def test_a_set_up_card_is_saved_and_pays_without_the_buyer(stripe_api, sandbox, customer):
    done = save(stripe_api, customer)
    assert (done.status, methods(stripe_api, customer)) == ("succeeded", [done.payment_method])

    paid = stripe_api.v1.payment_intents.create(
        {
            "amount": 700,
            "currency": "usd",
            "customer": customer,
            "payment_method": done.payment_method,
            "off_session": True,
            "confirm": True,
            "return_url": BACK,
        }
    )

    assert paid.status == "succeeded"
    assert [row["id"] for row in sandbox.journal("setup.succeeded")] == [done.id]


def test_a_card_that_asks_only_until_it_is_set_up(stripe_api, sandbox, customer):
    asked = save(stripe_api, customer, "pm_card_authenticationRequiredOnSetup")
    assert (asked.status, methods(stripe_api, customer)) == ("requires_action", [])

    done = sandbox.post("stripe/authenticate", setup_intent=asked.id, passed=True)

    assert done["status"] == "succeeded"
    params = {"amount": 700, "currency": "usd", "customer": customer, "payment_method": asked.payment_method}
    params |= {"confirm": True, "return_url": BACK}
    assert stripe_api.v1.payment_intents.create({**params, "off_session": True}).status == "succeeded"
    assert stripe_api.v1.payment_intents.create(params).status == "requires_action"


def test_a_refused_set_up(stripe_api, sandbox, customer):
    with pytest.raises(SDK.CardError) as declined:
        save(stripe_api, customer, "pm_card_chargeDeclined")
    assert declined.value.error.setup_intent.last_setup_error.code == "card_declined"

    asked = save(stripe_api, customer, "pm_card_authenticationRequired")
    sandbox.post("stripe/authenticate", setup_intent=asked.id, passed=False)
    failed = stripe_api.v1.setup_intents.retrieve(asked.id)
    assert failed.last_setup_error.code == "setup_intent_authentication_failure"
    assert methods(stripe_api, customer) == []
    assert (
        stripe_api.v1.setup_intents.cancel(asked.id, {"cancellation_reason": "abandoned"}).status
        == "canceled"
    )


def test_attach_and_detach(stripe_api, sandbox, customer):
    card = stripe_api.v1.payment_methods.attach("pm_card_mastercard", {"customer": customer})
    assert (card.customer, card.card.brand) == (customer, "mastercard")

    assert stripe_api.v1.payment_methods.detach(card.id).customer is None

    assert methods(stripe_api, customer) == []
    for act in (
        lambda: stripe_api.v1.payment_methods.detach(card.id),
        lambda: stripe_api.v1.payment_methods.attach(card.id, {"customer": customer}),
    ):
        with pytest.raises(SDK.InvalidRequestError):
            act()
    assert len(sandbox.journal("payment_method.detached")) == 1


def test_declined_cards_cannot_be_attached_but_one_can(stripe_api, customer):
    with pytest.raises(SDK.CardError):
        stripe_api.v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": customer})

    card = stripe_api.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer})
    with pytest.raises(SDK.CardError):
        stripe_api.v1.payment_intents.create(
            {
                "amount": 700,
                "currency": "usd",
                "customer": customer,
                "payment_method": card.id,
                "confirm": True,
                "return_url": BACK,
            }
        )
    assert methods(stripe_api, customer) == [card.id]


def test_saved_card_belongs_to_one_customer(stripe_api, customer):
    card = save(stripe_api, customer).payment_method
    other = stripe_api.v1.customers.create({}).id
    params = {"amount": 700, "currency": "usd", "payment_method": card, "confirm": True, "return_url": BACK}

    for foreign in ({}, {"customer": other}):
        with pytest.raises(SDK.InvalidRequestError):
            stripe_api.v1.payment_intents.create({**params, **foreign})
    with pytest.raises(SDK.InvalidRequestError):
        stripe_api.v1.payment_methods.attach(card, {"customer": other})
    with pytest.raises(SDK.InvalidRequestError):
        stripe_api.v1.customers.payment_methods.retrieve(other, card)
    assert stripe_api.v1.customers.payment_methods.retrieve(customer, card).id == card


def test_unsaved_card_cannot_be_used_twice(stripe_api):
    params = {"amount": 700, "currency": "usd", "allowed_payment_method_types": ["card"], "confirm": True}
    used = stripe_api.v1.payment_intents.create({**params, "payment_method": "pm_card_visa"}).payment_method

    with pytest.raises(SDK.InvalidRequestError, match="may not be used again"):
        stripe_api.v1.payment_intents.create({**params, "payment_method": used})


def test_saving_while_paying(stripe_api, customer):
    paid = stripe_api.v1.payment_intents.create(
        {
            "amount": 700,
            "currency": "usd",
            "customer": customer,
            "setup_future_usage": "off_session",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "return_url": BACK,
        }
    )

    assert methods(stripe_api, customer) == [paid.payment_method]


def test_details_can_change_while_saved(stripe_api, customer):
    card = stripe_api.v1.payment_methods.attach("pm_card_visa", {"customer": customer})

    changed = stripe_api.v1.payment_methods.update(
        card.id, {"billing_details": {"name": "Sam"}, "metadata": {"a": "b"}}
    )

    assert (changed.billing_details.name, changed.metadata["a"]) == ("Sam", "b")
    assert stripe_api.v1.payment_methods.retrieve(card.id).billing_details.name == "Sam"
    listed = stripe_api.v1.payment_methods.list({"customer": customer, "type": "card"})
    assert [row.id for row in listed.data] == [card.id]
