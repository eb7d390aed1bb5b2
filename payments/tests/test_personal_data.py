"""A person whose name, addresses, numbers and files are everywhere: the export has them all, and after the erasure no
table, email, log line or file contains any of them."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils import timezone

from artisans.accounts.models import AuthToken, Role, User
from artisans.accounts.tests.factories import UserFactory
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.statuses import ApprovalStatus
from artisans.audit.models import AuditEntry
from artisans.catalog.models import Artisan
from artisans.catalog.search_index import search_index_refresh
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.catalog.tests.pictures import ready_picture
from artisans.core.append_only import personal_columns_replace
from artisans.core.models import IdempotencyKey
from artisans.core.personal_data import HOLDINGS
from artisans.notifications.models import MailState, Notification
from artisans.notifications.services import notifications_send_due
from artisans.privacy import erasing
from artisans.privacy.exports import person_export
from artisans.privacy.models import Erasure, ErasurePermit, ErasureSource, ErasureState, LockedRecord
from artisans.privacy.selectors import Whose, erasure_refusals, person_find, person_of_user
from artisans.privacy.services import (
    CannotErase,
    erasure_continue,
    erasure_start,
    erasures_continue,
    user_erase,
)
from artisans.tax_ids.models import TaxId, TaxIdNotice
from carts.models import Cart
from orders.mails import commission_mail_key
from orders.models import Order, OrderTransition
from orders.services.parcels import parcel_deliver, parcel_ship
from orders.statuses import OrderStatus, ParcelStatus
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.lifecycle.saved_methods import method_save
from payments.methods import PaymentMethod
from payments.models import (
    CallState,
    Dispute,
    FlagKind,
    Operation,
    Payment,
    PaymentFlag,
    PaymentRefund,
    ProviderCall,
    ProviderCustomer,
    WebhookEvent,
)
from payments.providers.contract import PaymentProvider, RemoteMethod
from payments.statuses import PaymentStatus, RefundStatus
from payments.tests.factories import apply_card_captures, give_back, paid_by_card, record, start
from payments.tests.periodic import expire_orders, process_due
from tests.dump import raw_dump

pytestmark = pytest.mark.django_db

NAME, EMAIL = "Ottilie Quackenbush", "ottilie.quackenbush@planted.example"
STREET, CITY, NOTE = "77 Zebrawood Crossing", "Umberville", "Ring the zebra bell"
PHONE, DIGITS, TRACKING = "+1 503 555 0177", "15035550177", "ZEBRA-TRACK-1"
VAT_ID = "DE136695976"
IP, BROWSER, TOKEN = "203.0.113.77", "ZebraBrowser/7", "Zebra laptop"
STORY, PICTURE = "Born in Umberville", "ottilie-portrait.png"
ADDRESS = {
    "name": NAME,
    "line1": STREET,
    "line2": "",
    "city": CITY,
    "region": "OR",
    "postal_code": "97199",
    "country": "US",
    "phone": PHONE,
}
PLANTED = (
    NAME,
    EMAIL,
    STREET,
    CITY,
    NOTE,
    PHONE,
    DIGITS,
    TRACKING,
    VAT_ID,
    IP,
    BROWSER,
    TOKEN,
    STORY,
    PICTURE,
    "97199",
)
EXPORTED = set(PLANTED) - {DIGITS}


def found_in(text: str) -> set[str]:
    return {planted for planted in PLANTED if planted.lower() in text.lower()}


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def ottilie(stripe, media, staff, bowl, mails) -> User:
    """A shopper who once had their own shop: everything is delivered, refunded or closed."""
    user = UserFactory.create(email=EMAIL, name=NAME)
    EmailAddress.objects.create(user=user, email=EMAIL, primary=True, verified=True)
    buyer = {"shipping_address": ADDRESS, "billing_address": ADDRESS, "note": NOTE}
    by_transfer = start(items={bowl: 1}, user=user, **buyer)
    record(by_transfer, "99.99", actor=staff)
    give_back(by_transfer, "1.00", actor=staff, reason=f"Agreed with {NAME.upper()} by phone.")
    deliver(by_transfer, staff)
    method_save(user=user, provider="stripe", token="pm_card_visa")
    by_card = paid_by_card(stripe, {bowl: 1}, user=user)
    Order.objects.filter(pk=by_card.order_id).update(shipping_address=ADDRESS, billing_address=ADDRESS)
    deliver(by_card, staff)
    as_guest = start(items={bowl: 1}, email=EMAIL, **buyer)
    order_cancel(order_id=as_guest.order_id, reason=f"{NAME} called.", actor=staff)
    plant_traces(user, by_transfer)
    process_due()
    mails()
    return user


def deliver(payment: Payment, staff: User) -> None:
    parcel = payment.order.parcels.get()
    parcel_ship(parcel_id=parcel.pk, carrier="UPS", tracking=TRACKING, actor=staff)
    parcel_deliver(parcel_id=parcel.pk, actor=staff)


def plant_traces(user: User, payment: Payment) -> None:
    """What pages, staff and providers leave behind."""
    now = timezone.now()
    staff = User.objects.get(email="staff@example.test")
    UserSession.objects.create(user=user, ip=IP, user_agent=BROWSER, session_key="k" * 32, last_seen_at=now)
    AuthToken.objects.create(user=user, name=TOKEN)
    Authenticator.objects.create(user=user, type=Authenticator.Type.RECOVERY_CODES, data={})
    business = {"company": NAME, "vat_id": VAT_ID}
    draft = {"email": EMAIL, "shipping": ADDRESS, "note": NOTE, **business}
    Cart.objects.create(user=user, currency="USD", draft=draft)
    TaxId.objects.create(value=VAT_ID, country="DE", verified_name=NAME, verified_address=STREET)
    TaxIdNotice.objects.create(tax_id=TaxId.objects.get(), email=EMAIL)
    Cart.objects.create(token_hash="f" * 64, currency="USD", draft={"email": EMAIL, "note": NOTE})
    artisan = ArtisanFactory.create(
        user=user, name="Zebra Pots", email=EMAIL, town=CITY, story=STORY, is_active=False
    )
    artisan.portrait.save(PICTURE, ContentFile(b"zebra"))
    pot = ProductFactory.create(artisan=artisan, name="Pot", slug="pot")
    ready_picture(pot)
    default_storage.save(str(pot.picture), ContentFile(b"zebra"))
    IdempotencyKey.objects.create(
        principal=f"user:{user.pk}",
        route="orders",
        key="1",
        fingerprint="x",
        state="done",
        status_code=201,
        body=json.dumps({"email": EMAIL}),
        lease_until=now,
        expires_at=now,
    )
    kind = ContentType.objects.get_for_model(User)
    LogEntry.objects.create(
        user=staff, content_type=kind, object_id=str(user.pk), object_repr=EMAIL, action_flag=CHANGE
    )
    ApprovalRequest.objects.create(
        kind="refund",
        target=f"payments.Payment:{payment.pk}",
        title=f"Refund {NAME}",
        status=ApprovalStatus.REJECTED,
        requested_by=staff,
        decided_by=UserFactory.create(role=Role.STAFF),
        details=json.dumps([["Buyer", NAME]]),
        payload=json.dumps({"name": NAME}),
        expires_at=now,
    )
    PaymentFlag.objects.create(
        payment=payment,
        kind=FlagKind.MISMATCH,
        detail=f"{EMAIL} paid twice?",
        resolved_at=now,
        resolution=NAME,
    )
    WebhookEvent.objects.create(
        provider="stripe",
        event_id="evt_zebra",
        kind="charge.updated",
        state="done",
        payment=payment,
        content={"object_ids": [], "is_live": False, "payload": {"receipt": EMAIL}},
        note=f"Sent by {EMAIL}",
    )
    Notification.objects.create(
        kind="password_reset", recipient=EMAIL, dedupe_key="zebra", state=MailState.DEAD, last_error=EMAIL
    )
    changes = [
        {"field": "email", "old": "o•••@planted.example", "new": "x", "old_hash": "1", "new_hash": "2"}
    ]
    AuditEntry.objects.create(
        actor_name="system",
        action="setting.change",
        target_type="accounts.User",
        target_id=user.pk,
        data={"changes": changes, "reason": f"{NAME} married"},
    )


def erase(user: User) -> Erasure:
    with transaction.atomic():
        erasure = user_erase(user)
    erasure_continue(erasure.pk)
    return erasure


def settle(erasure: Erasure, mails) -> None:
    """What the worker does in the next minutes."""
    mails()
    search_index_refresh()
    process_due()
    for call in ProviderCall.objects.filter(state=CallState.OPEN):
        ProviderCall.objects.filter(pk=call.pk).update(next_try_at=timezone.now())
    process_due()
    assert erasure_continue(erasure.pk)
    erasure.refresh_from_db()


def check_export(text: str) -> None:
    assert found_in(text) >= EXPORTED
    assert len(json.loads(text)["data"]["orders"]) == 3
    assert "pm_" not in text.replace("payment_method", "")


def check_account_is_closed(user: User) -> None:
    user.refresh_from_db()
    assert not user.is_active
    assert not user.has_usable_password()
    assert not ProviderCustomer.objects.filter(user=user).exists()


def test_everything_is_exported_and_nothing_is_left(ottilie, mails, media, stripe, caplog, capsys):
    assert found_in(raw_dump()) == set(PLANTED), "the test plants nothing"
    call_command("export_person", EMAIL)
    check_export(capsys.readouterr().out)
    customer = ProviderCustomer.objects.get(user=ottilie).customer_id
    figures = Order.objects.order_by("pk").values_list("order_number", "total_minor", "received_minor")
    before = list(figures)

    caplog.set_level(logging.DEBUG)
    erasure = erase(ottilie)
    assert erasure.user_id == ottilie.pk
    settle(erasure, mails)

    assert erasure.state == ErasureState.DONE
    rest = [line for line in raw_dump().splitlines() if found_in(line)]
    assert rest == []
    assert found_in(caplog.text) == set()
    assert [path for path in media.rglob("*") if path.is_file()] == []
    assert list(figures) == before
    assert mails(EMAIL)[-1].subject == "Your personal data is being erased"
    assert [customer in row.values() for row in stripe.journal("customer.deleted")] == [True]
    assert not ErasurePermit.objects.exists()
    check_account_is_closed(ottilie)
    records = [json.loads(record.content) for record in LockedRecord.objects.order_by("target")]
    assert {record["billing_address"]["name"] for record in records} == {NAME}
    assert len(records) == 2
    with pytest.raises(CommandError, match="stores nothing"):
        call_command("export_person", EMAIL)


def test_a_crash_between_any_two_steps_changes_nothing_about_the_end(ottilie, mails, monkeypatch):
    class Crash(Exception):
        pass

    steps = erasing.steps

    def crash_before(number):
        def some(person, erasure_id):
            for position, step in enumerate(steps(person, erasure_id)):
                if position == number:
                    raise Crash
                yield step

        return some

    erasure = user_erase(ottilie)
    for number in range(len(HOLDINGS)):
        monkeypatch.setattr(erasing, "steps", crash_before(number))
        try:
            erasure_continue(erasure.pk)
        except Crash:
            continue
    monkeypatch.setattr(erasing, "steps", steps)
    assert erasure_start(email=EMAIL, source=ErasureSource.COMMAND, actor=None) == erasure
    settle(erasure, mails)

    assert [line for line in raw_dump().splitlines() if found_in(line)] == []
    assert LockedRecord.objects.count() == 2
    assert ProviderCall.objects.filter(operation=Operation.DETACH).count() == 2
    assert Erasure.objects.count() == 1


def test_what_arrives_later_brings_no_personal_data_back(ottilie, mails, stripe, deliver):
    payment = Payment.objects.get(payment_method=PaymentMethod.CREDIT_CARD)
    settle(erase(ottilie), mails)
    sent = len(mails())

    stripe.post("stripe/dispute", payment_intent=payment.provider_payment_id, reason="fraudulent")
    assert set(deliver(*stripe.events())) == {200}
    process_due()

    assert payment.disputes.get().amount == payment.amount
    assert payment.flags.filter(kind=FlagKind.DISPUTE, resolved_at=None).exists()
    assert [line for line in raw_dump().splitlines() if found_in(line)] == []
    assert not ProviderCustomer.objects.exists()
    assert not [mail for mail in mails()[sent:] if mail.to[0].endswith("erased.invalid")]


def test_an_order_that_is_placed_while_the_erasure_begins_is_settled_first(shopper, store, bowl, mails):
    erasure = user_erase(shopper)
    order = start(items={bowl: 1}, user=shopper, shipping_address=ADDRESS).order

    assert erasure_continue(erasure.pk) is False
    shopper.refresh_from_db()
    assert shopper.email == "shopper@example.test"

    close_unpaid(order)
    settle(erasure, mails)
    order.refresh_from_db()
    assert (order.email, order.shipping_address) == (erasure.alias, {"country": "US"})


def test_a_late_payment_does_not_reopen_an_order_without_an_address(shopper, staff, bowl, mails):
    payment = start(items={bowl: 1}, user=shopper)
    Order.objects.filter(pk=payment.order_id).update(expires_at=timezone.now())
    expire_orders()
    settle(erase(shopper), mails)

    record(payment, "99.99", actor=staff)

    assert payment.order.status == OrderStatus.EXPIRED
    assert payment.order.refund_due == payment.amount


# ---- refusals --------------------------------------------------------------------------------------------------------


def close(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(status=OrderStatus.DELIVERED, expires_at=None)
    order.parcels.update(status=ParcelStatus.DELIVERED)
    order.payments.update(status=PaymentStatus.CANCELLED)
    ProviderCall.objects.filter(payment__order=order).update(state=CallState.DONE)


def open_things(payment: Payment, staff: User) -> dict[str, tuple[Model, dict[str, Any]]]:
    """Rows of a delivered order and its buyer, with the changes that refuse an erasure, by the reason given."""
    order, shopper = payment.order, payment.user
    refund = PaymentRefund.objects.create(
        payment=payment, currency="USD", amount_minor=1, reason="x", status=RefundStatus.COMPLETED
    )
    dispute = Dispute.objects.create(
        payment=payment,
        provider="stripe",
        provider_dispute_id="du_1",
        currency="USD",
        amount_minor=1,
        status="WON",
    )
    flag = PaymentFlag.objects.create(
        payment=payment, kind=FlagKind.STUCK, detail="x", resolved_at=timezone.now(), resolution="x"
    )
    event = WebhookEvent.objects.create(
        provider="stripe", event_id="e", kind="x", content={}, payment=payment, state="done"
    )
    call = ProviderCall.objects.create(
        provider="stripe", operation=Operation.SAVE, user=shopper, state=CallState.REFUSED
    )
    request = ApprovalRequest.objects.create(
        kind="refund",
        target=f"payments.Payment:{payment.pk}",
        title="x",
        details="[]",
        payload="{}",
        requested_by=staff,
        expires_at=timezone.now(),
        status=ApprovalStatus.EXPIRED,
    )
    artisan = ArtisanFactory.create(user=shopper, is_active=False)
    return {
        "is not paid yet": (order, {"status": OrderStatus.PENDING, "released_at": None}),
        "is being prepared": (order, {"status": OrderStatus.CONFIRMED}),
        "is on its way": (order.parcels.get(), {"status": ParcelStatus.SHIPPED}),
        "A refund for order": (order, {"received_minor": 99_999, "total_minor": order.total_minor}),
        "is open": (payment, {"status": PaymentStatus.PENDING}),
        "is being processed": (payment, {"status": PaymentStatus.PROCESSING}),
        "refund for order": (refund, {"status": RefundStatus.PROCESSING}),
        "is disputed": (dispute, {"status": "OPEN"}),
        "is being reviewed": (flag, {"resolved_at": None}),
        "is not processed yet": (event, {"state": "waiting"}),
        "is being saved": (call, {"state": CallState.OPEN}),
        "awaits approval": (request, {"status": ApprovalStatus.PENDING}),
        "is open. Close it": (artisan, {"is_active": True}),
        "staff account": (shopper, {"role": Role.STAFF}),
    }


@pytest.mark.usefixtures("broken_books", "card_shop")
def test_refused_with_the_reason_while_something_is_open(shopper, staff, bowl):
    payment = apply_card_captures(start(PaymentMethod.CREDIT_CARD, {bowl: 1}, user=shopper))
    order = payment.order
    close(order)
    cases = open_things(payment, staff)
    assert erasure_refusals(person_of_user(shopper)) == []
    for sentence, (row, changes) in cases.items():
        rows = type(row)._base_manager.filter(pk=row.pk)
        before = rows.values(*changes).get()
        rows.update(**changes)
        reasons = erasure_refusals(person_of_user(User.objects.get(pk=shopper.pk)))
        rows.update(**before)
        assert [reason for reason in reasons if sentence in reason], (sentence, reasons)
        assert len(reasons) == 1, reasons
    Order.objects.filter(pk=order.pk).update(status=OrderStatus.PENDING, released_at=None)
    with pytest.raises(CannotErase, match=f"Order {order.order_number} is not paid yet"):
        user_erase(shopper)
    with pytest.raises(CommandError, match="is not paid yet"):
        call_command("erase_person", shopper.email, "--dry-run", "--unconfirmed")
    shopper.refresh_from_db()
    assert shopper.is_active
    assert not Erasure.objects.exists()


# ---- whose rows ------------------------------------------------------------------------------------------------------


def confirm(user: User) -> None:
    EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"primary": True, "verified": True}
    )


def test_guest_orders_of_an_address_that_the_account_did_not_verify_are_not_mixed_in(store, stranger, capsys):
    """Whoever signs up with another person's address neither reads nor erases that person's orders."""
    guests = start(email=stranger.email).order
    EmailAddress.objects.create(user=stranger, email=stranger.email, primary=True, verified=False)

    guest = person_find(stranger.email)
    assert guest == person_find(stranger.email, Whose.GUEST)
    assert (guest.user_id, guest.of("orders")) == ("", (str(guests.pk),))
    account = person_find(stranger.email, Whose.UNCONFIRMED)
    assert account.user_id == str(stranger.pk)
    assert (account.of("orders"), account.addresses) == ((), ())

    confirm(stranger)
    assert person_find(stranger.email).of("orders") == (str(guests.pk),)
    assert not person_find(stranger.email, Whose.UNCONFIRMED)

    close_unpaid(guests)
    call_command("erase_person", stranger.email, "--guest", "--dry-run")
    assert "orders: 1" in capsys.readouterr().out
    call_command("erase_person", stranger.email, "--guest")
    guests.refresh_from_db()
    assert guests.email.endswith("@erased.invalid")
    assert guests.shipping_address == {"country": "US"}
    stranger.refresh_from_db()
    assert stranger.is_active


def mail_to(recipient: str, key: str, state=MailState.SENT, **context: str) -> Notification:
    sent_at = timezone.now() if state == MailState.SENT else None
    return Notification.objects.create(
        kind="order_placed",
        recipient=recipient,
        dedupe_key=key,
        state=state,
        sent_at=sent_at,
        context=context,
    )


def test_an_address_that_is_not_confirmed_finds_no_emails(shopper, store):
    """It may be an artisan's, a colleague's or anyone's; a confirmed one finds only emails to it."""
    mail_to(shopper.email, "theirs", secret="x")
    order = start(user=shopper, email="typed@example.test").order
    about = mail_to("artisan@example.test", "about", order_number=order.order_number)

    export = person_export(person_of_user(shopper))
    assert (export["email_addresses"], export["data"]["emails"]) == ([], [])
    confirm(shopper)
    keys = Notification.objects.filter(recipient=shopper.email).values_list("recipient", flat=True)
    found = person_export(person_of_user(shopper))["data"]["emails"]
    assert [mail["recipient"] for mail in found] == list(keys)
    assert about.recipient not in keys


