"""The ledger in the admin: entries, accounts with their running balance, the trial balance, an artisan's money."""

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.accounts.principals import require_user
from artisans.catalog.admin import pages_for
from artisans.catalog.models import Artisan
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.forms import DayField
from artisans.core.admin.pages import FileValue, ReadOnlyAdmin, column, link_to, money, two_lines
from artisans.core.csv_files import plain_cell
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from artisans.ledger.accounts import SCOPE_NAMES, AccountKind
from artisans.ledger.explanations import explain
from artisans.ledger.models import LedgerAccount, LedgerEntry, LedgerPeriod, LedgerPosting
from artisans.ledger.references import entries_about
from artisans.ledger.selectors import (
    POSTINGS,
    Balance,
    account_page,
    accounts_with_balances,
    balances_at_end_of,
    trial_rows,
    trial_totals,
)

LAST_LINES = 10  # of each account, on an artisan's page
MONTHS = 24  # that an account's page links
DIGITS = 18  # of a posting's number


class AccountKindFilter(admin.SimpleListFilter):
    """Entries with a posting on an account of this kind."""

    title = _("account")
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        used = set(LedgerAccount.objects.order_by().values_list("kind", flat=True).distinct())
        return [(kind.value, str(kind.label)) for kind in AccountKind if kind in used]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
        if not self.value():
            return queryset
        accounts = list(LedgerAccount.objects.filter(kind=self.value()).values_list("pk", flat=True))
        postings = LedgerPosting.objects.filter(account__in=accounts).order_by()
        return queryset.filter(pk__in=postings.values("entry"))


class MonthFilter(admin.SimpleListFilter):
    title = _("month")
    parameter_name = "month"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", gettext("Open")), ("closed", gettext("Closed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
        if self.value() not in {"open", "closed"}:
            return queryset
        last = LedgerPeriod.objects.order_by("-open_from").first()
        if self.value() == "open":
            return queryset.filter(booked_on__gte=last.open_from) if last else queryset
        return queryset.filter(booked_on__lt=last.open_from) if last else queryset.none()


def amounts_of(entry: LedgerEntry) -> list[Money]:
    """What its debits add up to, by currency."""
    debits = [row.amount for row in entry.postings.all() if row.amount_minor > 0]
    currencies = sorted({amount.currency for amount in debits})
    return [
        Money.total((amount for amount in debits if amount.currency == currency), currency)
        for currency in currencies
    ]


def amounts_text(entry: LedgerEntry) -> str:
    return ", ".join(map(show, amounts_of(entry)))


def only_amount(entry: LedgerEntry) -> Money | None:
    """None if it is in several currencies."""
    found = amounts_of(entry)
    return found[0] if len(found) == 1 else None


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """Everything that was booked, with a sentence for each entry."""

    detail_template = "admin/ledger/ledgerentry/detail.html"
    list_display = ("booked", "what", "order_link", "amount")
    list_filter = ("kind", ("booked_on", DayRangeFilter), AccountKindFilter, MonthFilter)
    list_filter_submit = True
    ordering = ("-booked_on", "-happened_at", "-key")
    search_fields = ("key",)  # shows the box; `get_search_results` searches
    search_help_text = _("Number of an order, payment or refund, or the key of an entry")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        rows: QuerySet[LedgerEntry] = super().get_queryset(request)
        return rows.prefetch_related(POSTINGS)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LedgerEntry], search_term: str
    ) -> tuple[QuerySet[LedgerEntry], bool]:
        return queryset.filter(entries_about(search_term)) if search_term.strip() else queryset, False

    def prepare_rows(self, rows: Sequence[Any]) -> None:
        for row, explanation in zip(rows, explain(rows), strict=True):
            row.explanation = explanation

    @column(_("Booked on"), ordering="booked_on", file="booked_on")
    def booked(self, entry: LedgerEntry) -> SafeString:
        return link_to(entry, date_format(entry.booked_on))

    @column(
        _("Entry"), file=(FileValue(lambda entry: entry.explanation.sentence), "kind", "key", "happened_at")
    )
    def what(self, entry: Any) -> SafeString:
        return two_lines(entry.explanation.sentence, entry.get_kind_display())

    @column(_("Order"))
    def order_link(self, entry: Any) -> SafeString | str:
        found = entry.explanation.order
        if found is None:
            return "–"
        return format_html('<a class="aa-link" href="{}">{}</a>', found.address, found.name)

    @column(_("Amount"), file=(money(only_amount), FileValue(amounts_text, title=_("Amounts"))))
    def amount(self, entry: LedgerEntry) -> str:
        """What its debits add up to, by currency."""
        return amounts_text(entry)

    def detail(self, request: HttpRequest, obj: LedgerEntry) -> dict[str, Any]:
        [explanation] = explain([obj])
        return {
            "entry": obj,
            "explained": explanation,
            "postings": sorted(obj.postings.all(), key=lambda row: row.position),
            "reversal": LedgerEntry.objects.filter(reverses=obj).first(),
            "period": LedgerPeriod.objects.filter(
                first_day__lte=obj.booked_on, last_day__gte=obj.booked_on
            ).first(),
        }


def owner_name(account: LedgerAccount) -> str:
    return account.artisan.name if account.artisan else SCOPE_NAMES.get(account.scope, account.scope)


