"""Staff pages about refunds, disputes and flags."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from artisans.accounts.models import Role
from artisans.accounts.tests.factories import UserFactory
from artisans.audit.models import AuditEntry
from artisans.catalog.models import Product
from artisans.core.admin.pages import admin_page_url
from orders.models import OrderLine
from payments.admin.forms_refund import DecideForm
from payments.gateway.payments import payment_sync
from payments.lifecycle.cancel_and_expire import order_cancel, parcel_cannot_deliver
from payments.methods import PaymentMethod
from payments.models import Payment, PaymentFlag, PaymentRefund
from payments.providers.contract import RemoteDispute, RemoteDisputeStatus
from payments.refunds.staff import refund_open
from payments.tests.factories import (
    apply_card_captures,
    give_back,
    paid_by_card,
    record,
    refund,
    reread,
    start,
    usd,
)
from payments.tests.periodic import process_due
from tests import rows
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

LOOK = "/admin/payments/paymentflag/?needs=review"
DECIDE = "/admin/payments/paymentrefund/?needs=decision"
BROKEN = "An item arrived damaged."


@pytest.fixture
def staff_client(browser, staff):
    return browser(staff)


@pytest.fixture(scope="module", autouse=True)
def shared_paid(module_db, module_stripe) -> Payment:
    rows.store()
    return paid_by_card(module_stripe, {rows.bowl(): 2}, user=rows.shopper())


@pytest.fixture
def paid(shared_paid, stripe):
    return Payment.objects.get(pk=shared_paid.pk)


def press(client, address: str, **changes: str):
    """Submit the page's form as displayed, with `changes`; returns the page that follows."""
    shown = page(client.get(address)).one("main")
    form = next(form for form in shown.all("form") if form.attrs.get("method") == "post")
    return page(client.post(address, form.fields() | changes, follow=True))


def nav(client) -> str:
    return page(client.get("/admin/")).one("nav", id="nav-sidebar-inner").text


def sync(payment):
    payment_sync(payment.pk, cause="test")
    return reread(payment)


# ---- refunding ---------------------------------------------------------------------------------------------


def test_refund_page_suggests_the_rest_and_names_who_sends_the_money(staff_client, paid):
    shown = page(staff_client.get(admin_page_url(paid, "refund"))).one("main")

    assert "Stripe sends this refund" in shown.text
    assert shown.one("input", name="amount").attrs["value"] == paid.amount.amount
    assert f"{paid.order.email} gets an email" in shown.text
    assert "is put on hold unless you choose" in shown.text
    assert not PaymentRefund.objects.exists()


def test_full_refund_from_the_page_shows_the_outcome(staff_client, paid, stripe, staff):
    sent_anyway = {field_of(paid.order.parcels.get()): "send"}

    after = press(staff_client, admin_page_url(paid, "refund"), preset=BROKEN, text="The rim.", **sent_anyway)

    assert "was sent by Stripe" in after.text
    done = PaymentRefund.objects.get()
    assert (done.reason, done.actor, done.status) == ("An item arrived damaged. The rim.", staff, "COMPLETED")
    assert (reread(paid).status, stripe.refunded()) == ("REFUNDED", [paid.amount_minor])
    assert done.refund_number in after.text
    assert (
        "This payment has been fully refunded" in page(staff_client.get(admin_page_url(paid, "refund"))).text
    )


def test_refund_by_units_with_restock(staff_client, paid, bowl, stripe):
    line = paid.order.lines.get()
    before = Product.objects.get(pk=bowl.pk).stock
    items = {f"line_{line.pk.hex}": "1", "mode": "items", "restock": "on", "shipping": "on"}

    after = press(staff_client, admin_page_url(paid, "refund"), preset=BROKEN, **items)

    assert "1 × Moss bowl" in after.text
    assert stripe.refunded() == [9999]
    assert Product.objects.get(pk=bowl.pk).stock == before + 1
    again = page(staff_client.get(admin_page_url(paid, "refund"))).one("main")
    assert again.one("input", name=f"line_{line.pk.hex}").attrs["max"] == "1"
    assert not again.all("input", name="shipping")