def test_emails_to_an_artisan_lose_every_address_that_their_page_had(seller, staff, bowl, shopper, mails):
    """None of which the account has to have confirmed. Emails to the buyer stay."""
    paid = start(items={bowl: 1}, user=shopper)
    record(paid, "99.99", actor=staff)
    deliver(paid, staff)
    mails()
    Artisan.objects.filter(user=seller).update(email="later@example.test", is_active=False)
    of_buyer = Notification.objects.filter(recipient=shopper.email).count()
    mail_to("former@example.test", f"{commission_mail_key(bowl.artisan_id)}1", MailState.SENT)
    failed = mail_to("page@example.test", f"parcel_new:{paid.order.parcels.get().pk}:failed", MailState.DEAD)
    Notification.objects.filter(pk=failed.pk).update(context={"order_number": paid.order.order_number})
    assert Notification.objects.filter(recipient=bowl.artisan.email, state=MailState.SENT).exists()

    erasure = erase(seller)

    assert Notification.objects.filter(recipient=erasure.alias, context={}).exists()
    assert set(Notification.objects.values_list("recipient", flat=True)) <= {
        shopper.email,
        erasure.alias,
        seller.email,
    }
    assert Notification.objects.filter(recipient=shopper.email).exclude(context={}).count() == of_buyer
    assert not Notification.objects.filter(pk=failed.pk).exists()


