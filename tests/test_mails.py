"""Every mail that the shop sends: complete, equal in text and HTML, and without private data."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction
from django.test import Client, override_settings
from django.utils import timezone

from artisans.accounts.credentials import password_set
from artisans.accounts.models import User
from artisans.accounts.setting_changes import SettingChange, setting_change
from artisans.accounts.tests.sign_in import browser_client
from artisans.approvals import kinds
from artisans.approvals.kinds import ApprovalKind
from artisans.approvals.services import approval_approve, approval_request
from artisans.catalog.applications import application_decide, application_start, application_submit
from artisans.catalog.members import member_invite
from artisans.catalog.models import Artisan, MemberRole, Product
from artisans.catalog.products import product_take_off_sale
from artisans.catalog.statuses import ApplicationStatus
from artisans.catalog.terms import terms_accept, terms_now, terms_publish
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.money import Money
from artisans.earnings.mails import debt_mail
from artisans.earnings.models import Debt
from artisans.exports.mails import ready_mail
from artisans.exports.models import Export
from artisans.notifications.kinds import KINDS
from artisans.notifications.models import Notification
from artisans.notifications.rendering import LINK_BUILDERS, render
from artisans.notifications.services import notifications_enqueue
from artisans.privacy.services import user_erase
from artisans.tax_ids.services import tax_id_decide, tax_id_record_use
from artisans.workshop.mails import stock_low_mail
from artisans.workshop.states import Act, workshop_change
from orders.models import Order, Parcel
from orders.services.parcels import parcel_ship, shipment_correct
from orders.services.rates import NewRate, rate_add
from orders.statuses import ParcelDecision
from orders.tests.factories import place, quoted_free
from payments.bookkeeping.saved_methods import method_deactivate, method_store
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire, parcel_cannot_deliver
from payments.lifecycle.parcels import parcel_return
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.lifecycle.receipts import payment_reject
from payments.lifecycle.reminders import payment_remind
from payments.lifecycle.start import free_order_confirm
from payments.methods import PaymentMethod
from payments.models import Payment, ReversalReason
from payments.providers.contract import RemoteMethod, RemoteRefundStatus
from payments.refunds.staff import refund_open
from payments.tests.factories import (
    apply_card_captures,
    give_back,
    record,
    remote_refund_of,
    reread,
    start,
    unit_selection,
)
from scripts.releases import releases, unpack
from tests import rows
from tests.html import page

pytestmark = pytest.mark.django_db

AMOUNT = re.compile(r"[$€¥]\s?[\d,.]*\d")
LINK = re.compile(r"https?://[^\s\"'<>)]+")
TEMPLATES = {
    path.name.removesuffix(".subject.txt")
    for path in Path(settings.BASE_DIR, "templates/emails").glob("*.subject.txt")
}


@pytest.fixture(scope="module")
def all_mails(module_db) -> Iterator[dict[str, Notification]]:
    """One mail of each kind, caused by user actions."""
    rows.store()
    with override_settings(STRIPE_SECRET_KEY="sk_test_of_nobody"):
        lost = causes_of_mails()
    with time_machine.travel(timezone.now() + timedelta(days=11)):
        order_expire(order_id=lost.order_id)
        Product.objects.filter(pk=rows.scarf().pk).update(stock=0)
        record(reread(lost), lost.amount.amount, actor=rows.staff())
        tax_id_mails(rows.staff())
        yield {row.kind: row for row in Notification.objects.order_by("created_at")}


def causes_of_mails() -> Payment:
    """Returns the payment of an order that is still to expire."""
    bowl, scarf, seller = rows.bowl(), rows.scarf(), rows.seller()
    shopper, staff = rows.shopper(), rows.staff()
    two = {bowl: 1, scarf: 2}
    short = start(items=two, user=shopper, note="<b>ring</b> & wait")
    record(short, "100.00", actor=staff)
    record(short, "80.00", actor=staff, reference="STMT-2")
    give_back(short, "1.00", actor=staff)
    exact = start(items=two, email="guest@example.test")
    record(exact, exact.amount.amount, actor=staff)
    parcel_ship(parcel_id=exact.order.parcels.first().pk, carrier="USPS", tracking="T-<1>", actor=seller)
    shipment_correct(
        parcel_id=exact.order.parcels.first().pk, number=1, carrier="USPS", tracking="T-2", actor=seller
    )
    cash = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=shopper)
    order_cancel(order_id=cash.order_id, reason="kiln broke", actor=staff)
    Client().post(
        "/shop/orders/find/", {"order_number": exact.order.order_number, "email": "guest@example.test"}
    )
    undelivered_mails(exact.order.parcels.last())
    free_order_mails({bowl: 1})
    sent = exact.order.parcels.first()
    parcel_return(parcel_id=sent.pk, restock=True, reason="nobody <home> & moved", actor=staff)
    check_mails(two, shopper, staff)
    refunded_mails(start(PaymentMethod.CREDIT_CARD, {scarf: 2}, user=shopper), staff)
    reminded_mails({scarf: 1})
    saved_mails(shopper)
    account_mails(browser_client(User.objects.create_user("new@example.test", "correct-horse-1")))
    approval_mails(shopper, staff)
    setting_mails(bowl.artisan)
    debt = Debt.objects.create(artisan=bowl.artisan, currency="USD")
    notifications_enqueue(debt_mail(debt, Money(1234, "USD"), rows.store()))
    workshop_mails(bowl, seller)
    user_erase(rows.user("leaving@example.test"))
    return start(items={scarf: 1}, user=shopper)


def tax_id_mails(staff: User) -> None:
    tax_id = tax_id_record_use(value="DE136695976", email="buyer@example.test")
    tax_id_decide(
        tax_id_id=tax_id.pk, version=tax_id.version, is_valid=True, reason="Called <them>.", actor=staff
    )


def free_order_mails(items: Mapping[Product, int]) -> None:
    with transaction.atomic():
        placed = place(items, quote=quoted_free(items.items()), note="<b>ring</b> & wait")
        free_order_confirm(placed, store=rows.store())


def undelivered_mails(parcel: Parcel) -> None:
    """First a unit of the parcel, then the rest of it."""
    maker = parcel.artisan.user
    one = {parcel.lines.get().pk: 1}
    parcel_cannot_deliver(parcel_id=parcel.pk, reason="Moths <ate> & tore it.", actor=maker, units=one)
    parcel_cannot_deliver(parcel_id=parcel.pk, reason="The loom <snapped> & burnt.", actor=maker)


def workshop_mails(bowl: Product, seller: User) -> None:
    notifications_enqueue(stock_low_mail(bowl.artisan, [bowl], rows.store()))
    invited = {"email": "new.helper@example.test", "role": MemberRole.HELPER}
    member_invite(artisan=bowl.artisan, actor=seller, **invited)
    selling_mails(rows.user("fern@example.test"), rows.superuser())


def selling_mails(applicant: User, staff: User) -> None:
    """Someone applies, is asked, refused, asked again and approved; then a product is taken off sale,
    and the workshop suspended."""
    terms_publish(text="Be kind.", changes="<b>Ship</b> & answer\nin time.", actor=staff, seen=0)
    application = application_start(user=applicant, name="Fern & <Ash>", craft="Weaver", town="Astoria")
    artisan = application.artisan
    artisan.story, artisan.contact_email = "Willow.", applicant.email
    artisan.save(update_fields=["story", "contact_email"])
    ProductFactory.create(artisan=artisan, is_active=False, stock=0)
    terms_accept(artisan=artisan, terms_id=terms_now().pk, actor=User.objects.get(pk=applicant.pk))
    A, pk = ApplicationStatus, application.pk  # noqa: N806  # as in the module
    for status in (A.ASKED, A.REFUSED, A.ASKED, A.APPROVED):
        if status != A.ASKED or application.status != A.REFUSED:
            application_submit(application_id=pk, actor=applicant, text="From the <river> & the fen.")
        text = "Where is <it> from,\nand why?"
        seen = application.events.count()
        application = application_decide(application_id=pk, to=status, actor=staff, text=text, seen=seen)
    reason = "It <sells> & copies."
    product = artisan.products.get()
    product_take_off_sale(artisan=artisan, product_id=product.pk, reason=reason, actor=staff)
    workshop_change(artisan_id=artisan.pk, act=Act.SUSPEND, actor=staff, reason=reason, seen="active")


def refunded_mails(card: Payment, staff: User) -> None:
    """A card is refunded with a unit left out of the parcel, and the bank sends the money back."""
    apply_card_captures(card)
    one = unit_selection((card.order.lines.get(), 1), restock=True)
    sent = refund_open(payment_id=card.pk, reason="The <rim> & foot broke.", actor=staff, items=one)
    apply_card_captures(card, refunds=(remote_refund_of(sent),))
    apply_card_captures(card, refunds=(remote_refund_of(sent, RemoteRefundStatus.FAILED),))
    line, parcel = card.order.lines.get(), card.order.parcels.get()
    whole = unit_selection((line, line.refundable_quantity))
    all_of_it = refund_open(payment_id=card.pk, reason="All of it.", actor=staff, items=whole)
    apply_card_captures(card, refunds=(remote_refund_of(all_of_it, RemoteRefundStatus.FAILED),))
    parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="T-<1>", actor=parcel.artisan.user)
    awaited = {parcel.pk: ParcelDecision.AWAIT_RETURN}
    refund_open(payment_id=card.pk, reason="Sent back.", actor=staff, amount=card.amount, parcels=awaited)


def reminded_mails(items: Mapping[Product, int]) -> None:
    """One buyer left before entering a card, and another buyer's transfer is due soon."""
    now = timezone.now()
    left = start(PaymentMethod.CREDIT_CARD, items, email="guest@example.test")
    Payment.objects.filter(pk=left.pk).update(created_at=now - timedelta(minutes=11))
    due = start(items=items, email="guest@example.test")
    Payment.objects.filter(pk=due.pk).update(created_at=now - timedelta(days=2))
    Order.objects.filter(pk=due.order_id).update(pay_by=now + timedelta(days=1))
    for payment in (left, due):
        payment_remind(payment.pk)