def balance_now(account: Any) -> Money:
    return account.on_account(account.balance_minor)  # type: ignore[no-any-return]


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnlyAdmin):
    """Accounts with their balance now."""

    detail_template = "admin/ledger/ledgeraccount/detail.html"
    list_display = ("name", "currency", "balance")
    list_filter = ("kind", "currency")
    ordering = ("kind", "currency", "pk")
    search_fields = ("scope",)  # shows the box; `get_search_results` searches
    list_before_template = "admin/ledger/_account_views.html"
    search_help_text = _("Part of an artisan’s name, or a provider")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerAccount]:
        return accounts_with_balances().order_by(*self.get_ordering(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LedgerAccount], search_term: str
    ) -> tuple[QuerySet[LedgerAccount], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        artisans = list(Artisan.objects.filter(name__icontains=term).values_list("pk", flat=True))
        return queryset.filter(Q(artisan__in=artisans) | Q(scope__icontains=term)), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("trial-balance/", view(self.trial_balance_page), name="ledger_trial_balance"),
            path("artisan/<uuid:pk>/", view(self.artisan_page), name="ledger_artisan"),
        ]
        standard: list[URLPattern] = super().get_urls()
        return own + standard

    @column(_("Account"), ordering="kind", file=("kind", FileValue(owner_name, title=_("Of"))))
    def name(self, account: LedgerAccount) -> SafeString:
        return two_lines(account.get_kind_display(), owner_name(account))

    @column(_("Balance"), file=money(balance_now))
    def balance(self, account: Any) -> str:
        return show(balance_now(account))

    def detail(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        found = account_page(
            obj, before=posting_number(request, "before"), after=posting_number(request, "after")
        )
        entries = entries_explained([line.posting.entry_id for line in found.lines])
        checkpoints = obj.checkpoints.select_related("period").order_by("-last_posting")[:MONTHS]
        return {
            "account": obj,
            "balance": obj.on_account(obj.balance_minor),
            "page": found,
            "rows": [(line, entries[line.posting.entry_id]) for line in found.lines],
            "months": [(row.period.last_day, row.last_posting + 1) for row in checkpoints],
            "artisan_page": artisan_address(obj.artisan) if obj.artisan else "",
        }

    def trial_balance_page(self, request: HttpRequest) -> HttpResponse:
        """The trial balance at the end of a day, as a page or, with `format=csv`, as a file of all accounts."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = DayForm(request.GET if "on" in request.GET else None)
        day = timezone.localdate()
        if form.is_bound and form.is_valid():
            day = form.cleaned_data["on"]
            if request.GET.get("format") == "csv":
                return trial_balance_csv(day, balances_at_end_of(day))
        found = [] if form.errors else trial_rows(balances_at_end_of(day))
        context = {
            "title": gettext("Trial balance"),
            "opts": self.opts,
            "form": form if form.is_bound else DayForm(initial={"on": day}),
            "day": day,
            "rows": found,
            "totals": trial_totals(found),
            "period": LedgerPeriod.objects.filter(last_day__gte=day).order_by("last_day").first(),
        }
        return self.render_own(request, "admin/ledger/trial_balance.html", context)

    def artisan_page(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """An artisan's accounts and their last lines."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        artisan = get_object_or_404(Artisan, pk=pk)
        accounts: list[Any] = list(accounts_with_balances().filter(artisan=artisan).order_by("currency"))
        pages = {account.pk: account_page(account, size=LAST_LINES) for account in accounts}
        lines = [line for found in pages.values() for line in found.lines]
        entries = entries_explained([line.posting.entry_id for line in lines])
        by_currency: dict[str, list[Any]] = {}
        for account in sorted(accounts, key=lambda row: list(AccountKind.values).index(row.kind)):
            rows = [(line, entries[line.posting.entry_id]) for line in pages[account.pk].lines]
            balance = account.on_account(account.balance_minor)
            by_currency.setdefault(account.currency, []).append((account, balance, rows))
        context = {
            "title": str(artisan),
            "opts": self.opts,
            "artisan": artisan,
            "pages": [
                (page.label, page.address(artisan))
                for page in pages_for(require_user(request))
                if page.address is not artisan_address
            ],
            "currencies": sorted(by_currency.items()),
        }
        return self.render_own(request, "admin/ledger/artisan.html", context)

    def render_own(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(request, template, self.admin_site.each_context(request) | context)


class DayForm(forms.Form):
    on = DayField(label=_("At the end of"))

    def clean_on(self) -> date:
        day: date = self.cleaned_data["on"]
        if day > timezone.localdate():
            raise forms.ValidationError(gettext("Choose today or an earlier day."))
        return day


def posting_number(request: HttpRequest, name: str) -> int | None:
    """A posting's number from the address of an account's page. Anything else shows the newest ones."""
    text = request.GET.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        messages.warning(request, gettext("“%(text)s” is not a page of this account.") % {"text": text[:40]})
        return None
    return int(text)


def trial_balance_csv(day: date, found: Iterable[Balance]) -> HttpResponse:
    """One line for each account."""
    response = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="trial-balance-{day}.csv"'},
    )
    write = csv.writer(response).writerow
    write(["account", "kind", "name", "scope", "artisan", "currency", "debit", "credit"])
    for account, amount in found:
        artisan = account.artisan.name if account.artisan else ""
        debit, credit = (
            Money.stored(minor, amount.currency).amount if minor > 0 else ""
            for minor in (amount.minor, -amount.minor)
        )
        label = str(account.get_kind_display())
        write(
            [
                account.pk,
                account.kind,
                label,
                account.scope,
                plain_cell(artisan),
                amount.currency,
                debit,
                credit,
            ]
        )
    return response


def entries_explained(keys: Iterable[UUID]) -> dict[UUID, Any]:
    """Explanations by entry."""
    entries = LedgerEntry.objects.filter(pk__in=set(keys)).prefetch_related(POSTINGS)
    return {explanation.entry.pk: explanation for explanation in explain(list(entries))}


def artisan_address(artisan: Model) -> str:
    """The page of an artisan's money."""
    return reverse("admin:ledger_artisan", args=[artisan.pk])
