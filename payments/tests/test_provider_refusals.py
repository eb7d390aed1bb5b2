"""What a provider refuses apart from declines: deleted customers, restricted accounts, refused credentials, invoices
that others used, objects of other applications. The shop recovers by itself or tells staff."""

import json
from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from artisans.core.errors import NotFound
from orders.models import Order
from payments.bookkeeping.provider_calls import BUYER_RETURN
from payments.bookkeeping.saved_methods import get_customer_id, get_own_method, methods_of
from payments.errors import ProviderUnavailable
from payments.gateway.access import check_provider_access
from payments.gateway.connection import note_credentials
from payments.gateway.payments import (
    payment_confirm,
    payment_ensure_at_provider,
    payment_replace_at_provider,
    payment_sync,
)
from payments.lifecycle.offer import method_choices
from payments.lifecycle.saved_methods import method_save, method_setup_finish, method_setup_start, payment_pay
from payments.methods import PaymentMethod
from payments.models import (
    EventState,
    Operation,
    PaymentMethodInfo,
    ProviderCall,
    ProviderCustomer,
    WebhookEvent,
)
from payments.providers.contract import CustomerNotFound, RemoteMethod
from payments.providers.registry import accounts_like
from payments.providers.stripe.provider import StripeProvider
from payments.reconciliation.runs import reconcile
from payments.selectors import alerts_open, providers_report
from payments.tests.factories import paid_by_card, refund, reread, start
from payments.tests.periodic import process_due
from sandbox.tests.client import client
from sandbox.tests.paypal_client import PayPal

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def get_customer(user) -> str:
    return ProviderCustomer.objects.get(user=user, provider="stripe").customer_id


@pytest.fixture
def saved(stripe, shopper):
    """A saved card, and so a customer at Stripe."""
    return method_save(user=shopper, provider="stripe", token="pm_card_visa")


@pytest.fixture
def gone(stripe, shopper, saved) -> str:
    """That customer, deleted in Stripe's dashboard; the event has not arrived."""
    customer_id = get_customer(shopper)
    stripe.post("stripe/delete_customer", customer=customer_id)
    return customer_id


@pytest.fixture
def wallet(paypal, shopper):
    payment = start(PaymentMethod.PAYPAL, user=shopper)
    payment_ensure_at_provider(payment)
    paypal.approve(payment)
    return payment


# ---- deleted customers ----------------------------------------------


def test_payment_of_a_deleted_customer_gets_a_new_one_in_the_same_request(stripe, shopper, gone):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)

    result = payment_ensure_at_provider(payment)

    assert result.action is not None
    assert get_customer(shopper) != gone
    assert not PaymentMethodInfo.objects.filter(user=shopper, is_active=True).exists()
    stripe.pay(reread(payment))
    payment_sync(payment.pk, cause="test")
    assert (reread(payment).status, stripe.captured()) == ("COMPLETED", [9999])


def test_repeat_of_a_renewed_payment_creates_nothing_twice(stripe, shopper, gone):
    stripe.fault("drop_after", path="/v1/payment_intents", skip=1)  # the second one, with the new customer
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    assert payment_ensure_at_provider(payment).action is None

    payment.calls.update(lease_until=None)
    payment_ensure_at_provider(payment)

    assert stripe.made() == 1
    assert len(stripe.journal("customer.created")) == 2


def test_hosted_page_of_a_deleted_customer(stripe, shopper, saved):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    stripe.post("stripe/delete_customer", customer=get_customer(shopper))

    result = payment_replace_at_provider(
        payment.pk, Operation.HOSTED, request={"customer_id": get_customer(shopper)}
    )

    assert result.action.url


def test_confirming_for_a_customer_deleted_since_works_at_once(stripe, shopper, saved):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    stripe.post("stripe/delete_customer", customer=get_customer(shopper))

    result = payment_confirm(payment.pk, method_id="pm_card_visa")

    assert (result.payment.status, stripe.captured()) == ("COMPLETED", [9999])
    assert not ProviderCustomer.objects.filter(user=shopper).exists()


