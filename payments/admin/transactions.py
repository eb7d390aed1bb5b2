"""The history of all money that buyers paid or got back: entries of the ledger with their payments."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import admin
from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, UUIDField, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import FileValue, ReadOnlyAdmin, column, link_to, money
from artisans.core.admin.paging import BoundedPaginator
from artisans.core.file_columns import Kind
from artisans.core.numbers import split_number
from artisans.core.templatetags.money import show
from artisans.ledger.accounts import AccountKind
from artisans.ledger.models import TRANSACTION_KINDS, EntryKind, LedgerAccount, LedgerPosting
from orders.models import Order
from payments.admin.search import number_of
from payments.methods import MANUAL, OFFLINE_METHODS, PaymentMethod
from payments.models import Capture, Dispute, Payment, PaymentRefund, Receipt, Transaction
from payments.providers.registry import provider_choices, remote_providers

# ---- facts -----------------------------------------------------------------------------------------------------


def union(rows: Iterable[QuerySet[Any, Any]]) -> QuerySet[Any, Any]:
    first, *more = (one.order_by() for one in rows)
    return first.union(*more, all=True)


def facts_of(payments: QuerySet[Payment]) -> Iterator[QuerySet[Any, Any]]:
    """The keys of what these payments received and gave back; disputes are booked for the payment."""
    for facts in (Capture.objects, Receipt.objects, PaymentRefund.objects):
        yield facts.filter(payment__in=payments).values_list("pk", flat=True)
    yield payments.values_list("pk", flat=True)


def facts_named(term: str) -> Iterator[QuerySet[Any, Any]]:
    """The keys of what a bank or provider gave this name, or we this number; of an order or payment, all that belongs
    to it."""
    names, number = [facts.name for facts in remote_providers()], number_of(term)
    for payments in (
        Payment.objects.filter(order__order_number=split_number(number)[0]),
        Payment.objects.filter(payment_number=number),
        Payment.objects.filter(payment_provider__in=names, provider_payment_id=term),
    ):
        yield from facts_of(payments)
    captures = Capture.objects.filter(provider__in=names, provider_capture_id=term)
    disputes = Dispute.objects.filter(provider__in=names, provider_dispute_id=term)
    refunds = PaymentRefund.objects
    yield captures.values_list("pk", flat=True)
    yield disputes.values_list("payment", flat=True)
    yield Receipt.objects.filter(bank_reference=term).values_list("pk", flat=True)
    yield refunds.filter(bank_reference=term).exclude(bank_reference="").values_list("pk", flat=True)
    yield refunds.filter(provider_refund_id=term).values_list("pk", flat=True)
    yield refunds.filter(refund_number=number).values_list("pk", flat=True)


class Named(NamedTuple):
    """What is known of a fact: its payment, with the columns that the list shows, and what bank or provider call it."""

    payment: Payment
    reference: str


SHOWN = ("pk", "payment_number", "payment_method", "payment_provider", "order_id", "order__order_number")


def names_of(facts: Collection[UUID]) -> dict[UUID, Named]:
    """By fact, in one statement. Of a payment, the ids of its disputes."""
    refund_name = Coalesce("provider_refund_id", "bank_reference")
    named: tuple[tuple[QuerySet[Any], str, Any], ...] = (
        (Capture.objects.filter(pk__in=facts), "pk", "provider_capture_id"),
        (Receipt.objects.filter(pk__in=facts), "pk", "bank_reference"),
        (PaymentRefund.objects.filter(pk__in=facts), "pk", refund_name),
        (Dispute.objects.filter(payment__in=facts), "payment", "provider_dispute_id"),
    )
    shown = [f"payment__{name}" for name in SHOWN]
    found: dict[UUID, Named] = {}
    for fact, name, *columns in union(rows.values_list(key, call, *shown) for rows, key, call in named):
        others = [found[fact].reference] if fact in found else []
        found[fact] = Named(payment_of(*columns), ", ".join([*others, name]))
    return found


def payment_of(pk: UUID, number: str, method: str, provider: str, order: UUID, order_number: str) -> Payment:
    return Payment(
        pk=pk,
        payment_number=number,
        payment_method=method,
        payment_provider=provider,
        order=Order(pk=order, order_number=order_number),
    )


# ---- filters ---------------------------------------------------------------------------------------------------


class KindFilter(admin.SimpleListFilter):
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, str(kind.label)) for kind in TRANSACTION_KINDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> QuerySet[Transaction]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class TransactionPaginator(BoundedPaginator):
    """With a filter by payment, each row that is counted costs a search."""

    most = 1000


def key_of_payment(facts: Any) -> Subquery:
    return Subquery(facts.filter(pk=OuterRef("fact_id")).order_by().values("payment")[:1])


RECEIVED_OFFLINE = [EntryKind.RECEIPT, EntryKind.RECEIPT_REVERSED]
# Disputes are booked for the payment itself.
PAYMENT = Case(
    When(kind=EntryKind.CAPTURE, then=key_of_payment(Capture.objects)),
    When(kind__in=RECEIVED_OFFLINE, then=key_of_payment(Receipt.objects)),
    When(kind__in=[EntryKind.REFUND, EntryKind.REFUND_FAILED], then=key_of_payment(PaymentRefund.objects)),
    default=F("fact_id"),
    output_field=UUIDField(),
)


class MethodFilter(admin.SimpleListFilter):
    """Orders with such a payment are found first, which is fast; they may have others, so each row is asked for its
    payment too."""

    title = _("payment method")
    parameter_name = "payment_method"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(method.value, str(method.label)) for method in PaymentMethod]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> QuerySet[Transaction]:
        if not self.value():
            return queryset
        payments = Payment.objects.order_by()
        own = payments.filter(pk=OuterRef("payment_key")).values("payment_method")[:1]
        is_offline = self.value() in OFFLINE_METHODS
        rows = queryset.exclude(kind__in=[EntryKind.CAPTURE] if is_offline else RECEIVED_OFFLINE)
        rows = rows.filter(order_id__in=payments.filter(payment_method=self.value()).values("order"))
        return rows.alias(payment_key=PAYMENT, row_method=Subquery(own)).filter(row_method=self.value())


AT_PROVIDERS = [AccountKind.PROVIDER, AccountKind.DISPUTED]
# A condition that an index knows; without captures, which "not captured" would read all.
OFFLINE_KINDS = [kind for kind in TRANSACTION_KINDS if kind != EntryKind.CAPTURE]


class ProviderFilter(admin.SimpleListFilter):
    """Money that a provider received or gave back is booked on an account in its name, and no other money is."""

    title = _("payment provider")
    parameter_name = "payment_provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return provider_choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> QuerySet[Transaction]:
        if not self.value():
            return queryset
        accounts = LedgerAccount.objects.filter(kind__in=AT_PROVIDERS)
        if self.value() != MANUAL:
            keys = list(accounts.filter(scope=self.value()).values_list("pk", flat=True))
            postings = LedgerPosting.objects.filter(account__in=keys).order_by()
            return queryset.filter(pk__in=postings.values("entry"))
        keys = list(accounts.values_list("pk", flat=True))
        postings = LedgerPosting.objects.filter(entry=OuterRef("pk"), account__in=keys).order_by()
        rows = queryset.filter(kind__in=OFFLINE_KINDS)
        rows = rows.alias(at_provider=Subquery(postings.values("account")[:1]))
        return rows.filter(Q(kind__in=RECEIVED_OFFLINE) | Q(at_provider__isnull=True))


class CurrencyFilter(admin.SimpleListFilter):
    title = _("currency")
    parameter_name = "currency"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        accounts = LedgerAccount.objects.filter(kind=AccountKind.ORDER).order_by("currency")
        return [(currency, currency) for currency in accounts.values_list("currency", flat=True)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> QuerySet[Transaction]:
        known = {currency for currency, _label in self.lookup_choices}
        if self.value() not in known:
            return queryset.none() if self.value() else queryset
        if len(known) == 1:  # it is that of all transactions
            return queryset
        accounts = LedgerAccount.objects.filter(kind=AccountKind.ORDER, currency=self.value())
        keys = list(accounts.values_list("pk", flat=True))
        postings = LedgerPosting.objects.filter(account__in=keys).order_by()
        return queryset.filter(pk__in=postings.values("entry"))


# ---- the list --------------------------------------------------------------------------------------------------


def day_of(row: Transaction) -> date:
    return timezone.localdate(row.happened_at)


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    list_display = (
        "day",
        "kind",
        "amount_shown",
        "order_link",
        "payment_link",
        "method",
        "provider",
        "reference_shown",
    )
    list_filter = (
        KindFilter,
        MethodFilter,
        ProviderFilter,
        CurrencyFilter,
        ("happened_at", DayRangeFilter),
    )
    list_filter_submit = True
    search_fields = ("key",)  # shows the box; `get_search_results` searches
    search_help_text = _(
        "Number of an order, payment or refund, bank reference, or a provider’s id of a payment, refund or dispute"
    )
    fields = (*list_display, "happened_at", "booked_on")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("payments.view_payment")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> BoundedPaginator:
        has_filter = {MethodFilter.parameter_name, ProviderFilter.parameter_name} & request.GET.keys()
        return (TransactionPaginator if has_filter else BoundedPaginator)(*args, **kwargs)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Transaction], search_term: str
    ) -> tuple[QuerySet[Transaction], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(fact_id__in=set(union(facts_named(term)))), False

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        row = super().get_object(request, *args, **kwargs)
        self.prepare_rows([row] if row else [])
        return row

    def prepare_rows(self, rows: Sequence[Any]) -> None:
        names = names_of({row.fact_id for row in rows})
        for row in rows:
            row.payment, row.reference = names.get(row.fact_id, (None, ""))

    @column(_("Day"), ordering="happened_at", file=(FileValue(day_of, Kind.DAY), "happened_at"))
    def day(self, row: Transaction) -> str:
        return date_format(day_of(row))

    @column(_("Amount"), file=money("amount"))
    def amount_shown(self, row: Transaction) -> str:
        return show(row.amount) if row.amount else "–"

    @column(_("Order"), file="payment.order.order_number")
    def order_link(self, row: Transaction) -> SafeString | str:
        return link_to(row.payment.order) if row.payment else "–"

    @column(_("Payment"), file="payment.payment_number")
    def payment_link(self, row: Transaction) -> SafeString | str:
        return link_to(row.payment) if row.payment else "–"

    @column(_("Payment method"))
    def method(self, row: Transaction) -> str:
        return str(row.payment.get_payment_method_display()) if row.payment else "–"

    @column(_("Provider"))
    def provider(self, row: Transaction) -> str:
        return str(row.payment.get_payment_provider_display()) if row.payment else "–"

    @column(_("Reference"))
    def reference_shown(self, row: Transaction) -> str:
        return row.reference or "–"