@pytest.mark.parametrize(
    ("wrong", "result"),
    [
        ({"preset": ""}, "Choose a reason"),
        ({"amount": ""}, "Enter the amount to refund."),
        ({"amount": "0"}, "greater than zero"),
        ({"amount": "1.999"}, "USD has 2 decimals"),
        ({"amount": "1000"}, "193.98 USD can still be refunded"),
        ({"mode": "items"}, "Enter quantities, or select shipping"),
        ({"shipping": "on"}, "You entered items"),
        ({"mode": "items", "restock": "on"}, "Enter quantities, or select shipping"),
    ],
)
def test_invalid_input_is_refused_and_kept(staff_client, paid, wrong, result):
    after = press(
        staff_client, admin_page_url(paid, "refund"), **{"preset": BROKEN, "text": "KEEP ME"} | wrong
    )

    assert result in after.text
    assert "KEEP ME" in after.one("textarea", name="text").text
    assert not PaymentRefund.objects.exists()


def test_second_submission_sends_nothing(staff_client, paid, stripe):
    address = admin_page_url(paid, "refund")
    form = page(staff_client.get(address)).one("main").all("form")[0].fields() | {
        "amount": "5",
        "preset": BROKEN,
    }
    staff_client.post(address, form)

    again = page(staff_client.post(address, form, follow=True))

    assert "The order changed while this page was open. Refunded: $5.00 (was $0.00)." in again.text
    assert stripe.refunded() == [500]


def test_pending_and_unknown_refunds_are_shown_as_such(staff_client, stripe, shopper, staff, bowl):
    payment = paid_by_card(stripe, {bowl: 1}, user=shopper, card="pendingRefund")
    result = press(staff_client, admin_page_url(payment, "refund"), preset=BROKEN, amount="40").text
    assert "is pending at Stripe" in result
    stripe.fault("drop_before", path="/v1/refunds", method="POST")

    result = press(staff_client, admin_page_url(payment, "refund"), preset=BROKEN, amount="10").text

    assert "has not responded yet" in result
    shown = page(staff_client.get(admin_page_url(payment))).text
    for text in ("Pending at the provider", "Waiting for the provider", "Refund in progress $50.00"):
        assert text in shown, text
    assert "Refundable $49.99" in shown


def test_failed_refund_is_listed_and_retried_from_the_page(staff_client, paid, stripe):
    stripe.post("settings", refunds="refuse")
    press(staff_client, admin_page_url(paid, "refund"), preset=BROKEN, amount="40")
    sync(paid)
    stripe.post("settings", refunds="succeed")
    assert "Needs review 1" in nav(staff_client)
    assert "Refundable $193.98" in page(staff_client.get(admin_page_url(paid))).text
    failed = PaymentRefund.objects.get()

    after = press(staff_client, admin_page_url(failed, "retry"))

    assert "was sent by Stripe" in after.text
    assert stripe.refunded()[-1] == 4000
    assert "only once" in page(staff_client.get(admin_page_url(failed, "retry"))).text
    assert not [a for a in page(staff_client.get(admin_page_url(paid))).all("a") if a.text == "Retry"]


def test_offline_payment_offers_only_recording_a_refund(staff_client, shopper, staff):
    payment = start(user=shopper)
    record(payment, "99.99", actor=staff)

    assert (
        "make the transfer, then record the refund"
        in page(staff_client.get(admin_page_url(payment, "refund"))).text
    )
    assert "Record refund" in page(staff_client.get(admin_page_url(payment))).text


def test_sent_and_recorded_refunds_are_separate_totals(staff_client, stripe, shopper, staff, admin_user):
    transfer = start(user=shopper)
    record(transfer, "40.00", actor=staff)
    give_back(transfer, "15.00", actor=staff)
    assert "Refunded offline $15.00" in page(staff_client.get(admin_page_url(transfer.order))).text

    card = paid_by_card(stripe, user=shopper)
    refund(card, "25", actor=staff)

    assert "Refunded by a provider $25.00" in page(staff_client.get(admin_page_url(card.order))).text