def test_saving_a_card_for_a_deleted_customer_works_at_once(stripe, shopper, gone):
    setup = method_setup_start(user=shopper, provider="stripe")
    assert setup.action is not None
    assert get_customer(shopper) != gone


def test_event_of_a_card_whose_customer_is_gone_is_settled_at_once(
    stripe, shopper, saved, deliver, monkeypatch
):
    def refuse(self: StripeProvider, customer_id: str) -> list[RemoteMethod]:
        raise CustomerNotFound("resource_missing", "No such customer")

    monkeypatch.setattr(StripeProvider, "saved_methods", refuse)  # Stripe's adapter returns an empty list
    stripe.post("stripe/event", type="payment_method.detached", id=saved.provider_method_id)

    deliver(*stripe.events("payment_method.detached"))
    process_due()

    event = WebhookEvent.objects.get(kind="payment_method.detached")
    assert (event.state, event.tries) == (EventState.DONE, 1)
    assert not PaymentMethodInfo.objects.filter(is_active=True).exists()
    assert not ProviderCustomer.objects.filter(user=shopper).exists()


def test_setup_whose_customer_was_deleted_since_saves_nothing(stripe, shopper, deliver):
    setup = method_setup_start(user=shopper, provider="stripe")
    stripe.post("stripe/pay", setup_intent=setup.setup_id, payment_method="pm_card_visa")
    customer_id = get_customer(shopper)
    stripe.post("stripe/delete_customer", customer=customer_id)
    deliver(*stripe.events("customer.deleted"))
    process_due()

    assert method_setup_finish(setup.setup_id, user=shopper).method is None
    assert not ProviderCustomer.objects.exists()


def test_event_of_a_deleted_customer_replaces_its_open_payment(
    stripe, shopper, saved, deliver, django_capture_on_commit_callbacks
):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    former = reread(payment).provider_payment_id
    stripe.post("stripe/delete_customer", customer=get_customer(shopper))

    deliver(*stripe.events("customer.deleted"))
    process_due()

    assert WebhookEvent.objects.get(kind="customer.deleted").state == EventState.DONE
    assert not ProviderCustomer.objects.filter(user=shopper).exists()
    payment_ensure_at_provider(payment)
    assert reread(payment).provider_payment_id not in {former, None}


def test_false_event_about_a_customer_changes_nothing(stripe, shopper, saved, deliver):
    stripe.post("stripe/event", type="customer.deleted", id=get_customer(shopper))
    deliver(*stripe.events("customer.deleted"))
    assert ProviderCustomer.objects.filter(user=shopper).exists()


# ---- modes and accounts ----------------------------------------------


def test_customers_and_cards_of_the_live_mode_are_kept_and_not_used_in_test_mode(stripe, shopper, saved):
    ProviderCustomer.objects.update(account="live", customer_id="cus_live")
    PaymentMethodInfo.objects.update(account="live")
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)

    payment_ensure_at_provider(payment)
    method = method_save(user=shopper, provider="stripe", token="pm_card_mastercard")

    assert "customer_id" not in payment.calls.get().request
    by_account = dict(ProviderCustomer.objects.values_list("account", "customer_id"))
    assert by_account["live"] == "cus_live"
    assert by_account["test"].startswith("cus_")
    assert (method.account, method.is_default) == ("test", True)
    assert [row["id"] for row in methods_of(shopper)] == [str(method.pk)]
    with pytest.raises(NotFound):
        get_own_method(shopper, saved.pk)


def test_customers_stored_before_accounts_were_known_stay_in_use(stripe, shopper, saved):
    ProviderCustomer.objects.update(account="")
    PaymentMethodInfo.objects.update(account="")
    assert get_customer_id(shopper.pk, "stripe") == get_customer(shopper)
    assert [row["id"] for row in methods_of(shopper)] == [str(saved.pk)]


