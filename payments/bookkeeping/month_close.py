"""What must hold before a month of the ledger is closed, and its closing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.approvals.errors import SecondPersonRequired
from artisans.core.errors import InvalidInput
from artisans.core.models import Heartbeat, get_or_none
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from artisans.ledger.accounts import AccountKind
from artisans.ledger.errors import NoPermission
from artisans.ledger.models import LedgerAccount, LedgerPeriod
from artisans.ledger.selectors import sums_at_end_of
from artisans.ledger.services import first_day_to_close, month_after, period_close
from orders.selectors import store_rules
from payments.models import CallState, ProviderCall

NOTE, COMPARISON = "note", "comparison"  # a written reason; a comparison with all payments just now
COMPARED = "ledger comparison"  # noted at its end, as the task can also end without one
UNKNOWN_FOR = timedelta(days=1)
NAMED = 5  # payments in a sentence


@dataclass(frozen=True, slots=True)
class Condition:
    """`problem`: why it does not hold, and what to do; empty if it holds. `settled_by`: what makes up for it, NOTE or
    COMPARISON."""

    text: str
    problem: str = ""
    settled_by: str = ""


def closing_conditions() -> list[Condition]:
    """What must hold before the oldest open month is closed."""
    first_day = first_day_to_close()
    if first_day is None:
        return [
            Condition(_("Something was booked."), _("Nothing was booked yet, so there is no month to close."))
        ]
    open_from = month_after(first_day)
    return [is_over(open_from), is_compared_since(open_from), is_known(), is_explained(open_from)]


def is_over(open_from: date) -> Condition:
    is_late = timezone.localdate() >= open_from
    wait = _("The month can be closed from %(day)s on, when it is over.") % {"day": date_format(open_from)}
    return Condition(_("The month is over."), "" if is_late else wait)


def is_compared_since(open_from: date) -> Condition:
    """Nightly, all payments are compared with the ledger, which takes longer than a page may."""
    beat = get_or_none(Heartbeat.objects.filter(pk=COMPARED))
    ended_at = timezone.make_aware(datetime.combine(open_from, time.min))
    text = _("The nightly comparison with all payments found no differences after the month had ended.")
    if beat is None or beat.succeeded_at is None or beat.succeeded_at < ended_at:
        problem = _(
            "It has not succeeded since. Wait for the next night, or ask the operator to close the month."
        )
    elif beat.succeeded_at < beat.at:
        problem = _(
            "The last one found differences, or failed. Ask the operator to run manage.py ledger check."
        )
    else:
        problem = ""
    return Condition(text, problem, settled_by=COMPARISON)


def is_known() -> Condition:
    """No request to a provider has been without a response for more than a day."""
    since = timezone.now() - UNKNOWN_FOR
    calls = ProviderCall.objects.filter(state=CallState.OPEN, created_at__lt=since, payment__isnull=False)
    numbers = list(
        calls.order_by("created_at").values_list("payment__payment_number", flat=True).distinct()[: NAMED + 1]
    )
    return Condition(
        _("No payment or refund has waited for a provider’s response for more than a day."),
        _("The outcome is not known for %(payments)s. Open each payment and sync it with the provider.")
        % {"payments": names(numbers)}
        if numbers
        else "",
    )


def names(numbers: list[str]) -> str:
    more = _(" and others") if len(numbers) > NAMED else ""
    return ", ".join(numbers[:NAMED]) + more


def is_explained(open_from: date) -> Condition:
    """Money on the accounts for what is unexplained, at the end of the month."""
    amounts = [show(amount) for amount in unexplained(open_from - timedelta(days=1))]
    return Condition(
        _("No money is unexplained, or a reason is written down."),
        _("%(amounts)s is unexplained. Book what it is, or write down why it cannot be explained yet.")
        % {"amounts": ", ".join(amounts)}
        if amounts
        else "",
        settled_by=NOTE,
    )


def unexplained(last_day: date) -> Iterable[Money]:
    accounts = LedgerAccount.objects.filter(kind=AccountKind.SUSPENSE)
    sums = sums_at_end_of(last_day, [account.pk for account in accounts])
    return [row.on_account(sums[row.pk]) for row in accounts if sums[row.pk]]


def month_close(
    *,
    closed_by: User,
    approved_by: User | None = None,
    note: str = "",
    first_day: date | None = None,
    is_compared: bool = False,
) -> LedgerPeriod:
    """Close the oldest open month.

    `first_day`: of the month that is meant, which may have been closed since. `is_compared`: the caller has
    just compared the ledger with all payments. Errors: those of `period_close`; SecondPersonRequired; InvalidInput with
    the conditions that do not hold.
    """
    if not closed_by.has_perm("ledger.close_period"):
        raise NoPermission
    next_day = first_day_to_close()
    if first_day not in {None, next_day}:
        raise InvalidInput(_("This month has been closed in the meantime."))
    settled = {COMPARISON: is_compared, NOTE: bool(note.strip())}
    problems = [
        row.problem for row in closing_conditions() if row.problem and not settled.get(row.settled_by)
    ]
    if problems:
        raise InvalidInput(" ".join(problems))
    is_approved = approved_by is not None and approved_by.pk != closed_by.pk
    if store_rules().second_person_for_settings and not is_approved:
        raise SecondPersonRequired
    return period_close(closed_by=closed_by, approved_by=approved_by, note=note.strip(), first_day=next_day)