def test_cancelled_order_suggests_the_prefilled_refund_as_next_step(staff_client, paid, staff):
    refund(paid, "20", actor=staff)
    order_cancel(order_id=paid.order_id, reason="kiln broke", actor=staff)

    order_page = page(staff_client.get(admin_page_url(paid.order))).one("main")
    step = order_page.one("section", aria_label="Next step")
    assert "Refund $173.98" in step.text
    link = step.one("a", class_="aa-main")
    assert (link.text, link.attrs["href"]) == ("Refund", admin_page_url(paid, "refund"))
    assert page(staff_client.get(link.attrs["href"])).one("input", name="amount").attrs["value"] == "173.98"
    assert (
        admin_page_url(paid, "refund")
        in staff_client.get("/admin/orders/order/?needs=return").content.decode()
    )

    refund_open(payment_id=paid.pk, amount=usd("173.98"), reason="kiln broke", actor=staff)

    assert "The refund is in progress" in page(staff_client.get(admin_page_url(paid.order))).text
    assert "Refund in progress" in page(staff_client.get("/admin/orders/order/?needs=return")).text
    process_due()
    assert "Refund $" not in page(staff_client.get(admin_page_url(paid.order))).text


def test_page_refuses_a_refund_of_ones_own_order(browser, staff, stripe):
    own = paid_by_card(stripe, user=staff)

    assert "for your own order" in page(browser(staff).get(admin_page_url(own, "refund"))).text


# ---- reading, deciding, resolving --------------------------------------------------------------------------


def test_refresh_from_the_provider_applies_its_state(staff_client, stripe, shopper, bowl, staff):
    payment = paid_by_card(stripe, {bowl: 1}, user=shopper)
    stripe.post("stripe/refund", payment_intent=payment.provider_payment_id, amount=100)

    after = press(staff_client, admin_page_url(payment, "sync"))

    assert "Synced with Stripe. Payment status: Partly refunded." in after.text
    assert AuditEntry.objects.get(action="payment.sync").actor == staff


def test_refresh_from_the_provider_sends_a_stuck_refund(staff_client, stripe, paid, staff):
    stripe.fault("drop_before", path="/v1/refunds", method="POST")
    stuck = refund(paid, "5", actor=staff)

    press(staff_client, admin_page_url(paid, "sync"))

    stuck.refresh_from_db()
    assert (stuck.status, stripe.refunded()) == ("COMPLETED", [500])


def test_unavailable_provider_is_reported_and_changes_nothing(staff_client, stripe, paid):
    stripe.fault("unavailable", path="/v1/payment_intents/*", count=None)

    assert "is not responding" in press(staff_client, admin_page_url(paid, "sync")).text


def test_external_refund_is_listed_until_decided(staff_client, stripe, paid):
    stripe.post("stripe/refund", payment_intent=paid.provider_payment_id, amount=5000)
    sync(paid)
    outside = PaymentRefund.objects.get()
    assert "External refunds 1" in nav(staff_client)
    assert outside.refund_number in page(staff_client.get(DECIDE)).text

    refused = press(staff_client, admin_page_url(outside, "decide"), decision="restock")
    assert "Enter quantities if items were returned" in refused.text
    after = press(staff_client, admin_page_url(outside, "decide"), decision="nothing")

    assert "Order continues" in after.text
    assert "External refunds 1" not in nav(staff_client)
    assert "a colleague may have handled it" in page(staff_client.get(admin_page_url(outside, "decide"))).text