def test_account_of_a_provider_has_its_mode_and_id(settings):
    settings.PAYPAL_MODE, settings.PAYPAL_PAYEE = "live", "SHOP2222"
    assert accounts_like("paypal") == ("", "live", "live SHOP2222")
    settings.STRIPE_SECRET_KEY, settings.STRIPE_ACCOUNT = "sk_test_1", "acct_1"
    assert accounts_like("stripe") == ("", "test", "test acct_1")


def test_customers_of_another_account_are_kept_and_not_used(stripe, shopper, saved, settings):
    ProviderCustomer.objects.update(account="test acct_former")
    PaymentMethodInfo.objects.update(account="test acct_former")
    settings.STRIPE_ACCOUNT = "acct_present"
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)

    assert payment_ensure_at_provider(payment).action is not None
    assert "customer_id" not in payment.calls.get().request
    assert (methods_of(shopper), ProviderCustomer.objects.count()) == ([], 1)


def test_card_replaced_by_its_network_is_shown_with_its_new_details(stripe, shopper, saved, deliver):
    assert saved.card_last_four == "4242"
    [method] = client(stripe.url).v1.customers.payment_methods.list(get_customer(shopper)).data
    stripe.post("stripe/update_card", payment_method=method.id, exp_month=1, exp_year=2041, last4="4321")

    deliver(*stripe.events("payment_method.automatically_updated"))
    process_due()

    saved.refresh_from_db()
    assert (saved.card_last_four, saved.card_exp_month, saved.card_exp_year) == ("4321", 1, 2041)


# ---- refusals that are no declines ----------------------------------------------


def test_restricted_account_fails_the_payment_and_tells_staff_once(paypal, wallet):
    paypal.post("paypal/force_error", call="capture", issue="PAYEE_ACCOUNT_RESTRICTED", count=50)

    payment_sync(wallet.pk, cause="came back", approval=BUYER_RETURN)

    payment = reread(wallet)
    assert payment.status == "FAILED"
    assert payment.failure_reason.startswith("We could not take the payment.")
    [flag] = payment.flags.all()
    assert "PAYEE_ACCOUNT_RESTRICTED" in flag.detail
    for _ in range(3):
        payment_sync(wallet.pk, cause="checked by the periodic task")
    assert payment.calls.filter(operation=Operation.CONFIRM).count() == 1


def test_restricted_account_at_creation_tells_staff(paypal, shopper):
    paypal.post("paypal/force_error", call="create", issue="PAYEE_ACCOUNT_RESTRICTED")
    payment = start(PaymentMethod.PAYPAL, user=shopper)

    payment_ensure_at_provider(payment)

    assert reread(payment).status == "FAILED"
    assert "PAYEE_ACCOUNT_RESTRICTED" in payment.flags.get().detail


def test_buyer_who_must_confirm_once_more_is_sent_back(paypal, shopper):
    payment = start(PaymentMethod.PAYPAL, user=shopper)
    payment_ensure_at_provider(payment)
    paypal.approve(payment, "confirms")

    result = payment_sync(payment.pk, cause="came back", approval=BUYER_RETURN)

    assert result.payment.status == "FAILED"
    assert "/checkoutnow" in result.action.url
    paypal.approve(payment, "confirms")
    assert payment_sync(payment.pk, cause="came back", approval=BUYER_RETURN).payment.status == "COMPLETED"


# ---- invoices ----------------------------------------------


def test_invoice_used_by_another_application_gets_a_suffix(paypal, wallet):
    paypal.post("paypal/force_error", call="capture", issue="DUPLICATE_INVOICE_ID")

    payment_sync(wallet.pk, cause="came back", approval=BUYER_RETURN)

    payment = reread(wallet)
    assert (payment.status, payment.provider_payment_id) == ("FAILED", None)
    payment_ensure_at_provider(payment)
    paypal.approve(payment)
    payment_sync(payment.pk, cause="came back", approval=BUYER_RETURN)
    assert (reread(payment).status, paypal.cents("capture.completed")) == ("COMPLETED", [9999])
    first, second = [row["invoice_id"] for row in paypal.journal("order.created")]
    assert second == f"{first}-2"


