"""The ledger for programs of the shop's bookkeeping: read only."""

from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from rest_framework import serializers, viewsets
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.models import Scope
from artisans.core.api.fields import StrictDateField, utc, validated
from artisans.core.api.filters import IdFilter, NumberFilter
from artisans.core.api.openapi import operation
from artisans.core.api.pagination import NumberCursorPagination
from artisans.core.api.views import ApiView
from artisans.core.money import Money
from artisans.ledger.accounts import AccountKind
from artisans.ledger.errors import CannotView
from artisans.ledger.explanations import Explanation, explain
from artisans.ledger.models import LedgerAccount, LedgerEntry, LedgerPosting
from artisans.ledger.schemas import LedgerBalanceShape, LedgerEntryShape, TrialBalanceShape
from artisans.ledger.selectors import (
    TrialRow,
    accounts_with_balances,
    balances_at_end_of,
    sums_at_end_of,
    trial_rows,
    trial_totals,
)

VIEW = "ledger.view_ledgerentry"


class MayViewLedger(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        """Errors: CannotView."""
        if not (request.user.is_staff and request.user.has_perm(VIEW)):
            raise CannotView
        return True


class LedgerView(ApiView):
    permission_classes = (IsAuthenticated, MayViewLedger)
    scopes = {"list": Scope.STAFF.value}


class DayQuery(serializers.Serializer[Any]):
    on = StrictDateField(required=False, help_text="At the end of this day; now, if omitted.")

    def validate_on(self, day: date) -> date:
        if day > timezone.localdate():
            raise serializers.ValidationError(_("Send today or an earlier day."), "invalid")
        return day


def day_asked(request: Request) -> date | None:
    """Errors: ValidationError."""
    sent = {name: text for name, text in request.query_params.items() if name == "on"}
    day: date | None = validated(DayQuery, sent).get("on")
    return day


def account_out(account: LedgerAccount, minor: int) -> dict[str, Any]:
    return {
        "account": account.pk,
        "kind": account.kind,
        "artisan_id": str(account.artisan_id) if account.artisan_id else None,
        "scope": account.scope,
        "currency": account.currency,
        "amount": Money.stored(minor, account.currency).amount,
    }


class BalanceFilters(filters.FilterSet):
    artisan = IdFilter("artisan_id", help_text="Accounts of this artisan.")
    kind = filters.ChoiceFilter(choices=AccountKind.choices, help_text="Kind of account.")


class BalanceViewSet(LedgerView, viewsets.GenericViewSet[LedgerAccount]):
    filterset_class = BalanceFilters
    pagination_class = NumberCursorPagination

    def get_queryset(self) -> QuerySet[LedgerAccount]:
        return LedgerAccount.objects.all() if day_asked(self.request) else accounts_with_balances()

    @operation(
        "ledger_balance_list",
        "List balances",
        responses=LedgerBalanceShape(many=True),
        query=DayQuery,
        problems=(CannotView,),
    )
    def list(self, request: Request) -> Response:
        """The balance of every account, now or at the end of a day."""
        day = day_asked(request)
        accounts: list[Any] = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        if day is None:
            found = [account_out(account, account.balance_minor) for account in accounts]
        else:
            sums = sums_at_end_of(day, [account.pk for account in accounts])
            found = [account_out(account, sums[account.pk]) for account in accounts]
        return self.get_paginated_response(found)


class EntryFilters(filters.FilterSet):
    """Entries are listed by one of their postings: its number grows, and it can be found by account."""

    order = IdFilter(method="of_order", help_text="Id of the order.")
    account = NumberFilter("account_id", help_text="Number of an account.")

    def of_order(
        self, postings: QuerySet[LedgerPosting], name: str, order_id: UUID
    ) -> QuerySet[LedgerPosting]:
        """By the keys of its few entries: otherwise PostgreSQL may look for them from the newest posting on."""
        entries = list(LedgerEntry.objects.filter(order_id=order_id).order_by().values_list("pk", flat=True))
        return postings.filter(entry__in=entries)


class EntryViewSet(LedgerView, viewsets.GenericViewSet[LedgerPosting]):
    filterset_class = EntryFilters
    pagination_class = NumberCursorPagination

    def get_queryset(self) -> QuerySet[LedgerPosting]:
        """One posting of each entry: the first, or that of the account, of which an entry has one."""
        postings = LedgerPosting.objects.prefetch_related("entry__postings__account__artisan")
        return postings if "account" in self.request.query_params else postings.filter(position=0)

    @operation(
        "ledger_entry_list", "List entries", responses=LedgerEntryShape(many=True), problems=(CannotView,)
    )
    def list(self, request: Request) -> Response:
        """Everything that was booked, in the order in which it was booked. Entries never change."""
        postings = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        explained = explain([posting.entry for posting in postings])
        return self.get_paginated_response([entry_out(explanation) for explanation in explained])


def entry_out(explanation: Explanation) -> dict[str, Any]:
    entry = explanation.entry
    postings = sorted(entry.postings.all(), key=lambda posting: posting.position)
    return {
        "id": str(entry.pk),
        "key": entry.key,
        "kind": entry.kind,
        "happened_at": utc(entry.happened_at),
        "booked_on": entry.booked_on.isoformat(),
        "order_id": str(entry.order_id) if entry.order_id else None,
        "reverses": str(entry.reverses_id) if entry.reverses_id else None,
        "explanation": explanation.sentence,
        "postings": [account_out(posting.account, posting.amount_minor) for posting in postings],
    }


class TrialBalanceViewSet(LedgerView, viewsets.ViewSet):
    @operation(
        "ledger_trial_balance",
        "Show the trial balance",
        responses=TrialBalanceShape,
        query=DayQuery,
        problems=(CannotView,),
    )
    def list(self, request: Request) -> Response:
        """Balances by kind of account, now or at the end of a day; debit and credit are equal in every currency."""
        day = day_asked(request) or timezone.localdate()
        rows = trial_rows(balances_at_end_of(day))
        totals = trial_totals(rows)
        return Response(
            {
                "on": day.isoformat(),
                "rows": [trial_row_out(row) for row in rows],
                "totals": [
                    {"currency": t.debit.currency, "debit": t.debit.amount, "credit": t.credit.amount}
                    for t in totals
                ],
            }
        )


def trial_row_out(row: TrialRow) -> dict[str, Any]:
    nothing = Money.stored(0, row.currency)
    return {
        "kind": row.kind,
        "scope": row.scope,
        "currency": row.currency,
        "accounts": row.accounts,
        "debit": (row.debit or nothing).amount,
        "credit": (row.credit or nothing).amount,
    }