def check_mails(items: Mapping[Product, int], buyer: User, staff: User) -> None:
    """A check is rejected; another one does not clear, and the money comes after all."""
    rejected = start(PaymentMethod.CHECK, items, user=buyer)
    payment_reject(payment_id=rejected.pk, reason="The check <bounced> & came back.", actor=staff)
    bounced = start(PaymentMethod.CHECK, items, user=buyer)
    receipt = record(bounced, bounced.amount, actor=staff, reference="check 77")
    receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.BOUNCED, actor=staff)
    record(bounced, bounced.amount, actor=staff, reference="check 78")


def saved_mails(user: User) -> None:
    card = RemoteMethod("pm_1", "cus_1", "card", "visa", "4242", 12, 2034)
    method = method_store(user_id=user.pk, provider="stripe", remote=card, consented_at=timezone.now())
    method_deactivate(user=user, method_id=method.pk)
    password_set(user=user, password="five-kilns-under-snow", actor=user)


def account_mails(browser: Client) -> None:
    """Someone confirms their address; someone resets a password, and another has no account."""
    browser.post("/shop/account/email/", {"email": "new@example.test", "action_send": ""})
    for email in ("new@example.test", "unknown@example.test"):
        Client().post("/shop/account/password/reset/", {"email": email})


def approval_mails(shopper, staff):
    notifications_enqueue(ready_mail(Export(owner=staff, list_name="artisan:parcels"), timezone.now()))
    """Staff request an operation, and a colleague approves it."""
    colleague = User.objects.create_superuser("second@example.test", "correct-horse-1")
    kinds.register(ApprovalKind("toy", "Toy operation", "payments.refund", lambda *args: None))
    approval = approval_request(
        "toy", target=shopper, title="Refund of $500.00", details=[], payload={}, actor=staff
    )
    approval_approve(approval_id=approval.pk, actor=colleague)
    del kinds.KINDS["toy"]


