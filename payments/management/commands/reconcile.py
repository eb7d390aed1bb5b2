"""Compare what the providers show with our books, as beat does every night."""

import json
from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from artisans.core.errors import InvalidInput
from payments.models import Comparison
from payments.reconciliation.runs import comparable, compare

FIELDS = ("provider", "since", "until", "seen", "caught_up", "differences", "error")


class Command(BaseCommand):
    help = (
        "Compare the payments that each provider shows with ours, take over what nobody told us, and list what "
        "differs. Safe to stop and to repeat. Ends with 1 when something is left for a person."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--provider", help="Only this one, such as stripe; without it, all that have keys."
        )
        parser.add_argument(
            "--since", type=moment, help="A day or time; without it, a day before the last good look's end."
        )
        parser.add_argument("--until", type=moment, help="A day or time, not included; without it, now.")
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
        names = [provider] if provider else comparable()
        if not names:
            raise CommandError("No provider has keys here; set those of Stripe or PayPal (.env.example).")
        looks = [self.look(name, since, until, is_quiet=is_json) for name in names]
        if is_json:
            rows = [{field: getattr(look, field) for field in FIELDS} for look in looks]
            self.stdout.write(json.dumps(rows, cls=DjangoJSONEncoder))
        if any(look.differences or look.error for look in looks):
            raise SystemExit(1)

    def look(
        self, name: str, since: datetime | None, until: datetime | None, *, is_quiet: bool
    ) -> Comparison:
        def progress(done: int, of: int) -> None:
            self.stderr.write(f"\r{name}: {done} of {of} payments", ending="\n" if done == of else "")

        try:
            if is_quiet:
                return compare(name, since=since, until=until)
            look = compare(name, since=since, until=until, progress=progress)
        except InvalidInput as error:
            raise CommandError(error.detail) from None
        for row in look.differences:
            self.stdout.write(f"{row['kind']}: {row['detail']} ({row['object_id']})")
        end = (
            look.error or f"{look.seen} seen, {look.caught_up} caught up, {len(look.differences)} different."
        )
        self.stdout.write(f"{look}: {end}")
        return look


def moment(words: str) -> datetime:
    """A day, or a day with a time, of this shop's zone unless it names another."""
    try:
        found = datetime.fromisoformat(words)
    except ValueError:
        raise ArgumentTypeError(
            f"{words!r} is no day or time; write 2026-11-20 or 2026-11-20T08:00."
        ) from None
    return timezone.make_aware(found) if timezone.is_naive(found) else found
