"""Refunds of cash on delivery: the ledger credits who paid it back, the bank, the shop's cash or an artisan."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import approval_approve
from artisans.audit.models import AuditEntry
from artisans.catalog.models import Artisan, ArtisanMember, MemberRole
from artisans.core.admin.pages import admin_page_url
from artisans.core.errors import InvalidInput
from artisans.core.money import Money
from artisans.ledger.accounts import AccountKind
from artisans.ledger.explanations import explain
from artisans.ledger.models import LedgerEntry
from artisans.ledger.selectors import balances
from orders.errors import OwnMoney
from orders.models import Parcel, StoreRules
from orders.statuses import CashHolder
from payments.approvals import refund_submit, return_submit
from payments.errors import ReceiptSpent
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.cash_deposits import cash_deposit_record, cash_deposit_reverse
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import Bearer, CashDeposit, PaidFrom, Payment, PaymentRefund, Receipt, ReversalReason
from payments.refunds.manual import PaidBack, likely_payer, money_return_record
from payments.refunds.staff import refund_open
from payments.selectors import cash_left, cash_to_deposit
from payments.tests.factories import apply_card_captures, give_back, record, start, usd
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def cash(bowl, scarf, shopper) -> Payment:
    return start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1, scarf: 1}, user=shopper)


@pytest.fixture
def parcels(cash) -> list[Parcel]:
    return list(cash.order.parcels.select_related("artisan__user", "order").order_by("number"))


def collect(cash: Payment, parcel: Parcel, holder: CashHolder, staff) -> Receipt:
    return record(cash, parcel.total.amount, actor=staff, parcel_id=parcel.pk, holder=holder)


def on(kind: AccountKind) -> int:
    return sum(amount.minor for account, amount in balances() if account.kind == kind)


def deposit(amount: Money, *receipts: Receipt, actor) -> CashDeposit:
    money = IncomingMoney(amount, timezone.localdate(), f"D-{CashDeposit.objects.count()}")
    keys = [receipt.pk for receipt in receipts]
    return cash_deposit_record(receipt_ids=keys, holder=CashHolder.SHOP, money=money, actor=actor)


def test_what_an_artisan_collected_and_handed_back_leaves_no_debt(cash, parcels, staff, mails):
    first = parcels[0]
    collect(cash, first, CashHolder.ARTISAN, staff)
    assert likely_payer(cash, usd("1.00")) == PaidBack(PaidFrom.ARTISAN, first.artisan_id)

    refund = give_back(cash, first.total.amount, actor=staff, reference="R 7")

    assert (refund.paid_from, refund.paid_by) == ("artisan", first.artisan)
    for kind in (AccountKind.SELLER_AVAILABLE, AccountKind.BANK, AccountKind.CASH, AccountKind.ORDER):
        assert on(kind) == 0, kind
    entries = LedgerEntry.objects.filter(fact_id=refund.pk).prefetch_related("postings__account__artisan")
    [explained] = explain(list(entries))
    assert explained.sentence.endswith(f"refunded to the buyer in cash by {first.artisan.name}.")
    [mail] = [mail for mail in mails(cash.order.email) if "refund of" in mail.subject]
    assert "back in cash on" in mail.body
    assert "R 7" in mail.body
    data = AuditEntry.objects.get(action="money.return").data
    assert (data["paid_from"], data["artisan"]) == ("artisan", str(first.artisan_id))


def test_cash_of_the_shop_is_paid_back_in_cash_until_it_was_deposited(cash, parcels, staff):
    first, second = parcels
    receipt = collect(cash, first, CashHolder.SHOP, staff)
    give_back(cash, "5.00", actor=staff)
    left = first.total - usd("5.00")
    assert likely_payer(cash, left) == PaidBack(PaidFrom.CASH)
    assert likely_payer(cash, first.total) == PaidBack()
    with pytest.raises(InvalidInput, match=rf"{left} in total, 5\.00 USD less"), transaction.atomic():
        deposit(first.total, receipt, actor=staff)
    deposit(left, receipt, actor=staff)

    give_back(cash, "6.00", actor=staff)

    assert [row.paid_from for row in PaymentRefund.objects.order_by("created_at")] == ["cash", "bank"]
    assert on(AccountKind.BANK) == left.minor - 600
    collect(cash, second, CashHolder.ARTISAN, staff)
    assert likely_payer(cash, usd("1.00")) == PaidBack()  # more than one has the money
    with (
        pytest.raises(InvalidInput, match=r"shop holds only 0\.00 USD of this payment in cash"),
        transaction.atomic(),
    ):
        give_back(cash, "1.00", actor=staff, paid=PaidBack(PaidFrom.CASH))
    assert (on(AccountKind.CASH), on(AccountKind.BANK_FEE)) == (0, 0)


def test_what_is_left_of_the_cash_is_what_the_ledger_has(cash, parcels, staff):
    """Each refund is subtracted once, whether before or after the deposit of another receipt."""
    first, second = (collect(cash, parcel, CashHolder.SHOP, staff) for parcel in parcels)

    def left() -> dict[Receipt, int]:
        found = {row: row.left_minor for row in cash_to_deposit(CashHolder.SHOP)}
        assert sum(found.values()) == cash_left(cash).minor == on(AccountKind.CASH)
        return found

    give_back(cash, "5.00", actor=staff)
    assert left() == {first: first.amount_minor - 500, second: second.amount_minor}
    deposited = deposit(first.amount - usd("5.00"), first, actor=staff)
    assert left() == {second: second.amount_minor}
    give_back(cash, "2.00", actor=staff)
    assert left() == {second: second.amount_minor - 200}
    cash_deposit_reverse(deposit_id=deposited.pk, reason="wrong month", actor=staff)
    assert left() == {first: first.amount_minor - 700, second: second.amount_minor}
    give_back(cash, (first.amount - usd("6.00")).amount, actor=staff)
    assert left() == {second: second.amount_minor - 100}
    with pytest.raises(InvalidInput, match="1 of them were reversed or paid back"), transaction.atomic():
        deposit(second.amount, first, second, actor=staff)
    deposit(second.amount - usd("1.00"), second, actor=staff)
    assert left() == {}


def test_receipt_of_cash_that_was_paid_back_is_not_reversed(cash, parcels, staff):
    """The artisan's cash would cover the refund, but was not what the shop paid back."""
    receipt = collect(cash, parcels[0], CashHolder.SHOP, staff)
    collect(cash, parcels[1], CashHolder.ARTISAN, staff)
    give_back(cash, "5.00", actor=staff, paid=PaidBack(PaidFrom.CASH))

    with pytest.raises(ReceiptSpent), transaction.atomic():
        receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.MISTAKE, actor=staff)

    assert on(AccountKind.CASH) == receipt.amount_minor - 500


