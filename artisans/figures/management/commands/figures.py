from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from artisans.figures.counting import Pair, day_count, figures_check, marks_drain, uncounted_pairs
from artisans.figures.models import CountedDay


class Command(BaseCommand):
    help = "Counts figures whose facts have changed (drain), all days (build), or compares them with the facts (check)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["drain", "build", "check"], help="What to do.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if action == "check":
            found = figures_check()
            for difference in found:
                self.stdout.write(str(difference))
            self.stdout.write(f"{len(found)} differences.")
            if found:
                raise SystemExit(1)
            return
        count = marks_drain() if action == "drain" else sum(map(day_count, days()))
        self.stdout.write(f"{count} days counted.")


def days() -> list[Pair]:
    """Those that were never counted, and those that the nightly check found to differ."""
    differing = CountedDay.objects.filter(differs_at__isnull=False)
    return [*uncounted_pairs(), *(Pair(row.family, row.day) for row in differing)]
