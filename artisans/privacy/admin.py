import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.accounts.principals import require_user
from artisans.audit.services import Action, audit_record
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import GOOD, WAIT, ReadOnlyAdmin, admin_list_url, column, posted, when
from artisans.core.personal_data import Person
from artisans.core.security.encryption import read_decrypted
from artisans.core.security.fresh_sign_in import require_fresh_sign_in
from artisans.notifications.models import Notification
from artisans.privacy.exports import MAX_ROWS, TooMuchData, export_text
from artisans.privacy.forms import ErasePersonForm, PersonForm, RecordForm
from artisans.privacy.models import Erasure, ErasureSource, ErasureState, LockedRecord
from artisans.privacy.selectors import (
    Whose,
    erasure_refusals,
    pending_reasons,
    person_find,
    person_of_erasure,
    row_counts,
    user_unconfirmed,
)
from artisans.privacy.services import CannotErase, erasure_start, last_mail_key, person_export_audited
from artisans.privacy.views import json_file

ERASE, EXPORT = "privacy.erase_person", "privacy.export_person"


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    """Erasures, and the page on which staff export or erase a person's data."""

    list_display = ("created", "state_shown", "source_shown", "by", "finished")
    list_filter = ("state", "source", ("created_at", DayRangeFilter))
    list_filter_submit = True
    list_select_related = ("requested_by",)
    list_before_template = "admin/privacy/erasure/before_list.html"
    fields = (
        *("created_at", "state", "source", "user", "requested_by", "alias", "finished_at"),
        *("waits_for", "confirmation"),
    )

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.person_page)
        return [path("person/", page, name="privacy_erasure_person"), *super().get_urls()]

    @column(_("Status"), ordering="state", label={ErasureState.DONE: GOOD, ErasureState.RUNNING: WAIT})
    def state_shown(self, erasure: Erasure) -> tuple[str, str]:
        return erasure.state, erasure.get_state_display()

    @column(_("Requested on"), ordering="source")
    def source_shown(self, erasure: Erasure) -> str:
        return erasure.get_source_display()

    @column(_("Requested by"))
    def by(self, erasure: Erasure) -> str:
        return str(erasure.requested_by or "–")

    @column(_("Waits for"))
    def waits_for(self, erasure: Erasure) -> str:
        facts = read_decrypted(erasure, "facts")
        if not facts:
            return "–"
        person = person_of_erasure(facts)
        return "\n".join(erasure_refusals(person) or pending_reasons(person)) or "–"

    @column(_("Confirmation email"))
    def confirmation(self, erasure: Erasure) -> str:
        mail = Notification.objects.filter(dedupe_key=last_mail_key(erasure.pk)).first()
        return str(mail.get_state_display()) if mail else "–"

    @column(_("Finished"), ordering="finished_at", file="finished_at")
    def finished(self, erasure: Erasure) -> str:
        return when(erasure.finished_at)

    def person_page(self, request: HttpRequest) -> HttpResponse:
        """Finds a person; the buttons below the result export or erase."""
        may_erase, may_export = (request.user.has_perm(right) for right in (ERASE, EXPORT))
        if not (may_erase or may_export):
            raise PermissionDenied
        require_fresh_sign_in(request)
        form = PersonForm(posted(request))
        context: dict[str, Any] = {"form": form, "may_erase": may_erase, "may_export": may_export}
        if form.is_valid():
            email, whose = form.cleaned_data["email"], form.cleaned_data["whose"]
            person = person_find(email, whose)
            if "export" in request.POST and may_export and person:
                return self.export(request, person)
            confirm = ErasePersonForm(request.POST if "erase" in request.POST else None, email=email)
            if "erase" in request.POST and may_erase and confirm.is_valid():
                return self.erase(request, form.cleaned_data)
            context |= {
                "person": person,
                "counts": row_counts(person) if person else {},
                "reasons": erasure_refusals(person),
                "confirm": confirm,
                "is_unconfirmed": whose == Whose.UNCONFIRMED,
                "has_unconfirmed": user_unconfirmed(email),
            }
        request.current_app = self.admin_site.name
        base = self.admin_site.each_context(request)
        base |= {"opts": self.opts, "title": gettext("Export or erase a person’s data"), "media": self.media}
        return TemplateResponse(request, "admin/privacy/erasure/person.html", base | context)

    def export(self, request: HttpRequest, person: Person) -> HttpResponse:
        try:
            export = person_export_audited(person, actor=require_user(request), max_rows=MAX_ROWS)
        except TooMuchData:
            text = gettext("This is too much data for a page. Use `manage.py export_person`.")
            messages.error(request, text)
            return redirect("admin:privacy_erasure_person")
        return json_file(export_text(export))

    def erase(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        try:
            erasure_start(
                email=data["email"],
                whose=data["whose"],
                source=ErasureSource.STAFF,
                actor=require_user(request),
            )
        except CannotErase as refusal:
            messages.error(request, " ".join(refusal.reasons))
            return redirect("admin:privacy_erasure_person")
        messages.success(request, gettext("The data is being erased; the list shows when it is done."))
        return redirect(admin_list_url(Erasure))


@admin.register(LockedRecord)
class LockedRecordAdmin(ReadOnlyAdmin):
    """What the law requires to be kept of erased people. The list shows no personal data; each view is audited."""

    pages = {"show": "privacy.view_lockedrecord"}
    list_display = ("target", "created", "until")
    list_filter = (("created_at", DayRangeFilter),)
    list_filter_submit = True
    search_fields = ("target",)
    search_help_text = _("Id of an order")
    fields = ("target", "created_at", "kept_until")
    change_form_after_template = "admin/privacy/lockedrecord/show_link.html"

    @column(_("Kept until"), ordering="kept_until", file="kept_until")
    def until(self, record: LockedRecord) -> str:
        return when(record.kept_until)

    def show_page(self, request: HttpRequest, record: Model) -> HttpResponse:
        form = RecordForm(posted(request))
        content: Any = None
        if form.is_valid() and isinstance(record, LockedRecord):
            reason = {"reason": form.cleaned_data["reason"]}
            audit_record(actor=require_user(request), action=Action.RECORD_VIEW, target=record, data=reason)
            content = read_record(record)
        return self.render_page(
            request,
            "admin/privacy/lockedrecord/show.html",
            record,
            form=form,
            content=content,
            back=admin_list_url(LockedRecord),
        )


def read_record(record: LockedRecord) -> list[tuple[str, str]]:
    """Pairs of name and text."""
    content: dict[str, Any] = json.loads(read_decrypted(record, "content") or "{}")
    return [
        (name, "\n".join(map(str, value.values())) if isinstance(value, dict) else str(value))
        for name, value in content.items()
    ]
