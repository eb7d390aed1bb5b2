"""The pages of staff: holds are placed and ended, and debts listed."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import approval_approve
from artisans.audit.models import AuditEntry
from artisans.core.admin.pages import admin_list_url, admin_page_url
from artisans.earnings.models import Debt, Hold, HoldReason
from artisans.earnings.tasks import follow_disputes_task, release_task
from artisans.earnings.tests.conftest import figures
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

PLACE = "/admin/earnings/hold/place/"


@pytest.fixture
def treasurer(staff):
    staff.groups.add(Group.objects.get(name="Artisans’ money"))
    return staff


@pytest.fixture
def form(potter):
    return {
        "artisan": str(potter.pk),
        "amount": "20.00",
        "currency": "USD",
        "reason": "staff",
        "note": "We check the photos.",
    }


def test_the_role_has_its_permissions():
    codes = set(Permission.objects.filter(group__name="Artisans’ money").values_list("codename", flat=True))
    assert {"view_hold", "change_holds", "view_debt"} <= codes


def test_staff_hold_money_back_and_end_it(released, potter, browser, treasurer, form):
    released()
    client = browser(treasurer)
    shown = page(client.get(f"{PLACE}?artisan={potter.pk}")).text
    assert "Available $91.44" in shown

    answer = client.post(PLACE, form)

    hold = Hold.objects.get()
    assert answer["Location"] == admin_page_url(hold)
    assert figures(potter)[2] == "20.00"
    assert "We check the photos." in page(client.get(admin_page_url(hold))).text
    assert "$20.00" in page(client.get(admin_list_url(Hold, "state=active"))).text
    assert "Reason: Under review" in page(client.get(admin_page_url(hold, "end"))).text
    client.post(admin_page_url(hold, "end"))
    assert figures(potter)[2] == "0.00"
    client.get(admin_list_url(Hold))  # shows the message
    assert "0 holds" in page(client.get(admin_list_url(Hold, "state=active"))).text
    actions = AuditEntry.objects.filter(target_type="earnings.Hold").values_list("action", "actor__email")
    assert set(actions) == {("hold.place", treasurer.email), ("hold.end", treasurer.email)}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"amount": "91.45"}, "Only $91.44 is available"),
        ({"amount": ""}, "Enter an amount, or stop releases."),
        ({"amount": "1e2"}, "is not a plain decimal amount"),
        ({"amount": "1.234"}, "USD has 2 decimals, not 3."),
        ({"currency": "usd"}, "currency"),
        ({"note": ""}, "This field is required."),
        ({"reason": "dispute"}, "Select a valid choice."),
        ({"order_number": "K7M2XQ4RT"}, "There is no order with this number."),
        ({"until": "2020-01-01"}, "The hold must end in the future."),
        ({"artisan": "x"}, "“x” is not a valid UUID."),
        ({"note": "a\nb"}, "line"),
    ],
    ids=str,
)
def test_bad_input_is_explained_and_kept(released, browser, treasurer, form, changes, error):
    released()
    answer = browser(treasurer).post(PLACE, form | changes)
    assert answer.status_code == 200
    assert error in page(answer).text
    assert not Hold.objects.exists()


def test_releases_are_stopped_without_an_amount(sell, deliver, later, potter, browser, treasurer, form):
    payment = sell()
    deliver(payment)
    order = payment.order.order_number
    browser(treasurer).post(PLACE, form | {"amount": "", "stops_releases": "on", "order_number": order})
    later(days=20)
    assert figures(potter) == ("91.44", "0.00", "0.00")
    assert "Releases stopped" in page(browser(treasurer).get(admin_list_url(Hold))).text


def test_form_that_is_sent_twice_makes_one_hold(released, potter, browser, treasurer, form):
    released()
    client = browser(treasurer)
    shown = page(client.get(f"{PLACE}?artisan={potter.pk}")).one("main").one("form").fields()
    first, again = (client.post(PLACE, shown | form) for _ in range(2))
    assert first["Location"] == again["Location"] == admin_page_url(Hold.objects.get())
    assert figures(potter)[2] == "20.00"

    changed = client.post(PLACE, shown | form | {"amount": "30.00"})

    assert "already used for another hold" in page(changed).text
    assert figures(potter)[2] == "20.00"


def test_approved_request_makes_one_hold_if_it_is_sent_again(
    released, browser, treasurer, admin_user, form, store
):
    store.second_person_above_minor = 1000
    store.save()
    released()
    client = browser(treasurer)
    sent = page(client.get(PLACE)).one("main").one("form").fields() | form
    for _ in range(2):
        client.post(PLACE, sent)
    approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=admin_user)
    client.post(PLACE, sent)
    assert Hold.objects.count() == 1
    assert ApprovalRequest.objects.count() == 1


def test_hold_without_an_amount_is_described_in_words(
    sell, deliver, potter, browser, treasurer, form, seller
):
    deliver(sell())
    client = browser(treasurer)
    placed = page(client.post(PLACE, form | {"amount": "", "stops_releases": "on"}, follow=True)).text
    hold = Hold.objects.get()
    seen = [
        placed,
        *(page(client.get(a)).text for a in (admin_page_url(hold, "end"), f"{PLACE}?artisan={potter.pk}")),
    ]
    seen.append(page(browser(seller).get("/shop/artisan/earnings/")).text)
    for text in seen:
        assert "Releases stopped" in text
        assert "$0.00 of" not in text
        assert "$0.00 held" not in text


def test_pages_of_an_artisan_lead_to_the_form(released, potter, browser, treasurer, admin_user):
    released()
    link = f'href="{PLACE}?artisan={potter.pk}"'
    pages = (
        reverse("admin:catalog_artisan_change", args=[potter.pk]),
        reverse("admin:ledger_artisan", args=[potter.pk]),
    )
    for address in pages:
        assert link in browser(admin_user).get(address).content.decode()
    treasurer.groups.add(Group.objects.get(name="Auditors"))
    treasurer.groups.remove(Group.objects.get(name="Artisans’ money"))
    treasurer.user_permissions.add(Permission.objects.get(codename="view_artisan"))
    for address in pages:
        answer = browser(treasurer).get(address)
        assert answer.status_code == 200
        assert link not in answer.content.decode()


def test_every_hold_is_audited_when_it_begins_and_ends(released, dispute, store, later, potter):
    store.reserve_ppm, store.reserve_days = 100_000, 30
    store.save()
    payment = released()
    dispute(payment, "50.00", "open")
    follow_disputes_task()
    dispute(payment, "50.00", "won")
    later(days=31)
    holds = Hold.objects.values_list("pk", "reason")
    found = set(
        AuditEntry.objects.filter(action__startswith="hold.").values_list("target_id", "action", "actor_name")
    )
    assert {reason for _pk, reason in holds} == {"reserve", "dispute"}
    assert found == {(pk, action, "system") for pk, _reason in holds for action in ("hold.place", "hold.end")}


def test_above_the_limit_a_colleague_decides(released, browser, treasurer, admin_user, form, store):
    store.second_person_above_minor = 1000
    store.save()
    released()

    answer = browser(treasurer).post(PLACE, form, follow=True)

    assert "needs a second person’s approval" in page(answer).text
    assert not Hold.objects.exists()
    assert ApprovalRequest.objects.get().requested_by == treasurer


def test_without_the_permission_nothing_can_be_held(released, browser, staff, admin_user, potter, form):
    released()
    browser(admin_user).post(PLACE, form)
    client = browser(staff)
    assert client.get(PLACE).status_code == 403
    assert client.post(PLACE, form).status_code == 403
    assert client.post(admin_page_url(Hold.objects.get(), "end")).status_code == 403
    assert Hold.objects.get().is_active


def test_a_hold_of_a_dispute_cannot_be_ended(released, dispute, browser, treasurer):
    payment = released()
    dispute(payment, "50.00", "open")
    follow_disputes_task()
    hold = Hold.objects.get()
    client = browser(treasurer)

    client.post(admin_page_url(hold, "end"))

    hold.refresh_from_db()
    assert (hold.is_active, hold.reason) == (True, HoldReason.DISPUTE)
    assert "ends when the dispute is decided" in page(client.get(admin_page_url(hold, "end"))).text


def test_exposure_is_shown(released, dispute, potter, browser, treasurer, form):
    payment = released()
    browser(treasurer).post(PLACE, form | {"amount": "80.00"})
    dispute(payment, "99.99", "open")
    follow_disputes_task()
    assert (
        "not covered by a hold $80.00: dp_1"
        in page(browser(treasurer).get(f"{PLACE}?artisan={potter.pk}")).text
    )


def test_list_of_debts_takes_a_constant_number_of_queries(indebted, debt, browser, treasurer):
    def queries() -> int:
        client = browser(treasurer)
        with CaptureQueriesContext(connection) as found:
            assert client.get(admin_list_url(Debt)).status_code == 200
        return len(found)

    queries()  # fills caches
    before = queries()
    for currency in ("EUR", "GBP", "JPY"):
        Debt.objects.create(artisan=debt.artisan, currency=currency)
    assert queries() == before


def test_artisans_in_debt_are_listed(released, dispute, potter, browser, treasurer, form):
    payment = released()
    browser(treasurer).post(PLACE, form | {"amount": "80.00"})
    dispute(payment, "99.99", "lost")
    release_task()
    shown = page(browser(treasurer).get(admin_list_url(Debt, "state=active"))).text
    assert Debt.objects.get().number in shown
    assert "$80.00" in shown
    assert page(browser(treasurer).get(admin_page_url(Debt.objects.get()))).text.count(potter.name)
