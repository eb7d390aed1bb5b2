from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from artisans.accounts.models import User
from artisans.accounts.principals import require_user
from artisans.core.admin.pages import BAD, GOOD, WAIT, WARN, ReadOnlyAdmin, column, link_to, posted, when
from artisans.core.money import Money
from payments.admin.filters import AlertNeedsFilter
from payments.admin.forms import DifferenceForm
from payments.bookkeeping.movements import CLOSE
from payments.models import Payment, ProviderAlert, ProviderMovement, ReconciliationRun
from payments.reconciliation.closing import (
    Row,
    can_close,
    difference_close,
    difference_reopen,
    is_last,
    key_of,
)
from payments.reconciliation.differences import Kind

OF_MOVEMENTS = frozenset({Kind.UNEXPLAINED, Kind.CHANGED, Kind.CURRENCY, Kind.FEE})


@admin.register(ProviderAlert)
class ProviderAlertAdmin(ReadOnlyAdmin):
    """Parts of a provider's API that currently fail. The next successful call resolves an alert."""

    list_display = ("alert", "state", "detail", "count", "last_seen")
    list_filter = (AlertNeedsFilter, "provider")
    views = {"": _("All"), "needs=failing": _("Failing")}
    fields = ("provider", "part", "detail", "count", "created_at", "last_seen_at", "resolved_at")

    @column(_("Part of the API"), ordering="created_at")
    def alert(self, row: ProviderAlert) -> SafeString:
        return link_to(row, str(row))

    @column(_("Status"), label={"open": BAD, "over": GOOD})
    def state(self, row: ProviderAlert) -> tuple[str, str]:
        return ("over", gettext("Resolved")) if row.resolved_at else ("open", gettext("Failing"))

    @column(_("Last failure"), ordering="last_seen_at", file="last_seen_at")
    def last_seen(self, row: ProviderAlert) -> str:
        return when(row.last_seen_at)


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ReadOnlyAdmin):
    """Nightly comparisons of the providers' records with the shop's."""

    pages = {"close": CLOSE, "reopen": CLOSE}
    everyday_pages = frozenset(pages)
    detail_template = "admin/payments/reconciliationrun/detail.html"
    list_display = ("period", "state", "seen", "synced_count", "since_shown", "until_shown")
    list_filter = ("provider",)

    @column(_("Run"), ordering="created_at", file=("provider", "created_at"))
    def period(self, row: ReconciliationRun) -> SafeString:
        return link_to(row, f"{row.get_provider_display()}, {when(row.created_at)}")

    @column(_("Status"), label={"differs": BAD, "same": GOOD, "running": WAIT, "error": WARN})
    def state(self, row: ReconciliationRun) -> tuple[str, str]:
        if row.error:
            return "error", gettext("Failed")
        if row.differences:
            text = ngettext("%(n)d difference", "%(n)d differences", len(row.differences))
            return "differs", text % {"n": len(row.differences)}
        return ("same", gettext("No differences")) if row.finished_at else ("running", gettext("Running"))

    @column(_("From"), ordering="since", file="since")
    def since_shown(self, row: ReconciliationRun) -> str:
        return when(row.since)

    @column(_("To"), ordering="until", file="until")
    def until_shown(self, row: ReconciliationRun) -> str:
        return when(row.until)

    def detail(self, request: HttpRequest, obj: ReconciliationRun) -> dict[str, Any]:
        payments = Payment.objects.in_bulk([row["payment"] for row in obj.differences if row["payment"]])
        by_id = {str(pk): payment for pk, payment in payments.items()}
        names = [row["object_id"] for row in obj.differences if row["kind"] in OF_MOVEMENTS]
        movements = ProviderMovement.objects.filter(provider=obj.provider, external_id__in=names)
        by_name = {row.external_id: row for row in movements.select_related("closed_by")}
        rows = [
            row
            | {
                "payment": by_id.get(row["payment"]),
                "movement": by_name.get(row["object_id"]) if row["kind"] in OF_MOVEMENTS else None,
                "key": key_of(row) if can_close(row) else "",
            }
            for row in obj.differences
        ]
        closers = User.objects.in_bulk([row["by"] for row in obj.closed or ()])
        by_key = {str(pk): user for pk, user in closers.items()}
        return {
            "run": obj,
            "state": self.state(obj),
            "rows": rows,
            "closed": [
                row
                | {
                    "key": key_of(row),
                    "by": by_key.get(row["by"], "–"),
                    "at": datetime.fromisoformat(row["at"]),
                }
                for row in obj.closed or ()
            ],
            "balances": balances_of(obj),
            "may_close": request.user.has_perm(CLOSE) and is_last(obj),
        }

    def close_page(self, request: HttpRequest, run: ReconciliationRun) -> HttpResponse:
        form = DifferenceForm(
            posted(request),
            initial={"difference": request.GET.get("difference")},
            label=gettext("What did you find?"),
            help_text=gettext("For your colleagues and the audit log."),
        )

        def close(data: dict[str, Any]) -> str:
            key, actor = data["difference"], require_user(request)
            difference_close(run_id=run.pk, key=key, reason=data["text"], actor=actor)
            return gettext("Closed: the next runs do not list it, unless its figures change.")

        return self.difference_page(request, run, form, close, "close", run.differences)

    def reopen_page(self, request: HttpRequest, run: ReconciliationRun) -> HttpResponse:
        form = DifferenceForm(
            posted(request),
            initial={"difference": request.GET.get("difference")},
            label=gettext("Reason"),
            help_text=gettext("For your colleagues and the audit log."),
        )

        def reopen(data: dict[str, Any]) -> str:
            key, actor = data["difference"], require_user(request)
            difference_reopen(run_id=run.pk, key=key, reason=data["text"], actor=actor)
            return gettext("Reopened.")

        return self.difference_page(request, run, form, reopen, "reopen", run.closed or ())

    def difference_page(
        self,
        request: HttpRequest,
        run: ReconciliationRun,
        form: DifferenceForm,
        service: Callable[[dict[str, Any]], str],
        name: str,
        rows: Iterable[Row],
    ) -> HttpResponse:
        key = form["difference"].value()
        row = next((row for row in rows if key_of(row) == key), None)
        closed_by = User.objects.filter(pk=row["by"]).first() if row and "by" in row else None
        template = f"admin/payments/reconciliationrun/{name}.html"
        return self.run_action(request, template, run, form, service, row=row, run=run, closed_by=closed_by)


def balances_of(run: ReconciliationRun) -> list[dict[str, Money]]:
    """What the run found in each currency: the provider's balance, its part from before the shop, the ledger's account
    of it, and what explains their difference."""
    return [
        {
            name: Money.stored(minor, row["currency"])
            for name, minor in {
                **{part: row[part] for part in ("provider", "opening", "ledger", "waiting")},
                "accounted": row["provider"] - row["opening"],
                "other": row["ledger"] - row["provider"] + row["opening"] - row["waiting"],
            }.items()
        }
        for row in run.balances or ()
    ]