def setting_mails(artisan: Artisan) -> None:
    """An administrator changes where an artisan's orders are announced."""
    owner = User.objects.create_superuser("owner@example.test", "correct-horse-1")
    EmailAddress.objects.create(user=owner, email=owner.email, primary=True, verified=True)
    change = SettingChange.of(artisan, new={"email": "new@pottery.test"})
    assert setting_change(change, actor=owner)
    assert rate_add(NewRate("USD", str(artisan.pk), rate_ppm=100_000, is_agreed=True), actor=owner)


def text_of(html: str) -> str:
    return page(html).one("body").text


def test_every_template_is_used_by_one_kind(all_mails):
    assert set(all_mails) == set(KINDS) == TEMPLATES


def test_release_before_knows_all_renderers_of_its_emails(all_mails):
    """Its workers send emails of today's code during an upgrade, and after a rollback."""
    release = unpack(releases()[-1])
    source = "".join(path.read_text() for path in release.glob("*/**/*.py"))
    known = {"money", "time", "day", *re.findall(r"@fact_renderer\ndef (\w+)", source)}
    for kind, row in all_mails.items():
        if (release / f"templates/emails/{kind}.txt").exists():
            used = set(re.findall(r'"\$": "(\w+)"', json.dumps(row.context)))
            assert used <= known, kind