def test_somebody_of_whom_the_shop_has_only_emails(store, capsys):
    mail_to("asked@example.test", "unknown", secret="x")

    call_command("export_person", "asked@example.test")
    [mail] = json.loads(capsys.readouterr().out)["data"]["emails"]
    call_command("erase_person", "asked@example.test")

    assert mail["recipient"] == "asked@example.test"
    assert AuditEntry.objects.get(action="person.export").target_type == "notifications.Notification"
    notifications_send_due()
    erasures_continue()
    assert Erasure.objects.get().state == ErasureState.DONE
    assert not Notification.objects.filter(recipient="asked@example.test").exists()


def test_an_order_s_own_address_is_erased_and_no_email_to_others_that_waits(shopper, store):
    order = start(user=shopper, email="typed@example.test").order
    close_unpaid(order)
    Notification.objects.all().delete()
    theirs = mail_to(shopper.email, "theirs", secret="x")
    about = mail_to("artisan@example.test", "about", order_number=order.order_number)
    typed = mail_to("typed@example.test", "typed", order_number=order.order_number)
    waiting = mail_to("artisan@example.test", "waiting", MailState.WAITING, order_number=order.order_number)
    erasure = erase(shopper)
    for mail in (theirs, about, typed, waiting, order):
        mail.refresh_from_db()
    assert (theirs.recipient, theirs.context) == (shopper.email, {"secret": "x"})
    assert (about.recipient, about.context) == ("artisan@example.test", {})
    assert (typed.recipient, order.email) == (erasure.alias, erasure.alias)
    assert waiting.context, "an email that is not sent keeps its contents"
    version = order.token_version
    Notification.objects.filter(dedupe_key=f"erasure:{erasure.pk}").update(state=MailState.DEAD)
    assert erasure_continue(erasure.pk) is False
    Notification.objects.filter(pk=waiting.pk).update(state=MailState.DEAD)
    assert erasure_continue(erasure.pk)
    order.refresh_from_db()
    assert order.token_version == version
    assert not Notification.objects.filter(pk=waiting.pk).exists()
    last = Notification.objects.get(dedupe_key=f"erasure:{erasure.pk}")
    assert (last.recipient, last.state) == (erasure.alias, MailState.DEAD)