def test_invoice_paid_by_our_own_earlier_object_completes_the_payment(paypal, wallet):
    earlier = reread(wallet).provider_payment_id
    payment_replace_at_provider(wallet.pk, Operation.CREATE)  # releases the order, which PayPal cannot cancel
    paypal.approve(wallet)
    PayPal(paypal.url).capture(earlier)

    payment_sync(wallet.pk, cause="came back", approval=BUYER_RETURN)

    assert (reread(wallet).status, paypal.cents("capture.completed")) == ("COMPLETED", [9999])


def test_saved_wallet_is_not_charged_beside_an_earlier_order_of_ours(paypal, shopper, wallet):
    """The order that the buyer approved first was captured, and the shop does not know it yet."""
    [token] = save_wallet(paypal, shopper)
    earlier = reread(wallet).provider_payment_id
    PayPal(paypal.url).capture(earlier)

    payment_pay(wallet.pk, user=shopper, method_reference=str(token.pk))

    assert (reread(wallet).status, paypal.cents("capture.completed")) == ("COMPLETED", [9999])


def save_wallet(paypal, shopper) -> list[PaymentMethodInfo]:
    setup = method_setup_start(user=shopper, provider="paypal")
    paypal.post("paypal/approve", setup_token=setup.setup_id)
    method_setup_finish(setup.setup_id, user=shopper)
    return list(PaymentMethodInfo.objects.filter(user=shopper, provider="paypal"))


# ---- credentials ----------------------------------------------


def offered(store) -> dict[str, str]:
    order_total = store.cash_limit
    choices = method_choices(total=order_total, is_known_buyer=True, store=store)
    return {choice.value: choice.unavailable_reason for choice in choices}


@pytest.mark.parametrize("action", ["unauthorized", "forbidden"])
def test_refused_credentials_take_the_method_off_the_offer(stripe, shopper, store, action):
    stripe.fault(action, path="/v1/payment_intents", method="POST", count=None)
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)

    payment_ensure_at_provider(payment)

    assert reread(payment).status == "FAILED"
    assert "could not start" in reread(payment).failure_reason
    assert "not available at the moment" in offered(store)["credit_card"]
    assert [(alert.provider, alert.part) for alert in alerts_open()] == [("stripe", "create")]
    assert providers_report() == "stripe: create"
    assert Client().get("/health/ready").json()["checks"]["payment_providers"] == "stripe: create"

    stripe.delete("faults")
    check_provider_access("stripe")
    assert (offered(store)["credit_card"], providers_report()) == ("", "ok")


def test_refused_refunds_do_not_take_the_method_off_the_offer(stripe, shopper, store):
    note_credentials("stripe", are_refused=False)
    stripe.fault("forbidden", path="/v1/disputes", count=None)
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    stripe.pay(reread(payment))
    payment_sync(payment.pk, cause="test")
    assert offered(store)["credit_card"] == ""


def test_refusal_of_a_single_paypal_order_alerts_staff_and_keeps_the_method_offered(paypal, wallet, store):
    paypal.fault("forbidden", path="/v2/checkout/orders/*/capture", method="POST")

    payment_sync(wallet.pk, cause="came back", approval=BUYER_RETURN)

    assert reread(wallet).status == "FAILED"
    assert reread(wallet).flags.filter(resolved_at=None).exists()
    assert [(alert.provider, alert.part) for alert in alerts_open()] == [("paypal", "confirm")]
    assert offered(store)["paypal"] == ""


@pytest.mark.parametrize("action", ["unauthorized", "forbidden"])
def test_refused_credentials_do_not_blame_the_buyers_card(stripe, shopper, action):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    stripe.fault(action, path="/v1/payment_intents/*/confirm")

    with pytest.raises(ProviderUnavailable):
        payment_confirm(payment.pk, method_id="pm_card_visa")

    assert reread(payment).status == "PENDING"
    assert payment_confirm(payment.pk, method_id="pm_card_visa").payment.status == "COMPLETED"


# ---- balance, locks, lags ----------------------------------------------


