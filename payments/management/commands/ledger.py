"""The shop's double-entry ledger: check it, list balances, explain an order, book what is missing, close a month."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.formats import date_format

from artisans.accounts.models import User
from artisans.core.errors import DomainError
from artisans.ledger.explanations import Explanation, explain
from artisans.ledger.selectors import balances, entries_of_order
from orders.models import Order
from payments.bookkeeping.ledger import (
    find_ledger_errors,
    ledger_close_month,
    ledger_fill,
    ledger_fill_sources,
)
from payments.explanations import explain_held
from payments.models import Payment

NOTHING_BOOKED = "No money was booked for this order."
SIDES = {True: "debit", False: "credit"}


class Command(BaseCommand):
    help = (
        "Show and check the ledger. `check` compares it with all captures, receipts, refunds and disputes, and exits "
        "with 1 if anything differs; `fill` books what is missing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, help="What to do.")
        check = actions.add_parser(
            "check", help="Compare the ledger with all payments. Exits with 1 if something is wrong."
        )
        check.add_argument("--json", action="store_true", help="Print the errors as a JSON array.")
        listing = actions.add_parser("balances", help="List the balance of each account.")
        listing.add_argument("--on", type=date.fromisoformat, metavar="DATE", help="At the end of this day.")
        explained = actions.add_parser(
            "explain", help="Explain the entries of an order, and what is still held for it."
        )
        explained.add_argument("order_number")
        actions.add_parser("fill", help="Book what is missing, such as payments of an earlier release.")
        close = actions.add_parser("close", help="Close the oldest open month. This cannot be undone.")
        close.add_argument("--by", required=True, metavar="EMAIL", help="The member of staff who closes it.")
        close.add_argument("--note", default="", help="Why money is still unexplained, if it is.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        getattr(self, f"{action}_ledger")(options)

    def check_ledger(self, options: dict[str, Any]) -> None:
        errors = list(find_ledger_errors(report=self.progress))
        if options["json"]:
            self.stdout.write(json.dumps(errors, indent=2))
        else:
            self.stdout.write("\n".join(errors))
        if errors:
            raise CommandError(f"The ledger has {len(errors)} errors.")
        if not options["json"]:
            self.stdout.write("The ledger is complete and balanced.")

    def balances_ledger(self, options: dict[str, Any]) -> None:
        found = balances(on=options["on"])
        for account, amount in found:
            shown = account.on_account(amount.minor)
            self.stdout.write(f"{shown!s:>20}  {SIDES[account.is_debit]:6}  {account}")
        if not found:
            self.stdout.write("Nothing is booked yet.")

    def explain_ledger(self, options: dict[str, Any]) -> None:
        order = Order.objects.filter(order_number=options["order_number"].strip().upper()).first()
        if order is None:
            raise CommandError("There is no order with this number.")
        explained = explain(entries_of_order(order.pk))
        for explanation in explained:
            self.stdout.write("\n".join(lines_of(explanation)))
        self.stdout.write("\n".join(explain_held(order) if explained else [NOTHING_BOOKED]))

    def fill_ledger(self, options: dict[str, Any]) -> None:
        count = ledger_fill(Payment.objects.all(), report=self.progress) + ledger_fill_sources()
        self.stdout.write(f"{count} entries booked." if count else "Nothing was missing.")

    def close_ledger(self, options: dict[str, Any]) -> None:
        user = User.objects.filter(email__iexact=options["by"], is_active=True).first()
        if user is None or not user.is_staff:
            raise CommandError("There is no member of staff with this email address.")
        try:
            period = ledger_close_month(closed_by=user, note=options["note"])
        except DomainError as error:
            raise CommandError(error.detail) from None
        self.stdout.write(f"Closed {period}.")

    def progress(self, done: int) -> None:
        self.stderr.write(f"{done} payments read")


def lines_of(explanation: Explanation) -> Iterator[str]:
    at = date_format(timezone.localtime(explanation.entry.happened_at), "DATETIME_FORMAT")
    yield f"{at}  {explanation.sentence}"
    for posting in explanation.entry.postings.all():
        is_debit = posting.amount_minor > 0
        amount = type(posting.amount)(abs(posting.amount_minor), posting.currency)
        yield f"    {SIDES[is_debit]:6} {amount!s:>16}  {posting.account}"
