"""Delete rows that have been kept long enough, as Celery beat does every night."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from artisans.core.retention import RULES, Retention, purge_all, sorted_rules


class Command(BaseCommand):
    help = (
        "Delete rows that have been kept long enough (docs/retention.md). Safe to stop and repeat. Exits with 1 if a "
        "rule failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", dest="is_dry", action="store_true", help="Only count the rows that are due."
        )
        parser.add_argument(
            "--rule", action="append", choices=sorted(RULES), help="Only this rule; can be repeated."
        )
        parser.add_argument("--seconds", type=int, help="Time limit for each rule; default: none.")

    def handle(
        self, *args: Any, is_dry: bool, rule: list[str] | None, seconds: int | None, **options: Any
    ) -> None:
        rules = [one for one in sorted_rules() if not rule or one.name in rule]
        if is_dry:
            for one in rules:
                self.stdout.write(f"{one.name}: {one.due_now().count():,} due")
            return
        done = purge_all(rules, seconds=seconds, progress=self.show_progress)
        self.stderr.write("")
        for result in done:
            late = result.overdue_since
            left = f", rows due since {timezone.localtime(late):%Y-%m-%d %H:%M} are left" if late else ""
            self.stdout.write(f"{result.name}: {result.removed:,} removed{left}")
        if failed := {one.name for one in rules} - {result.name for result in done}:
            raise CommandError(f"Not purged: {', '.join(sorted(failed))}. The log says why.")

    def show_progress(self, rule: Retention, removed: int) -> None:
        self.stderr.write(f"\r{rule.name}: {removed:,}".ljust(50), ending="")