@pytest.mark.parametrize("setting", ["insufficient_balance", "pending_balance"])
def test_refund_that_the_balance_does_not_cover_fails_and_tells_staff(stripe, shopper, staff, setting):
    payment = paid_by_card(stripe, user=shopper)
    stripe.post("settings", refunds=setting)

    made = refund(payment, "20.00", actor=staff)
    stripe.run_jobs()
    payment_sync(payment.pk, cause="test")

    made.refresh_from_db()
    assert (made.status, reread(payment).refundable.minor) == ("FAILED", 9999)
    assert payment.flags.filter(kind="refund_failed").exists()


def test_locked_object_is_charged_once_by_the_repeat(stripe, shopper):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    stripe.fault("locked", path="/v1/payment_intents/*/confirm")
    assert payment_confirm(payment.pk, method_id="pm_card_visa").payment.status == "PROCESSING"

    payment.calls.update(lease_until=None)
    payment_sync(payment.pk, cause="checked by the periodic task")

    assert (reread(payment).status, stripe.captured()) == ("COMPLETED", [9999])


def test_lost_payment_is_found_once_search_shows_it(stripe, shopper):
    stripe.post("stripe/settings", search_seconds=60)
    stripe.fault("error_after", path="/v1/payment_intents", method="POST")
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    assert payment_ensure_at_provider(payment).action is None

    stripe.post("clock", advance=61)
    payment.calls.update(lease_until=None)

    assert payment_ensure_at_provider(payment).action is not None
    assert stripe.made() == 1


def test_reports_that_come_hours_later_are_no_differences(paypal, wallet):
    paypal.post("paypal/settings", report_seconds=3 * 3600)
    payment_sync(wallet.pk, cause="came back", approval=BUYER_RETURN)

    run = reconcile("paypal", until=timezone.now() + timedelta(minutes=1))

    assert (reread(wallet).status, run.differences, run.error) == ("COMPLETED", [], "")


# ---- disputes ----------------------------------------------


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        ("warning_under_review", "OPEN"),
        ("warning_closed", "WON"),
        ("prevented", "WON"),
        ("needs_response", "OPEN"),
        ("under_review", "OPEN"),
        ("won", "WON"),
        ("lost", "LOST"),
    ],
)
def test_every_status_of_a_card_dispute_is_understood(stripe, shopper, deliver, status, ours):
    payment = paid_by_card(stripe, user=shopper)
    dispute = stripe.post("stripe/dispute", payment_intent=payment.provider_payment_id, reason="inquiry")
    stripe.post("stripe/update_dispute", dispute=dispute["id"], status=status)

    deliver(*stripe.events())
    process_due()

    assert payment.disputes.get().status == ours
    assert not payment.flags.filter(kind="unreadable").exists()
    assert (reread(payment).disputed_minor == 9999) == (ours == "LOST")


@pytest.mark.parametrize("stage", ["INQUIRY", "CHARGEBACK", "PRE_ARBITRATION", "ARBITRATION"])
@pytest.mark.parametrize(("outcome", "ours"), [(None, "OPEN"), ("won", "WON"), ("lost", "LOST")])
def test_every_stage_of_a_paypal_dispute_is_understood(paypal, wallet, stage, outcome, ours):
    payment_sync(wallet.pk, cause="came back", approval=BUYER_RETURN)
    order = reread(wallet).provider_payment_id
    dispute = paypal.post("paypal/dispute", order=order, stage="INQUIRY")["dispute_id"]
    paypal.post("paypal/update_dispute", dispute=dispute, stage=stage, status="OTHER")
    if outcome:
        paypal.post("paypal/close_dispute", dispute=dispute, outcome=outcome)

    payment_sync(wallet.pk, cause="test")

    assert wallet.disputes.get().status == ours
    assert not wallet.flags.filter(kind="unreadable").exists()


# ---- other applications, versions, currencies ----------------------------------------------