def test_an_erasure_leaves_later_orders_of_the_address_alone(store, bowl):
    close_unpaid(start(items={bowl: 1}, email="guest@example.test").order)
    erasure = erasure_start(email="guest@example.test", source=ErasureSource.COMMAND, actor=None)
    later = start(items={bowl: 1}, email="guest@example.test").order
    Order.objects.filter(pk=later.pk).update(created_at=timezone.now() + timedelta(hours=1))
    mails = Notification.objects.filter(context__order_number=later.order_number)
    mails.update(created_at=timezone.now() + timedelta(hours=1))
    before = mails.count()

    erasure_continue(erasure.pk)

    later.refresh_from_db()
    assert later.email == "guest@example.test"
    assert mails.count() == before > 0


def test_the_erasure_of_guest_orders_is_not_taken_for_the_account_s(store, shopper, bowl):
    close_unpaid(start(items={bowl: 1}, email=shopper.email).order)
    confirm(shopper)
    guest = erasure_start(email=shopper.email, source=ErasureSource.STAFF, actor=None, whose=Whose.GUEST)
    account = user_erase(shopper)
    assert (guest.user, account.user) == (None, shopper)
    assert user_erase(shopper) == account
    assert (
        erasure_start(email=shopper.email, source=ErasureSource.STAFF, actor=None, whose=Whose.GUEST) == guest
    )


