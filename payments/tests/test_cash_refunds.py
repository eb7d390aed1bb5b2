"""Refunds of cash on delivery: the ledger credits who paid it back, the bank, the shop's cash or an artisan."""

import pytest
from django.utils import timezone

from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import approval_approve
from artisans.audit.models import AuditEntry
from artisans.core.admin.pages import admin_page_url
from artisans.core.errors import InvalidInput
from artisans.core.money import Money
from artisans.ledger.accounts import AccountKind
from artisans.ledger.explanations import explain
from artisans.ledger.models import LedgerEntry
from artisans.ledger.selectors import balances
from orders.errors import OwnMoney
from orders.models import Parcel
from orders.statuses import CashHolder
from payments.approvals import return_submit
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.cash_deposits import cash_deposit_record
from payments.methods import PaymentMethod
from payments.models import PaidFrom, Payment, PaymentRefund, Receipt
from payments.refunds.manual import PaidBack, likely_payer
from payments.tests.factories import give_back, record, start
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


def test_what_an_artisan_collected_and_handed_back_leaves_no_debt(cash, parcels, staff, mails):
    first = parcels[0]
    collect(cash, first, CashHolder.ARTISAN, staff)
    assert likely_payer(cash) == PaidBack(PaidFrom.ARTISAN, first.artisan_id)

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
    assert on(AccountKind.CASH) == first.total.minor - 500
    money = IncomingMoney(first.total, timezone.localdate(), "D-1")
    cash_deposit_record(receipt_ids=[receipt.pk], holder=CashHolder.SHOP, money=money, actor=staff)

    give_back(cash, "6.00", actor=staff)

    assert [row.paid_from for row in PaymentRefund.objects.order_by("created_at")] == ["cash", "bank"]
    assert on(AccountKind.BANK) == first.total.minor - 600
    collect(cash, second, CashHolder.ARTISAN, staff)
    assert likely_payer(cash) == PaidBack()  # more than one has the money
    give_back(cash, "1.00", actor=staff, paid=PaidBack(PaidFrom.CASH))
    assert on(AccountKind.CASH) == -600


def test_who_cannot_have_paid_it_back_is_refused(cash, parcels, staff, bowl, shopper):
    first = parcels[0]
    collect(cash, first, CashHolder.ARTISAN, staff)
    check = start(PaymentMethod.CHECK, {bowl: 1}, user=shopper)
    record(check, "20.00", actor=staff)
    assert likely_payer(check) == PaidBack()
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

    approval_approve(approval_id=pending.pk, actor=admin_user)

    assert PaymentRefund.objects.get().paid_by == first.artisan


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
