"""Applications to sell, states of workshops and the terms for artisans."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.accounts.principals import require_user
from artisans.catalog.admin import STATE_TONES
from artisans.catalog.applications import application_decide, checklist_of
from artisans.catalog.artisan_states import CHANGE_STATE, DECIDE, check_staff
from artisans.catalog.models import Application, Artisan, ArtisanStateChange, Terms, TermsAcceptance
from artisans.catalog.statuses import (
    APPLICATION_TRANSITIONS,
    ApplicationStatus,
    ArtisanState,
)
from artisans.catalog.terms import PUBLISH, terms_now, terms_publish, workshops_to_email
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import (
    BAD,
    GOOD,
    PLAIN,
    WAIT,
    WARN,
    ReadOnlyAdmin,
    admin_list_url,
    admin_page_url,
    column,
    link_to,
    posted,
    when,
)
from artisans.core.errors import DomainError
from artisans.core.models import is_uuid
from artisans.core.security.fresh_sign_in import require_fresh_sign_in
from artisans.workshop.admin_forms import MessageForm, StateForm, TermsForm
from artisans.workshop.states import OFFERED, facts_of, last_change, workshop_change

A = ApplicationStatus
STATUS_TONES = {
    A.DRAFT: PLAIN,
    A.SUBMITTED: WARN,
    A.ASKED: WAIT,
    A.APPROVED: GOOD,
    A.REFUSED: BAD,
    A.WITHDRAWN: PLAIN,
}


@admin.register(Application)
class ApplicationAdmin(ReadOnlyAdmin):
    """Who wants to sell. Staff ask, approve and refuse, each on a page of its own."""

    pages = dict.fromkeys(("question", "approve", "refuse"), DECIDE)
    everyday_pages = frozenset({"question"})
    views = {"": _("All"), "status__exact=submitted": _("To decide"), "status__exact=asked": _("Asked")}
    detail_template = "admin/workshop/application/detail.html"
    list_display = ("artisan_shown", "craft", "town", "state", "submitted")
    list_select_related = ("artisan",)
    list_filter = ("status", ("created_at", DayRangeFilter))
    list_filter_submit = True
    search_fields = ("artisan__name", "artisan__email")
    search_help_text = _("Artisan or email address")

    @column(_("Artisan"), ordering="artisan__name")
    def artisan_shown(self, application: Application) -> str:
        return application.artisan.name

    @column(_("Craft"))
    def craft(self, application: Application) -> str:
        return application.artisan.craft

    @column(_("Place"))
    def town(self, application: Application) -> str:
        return application.artisan.town

    @column(_("Status"), ordering="status", label=STATUS_TONES)
    def state(self, application: Application) -> tuple[str, str]:
        return application.status, application.get_status_display()

    @column(_("Submitted"), ordering="submitted_at", file="submitted_at")
    def submitted(self, application: Application) -> str:
        return when(application.submitted_at)

    def detail(self, request: HttpRequest, obj: Application) -> dict[str, Any]:
        possible = APPLICATION_TRANSITIONS[ApplicationStatus(obj.status)]
        may = request.user.has_perm(DECIDE)
        return facts(obj) | {
            "tone": STATUS_TONES[ApplicationStatus(obj.status)],
            "may_request_answer": may and A.ASKED in possible,
            "may_approve": may and A.APPROVED in possible,
            "may_refuse": may and A.REFUSED in possible,
        }

    def question_page(self, request: HttpRequest, application: Application) -> HttpResponse:
        return self.decide_page(request, application, A.ASKED, gettext("Sent to the applicant."))

    def approve_page(self, request: HttpRequest, application: Application) -> HttpResponse:
        text = gettext("%(artisan)s can now sell.") % {"artisan": application.artisan.name}
        return self.decide_page(request, application, A.APPROVED, text)

    def refuse_page(self, request: HttpRequest, application: Application) -> HttpResponse:
        return self.decide_page(
            request, application, A.REFUSED, gettext("Refused. The applicant gets an email.")
        )

    def decide_page(
        self, request: HttpRequest, application: Application, to: ApplicationStatus, done: str
    ) -> HttpResponse:
        shown = application.events.count()
        form = MessageForm(posted(request), seen=shown, needs_words=to != A.APPROVED)

        def decide(data: dict[str, Any]) -> str:
            application_decide(application_id=application.pk, to=to, actor=require_user(request), **data)
            return done

        refusal = ""
        try:
            check_staff(require_user(request), application.artisan_id, DECIDE)
        except DomainError as error:
            refusal = error.detail
        if to not in APPLICATION_TRANSITIONS[ApplicationStatus(application.status)]:
            refusal = gettext("This application is %(status)s, so this is not possible.") % {
                "status": application.get_status_display().lower()
            }
        template = "admin/workshop/application/decide.html"
        context = facts(application) | {"to": to.value, "refusal": refusal}
        return self.run_action(request, template, application, form, decide, **context)


def facts(application: Application) -> dict[str, Any]:
    """What staff decide by."""
    artisan = application.artisan
    products = artisan.products.filter(parent=None, archived_at=None).select_related("category")
    return {
        "application": application,
        "artisan": artisan,
        "steps": checklist_of(artisan),
        "products": products.order_by("created_at")[:30],
        "events": application.events.select_related("actor"),
        "accepted": artisan.terms_accepted.select_related("terms").order_by("-terms__number").first(),
    }


@admin.register(ArtisanStateChange)
class ArtisanStateChangeAdmin(ReadOnlyAdmin):
    """How workshops were suspended, closed and opened. Staff change a state on a page of its own."""

    list_display = ("artisan_shown", "old_shown", "new_shown", "reason", "actor", "time")
    list_select_related = ("artisan", "actor")
    list_filter = ("new", ("created_at", DayRangeFilter))
    list_filter_submit = True
    search_fields = ("artisan__name",)
    search_help_text = _("Artisan")
    fields = ("artisan_link", "old_shown", "new_shown", "reason", "actor", "time")

    def get_urls(self) -> list[URLPattern]:
        address, view = "change-state/", self.admin_site.admin_view(self.change_state_page)
        standard: list[URLPattern] = super().get_urls()
        return [path(address, view, name="catalog_artisan_change_state"), *standard]

    @column(_("Artisan"), ordering="artisan__name")
    def artisan_shown(self, change: ArtisanStateChange) -> str:
        return change.artisan.name

    @column(_("Artisan"))
    def artisan_link(self, change: ArtisanStateChange) -> SafeString:
        return link_to(change.artisan)

    @column(_("Before"), label=STATE_TONES)
    def old_shown(self, change: ArtisanStateChange) -> tuple[str, str]:
        return change.old, change.get_old_display()

    @column(_("Afterwards"), label=STATE_TONES)
    def new_shown(self, change: ArtisanStateChange) -> tuple[str, str]:
        return change.new, change.get_new_display()

    @column(_("Date"), ordering="created_at", file="created_at")
    def time(self, change: ArtisanStateChange) -> str:
        return when(change.created_at)

    def change_state_page(self, request: HttpRequest) -> HttpResponse:
        """Suspend, close or reopen the workshop that the address names (`?artisan=<id>`)."""
        if not request.user.has_perm(CHANGE_STATE):
            raise PermissionDenied
        require_fresh_sign_in(request)
        artisan = artisan_named(request)
        form = StateForm(posted(request), offered=OFFERED[artisan.state], seen=artisan.state)
        if request.method == "POST" and form.is_valid():
            try:
                change = workshop_change(
                    artisan_id=artisan.pk, actor=require_user(request), **form.cleaned_data
                )
            except DomainError as error:
                form.add_error(None, error.detail)
            else:
                text = gettext("%(artisan)s: %(state)s.")
                names = {"artisan": artisan.name, "state": change.get_new_display()}
                messages.success(request, text % names)
                return redirect(admin_page_url(artisan))
        request.current_app = self.admin_site.name
        context: dict[str, Any] = {
            "opts": self.opts,
            "title": artisan.name,
            "media": self.media,
            "form": form,
            "back": admin_page_url(artisan),
            "artisan": artisan,
            "tone": STATE_TONES[artisan.state],
            "facts": facts_of(artisan),
            "last": last_change(artisan),
            "refusal": self.refusal(request, artisan),
        }
        base = self.admin_site.each_context(request)
        return TemplateResponse(request, "admin/workshop/change_state.html", base | context)

    def refusal(self, request: HttpRequest, artisan: Artisan) -> str:
        try:
            check_staff(require_user(request), artisan.pk, CHANGE_STATE)
        except DomainError as error:
            return error.detail
        if artisan.state == ArtisanState.PENDING:
            return gettext("This artisan is applying. Decide about the application.")
        return ""


def artisan_named(request: HttpRequest) -> Artisan:
    """Errors: Http404."""
    asked = request.GET.get("artisan", "")
    artisan = Artisan.objects.filter(pk=asked).first() if is_uuid(asked) else None
    if artisan is None:
        raise Http404
    return artisan


def state_address(artisan: Artisan) -> str:
    """The page on which the artisan's workshop is suspended, closed or reopened."""
    return f"{reverse('admin:catalog_artisan_change_state')}?artisan={artisan.pk}"