def test_label_names_the_recipient():
    for kind, label in KINDS.items():
        assert re.search(r" \(to .+\)$", str(label)), kind


def test_text_and_html_have_the_same_amounts_and_links(all_mails):
    for kind, row in all_mails.items():
        mail = render(row)
        assert sorted(set(AMOUNT.findall(mail.text))) == sorted(set(AMOUNT.findall(text_of(mail.html)))), kind
        assert set(LINK.findall(mail.text)) == set(LINK.findall(mail.html.replace("&amp;", "&"))), kind


def test_link_with_a_token_is_built_once_for_text_and_html(all_mails, monkeypatch):
    numbers = count()
    monkeypatch.setattr(
        "artisans.notifications.rendering.LINK_BUILDERS",
        dict.fromkeys(LINK_BUILDERS, lambda facts: f"{settings.SITE_URL}/{next(numbers)}"),
    )

    mail = render(all_mails["password_reset"])

    assert len(set(LINK.findall(mail.text + mail.html))) == 1


def test_subject_has_the_number_and_nothing_personal(all_mails, shopper):
    for kind, row in all_mails.items():
        subject = render(row).subject
        is_about_order = "order_number" in row.context
        assert not is_about_order or re.match(r"Order [2-9A-HJ-NP-TV-Z]{9}: \S", subject), (kind, subject)
        for secret in ("Visa", "Lovelace", "@", "Pier", "5550123", "555 0123", shopper.name, "Moss bowl"):
            assert secret not in subject, kind
        assert len(subject) <= 78, "longer subjects are cut"


def test_no_variable_is_missing_or_unescaped(all_mails):
    for kind, row in all_mails.items():
        mail = render(row)
        for part in (mail.subject, mail.text, mail.html):
            assert not re.search(r"\{\{|\{%|None|Undefined|\[\]|&lt;b&gt;.*&lt;b&gt;&lt;b&gt;", part), (
                kind,
                part,
            )
        assert "<b>ring</b>" not in mail.html
        assert "<bounced>" not in mail.html
        assert "&lt;" not in mail.text, "text is not escaped"
        assert "\n\n\n\n" not in mail.text, kind


def test_user_input_is_mailed_unchanged(all_mails):
    new, rejected = render(all_mails["parcel_new"]), render(all_mails["payment_rejected"])

    assert "The check <bounced> & came back." in rejected.text
    assert "The check <bounced> & came back." in text_of(rejected.html)
    assert "T-<1>" in render(all_mails["parcel_shipped"]).text
    assert new.text


def test_links_open_the_right_page_for_a_stranger_s_browser(all_mails):
    for kind, row in all_mails.items():
        if "order_link" not in row.context:
            continue
        order = Order.objects.get(pk=row.context["order_link"][0])
        links = {link for link in LINK.findall(render(row).text) if "/shop/orders/" in link}
        assert links, kind
        for link in links:
            answer = Client().get(link.removeprefix(settings.SITE_URL), follow=True)
            assert answer.status_code == 200
            assert order.order_number in page(answer).text


def test_mail_about_a_receipt_names_the_method(all_mails, shopper, staff, mails):
    assert "Payment method: Card" in render(all_mails["payment_received"]).text

    transfer = start(user=shopper)
    record(transfer, transfer.amount.amount, actor=staff)

    assert (
        "Payment method: Bank transfer"
        in render(Notification.objects.filter(kind="payment_received").latest("created_at")).text
    )


def test_no_mail_tracks_or_loads_anything(all_mails):
    for kind, row in all_mails.items():
        html = render(row).html
        assert "<img" not in html, kind
        carrier = "https://tools.usps.com/" if kind in {"parcel_shipped", "shipment_corrected"} else "-"
        for link in LINK.findall(html):
            assert link.startswith((settings.SITE_URL, carrier)), (kind, link)


def test_stored_context_holds_no_link_and_no_key(all_mails):
    for row in Notification.objects.all():
        assert "http" not in str(row.context), row.kind
        assert "mailbox" not in str(row.context), row.kind


def test_each_fact_is_mailed_once_even_if_repeated(all_mails, mails):
    kinds = [(row.kind, row.dedupe_key) for row in Notification.objects.all()]
    assert len(kinds) == len(set(kinds))
    before = len(mails())

    assert len(mails()) == before == len(kinds)
