import pytest
from django.urls import reverse

from artisans.approvals.models import ApprovalRequest
from artisans.approvals.statuses import ApprovalStatus
from artisans.approvals.tests.test_approvals import colleague, done, requested  # noqa: F401  # a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "done")]


def page(approval, name="change"):
    return reverse(f"admin:approvals_approvalrequest_{name}", args=[approval.pk])


def test_second_person_sees_exactly_what_is_requested_and_approves(staff, admin_user, browser):
    approval = requested(staff)
    client = browser(admin_user)

    shown = client.get(page(approval)).content.decode()
    answer = client.post(page(approval, "approve"), follow=True)

    assert "500.00" in shown
    assert staff.email in shown
    assert "Approved and completed" in answer.content.decode()
    assert ApprovalRequest.objects.get().status == ApprovalStatus.APPROVED


def test_requester_sees_possible_approvers_and_cannot_approve(staff, admin_user, browser):
    approval = requested(admin_user)
    client = browser(admin_user)

    shown = client.get(page(approval)).content.decode()
    answer = client.post(page(approval, "approve"), follow=True)

    assert staff.email in shown
    assert page(approval, "approve") not in shown
    assert "a second person has to decide" in answer.content.decode()
    assert ApprovalRequest.objects.get().status == ApprovalStatus.PENDING


def test_staff_see_only_requests_that_they_may_decide(staff, admin_user, powerless_staff, browser):
    approval = requested(admin_user)
    listing = reverse("admin:approvals_approvalrequest_changelist")

    assert "Refund of 500.00" in browser(staff).get(listing).content.decode()
    for address in (listing, page(approval)):
        assert browser(powerless_staff).get(address).status_code == 403


def test_rejecting_needs_a_reason(staff, admin_user, browser):
    approval = requested(staff)
    client = browser(admin_user)

    refused = client.post(page(approval, "reject"), {"reason": ""})
    client.post(page(approval, "reject"), {"reason": "Wrong order."})

    assert "Enter a reason" in refused.content.decode()
    approval.refresh_from_db()
    assert (approval.status, approval.note) == (ApprovalStatus.REJECTED, "Wrong order.")


def test_requester_can_withdraw_the_request(staff, admin_user, browser):
    approval = requested(staff)

    assert browser(admin_user).post(page(approval, "withdraw")).status_code == 403
    browser(staff).post(page(approval, "withdraw"))

    assert ApprovalRequest.objects.get().status == ApprovalStatus.WITHDRAWN
