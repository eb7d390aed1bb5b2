"""Deposits of cash: a courier's transfer for many parcels, or what the shop paid in at its bank."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from artisans.accounts.principals import require_user
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.forms import AmountField, DayField, limit_to_past
from artisans.core.admin.pages import (
    BAD,
    GOOD,
    FileValue,
    ReadOnlyAdmin,
    admin_page_url,
    column,
    money,
    posted,
)
from artisans.core.errors import DomainError
from artisans.core.file_columns import Kind
from artisans.core.models import is_uuid
from artisans.core.money import Money
from artisans.core.security.fresh_sign_in import require_fresh_sign_in
from artisans.core.templatetags.money import show
from orders.selectors import store_rules
from orders.statuses import CashHolder
from payments.admin.forms import TextForm, reference_field
from payments.bookkeeping.value_dates import earliest_value_date
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.cash_deposits import cash_deposit_record, cash_deposit_reverse
from payments.models import CashDeposit, DepositStatus, Receipt
from payments.selectors import cash_to_deposit

RECORD = "payments.approve_manual"
MOST = 500  # receipts on a page, the oldest
HOLDERS = (CashHolder.COURIER, CashHolder.SHOP)


class DepositForm(forms.Form):
    """`receipts` are keys of the receipts that the page listed."""

    bank_reference = reference_field(
        _("Bank reference"), _("Transaction number from the statement. Must be unique.")
    )
    value_date = DayField(label=_("Value date"), help_text=_("The date the bank credited it."))

    def __init__(self, *args: Any, currency: str, first: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"] = AmountField(
            label=gettext("Amount received"),
            currency=currency,
            help_text=gettext("As shown on the statement."),
            error_messages={"required": gettext("Enter the amount received.")},
        )
        self.fields["fee"] = AmountField(
            label=gettext("Fee"),
            currency=currency,
            required=False,
            help_text=gettext(
                "What the courier or the bank kept. Amount and fee are the sum of what is left."
            ),
        )
        self.order_fields(["amount", "fee", "value_date", "bank_reference"])
        limit_to_past(self.fields["value_date"], first=first)


@admin.register(CashDeposit)
class CashDepositAdmin(ReadOnlyAdmin):
    pages = {"reverse": RECORD}
    list_before_template = "admin/payments/cashdeposit/before_list.html"
    detail_template = "admin/payments/cashdeposit/detail.html"
    list_display = (
        "bank_reference",
        "amount_shown",
        "fee_shown",
        "holder",
        "receipt_count",
        "value_date",
        "state",
        "actor",
        "created",
    )
    list_filter = ("holder", "status", ("value_date", DayRangeFilter))
    list_filter_submit = True
    list_select_related = ("actor",)
    search_fields = ("=bank_reference",)
    search_help_text = _("Bank reference")

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.record_page)
        return [path("record/", page, name="payments_cashdeposit_record"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[CashDeposit]:
        queryset: QuerySet[CashDeposit] = super().get_queryset(request)
        return queryset.annotate(receipt_total=Count("lines"))

    @column(_("Amount"), ordering="amount_minor", file=money("amount"))
    def amount_shown(self, deposit: CashDeposit) -> str:
        return show(deposit.amount)

    @column(_("Fee"), ordering="fee_minor", file=money("fee"))
    def fee_shown(self, deposit: CashDeposit) -> str:
        return show(deposit.fee) if deposit.fee else "–"

    @column(_("Receipts"), file=FileValue("receipt_total", Kind.NUMBER))
    def receipt_count(self, deposit: Any) -> str:
        return str(deposit.receipt_total)

    @column(_("Status"), ordering="status", label={DepositStatus.RECORDED: GOOD, DepositStatus.REVERSED: BAD})
    def state(self, deposit: CashDeposit) -> tuple[str, str]:
        return deposit.status, deposit.get_status_display()

    def detail(self, request: HttpRequest, obj: CashDeposit) -> dict[str, Any]:
        return {
            "deposit": obj,
            "tone": BAD if obj.reversed_at else GOOD,
            "may_reverse": request.user.has_perm(RECORD) and not obj.reversed_at,
            "lines": obj.lines.select_related("receipt__payment__order", "receipt__parcel__artisan"),
        }

    def reverse_page(self, request: HttpRequest, deposit: CashDeposit) -> HttpResponse:
        form = TextForm(posted(request), label=gettext("Reason"), help_text=gettext("For the audit log."))

        def reverse(data: dict[str, Any]) -> str:
            cash_deposit_reverse(deposit_id=deposit.pk, reason=data["text"], actor=require_user(request))
            return gettext("Deposit of %(amount)s reversed.") % {"amount": show(deposit.amount)}

        refusal = gettext("This deposit has already been reversed.") if deposit.reversed_at else ""
        template = "admin/payments/cashdeposit/reverse.html"
        return self.run_action(request, template, deposit, form, reverse, deposit=deposit, refusal=refusal)

    def record_page(self, request: HttpRequest) -> HttpResponse:
        """Receipts of one holder and currency; those that the transfer covers are chosen."""
        if not request.user.has_perm(RECORD):
            raise PermissionDenied
        require_fresh_sign_in(request)
        sums = cash_sums()
        holder, currency = chosen_cash(request, sums)
        rows = cash_to_deposit(holder).filter(currency=currency)
        oldest = rows.order_by("created_at").values_list("created_at", flat=True).first() or timezone.now()
        form = DepositForm(posted(request), currency=currency, first=earliest_value_date(oldest))
        keys = [UUID(key) for key in request.POST.getlist("receipts") if is_uuid(key)]
        if form.is_valid() and (done := self.record(request, form, keys, holder)):
            return done
        shown = list(rows.select_related("payment__order", "parcel__artisan")[:MOST])
        is_all = "all" in request.GET and request.method == "GET"
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "media": self.media,
            "title": gettext("Record a deposit"),
            "form": form,
            "fields": [form[name] for name in form.fields],
            "holders": [
                (describe_sum(*key, *found), query_of(*key), key == (holder, currency))
                for key, found in sums.items()
            ],
            "query": query_of(holder, currency),
            "receipts": [
                (receipt, Money(receipt.left_minor, currency), is_all or receipt.pk in keys)
                for receipt in shown
            ],
            "lead": LEADS[holder],
            "listed": describe_rows(shown),
            "nothing": gettext("Neither couriers nor the shop have recorded cash that is not deposited yet."),
        }
        return TemplateResponse(request, "admin/payments/cashdeposit/record.html", context)

    def record(
        self, request: HttpRequest, form: DepositForm, keys: Sequence[UUID], holder: CashHolder
    ) -> HttpResponse | None:
        """None, with the error in the form, if it is refused."""
        data = form.cleaned_data
        try:
            deposit = cash_deposit_record(
                receipt_ids=keys,
                holder=holder,
                money=IncomingMoney(data["amount"], data["value_date"], data["bank_reference"]),
                fee=data["fee"],
                actor=require_user(request),
            )
        except DomainError as error:
            form.add_error(None, error.detail)
            return None
        text = gettext("Deposit of %(amount)s recorded.") % {"amount": show(deposit.amount)}
        messages.success(request, text)
        may_view = request.user.has_perm("payments.view_cashdeposit")
        return redirect(admin_page_url(deposit) if may_view else "admin:index")


LEADS = {
    CashHolder.COURIER: _("Choose the parcels that the courier’s transfer covers."),
    CashHolder.SHOP: _("Choose the receipts whose cash was paid in at the bank."),
}
Cash = tuple[CashHolder, str]


def cash_sums() -> dict[Cash, tuple[int, int]]:
    """By holder and currency: number of receipts, and minor units; a courier's cash in the store's currency always."""
    found: dict[Cash, tuple[int, int]] = {(CashHolder.COURIER, store_rules().currency): (0, 0)}
    for holder in HOLDERS:
        rows = cash_to_deposit(holder).order_by("currency").values_list("currency")
        for currency, count, minor in rows.annotate(count=Count("pk"), sum=Sum("left_minor")):
            found[holder, currency] = count, minor
    return found


def chosen_cash(request: HttpRequest, sums: dict[Cash, tuple[int, int]]) -> Cash:
    """As the address says, else the first with receipts."""
    asked = request.GET.get("holder", ""), request.GET.get("currency", "")
    some = next((key for key, (count, _sum) in sums.items() if count), next(iter(sums)))
    return next((key for key in sums if key == asked), some)


def query_of(holder: CashHolder, currency: str) -> str:
    return urlencode({"holder": holder.value, "currency": currency})


def describe_sum(holder: CashHolder, currency: str, count: int, minor: int) -> str:
    return f"{holder.label}: {show(Money(minor, currency))} ({count})"


def describe_rows(receipts: Sequence[Receipt]) -> str:
    count = len(receipts)
    text = ngettext("%(n)d receipt", "%(n)d receipts", count) % {"n": count}
    if count < MOST:
        return text
    return gettext("The %(n)d oldest receipts; the others follow once these are deposited.") % {"n": count}
