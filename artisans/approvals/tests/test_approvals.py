"""A second person decides: never the requester, never twice, never late; exactly what was requested is approved."""

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction
from django.utils import timezone

from artisans.accounts.models import Role
from artisans.accounts.tests.factories import UserFactory
from artisans.approvals import kinds
from artisans.approvals.errors import ApprovalPending, NobodyElse, NotPending, OwnRequest
from artisans.approvals.kinds import ApprovalKind
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import (
    EXPIRES_AFTER,
    approval_approve,
    approval_reject,
    approval_request,
    approval_withdraw,
    approvals_expire,
)
from artisans.approvals.statuses import ApprovalStatus
from artisans.approvals.tasks import expire_task
from artisans.audit.models import AuditEntry
from artisans.core.errors import Conflict, Forbidden, InvalidInput, NotFound

pytestmark = pytest.mark.django_db

PERMISSION = "payments.refund"


@pytest.fixture(autouse=True, scope="module")
def shared_rows() -> None:
    """No rows for all tests: each test decides who could approve."""


@pytest.fixture
def done(monkeypatch):
    """What the test operation did: its payload, requester and approver."""
    acts = []
    kind = ApprovalKind(
        "toy", "Toy act", PERMISSION, lambda payload, by, approver: acts.append((payload, by, approver))
    )
    monkeypatch.setitem(kinds.KINDS, "toy", kind)
    return acts


def colleague(email="second@example.test", **fields):
    user = UserFactory.create(email=email, role=Role.STAFF, **fields)
    user.user_permissions.add(
        Permission.objects.get(codename="refund", content_type__app_label="payments"),
        Permission.objects.get(codename="view_approvalrequest"),
    )
    return user


def requested(actor, target=None, **changes):
    values = {
        "target": target or actor,
        "title": "Refund of 500.00",
        "details": [("Amount", "500.00")],
        "payload": {"amount": "500.00"},
        "actor": actor,
    }
    return approval_request("toy", **values | changes)


def test_request_changes_nothing_and_mails_possible_approvers(done, staff, mails):
    second = colleague()
    UserFactory.create(email="intern2@example.test", role=Role.STAFF)
    colleague("gone@example.test", is_active=False)

    approval = requested(staff)

    assert (approval.status, done) == (ApprovalStatus.PENDING, [])
    assert [mail.to for mail in mails()] == [[second.email]]
    assert AuditEntry.objects.get(action="approval.request").actor == staff


def test_approval_executes_exactly_what_was_requested(done, staff, mails):
    second = colleague()
    approval = requested(staff)

    approval = approval_approve(approval_id=approval.pk, actor=second)

    assert approval.status == ApprovalStatus.APPROVED
    assert done == [({"amount": "500.00"}, staff, second)]
    assert [mail.subject for mail in mails(staff.email)] == ["Approved: Refund of 500.00"]
    assert AuditEntry.objects.get(action="approval.approve").actor == second


def test_nobody_approves_their_own_request(done, admin_user, staff):
    approval = requested(admin_user)

    with pytest.raises(OwnRequest):
        approval_approve(approval_id=approval.pk, actor=admin_user)
    with pytest.raises(OwnRequest):
        approval_reject(approval_id=approval.pk, actor=admin_user, reason="x")

    assert done == []


def test_database_refuses_the_same_requester_and_approver(done, staff, admin_user):
    approval = requested(staff)

    with pytest.raises(IntegrityError, match="approval_by_a_second_person"), transaction.atomic():
        ApprovalRequest.objects.filter(pk=approval.pk).update(status="APPROVED", decided_by=staff)


@pytest.mark.parametrize("fields", [{"is_active": False}, {"role": Role.SHOPPER}, {}])
def test_only_active_staff_with_the_permission_decides(done, staff, admin_user, fields):
    approval = requested(staff)
    other = UserFactory.create(email="other@example.test", **{"role": Role.STAFF} | fields)
    if fields:
        other.user_permissions.add(
            Permission.objects.get(codename="refund", content_type__app_label="payments")
        )

    with pytest.raises(Forbidden):
        approval_approve(approval_id=approval.pk, actor=other)

    assert done == []