def test_an_erasure_waits_while_a_provider_refuses_to_delete_and_asks_again(shopper, capsys):
    confirm(shopper)
    call = ProviderCall.objects.create(
        provider="stripe",
        operation=Operation.DETACH,
        user=shopper,
        state=CallState.STUCK,
        error="no",
        request={"method_id": "pm_1"},
        finished_at=timezone.now() - timedelta(hours=1),
    )
    address = shopper.email
    erasure = erase(shopper)
    Notification.objects.filter(dedupe_key=f"erasure:{erasure.pk}").update(state=MailState.DEAD)
    call_command("erase_person", address)
    assert "refused to delete" in capsys.readouterr().out
    ProviderCall.objects.filter(pk=call.pk).update(finished_at=timezone.now() - timedelta(days=2))
    assert erasure_continue(erasure.pk) is False
    call.refresh_from_db()
    assert call.state == CallState.OPEN
    ProviderCall.objects.filter(pk=call.pk).update(state=CallState.DONE)
    assert erasure_continue(erasure.pk)
    call.refresh_from_db()
    assert call.request == {}


def close_unpaid(order: Order) -> None:
    order_cancel(order_id=order.pk, reason="x", actor=User.objects.create_superuser("boss@example.test", "x"))


# ---- append-only tables ----------------------------------------------------------------------------------------------


