"""Movements of the shop's balances at providers, what each belongs to, and closing those that are not the shop's."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.accounts.principals import require_user
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import BAD, GOOD, PLAIN, ReadOnlyAdmin, column, link_to, money, posted, when
from artisans.core.templatetags.money import show
from payments.admin.filters import MovementNeedsFilter
from payments.admin.forms import TextForm
from payments.bookkeeping.movements import CLOSE, movement_close, movement_reopen
from payments.models import ProviderMovement


@admin.register(ProviderMovement)
class ProviderMovementAdmin(ReadOnlyAdmin):
    """`?needs=explanation` are those that nothing in the shop explains and nobody has closed."""

    pages = {"close": CLOSE, "reopen": CLOSE}
    everyday_pages = frozenset(pages)
    views = {
        "": _("All"),
        "needs=explanation": _("Unexplained"),
        "needs=nothing": _("Closed as not the shop’s"),
    }
    detail_template = "admin/payments/providermovement/detail.html"
    list_display = (
        *("number", "kind_shown", "net_shown", "fee_shown", "charged_shown"),
        *("state", "payment_link", "occurred"),
    )
    list_filter = (
        MovementNeedsFilter,
        "provider",
        "kind",
        "explained_by",
        "currency",
        ("occurred_at", DayRangeFilter),
    )
    list_filter_submit = True
    list_select_related = ("payment",)
    search_fields = (
        *("=external_id", "=source_id", "=provider_capture_id"),
        *("=payment__payment_number", "=payment__order__order_number"),
    )
    search_help_text = _(
        "The provider’s id of the movement, payment, refund or dispute; payment or order number"
    )

    @column(_("Movement"), ordering="external_id")
    def number(self, row: ProviderMovement) -> SafeString:
        return link_to(row, row.external_id)

    @column(_("Kind"), ordering="kind")
    def kind_shown(self, row: ProviderMovement) -> str:
        return f"{row.get_kind_display()} ({row.code})" if row.code else str(row.get_kind_display())

    @column(_("Net"), ordering="net_minor", file=money("net"))
    def net_shown(self, row: ProviderMovement) -> str:
        return show(row.net)

    @column(_("Fee"), ordering="fee_minor", file=money("fee"))
    def fee_shown(self, row: ProviderMovement) -> str:
        return show(row.fee) if row.fee else "–"

    @column(_("Converted from"), file=money("charged"))
    def charged_shown(self, row: ProviderMovement) -> str:
        return show(row.charged) if row.charged else "–"

    @column(_("Belongs to"), ordering="explained_by", label={"": BAD, "closed": PLAIN, "known": GOOD})
    def state(self, row: ProviderMovement) -> tuple[str, str]:
        if row.closed_at:
            return "closed", gettext("Not the shop’s")
        return "known" if row.explained_by else "", str(row.get_explained_by_display())

    @column(_("Payment"))
    def payment_link(self, row: ProviderMovement) -> SafeString | str:
        return link_to(row.payment) if row.payment else "–"

    @column(_("Date"), ordering="occurred_at", file="occurred_at")
    def occurred(self, row: ProviderMovement) -> str:
        return when(row.occurred_at)

    def detail(self, request: HttpRequest, obj: ProviderMovement) -> dict[str, Any]:
        may_close = request.user.has_perm(CLOSE)
        return {
            "movement": obj,
            "state": self.state(obj),
            "may_close": may_close and not (obj.explained_by or obj.closed_at),
            "may_reopen": may_close and obj.closed_at,
        }

    def close_page(self, request: HttpRequest, movement: ProviderMovement) -> HttpResponse:
        label = gettext("Whose is it, or how do you know that it is not the shop’s?")
        form = TextForm(
            posted(request), label=label, help_text=gettext("For your colleagues and the audit log.")
        )

        def close(data: dict[str, Any]) -> str:
            movement_close(movement_id=movement.pk, reason=data["text"], actor=require_user(request))
            return gettext("Closed: the next runs of the reconciliation do not list it.")

        template = "admin/payments/providermovement/close.html"
        return self.run_action(request, template, movement, form, close, movement=movement)

    def reopen_page(self, request: HttpRequest, movement: ProviderMovement) -> HttpResponse:
        form = TextForm(
            posted(request),
            label=gettext("Reason"),
            help_text=gettext("For your colleagues and the audit log."),
        )

        def reopen(data: dict[str, Any]) -> str:
            movement_reopen(movement_id=movement.pk, reason=data["text"], actor=require_user(request))
            return gettext("Reopened: the next run of the reconciliation lists it again.")

        template = "admin/payments/providermovement/reopen.html"
        return self.run_action(request, template, movement, form, reopen, movement=movement)