@admin.register(Terms)
class TermsAdmin(ReadOnlyAdmin):
    """Versions of the terms for artisans. Staff publish a new one on a page of its own."""

    list_before_template = "admin/workshop/terms/before_list.html"
    list_display = ("number", "published_by", "time")
    list_select_related = ("published_by",)
    list_filter = (("created_at", DayRangeFilter),)
    list_filter_submit = True
    fields = ("number", "time", "published_by", "changes", "text")

    @column(_("Published"), ordering="created_at", file="created_at")
    def time(self, terms: Terms) -> str:
        return when(terms.created_at)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.publish_page)
        standard: list[URLPattern] = super().get_urls()
        return [path("publish/", view, name="catalog_terms_publish"), *standard]

    def publish_page(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(PUBLISH):
            raise PermissionDenied
        require_fresh_sign_in(request)
        newest, asked = terms_now(), workshops_to_email().count()
        number = newest.number if newest else 0
        initial = {"seen": number, "text": newest.text if newest else ""}
        form = TermsForm(posted(request), initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                terms = terms_publish(actor=require_user(request), **form.cleaned_data)
            except DomainError as error:
                form.add_error(None, error.detail)
            else:
                messages.success(request, gettext("%(terms)s was published.") % {"terms": terms})
                return redirect(admin_list_url(Terms))
        request.current_app = self.admin_site.name
        context: dict[str, Any] = {
            "opts": self.opts,
            "title": gettext("Publish terms for artisans"),
            "media": self.media,
            "form": form,
            "back": admin_list_url(Terms),
            "number": number + 1,
            "asked": asked,
        }
        base = self.admin_site.each_context(request)
        return TemplateResponse(request, "admin/workshop/terms/publish.html", base | context)


@admin.register(TermsAcceptance)
class TermsAcceptanceAdmin(ReadOnlyAdmin):
    """Who accepted which version, and when."""

    list_display = ("artisan", "terms", "user", "time")
    list_select_related = ("artisan", "terms", "user")
    list_filter = ("terms", ("created_at", DayRangeFilter))
    list_filter_submit = True
    search_fields = ("artisan__name", "user__email")
    search_help_text = _("Artisan or email address")
    fields = ("artisan", "terms", "user", "time")

    @column(_("Accepted"), ordering="created_at", file="created_at")
    def time(self, acceptance: TermsAcceptance) -> str:
        return when(acceptance.created_at)