def test_check_of_the_kind_can_refuse_an_approver(done, staff, admin_user, monkeypatch):
    def refuse(payload, actor):
        raise Forbidden(f"not {actor.email}")

    monkeypatch.setitem(kinds.KINDS, "toy", replace(kinds.KINDS["toy"], check=refuse))
    approval = requested(staff)

    with pytest.raises(Forbidden, match=admin_user.email):
        approval_approve(approval_id=approval.pk, actor=admin_user)

    assert done == []


def test_decided_request_cannot_be_decided_again(done, staff, admin_user):
    approval = requested(staff)
    approval_approve(approval_id=approval.pk, actor=admin_user)

    for decide in (
        lambda: approval_approve(approval_id=approval.pk, actor=admin_user),
        lambda: approval_reject(approval_id=approval.pk, actor=admin_user, reason="late"),
        lambda: approval_withdraw(approval_id=approval.pk, actor=staff),
    ):
        with pytest.raises(NotPending):
            decide()

    assert len(done) == 1


def test_approval_refused_by_the_current_state_fails_with_the_reason(
    done, staff, admin_user, monkeypatch, mails
):
    def refuse(payload, by, approver):
        staff.groups.clear()
        raise Conflict("A colleague was faster.")

    groups = staff.groups.count()
    monkeypatch.setitem(kinds.KINDS, "toy", replace(kinds.KINDS["toy"], execute=refuse))
    approval = requested(staff)

    approval = approval_approve(approval_id=approval.pk, actor=admin_user)

    assert (approval.status, approval.note) == (ApprovalStatus.FAILED, "A colleague was faster.")
    assert staff.groups.count() == groups  # rolled back
    assert "A colleague was faster." in mails(staff.email)[0].body


def test_rejection_mail_gives_the_reason(done, staff, admin_user, mails):
    approval = requested(staff)

    with pytest.raises(InvalidInput):
        approval_reject(approval_id=approval.pk, actor=admin_user, reason=" ")
    approval = approval_reject(approval_id=approval.pk, actor=admin_user, reason="Wrong order.")

    assert (approval.status, done) == (ApprovalStatus.REJECTED, [])
    assert "Wrong order." in mails(staff.email)[0].body


def test_only_the_requester_can_withdraw(done, staff, admin_user):
    approval = requested(staff)

    with pytest.raises(NotFound):
        approval_withdraw(approval_id=approval.pk, actor=admin_user)
    approval = approval_withdraw(approval_id=approval.pk, actor=staff)

    assert (approval.status, done) == (ApprovalStatus.WITHDRAWN, [])


def test_expired_request_cannot_be_approved_and_allows_a_new_one(done, staff, admin_user):
    approval = requested(staff)

    with time_machine.travel(timezone.now() + EXPIRES_AFTER + timedelta(seconds=1)):
        with pytest.raises(NotPending):
            approval_approve(approval_id=approval.pk, actor=admin_user)
        second = requested(staff)
        assert approvals_expire() == 0

    approval.refresh_from_db()
    assert (approval.status, second.status) == (ApprovalStatus.EXPIRED, ApprovalStatus.PENDING)
    assert done == []


def test_undecided_requests_expire(settings, done, staff, admin_user):
    assert "approvals.expire" in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    approval = requested(staff)

    with time_machine.travel(timezone.now() + EXPIRES_AFTER):
        expire_task()

    approval.refresh_from_db()
    assert (approval.status, done) == (ApprovalStatus.EXPIRED, [])


def test_only_one_open_request_per_target(done, staff, admin_user):
    requested(staff)

    with pytest.raises(ApprovalPending, match=staff.email):
        requested(admin_user, target=staff)

    assert ApprovalRequest.objects.count() == 1


def test_request_is_refused_when_nobody_could_approve(done, staff):
    with pytest.raises(NobodyElse):
        requested(staff)

    assert not ApprovalRequest.objects.exists()