@pytest.fixture
def foreign(stripe):
    """Another application on the same account takes and refunds a payment."""
    api = client(stripe.url).v1
    params = {"amount": 500, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    intent = api.payment_intents.create(params | {"return_url": "http://127.0.0.1:9/"})
    api.refunds.create({"payment_intent": intent.id})
    stripe.post("stripe/dispute", payment_intent=paid_elsewhere(api).id)
    return intent


def paid_elsewhere(api):
    params = {"amount": 700, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    return api.payment_intents.create(params | {"return_url": "http://127.0.0.1:9/"})


def test_events_of_other_applications_are_ignored(stripe, foreign, deliver):
    deliver(*stripe.events())
    process_due()

    states = set(WebhookEvent.objects.values_list("state", flat=True))
    assert states == {EventState.IGNORED}
    assert WebhookEvent.objects.filter(note__contains="another application").exists()


def test_reconciliation_counts_other_applications_and_lists_nothing(stripe, foreign, caplog):
    with caplog.at_level("INFO", logger="payments.reconciliation.runs"):
        run = reconcile("stripe", until=timezone.now() + timedelta(minutes=1))
    assert (run.differences, run.error) == ([], "")
    [row] = [record for record in caplog.records if record.message == "reconciliation_of_others"]
    assert row.count == 2
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_older_event_versions_and_the_buyers_currency_raise_no_flags(stripe, shopper, deliver):
    stripe.post("stripe/settings", presentment={"currency": "eur", "rate": "0.9"})
    [endpoint] = client(stripe.url).v1.webhook_endpoints.list().data
    stripe.post("stripe/endpoint", id=endpoint.id, api_version="2024-06-20")
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    payment_replace_at_provider(payment.pk, Operation.HOSTED)
    stripe.pay(reread(payment))

    sent = stripe.events()
    deliver(*sent)
    process_due()

    session = next(json.loads(body) for _, body in sent if b'"checkout.session.completed"' in body)
    assert (session["api_version"], session["data"]["object"]["currency"]) == ("2024-06-20", "eur")
    assert (reread(payment).status, stripe.captured()) == ("COMPLETED", [9999])
    assert not payment.flags.exists()


# ---- what the provider gets to know ----------------------------------------------


def test_repeat_sends_the_address_of_the_first_try(stripe, shopper):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    stripe.fault("drop_after", path="/v1/payment_intents", method="POST")
    assert payment_ensure_at_provider(payment).action is None
    address = payment.order.shipping_address
    assert address["name"] not in str(payment.calls.get().request)

    Order.objects.filter(pk=payment.order_id).update(
        email="new@example.com", shipping_address=address | {"name": "Someone Else"}
    )
    payment.calls.update(lease_until=None)

    assert payment_ensure_at_provider(reread(payment)).action is not None
    assert stripe.made() == 1
    assert "buyer" not in payment.calls.get().request


def test_stripe_gets_the_shipping_address_and_a_legal_expiry(stripe, shopper):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    api = client(stripe.url).v1
    shipping = api.payment_intents.retrieve(reread(payment).provider_payment_id).shipping

    payment_replace_at_provider(payment.pk, Operation.HOSTED)
    session = api.checkout.sessions.retrieve(reread(payment).provider_payment_id)

    assert shipping.address.country == payment.order.shipping_address["country"]
    assert shipping.name == payment.order.shipping_address["name"]
    assert session.customer_email == payment.order.email
    assert 30 * 60 <= session.expires_at - session.created <= 40 * 60


def test_repeated_hosted_page_keeps_its_end_when_the_hold_has_changed(stripe, shopper):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    stripe.fault("drop_after", path="/v1/checkout/sessions")
    payment_replace_at_provider(payment.pk, Operation.HOSTED)
    Order.objects.update(expires_at=F("expires_at") + timedelta(hours=1))

    ProviderCall.objects.filter(state="open").update(lease_until=None)
    payment_ensure_at_provider(payment)

    assert reread(payment).provider_payment_id.startswith("cs_")
    assert not payment.flags.exists()
    assert not [row["reason"] for row in stripe.get("requests")["rows"] if row["reason"]]