def test_day_long_before_the_order_is_refused(cash, parcels, staff):
    """It would be booked on that day, and no later month could be closed before all since then."""
    collect(cash, parcels[0], CashHolder.SHOP, staff)
    with pytest.raises(InvalidInput, match=r"cannot be before .* Check its year\."), transaction.atomic():
        give_back(cash, "1.00", actor=staff, value_date=date(26, 11, 26))
    give_back(cash, "1.00", actor=staff, value_date=timezone.localdate() - timedelta(days=300))


def test_who_cannot_have_paid_it_back_is_refused(cash, parcels, staff, bowl, shopper):
    first = parcels[0]
    collect(cash, first, CashHolder.ARTISAN, staff)
    check = start(PaymentMethod.CHECK, {bowl: 1}, user=shopper)
    record(check, "20.00", actor=staff)
    assert likely_payer(check, usd("1.00")) == PaidBack()
    for payment, paid in (
        (check, PaidBack(PaidFrom.CASH)),
        (check, PaidBack(PaidFrom.ARTISAN, first.artisan_id)),
        (cash, PaidBack(PaidFrom.ARTISAN)),
        (cash, PaidBack(PaidFrom.BANK, first.artisan_id)),
        (cash, PaidBack(PaidFrom.ARTISAN, first.pk)),
    ):
        with pytest.raises(InvalidInput):
            give_back(payment, "1.00", actor=staff, paid=paid)
    type(first.artisan).objects.filter(pk=first.artisan_id).update(user=staff)
    with pytest.raises(OwnMoney):
        give_back(cash, "1.00", actor=staff)
    assert not PaymentRefund.objects.exists()


def test_a_second_person_approves_who_paid_it_back(cash, parcels, staff, admin_user, store):
    first = parcels[0]
    collect(cash, first, CashHolder.ARTISAN, staff)
    store.second_person_above_minor = 100
    store.save()
    pending = return_submit(
        payment_id=cash.pk,
        amount=Money(500, "USD"),
        value_date=timezone.localdate(),
        bank_reference="R 8",
        reason="Chipped.",
        actor=staff,
        beyond_owed=True,
    )
    assert isinstance(pending, ApprovalRequest)
    assert f"{first.artisan.name}, in cash" in pending.details
    assert "Transfer" not in pending.details
    assert "Paid back on" in pending.details

    approval_approve(approval_id=pending.pk, actor=admin_user)

    assert PaymentRefund.objects.get().paid_by == first.artisan


