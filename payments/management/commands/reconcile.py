"""Reconcile payments with the providers, as Celery beat does every night."""

import json
from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from artisans.core.errors import InvalidInput
from payments.models import ReconciliationRun
from payments.reconciliation.runs import reconcilable_providers, reconcile

FIELDS = ("provider", "since", "until", "seen", "synced_count", "differences", "error")


class Command(BaseCommand):
    help = (
        "Compare the providers' payments with the shop's, record changes that no webhook reported, and list "
        "differences. Safe to stop and repeat. Exits with 1 if there are differences."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--provider", help="Only this provider, by its name; default: all that are configured."
        )
        parser.add_argument(
            "--since",
            type=moment,
            help="Date or time; default: one day before the end of the last successful run.",
        )
        parser.add_argument("--until", type=moment, help="Date or time, exclusive; default: now.")
        parser.add_argument("--json", dest="is_json", action="store_true", help="Print the result as JSON.")

    def handle(
        self,
        *args: Any,
        provider: str | None,
        since: datetime | None,
        until: datetime | None,
        is_json: bool,
        **options: Any,
    ) -> None:
        names = [provider] if provider else reconcilable_providers()
        if not names:
            raise CommandError("No provider is configured; set the keys of one (.env.example).")
        runs = [self.run_provider(name, since, until, is_quiet=is_json) for name in names]
        if is_json:
            rows = [{field: getattr(run, field) for field in FIELDS} for run in runs]
            self.stdout.write(json.dumps(rows, cls=DjangoJSONEncoder))
        if any(run.differences or run.error for run in runs):
            raise SystemExit(1)

    def run_provider(
        self, name: str, since: datetime | None, until: datetime | None, *, is_quiet: bool
    ) -> ReconciliationRun:
        def progress(done: int, day: datetime) -> None:
            self.stderr.write(
                f"\r{name}: {done} records, until {timezone.localtime(day):%Y-%m-%d %H:%M}", ending=""
            )

        try:
            if is_quiet:
                return reconcile(name, since=since, until=until)
            run = reconcile(name, since=since, until=until, progress=progress)
            self.stderr.write("")
        except InvalidInput as error:
            raise CommandError(error.detail) from None
        for row in run.differences:
            self.stdout.write(f"{row['kind']}: {row['detail']} ({row['object_id']})")
        end = (
            run.error
            or f"{run.seen} checked, {run.synced_count} updated, {len(run.differences)} differences."
        )
        self.stdout.write(f"{run}: {end}")
        return run


def moment(detail: str) -> datetime:
    """A date, or date and time, in the shop's time zone unless it has an offset."""
    try:
        found = datetime.fromisoformat(detail)
    except ValueError:
        raise ArgumentTypeError(
            f"{detail!r} is not a date or time; use 2026-11-20 or 2026-11-20T08:00."
        ) from None
    return timezone.make_aware(found) if timezone.is_naive(found) else found