def test_append_only_rows_accept_nothing_but_their_personal_columns_with_a_permit(shopper, store):
    row = start(user=shopper).order.transitions.get()
    erasure = Erasure.objects.create(source="command", alias="x@erased.invalid")
    other = start(user=shopper).order.transitions.get()
    personal_columns_replace(OrderTransition, row.pk, {"actor_name": "[erased]"}, erasure_id=erasure.pk)
    attempts = [
        lambda: OrderTransition.objects.filter(pk=row.pk).update(actor_name="x"),
        lambda: personal_columns_replace(OrderTransition, row.pk, {"new": "PENDING "}, erasure_id=erasure.pk),
        lambda: with_permit(
            row, erasure, lambda: OrderTransition.objects.filter(pk=other.pk).update(cause="x")
        ),
        lambda: with_permit(
            row, erasure, lambda: OrderTransition.objects.filter(pk=row.pk)._raw_delete("default")
        ),
    ]
    for attempt in attempts:
        with pytest.raises(IntegrityError, match="never changed or deleted"), transaction.atomic():
            attempt()
    row.refresh_from_db()
    assert row.actor_name == "[erased]"
    assert not ErasurePermit.objects.exists()


def with_permit(row: OrderTransition, erasure: Erasure, attempt) -> None:
    ErasurePermit.objects.create(table_name=row._meta.db_table, row_id=str(row.pk), erasure=erasure)
    attempt()