@pytest.mark.parametrize("holder", [CashHolder.ARTISAN, CashHolder.SHOP])
def test_a_request_of_release_0_1_0_is_booked_as_the_transfer_that_it_names(
    cash, parcels, staff, admin_user, store, mails, holder
):
    collect(cash, parcels[0], holder, staff)
    before = on(AccountKind.BANK)
    store.second_person_above_minor = 100
    store.save()
    pending = return_submit(
        payment_id=cash.pk,
        amount=Money(500, "USD"),
        value_date=timezone.localdate(),
        bank_reference="OUT 8",
        reason="Chipped.",
        actor=staff,
        beyond_owed=True,
    )
    assert isinstance(pending, ApprovalRequest)
    payload = json.loads(pending.payload)
    del payload["paid_from"], payload["paid_by"]
    ApprovalRequest.objects.update(payload=json.dumps(payload))

    approval_approve(approval_id=pending.pk, actor=admin_user)

    refund = PaymentRefund.objects.get()
    assert (refund.paid_from, refund.paid_by) == ("bank", None)
    assert on(AccountKind.BANK) == before - 500
    [mail] = [mail for mail in mails(cash.order.email) if "refund of" in mail.subject]
    assert "The reference on your bank statement is OUT 8" in mail.body


@pytest.mark.parametrize("is_first_owner", [True, False])
def test_nobody_approves_cash_that_their_own_account_is_credited_for(
    cash, parcels, staff, admin_user, store, is_first_owner
):
    collect(cash, parcels[0], CashHolder.ARTISAN, staff)
    store.second_person_above_minor = 100
    store.save()
    pending = return_submit(
        payment_id=cash.pk,
        amount=Money(500, "USD"),
        value_date=timezone.localdate(),
        bank_reference="R 8",
        reason="Chipped.",
        actor=staff,
        beyond_owed=True,
    )
    if is_first_owner:
        Artisan.objects.filter(pk=parcels[0].artisan_id).update(user=admin_user)
    else:
        ArtisanMember.objects.create(artisan=parcels[0].artisan, user=admin_user, role=MemberRole.HELPER)

    with pytest.raises(OwnMoney):
        approval_approve(approval_id=pending.pk, actor=admin_user)

    pending.refresh_from_db()
    assert (pending.status, PaymentRefund.objects.count()) == ("PENDING", 0)


@pytest.mark.usefixtures("card_shop")
@pytest.mark.parametrize("is_first_owner", [True, False])
def test_nobody_spares_their_own_workshop_a_refund(cash, staff, admin_user, bowl, shopper, is_first_owner):
    """Neither of a refund through a provider or offline, nor when they approve it."""
    collect(cash, cash.order.parcels.get(artisan=bowl.artisan), CashHolder.SHOP, staff)
    card = start(PaymentMethod.CREDIT_CARD, {bowl: 1}, user=shopper)
    apply_card_captures(card)
    if is_first_owner:
        Artisan.objects.filter(pk=bowl.artisan_id).update(user=admin_user)
    else:
        ArtisanMember.objects.create(artisan=bowl.artisan, user=admin_user, role=MemberRole.HELPER)
    wanted: dict[str, Any] = {"reason": "Chipped.", "borne_by": Bearer.SHOP, "amount": Money(500, "USD")}
    transfer = {"value_date": timezone.localdate(), "bank_reference": "R 8", "beyond_owed": True}
    for attempt in (
        lambda: refund_open(payment_id=card.pk, actor=admin_user, **wanted),
        lambda: money_return_record(payment_id=cash.pk, actor=admin_user, **wanted, **transfer),
    ):
        with pytest.raises(OwnMoney), transaction.atomic():
            attempt()
    StoreRules.objects.update(second_person_above_minor=100)
    for pending in (
        refund_submit(payment_id=card.pk, actor=staff, **wanted),
        return_submit(payment_id=cash.pk, actor=staff, **wanted, **transfer),
    ):
        with pytest.raises(OwnMoney):
            approval_approve(approval_id=pending.pk, actor=admin_user)
    assert not PaymentRefund.objects.exists()


def test_the_page_asks_who_paid_cash_back(cash, parcels, browser, staff, bowl, shopper):
    first, second = parcels
    collect(cash, first, CashHolder.ARTISAN, staff)
    client, address = browser(staff), admin_page_url(cash, "return")
    [chosen] = [one for one in page(client.get(address)).all("input", name="payer") if "checked" in one.attrs]
    assert chosen.attrs["value"] == str(first.artisan_id)
    form = {
        "amount": "5.00",
        "value_date": str(timezone.localdate()),
        "bank_reference": "R 9",
        "preset": "other",
        "text": "Chipped.",
        "beyond_owed": "on",
        "borne_by": "artisan",
    }
    assert client.post(address, form).status_code == 200  # nobody was chosen
    assert client.post(address, form | {"payer": str(cash.pk)}).status_code == 200
    assert not PaymentRefund.objects.exists()

    client.post(address, form | {"payer": str(second.artisan_id)})

    assert PaymentRefund.objects.get().paid_by == second.artisan
    assert f"{second.artisan.name}, in cash" in page(client.get(address)).text
    check = start(PaymentMethod.CHECK, {bowl: 1}, user=shopper)
    record(check, "20.00", actor=staff)
    assert not page(client.get(admin_page_url(check, "return"))).all("input", name="payer")
