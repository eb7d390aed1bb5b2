"""Holding back money by staff, and for disputes."""

import pytest

from artisans.accounts.models import Role
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.personal_data import approval_refusals
from artisans.approvals.services import approval_approve
from artisans.audit.models import AuditEntry
from artisans.audit.personal_data import entries_about
from artisans.core.errors import Conflict, DomainError, Forbidden, InvalidInput
from artisans.earnings.approvals import hold_end_submit, hold_submit
from artisans.earnings.disputes import exposures_of, order_follow_disputes
from artisans.earnings.holds import HoldRequest, hold_book, hold_end, hold_place, unbooked_holds
from artisans.earnings.models import Hold, HoldReason
from artisans.earnings.tasks import follow_disputes_task, release_task
from artisans.earnings.tests.conftest import figures, money
from artisans.ledger.models import EntryKind, LedgerEntry
from artisans.privacy.selectors import person_of_user
from payments.bookkeeping.ledger import find_ledger_errors, ledger_fill_sources
from payments.lifecycle.parcels import parcel_return
from payments.models import Earning
from payments.tests.factories import usd
from tests import rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def request(sum_: str = "20.00", **changes) -> HoldRequest:
    facts = {"amount": usd(sum_), "reason": HoldReason.STAFF, "note": "We check the photos."}
    return HoldRequest(**{**facts, **changes})


@pytest.fixture
def second(admin_user):
    user = rows.user("second@example.test", role=Role.STAFF)
    user.is_superuser = True
    user.save()
    return user


# ---- by staff --------------------------------------------------------------------------------------------------


def test_held_money_is_not_available_until_the_hold_ends(released, potter, admin_user):
    released()
    hold = hold_place(artisan_id=potter.pk, request=request(), actor=admin_user)
    assert figures(potter) == ("0.00", "71.44", "20.00")
    assert money(potter).payable == usd("71.44")

    hold_end(hold_id=hold.pk, actor=admin_user)

    assert figures(potter) == ("0.00", "91.44", "0.00")
    kinds = list(LedgerEntry.objects.filter(fact_id=hold.pk).order_by("key").values_list("kind", flat=True))
    assert kinds == [EntryKind.HOLD, EntryKind.HOLD_RELEASED]
    with pytest.raises(Conflict, match="already ended"):
        hold_end(hold_id=hold.pk, actor=admin_user)


def test_no_more_can_be_held_than_is_available(released, potter, admin_user):
    released()
    with pytest.raises(Conflict, match=r"Only \$91.44 is available"):
        hold_place(artisan_id=potter.pk, request=request("91.45"), actor=admin_user)
    hold_place(artisan_id=potter.pk, request=request("91.44"), actor=admin_user)
    with pytest.raises(Conflict, match=r"Only \$0.00 is available"):
        hold_place(artisan_id=potter.pk, request=request("0.01"), actor=admin_user)
    assert figures(potter) == ("0.00", "0.00", "91.44")