def test_dispute_is_shown_flagged_and_resolved_with_a_reason(staff_client, stripe, paid, staff):
    stripe.post("stripe/dispute", payment_intent=paid.provider_payment_id, reason="fraudulent")
    sync(paid)
    shown = page(staff_client.get(admin_page_url(paid))).text
    assert "du_" in shown
    assert "fraudulent" in shown
    assert (
        "Respond to the dispute in the provider’s dashboard first"
        in page(staff_client.get(admin_page_url(paid, "refund"))).text
    )
    assert "Needs review 1" in nav(staff_client)
    flag = PaymentFlag.objects.get()
    assert flag.detail in page(staff_client.get(LOOK)).text

    assert (
        "Describe what you found" in press(staff_client, admin_page_url(flag, "resolve"), resolution=" ").text
    )
    press(staff_client, admin_page_url(flag, "resolve"), resolution="Evidence was sent.")

    flag.refresh_from_db()
    assert (flag.resolved_by, flag.resolution) == (staff, "Evidence was sent.")
    assert flag.detail not in page(staff_client.get(LOOK)).text
    assert "Evidence was sent." in page(staff_client.get(admin_page_url(paid))).text


def test_payment_page_shows_captures_calls_refunds_and_disputes_without_secrets(
    staff_client, stripe, paid, staff
):
    stripe.fault("error_before", path="/v1/refunds", method="POST")
    refund(paid, "5", actor=staff)
    stripe.post("stripe/dispute", payment_intent=paid.provider_payment_id, reason="fraudulent")
    sync(paid)
    paid.calls.filter(refund=None).update(error="No such key: sk_test_abc123 for pi_1_secret_xyz")

    answer = staff_client.get(admin_page_url(paid))

    text = answer.content.decode()
    assert "sk_test_" not in text
    assert "_secret_xyz" not in text
    result = page(answer).one("ol", class_="aa-timeline").text
    for what in ("Capture of", "Create payment", "Refund REF-", "Dispute of", "Pending → Completed"):
        assert what in result, what


@pytest.mark.parametrize(
    ("name", "needs"), [("refund", "refund"), ("sync", "sync_payment"), ("return", "refund")]
)
def test_actions_without_the_permission_are_hidden_and_refused(browser, paid, name, needs):
    clerk = UserFactory.create(role=Role.STAFF)
    clerk.groups.clear()
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_payment", "view_order"]))
    client = browser(clerk)

    shown = client.get(admin_page_url(paid))

    assert shown.status_code == 200
    assert admin_page_url(paid, name) not in shown.content.decode()
    assert client.get(admin_page_url(paid, name)).status_code == 403
    assert client.post(admin_page_url(paid, name), {}).status_code == 403
    assert not PaymentRefund.objects.exists(), needs


def test_buyer_sees_the_progress_of_a_refund(browser, stripe, shopper, staff, bowl, time_machine):
    payment = paid_by_card(stripe, {bowl: 1}, user=shopper, card="pendingRefund")
    address = f"/shop/orders/{payment.order.access_token}/"
    refund(payment, "40", actor=staff)
    assert "A refund of $40.00 is being processed" in page(browser().get(address)).text

    stripe.run_jobs()
    time_machine.move_to(timezone.now() + timedelta(hours=2))
    process_due()

    assert "We refunded $40.00." in page(browser().get(address)).text


# ---- products and money in one decision --------------------------------------------------------------------


def stock(product) -> int:
    product.refresh_from_db()
    return int(product.stock)


def field_of(parcel) -> str:
    return f"parcel_{parcel.pk.hex}"


def test_full_refund_requires_a_decision_about_the_parcel(browser, staff, stripe, shopper, bowl):
    payment = paid_by_card(stripe, {bowl: 1}, user=shopper)
    parcel, client = payment.order.parcels.get(), browser(staff)
    typed = {"mode": "amount", "amount": "99.99", "seen": "0", "preset": "The order was cancelled."}

    shown = client.post(admin_page_url(payment, "refund"), typed)

    assert field_of(parcel) in shown.context["form"].errors
    assert not payment.refunds.exists()
    done = client.post(admin_page_url(payment, "refund"), typed | {field_of(parcel): "cancel"})
    parcel.refresh_from_db()
    assert (done.status_code, parcel.status, stock(bowl)) == (302, "CANCELLED", bowl.stock)
    assert stripe.refunded() == [9999]


