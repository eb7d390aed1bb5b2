"""Holds, artisans who owe the shop, and what they pay of it or is written off."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.accounts.principals import require_user
from artisans.approvals.models import ApprovalRequest
from artisans.catalog.models import Artisan
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import (
    BAD,
    GOOD,
    PLAIN,
    WARN,
    FileValue,
    ReadOnlyAdmin,
    admin_list_url,
    admin_page_url,
    age,
    button_to,
    column,
    link_to,
    money,
    posted,
    when,
)
from artisans.core.errors import DomainError
from artisans.core.models import is_uuid
from artisans.core.money import Money
from artisans.core.security.fresh_sign_in import require_fresh_sign_in
from artisans.core.templatetags.money import show
from artisans.earnings.approvals import (
    hold_end_submit,
    hold_submit,
    settlement_reverse_submit,
    settlement_submit,
)
from artisans.earnings.disputes import exposures_of
from artisans.earnings.forms import DebtForm, HoldForm, PaymentOfDebtForm, ReasonForm, WriteOffForm
from artisans.earnings.holds import PERMISSION, HoldRequest, check_staff
from artisans.earnings.models import Debt, Hold, HoldReason, Settlement, SettlementMeans, SettlementStatus
from artisans.earnings.selectors import active_holds, balances_of
from artisans.earnings.settlements import (
    SETTLE,
    WRITE_OFF,
    SettlementRequest,
    check_may_settle,
    owed_now,
)
from artisans.ledger.accounts import AccountKind
from artisans.ledger.admin import artisan_address
from artisans.ledger.selectors import accounts_with_balances
from orders.selectors import store_rules
from payments.admin.approvals import awaiting_approval


class EmptyForm(forms.Form):
    """A button."""


class ActiveFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("active", gettext("Active")), ("ended", gettext("Ended"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        ended = "released_at" if queryset.model is Hold else "ended_at"
        match self.value():
            case "active":
                return queryset.filter(**{f"{ended}__isnull": True})
            case "ended":
                return queryset.filter(**{f"{ended}__isnull": False})
        return queryset


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    """Money of artisans that is held back. Staff place holds on a page of their own, and end them."""

    pages = {"end": PERMISSION}
    views = {"": _("All"), "state=active": _("Active")}
    list_before_template = "admin/earnings/hold/before_list.html"
    list_display = (
        "artisan_shown",
        "effect_shown",
        "reason_shown",
        "state",
        "until_shown",
        "created",
        "end_link",
    )
    list_select_related = ("artisan", "order")
    list_filter = (ActiveFilter, "reason", ("created_at", DayRangeFilter))
    list_filter_submit = True
    search_fields = ("artisan__name", "=order__order_number")
    search_help_text = _("Artisan, or number of an order")
    fields = (
        "artisan_link",
        "effect_shown",
        "reason_shown",
        "note",
        "order_link",
        "dispute",
        "created_at",
        "made_by",
        "until_shown",
        "state",
        "ended_by",
    )

    def get_urls(self) -> list[URLPattern]:
        own = [path("place/", self.admin_site.admin_view(self.place_page), name="earnings_hold_place")]
        standard: list[URLPattern] = super().get_urls()
        return own + standard

    @column(_("Artisan"), ordering="artisan__name")
    def artisan_shown(self, hold: Hold) -> str:
        return hold.artisan.name

    @column(_("Artisan"))
    def artisan_link(self, hold: Hold) -> SafeString:
        """To the page of their money."""
        link = '<a class="aa-link" href="{}">{}</a>'
        return format_html(link, artisan_address(hold.artisan), hold.artisan.name)

    @column(_("Effect"), ordering="amount_minor")
    def effect_shown(self, hold: Hold) -> str:
        return hold.effect

    @column(_("Reason"), ordering="reason")
    def reason_shown(self, hold: Hold) -> str:
        return str(hold.get_reason_display())

    @column(_("Status"), label={"active": WARN, "ended": PLAIN})
    def state(self, hold: Hold) -> tuple[str, str]:
        if hold.released_at is None:
            return "active", gettext("Active")
        return "ended", gettext("Ended on %(time)s") % {"time": when(hold.released_at)}

    @column(_("Until"), ordering="until", file="until")
    def until_shown(self, hold: Hold) -> str:
        if hold.until is None and hold.reason == HoldReason.DISPUTE:
            return gettext("the dispute is decided")
        return when(hold.until)

    @column(_("Order"))
    def order_link(self, hold: Hold) -> SafeString | str:
        return link_to(hold.order) if hold.order else "–"

    @column(_("Action"), file=())
    def end_link(self, hold: Hold) -> SafeString | str:
        is_over = not hold.is_active or hold.reason == HoldReason.DISPUTE
        return "" if is_over else button_to(admin_page_url(hold, "end"), gettext("End"))

    def end_page(self, request: HttpRequest, hold: Hold) -> HttpResponse:
        def end(data: dict[str, Any]) -> str:
            done = hold_end_submit(hold=hold, actor=require_user(request))
            if isinstance(done, ApprovalRequest):
                return awaiting_approval(done)
            message = gettext("The hold on the money of %(artisan)s has ended.")
            return message % {"artisan": hold.artisan.name}

        refusal = ""
        try:
            check_staff(require_user(request), hold.artisan_id, hold.order)
        except DomainError as error:
            refusal = error.detail
        if not hold.is_active:
            refusal = gettext("This hold has already ended.")
        elif hold.reason == HoldReason.DISPUTE:
            refusal = gettext("This hold ends when the dispute is decided.")
        form = EmptyForm(posted(request))
        return self.run_action(
            request, "admin/earnings/hold/end.html", hold, form, end, hold=hold, refusal=refusal
        )

    def place_page(self, request: HttpRequest) -> HttpResponse:
        """Hold back money of an artisan, whom the address may name (`?artisan=<id>`)."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        require_fresh_sign_in(request)
        artisan = artisan_named(request)
        initial = {"artisan": artisan, "currency": store_rules().currency}
        form = HoldForm(posted(request), initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                data = dict(form.cleaned_data)
                done = hold_submit(
                    artisan=data.pop("artisan"), request=HoldRequest(**data), actor=require_user(request)
                )
            except DomainError as error:
                form.add_error(None, error.detail)
            else:
                if isinstance(done, ApprovalRequest):
                    messages.success(request, awaiting_approval(done))
                    return redirect(admin_list_url(Hold))
                text = gettext("%(artisan)s’s money: %(effect)s.")
                messages.success(request, text % {"effect": done.effect, "artisan": done.artisan.name})
                return redirect(admin_page_url(done))
        request.current_app = self.admin_site.name
        context: dict[str, Any] = {
            "opts": self.opts,
            "title": gettext("Hold back an artisan’s money"),
            "media": self.media,
            "form": form,
            "back": admin_list_url(Hold),
            "artisan": artisan,
        }
        if artisan is not None:
            context |= {
                "balances": balances_of(artisan),
                "holds": active_holds(artisan),
                "exposures": exposures_of(artisan),
            }
        base = self.admin_site.each_context(request)
        return TemplateResponse(request, "admin/earnings/hold/place.html", base | context)


def hold_address(artisan: Artisan) -> str:
    """The page on which the artisan's money is held back."""
    return f"{reverse('admin:earnings_hold_place')}?artisan={artisan.pk}"


def artisan_named(request: HttpRequest) -> Artisan | None:
    asked = request.POST.get("artisan") or request.GET.get("artisan", "")
    return Artisan.objects.filter(pk=asked).first() if is_uuid(asked) else None


def owed_shown(debt: Any) -> Money | None:
    """Of a debt of the list, None once it has ended."""
    return None if debt.ended_at else Money(max(0, debt.owed_minor or 0), debt.currency)


@admin.register(Debt)
class DebtAdmin(ReadOnlyAdmin):
    """Artisans who owe the shop, the longest first."""

    pages = {"settle": SETTLE, "write_off": WRITE_OFF}
    views = {"": _("All"), "state=active": _("Open")}
    detail_template = "admin/earnings/debt/detail.html"
    list_display = ("number", "artisan", "owed", "state", "since", "mailed")
    list_select_related = ("artisan",)
    list_filter = (ActiveFilter, "currency", ("created_at", DayRangeFilter))
    list_filter_submit = True
    search_fields = ("artisan__name", "=number")
    search_help_text = _("Artisan, or number of a debt")
    ordering = ("created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Debt]:
        available: Any = accounts_with_balances().filter(
            artisan=OuterRef("artisan"), currency=OuterRef("currency"), kind=AccountKind.SELLER_AVAILABLE
        )
        debts: QuerySet[Debt] = super().get_queryset(request)
        return debts.annotate(owed_minor=Subquery(available.values("balance_minor")[:1]))

    @column(_("Owed now"), file=money(owed_shown))
    def owed(self, debt: Any) -> str:
        found = owed_shown(debt)
        return "–" if found is None else show(found)

    @column(_("Status"), label={"open": BAD, "ended": GOOD})
    def state(self, debt: Debt) -> tuple[str, str]:
        return ("open", gettext("Open")) if debt.ended_at is None else ("ended", gettext("Paid off"))

    @column(_("Since"), ordering="created_at", file=FileValue("created_at", title=_("Since")))
    def since(self, debt: Debt) -> str:
        return age(debt.created_at)

    @column(_("Email"), file="mailed_at")
    def mailed(self, debt: Debt) -> str:
        return when(debt.mailed_at)

    def detail(self, request: HttpRequest, obj: Debt) -> dict[str, Any]:
        return {
            "debt": obj,
            "owed": owed_now(obj),
            "tone": GOOD if obj.ended_at else BAD,
            "settlements": obj.settlements.all(),
        }

    def settle_page(self, request: HttpRequest, debt: Debt) -> HttpResponse:
        form = PaymentOfDebtForm(posted(request), debt=debt, owed=owed_now(debt))
        return self.settlement_page(request, debt, form, "admin/earnings/debt/settle.html")

    def write_off_page(self, request: HttpRequest, debt: Debt) -> HttpResponse:
        form = WriteOffForm(posted(request), owed=owed_now(debt))
        return self.settlement_page(
            request,
            debt,
            form,
            "admin/earnings/debt/write_off.html",
            means=SettlementMeans.WRITE_OFF,
            value_date=timezone.localdate(),
        )

    def settlement_page(
        self, request: HttpRequest, debt: Debt, form: DebtForm, template: str, **fixed: Any
    ) -> HttpResponse:
        def record(data: dict[str, Any]) -> str:
            wanted = SettlementRequest(**data, **fixed)
            done = settlement_submit(debt=debt, request=wanted, actor=require_user(request))
            if isinstance(done, ApprovalRequest):
                return awaiting_approval(done)
            text = (
                gettext("%(amount)s written off.") if done.is_write_off else gettext("%(amount)s recorded.")
            )
            return text % {"amount": show(done.amount)}

        refusal = self.refusal(request, debt, is_write_off="means" in fixed)
        answer = self.run_action(
            request, template, debt, form, record, debt=debt, owed=form.owed, refusal=refusal
        )
        if form.is_bound:
            form.show_again()
        return answer

    def refusal(self, request: HttpRequest, debt: Debt, *, is_write_off: bool) -> str:
        try:
            check_may_settle(require_user(request), debt.artisan_id, is_write_off=is_write_off)
        except DomainError as error:
            return error.detail
        return gettext("Nothing is owed.") if is_write_off and not owed_now(debt) else ""


@admin.register(Settlement)
class SettlementAdmin(ReadOnlyAdmin):
    """What artisans paid of their debts, and what was written off."""

    pages = {"reverse": SETTLE}  # a write-off needs WRITE_OFF too
    list_display = ("debt", "artisan", "amount_shown", "means", "state", "value_date", "actor", "created")
    list_select_related = ("debt__artisan", "actor")
    list_filter = ("means", "status", ("value_date", DayRangeFilter))
    list_filter_submit = True
    search_fields = ("debt__artisan__name", "=debt__number", "=reference")
    search_help_text = _("Artisan, number of a debt, or reference")
    fields = (
        *("debt_link", "artisan", "amount_shown", "means", "value_date", "reference", "note"),
        *("actor", "created_at", "state", "reversed_by", "reversal_reason", "reverse_link"),
    )

    @column(_("Debt"))
    def debt_link(self, settlement: Settlement) -> SafeString:
        return link_to(settlement.debt)

    @column(_("Artisan"), ordering="debt__artisan__name")
    def artisan(self, settlement: Settlement) -> str:
        return settlement.debt.artisan.name

    @column(_("Amount"), ordering="amount_minor", file=money("amount"))
    def amount_shown(self, settlement: Settlement) -> str:
        return show(settlement.amount)

    @column(
        _("Status"),
        ordering="status",
        label={SettlementStatus.RECORDED: GOOD, SettlementStatus.REVERSED: BAD},
    )
    def state(self, settlement: Settlement) -> tuple[str, str]:
        return settlement.status, settlement.get_status_display()

    @column(_("Action"), file=())
    def reverse_link(self, settlement: Settlement) -> SafeString | str:
        if settlement.is_reversed:
            return "–"
        return button_to(admin_page_url(settlement, "reverse"), gettext("Reverse"))

    def reverse_page(self, request: HttpRequest, settlement: Settlement) -> HttpResponse:
        def reverse(data: dict[str, Any]) -> str:
            done = settlement_reverse_submit(
                settlement=settlement, reason=data["reason"], actor=require_user(request)
            )
            if isinstance(done, ApprovalRequest):
                return awaiting_approval(done)
            return gettext("%(amount)s reversed.") % {"amount": show(done.amount)}

        refusal = gettext("This was already reversed.") if settlement.is_reversed else ""
        try:
            check_may_settle(
                require_user(request), settlement.debt.artisan_id, is_write_off=settlement.is_write_off
            )
        except DomainError as error:
            refusal = error.detail
        return self.run_action(
            request,
            "admin/earnings/settlement/reverse.html",
            settlement,
            ReasonForm(posted(request)),
            reverse,
            settlement=settlement,
            refusal=refusal,
        )