@pytest.mark.parametrize(
    "changes",
    [
        {"note": " "},
        {"amount": usd("0.00")},
        {"reason": HoldReason.RESERVE},
        {"reason": HoldReason.DISPUTE},
        {"until": "past"},
        {"order": "another's"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(released, potter, admin_user, changes, scarf, other_seller):
    payment = released()
    if "until" in changes:
        changes = {"until": payment.created_at}
    if "order" in changes:
        artisan, changes = other_seller.artisan, {"order": payment.order}
    else:
        artisan = potter
    with pytest.raises(InvalidInput):
        hold_place(artisan_id=artisan.pk, request=request(**changes), actor=admin_user)
    assert not Hold.objects.exists()


def test_only_staff_with_the_permission_and_never_for_themselves(released, potter, staff, admin_user):
    released()
    with pytest.raises(Forbidden):
        hold_place(artisan_id=potter.pk, request=request(), actor=staff)
    hold = hold_place(artisan_id=potter.pk, request=request(), actor=admin_user)
    type(potter).objects.filter(pk=potter.pk).update(user=admin_user)
    with pytest.raises(Forbidden, match="your own money"):
        hold_end(hold_id=hold.pk, actor=admin_user)


def test_nobody_decides_about_a_hold_for_their_own_order(released, potter, admin_user, second):
    payment = released()
    hold = hold_place(artisan_id=potter.pk, request=request(order=payment.order), actor=second)
    type(payment.order).objects.filter(pk=payment.order_id).update(user=admin_user)
    payment.order.refresh_from_db()

    with pytest.raises(Forbidden, match="your own order"):
        hold_end(hold_id=hold.pk, actor=admin_user)
    with pytest.raises(Forbidden, match="your own order"):
        hold_place(artisan_id=potter.pk, request=request(order=payment.order), actor=admin_user)


def test_a_second_person_approves_what_is_above_the_limit(released, potter, admin_user, second, store):
    store.second_person_above_minor = 1999
    store.save()
    released()
    asked = hold_submit(artisan=potter, request=request(), actor=admin_user)
    assert isinstance(asked, ApprovalRequest)
    assert figures(potter)[2] == "0.00"

    approval_approve(approval_id=asked.pk, actor=second)

    hold = Hold.objects.get()
    assert (hold.amount, hold.made_by, figures(potter)[2]) == (usd("20.00"), admin_user, "20.00")
    asked = hold_end_submit(hold=hold, actor=admin_user)
    assert isinstance(asked, ApprovalRequest)
    assert list(approval_refusals(person_of_user(potter.user)))
    approval_approve(approval_id=asked.pk, actor=second)
    assert figures(potter)[2] == "0.00"
    assert isinstance(hold_submit(artisan=potter, request=request("19.99"), actor=admin_user), Hold)


def test_what_is_logged_about_a_hold_is_about_its_artisan(released, potter, admin_user):
    released()
    hold_place(artisan_id=potter.pk, request=request(), actor=admin_user)
    entries = AuditEntry.objects.filter(entries_about(person_of_user(potter.user)))
    assert entries.filter(action="hold.place").exists()


def test_a_request_that_the_balance_no_longer_allows_fails(released, potter, admin_user, second, store):
    store.second_person_above_minor = 0
    store.save()
    released()
    asked = hold_submit(artisan=potter, request=request("91.44"), actor=admin_user)
    hold_place(artisan_id=potter.pk, request=request("50.00"), actor=admin_user, approved_by=second)

    done = approval_approve(approval_id=asked.pk, actor=second)

    assert done.status == "FAILED"
    assert "$41.44" in done.note


def test_a_hold_with_a_date_ends_by_itself(released, later, potter, admin_user):
    released()
    until = Earning.objects.get().released_at.replace(year=2100)
    hold = hold_place(artisan_id=potter.pk, request=request(until=until), actor=admin_user)
    later(days=1)
    assert figures(potter)[2] == "20.00"

    Hold.objects.filter(pk=hold.pk).update(until=Earning.objects.get().released_at)
    release_task()

    assert figures(potter)[2] == "0.00"


# ---- the ledger ------------------------------------------------------------------------------------------------


def test_the_ledger_is_checked_and_filled_for_holds(released, potter, admin_user):
    released()
    hold = hold_place(artisan_id=potter.pk, request=request(), actor=admin_user)
    assert list(find_ledger_errors()) == []
    Hold.objects.filter(pk=hold.pk).update(amount_minor=1000)

    assert [fact.id for fact in unbooked_holds()] == [hold.pk]
    assert any(str(hold.pk) in error for error in find_ledger_errors())
    assert ledger_fill_sources() == 1

    assert figures(potter)[2] == "10.00"
    assert list(find_ledger_errors()) == []
    assert hold_book(hold.pk) is None


def test_an_entry_without_its_hold_is_an_error(released, potter, admin_user, broken_books):
    released()
    hold = hold_place(artisan_id=potter.pk, request=request(), actor=admin_user)
    Hold.objects.filter(pk=hold.pk).delete()
    assert any("does not exist" in error for error in find_ledger_errors())


# ---- disputes --------------------------------------------------------------------------------------------------


def test_disputed_money_that_was_released_is_held_until_the_dispute_is_decided(released, potter, dispute):
    payment = released()
    dispute(payment, "50.00", "open")
    follow_disputes_task()
    assert figures(potter) == ("0.00", "45.71", "45.73")  # 50.00 of 99.99, without the commission on it

    follow_disputes_task()
    assert Hold.objects.count() == 1
    dispute(payment, "50.00", "won")
    follow_disputes_task()

    assert figures(potter) == ("0.00", "91.44", "0.00")


def test_a_lost_dispute_is_taken_from_what_was_held(released, potter, dispute):
    payment = released()
    dispute(payment, "50.00", "open")
    follow_disputes_task()

    dispute(payment, "50.00", "lost")
    follow_disputes_task()

    assert figures(potter) == ("0.00", "45.71", "0.00")


def test_what_is_missing_is_exposure_and_held_when_the_artisan_earns_again(
    released, sell, deliver, later, potter, admin_user, dispute
):
    payment = released()
    hold_place(artisan_id=potter.pk, request=request("80.00"), actor=admin_user)
    dispute(payment, "99.99", "open")
    follow_disputes_task()
    assert figures(potter) == ("0.00", "0.00", "91.44")
    assert [amount for _dispute, amount in exposures_of(potter)] == [usd("80.00")]

    deliver(sell())
    later(days=15)

    assert figures(potter) == ("0.00", "11.44", "171.44")
    assert exposures_of(potter) == []


def test_each_artisan_is_held_for_their_own_part(released, potter, other_seller, dispute):
    payment = released(scarf=1)
    dispute(payment, "68.33", "open")
    follow_disputes_task()

    by_artisan = dict(Hold.objects.values_list("artisan", "amount_minor"))

    mine, others = by_artisan[potter.pk], by_artisan[other_seller.artisan.pk]
    assert (mine, others) == (4489, 1917)
    assert mine + others + 427 == 6833  # the commission on the bowl's part


def test_nothing_is_held_of_a_dispute_about_money_that_nobody_earned(released, potter, other_seller, dispute):
    """The scarf was not delivered, and its buyer waits for the refund: losing as much would cost the potter nothing."""
    payment = released(scarf=1)
    scarfs = payment.order.parcels.get(artisan=other_seller.artisan)
    parcel_return(parcel_id=scarfs.pk, restock=True, actor=other_seller)
    before = figures(potter)

    dispute(payment, scarfs.total.amount, "open")
    follow_disputes_task()
    assert not Hold.objects.exists()
    assert exposures_of(potter) == []

    dispute(payment, scarfs.total.amount, "lost")
    assert figures(potter) == before


def test_a_smaller_amount_frees_the_rest_and_a_larger_one_holds_more(released, potter, dispute):
    payment = released()
    dispute(payment, "50.00", "open")
    follow_disputes_task()
    dispute(payment, "10.00", "open")
    follow_disputes_task()
    assert figures(potter)[2] == "9.15"

    dispute(payment, "20.00", "open")
    follow_disputes_task()

    assert figures(potter)[2] == "18.29"


def test_two_disputes_never_hold_more_than_the_order_earned(released, potter, dispute):
    payment = released()
    dispute(payment, "60.00", "open", key="dp_1")
    dispute(payment, "60.00", "open", key="dp_2")
    follow_disputes_task()
    assert figures(potter) == ("0.00", "0.00", "91.44")


def test_pending_earnings_are_not_held(sell, potter, dispute):
    payment = sell()
    dispute(payment, "50.00", "open")
    follow_disputes_task()
    assert figures(potter) == ("91.44", "0.00", "0.00")
    assert exposures_of(potter) == []


def test_nobody_ends_the_hold_of_a_dispute(released, potter, dispute, admin_user):
    payment = released()
    dispute(payment, "50.00", "open")
    order_follow_disputes(payment.order_id)
    with pytest.raises(DomainError, match="when the dispute is decided"):
        hold_end(hold_id=Hold.objects.get().pk, actor=admin_user)