# ---- pages -----------------------------------------------------------------------------------------------------------


def test_pages_download_and_erase(browser, shopper, mails):
    EmailAddress.objects.create(user=shopper, email=shopper.email, primary=True, verified=True)
    client = browser(shopper)
    export = client.post("/shop/account/data/download/")
    assert export["Content-Disposition"].startswith('attachment; filename="personal-data-')
    assert export.json()["data"]["users"][0]["email"] == shopper.email
    page = client.post("/shop/account/data/erase/", {"confirmation": "someone@example.test"})
    assert "This is not the email address" in page.content.decode()
    assert not Erasure.objects.exists()

    answer = client.post("/shop/account/data/erase/", {"confirmation": shopper.email.upper()})

    assert answer["Location"] == "/shop/account/data/erased/"
    assert client.get("/shop/account/data/")["Location"].startswith("/shop/account/login/")
    assert erasure_continue(Erasure.objects.get().pk) is False
    assert len(mails(shopper.email)) == 1
    assert erasure_continue(Erasure.objects.get().pk) is True
    actions = AuditEntry.objects.filter(actor=shopper).values_list("action", "actor_name")
    assert set(actions) == {("person.export", "[erased]"), ("person.erase", "[erased]")}


def test_staff_page_finds_exports_and_erases(browser, shopper, admin_user, powerless_staff):
    address = "/admin/privacy/erasure/person/"
    assert browser(powerless_staff).get(address).status_code == 403
    client = browser(admin_user)
    asked = {"email": shopper.email}
    other = client.post(address, asked | {"find": "1"}).content.decode()
    assert "has not confirmed this address. It is not included" in other
    assert "stores nothing" in other
    confirm(shopper)
    assert "Download the export" in client.post(address, asked | {"find": "1"}).content.decode()
    assert client.post(address, asked | {"export": "1"}).json()["email_addresses"] == [shopper.email]
    wrong = client.post(address, asked | {"erase": "1", "confirmation": "x@y.test"})
    assert "The two addresses differ" in wrong.content.decode()

    assert client.post(address, asked | {"erase": "1", "confirmation": shopper.email}).status_code == 302

    erasure = Erasure.objects.get()
    assert (erasure.user, erasure.requested_by, erasure.source) == (shopper, admin_user, ErasureSource.STAFF)
    shown = client.get(f"/admin/privacy/erasure/{erasure.pk}/change/").content.decode()
    assert "The email that confirms the erasure is not sent yet." in shown
    record = LockedRecord.objects.create(
        erasure=erasure,
        target="orders.Order:1",
        content='{"billing_address": {"name": "Ada"}}',
        kept_until=timezone.now(),
    )
    page = f"/admin/privacy/lockedrecord/{record.pk}/show/"
    assert b"Ada" not in client.get(page).content
    assert b"Ada" in client.post(page, {"reason": "tax audit"}).content
    assert AuditEntry.objects.get(action="record.view").data == {"reason": "tax audit"}


def test_a_provider_without_customers_of_its_own_detaches_each_method():
    class Wallets(PaymentProvider):
        create = read = cancel = None

        def saved_methods(self, customer_id):
            return [RemoteMethod(f"pm_{number}", customer_id, "paypal") for number in (1, 2)]

        def detach(self, method_id, *, key):
            gone.append((method_id, key))

    gone: list[tuple[str, str]] = []
    Wallets().forget_customer("cus_1", key="k")
    assert gone == [("pm_1", "k-0"), ("pm_2", "k-1")]
