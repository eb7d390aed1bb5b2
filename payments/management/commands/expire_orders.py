"""Expire overdue unpaid orders, as Celery beat does every minute."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from payments.lifecycle.cancel_and_expire import order_expire, orders_due_to_expire


class Command(BaseCommand):
    help = "Expire overdue unpaid orders and restock their items. Safe to stop and repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only show how many are due.")
        parser.add_argument("--json", action="store_true", help="Print the result as JSON.")

    def handle(self, *args: Any, dry_run: bool, json: bool, **options: Any) -> None:
        due = orders_due_to_expire()
        expired = 0
        for place, order_id in enumerate([] if dry_run else due, start=1):
            expired += order_expire(order_id=order_id)
            if not json:
                self.stderr.write(f"\r{place} of {len(due)}", ending="")
        result = {"due": len(due), "expired": expired}
        self.stdout.write(as_json(result) if json else f"{len(due)} due, {expired} expired.")


def as_json(result: dict[str, int]) -> str:
    return json.dumps(result)