def test_order_page_cancels_refunds_and_restocks_chosen_parcels(
    browser, admin_user, stripe, shopper, bowl, scarf, seller
):
    payment = paid_by_card(stripe, {bowl: 1, scarf: 1}, user=shopper)
    order, client = payment.order, browser(admin_user)
    gone = order.parcels.get(artisan__user=seller)
    assert "$136.65 paid with Stripe" in page(client.get(admin_page_url(order, "cancel"))).text

    typed = {"parcels": [str(gone.pk)], "refund": "on", "preset": "The buyer requested it.", "seen": "13665"}
    answer = client.post(admin_page_url(order, "cancel"), typed)

    gone.refresh_from_db()
    assert (answer.status_code, gone.status) == (302, "CANCELLED")
    assert (stock(bowl), stock(scarf)) == (bowl.stock, 9)
    assert payment.refunds.get().amount == gone.total
    assert reread(payment).order.is_alive


def test_parcel_that_ended_while_the_page_was_open_does_not_cancel_the_whole_order(
    browser, admin_user, stripe, shopper, bowl, scarf, seller
):
    payment = paid_by_card(stripe, {bowl: 1, scarf: 1}, user=shopper)
    order, client = payment.order, browser(admin_user)
    chosen = order.parcels.get(artisan__user=seller)
    parcel_cannot_deliver(parcel_id=chosen.pk, reason="It broke.", actor=seller)

    typed = {
        "parcels": [str(chosen.pk)],
        "refund": "on",
        "preset": "The buyer requested it.",
        "seen": "13665",
    }
    shown = page(client.post(admin_page_url(order, "cancel"), typed))

    assert "A selected parcel was shipped or cancelled meanwhile" in shown.text
    assert reread(payment).order.is_alive
    assert not payment.refunds.exists()
    none = typed | {"parcels": [], "asks_parcels": "yes"}  # as the page sends it with every parcel unticked
    assert "Select at least one parcel." in page(client.post(admin_page_url(order, "cancel"), none)).text
    assert reread(payment).order.is_alive
    other = order.parcels.get(status="NEW")
    client.post(admin_page_url(order, "cancel"), typed | {"parcels": [str(other.pk)]})
    assert not reread(payment).order.is_alive


def test_quantity_of_a_line_that_was_refunded_meanwhile_is_refused():
    values = {
        "product_name": "Bowl",
        "unit_price_minor": 100,
        "currency": "USD",
        "tax_minor": 0,
        "quantity": 2,
        "line_total_minor": 200,
    }
    gone, left = OrderLine(**values, refunded_quantity=2), OrderLine(**values)
    names = [f"line_{line.pk.hex}" for line in (gone, left)]

    def errors(*typed: str):
        data = {"decision": "restock"} | dict(zip(names, typed, strict=True))
        return DecideForm(data, refund=None, lines=[gone, left], parcels=[]).errors

    assert "Only 0 can still be refunded." in errors("1", "1")[names[0]]
    assert not errors("", "1")
    assert not errors("0", "1")


def test_parcels_on_hold_are_listed_and_decided_on_the_orders_page(
    browser, admin_user, shopper, staff, bowl, settings
):
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    payment = apply_card_captures(start(PaymentMethod.CREDIT_CARD, {bowl: 1}, user=shopper))
    lost = RemoteDispute("dp_1", payment.amount, RemoteDisputeStatus.LOST, "fraudulent")
    apply_card_captures(payment, disputes=(lost,))
    order, client = payment.order, browser(admin_user)
    listed = client.get("/admin/orders/order/?needs=parcels").content.decode()
    assert order.order_number in listed
    assert "Parcels are on hold" in client.get(admin_page_url(order)).content.decode()
    parcel = order.parcels.get()

    nothing = client.post(admin_page_url(order, "parcels"), {"preset": "The payment was refunded."})
    assert "Choose what happens to at least one parcel." in nothing.content.decode()
    typed = {field_of(parcel): "cancel", "preset": "The buyer disputed the payment."}
    client.post(admin_page_url(order, "parcels"), typed)

    parcel.refresh_from_db()
    assert (parcel.status, stock(bowl)) == ("CANCELLED", bowl.stock)
    assert order.order_number not in client.get("/admin/orders/order/?needs=parcels").content.decode()
