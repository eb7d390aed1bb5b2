import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from artisans.accounts.principals import require_user
from artisans.approvals.kinds import KINDS
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.selectors import approvals_pending, approvals_visible_to, second_people
from artisans.approvals.services import approval_approve, approval_reject, approval_withdraw
from artisans.approvals.statuses import ApprovalStatus
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import (
    BAD,
    GOOD,
    WAIT,
    WARN,
    ReadOnlyAdmin,
    admin_list_url,
    admin_page_url,
    column,
    posted,
    when,
)
from artisans.core.errors import DomainError

A = ApprovalStatus
TONES = {
    A.PENDING: WAIT,
    A.APPROVED: GOOD,
    A.REJECTED: BAD,
    A.WITHDRAWN: "default",
    A.EXPIRED: "default",
    A.FAILED: WARN,
}


class RejectForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=250,
        help_text=_("Shown to the person who made the request."),
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        error_messages={"required": _("Enter a reason; it is shown to the person who made the request.")},
    )


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ReadOnlyAdmin):
    """Requests for a second person's approval. Users see their own requests and those they may decide."""

    pages = {
        "approve": "approvals.view_approvalrequest",
        "reject": "approvals.view_approvalrequest",
        "withdraw": "approvals.view_approvalrequest",
    }
    views = {"": _("All"), "status__exact=PENDING": _("Pending")}
    detail_template = "admin/approvals/approvalrequest/detail.html"
    list_display = ("title", "state", "requested_by", "decided_by", "created")
    list_filter = ("status", ("created_at", DayRangeFilter))
    list_filter_submit = True
    list_select_related = ("requested_by", "decided_by")
    search_fields = ("title", "requested_by__email")
    search_help_text = _("Title, or email address of the person who made the request")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApprovalRequest]:
        everything: QuerySet[ApprovalRequest] = super().get_queryset(request)
        return everything.filter(pk__in=approvals_visible_to(require_user(request)))

    @column(_("Status"), ordering="status", label=TONES)
    def state(self, approval: ApprovalRequest) -> tuple[str, str]:
        return approval.status, approval.get_status_display()

    def detail(self, request: HttpRequest, obj: ApprovalRequest) -> dict[str, Any]:
        user, kind, payload = require_user(request), KINDS[obj.kind], json.loads(obj.payload)
        is_open, is_own = approvals_pending().filter(pk=obj.pk).exists(), obj.requested_by_id == user.pk
        refusal = ""
        if is_open and not is_own:
            try:
                kind.check(payload, user)
            except DomainError as error:
                refusal = error.detail
        return {
            "approval": obj,
            "kind": kind.label,
            "tone": TONES[A(obj.status)],
            "details": json.loads(obj.details),
            "expires": when(obj.expires_at),
            "decided": when(obj.decided_at),
            "refusal": refusal,
            "can_decide": is_open
            and not is_own
            and not refusal
            and user.has_perms(kind.permissions(payload)),
            "can_withdraw": is_open and is_own,
            "approvers": second_people(kind, payload, beside=obj.requested_by) if is_open else [],
            "pages": {name: admin_page_url(obj, name) for name in self.pages},
            "form": RejectForm(),
        }

    def approve_page(self, request: HttpRequest, approval: ApprovalRequest) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            done = approval_approve(approval_id=approval.pk, actor=require_user(request))
        except DomainError as error:
            messages.error(request, error.detail)
        else:
            if done.status == A.APPROVED:
                messages.success(
                    request, gettext("Approved and completed: %(request)s.") % {"request": done.title}
                )
            else:
                messages.error(request, gettext("Approved, but it failed: %(error)s") % {"error": done.note})
        return redirect(admin_page_url(approval))

    def reject_page(self, request: HttpRequest, approval: ApprovalRequest) -> HttpResponse:
        form = RejectForm(posted(request))

        def reject(data: dict[str, Any]) -> str:
            approval_reject(approval_id=approval.pk, actor=require_user(request), reason=data["reason"])
            message = gettext("Request rejected; nothing has changed. %(email)s gets an email.")
            return message % {"email": approval.requested_by.email}

        return self.run_action(
            request, "admin/approvals/approvalrequest/reject.html", approval, form, reject, refusal=""
        )

    def withdraw_page(self, request: HttpRequest, approval: ApprovalRequest) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if approval.requested_by_id != request.user.pk:
            raise PermissionDenied
        try:
            approval_withdraw(approval_id=approval.pk, actor=require_user(request))
        except DomainError as error:
            messages.error(request, error.detail)
        else:
            messages.success(request, gettext("Request withdrawn; nothing has changed."))
        return redirect(admin_page_url(approval))


def pending_list() -> str:
    return admin_list_url(ApprovalRequest, "status__exact=PENDING")
