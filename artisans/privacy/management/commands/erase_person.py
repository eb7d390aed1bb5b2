from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from artisans.privacy.management.arguments import add_person_arguments
from artisans.privacy.models import ErasureSource
from artisans.privacy.selectors import (
    Whose,
    erasure_refusals,
    pending_reasons,
    person_find,
    person_of_erasure,
    row_counts,
)
from artisans.privacy.services import CannotErase, erasure_continue, erasure_start


class Command(BaseCommand):
    help = (
        "Erase a person's data: of the account that confirmed this address, or else of a guest. Orders, payments "
        "and their numbers stay. Can be interrupted and repeated. Exits with 1 and the reasons while something is open."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_person_arguments(parser)
        parser.add_argument(
            "--dry-run", action="store_true", help="Only show what would be erased, or why not."
        )

    def handle(self, *, email: str, whose: Whose, dry_run: bool, **options: Any) -> None:
        if dry_run:
            self.show(email, whose)
            return
        try:
            erasure = erasure_start(email=email, source=ErasureSource.COMMAND, actor=None, whose=whose)
        except CannotErase as refusal:
            raise CommandError("\n".join(refusal.reasons)) from refusal
        is_done = erasure_continue(erasure.pk)
        erasure.refresh_from_db()
        if is_done or not erasure.facts:
            self.stdout.write("Erased.")
            return
        person = person_of_erasure(erasure.facts)
        if reasons := erasure_refusals(person):
            raise CommandError(
                "\n".join(["Not erased yet. The worker erases the data when this is settled:", *reasons])
            )
        pending = pending_reasons(person)
        self.stdout.write("\n".join(["Erased in the database. The worker finishes the erasure:", *pending]))

    def show(self, email: str, whose: Whose) -> None:
        person = person_find(email, whose)
        for table, count in row_counts(person).items():
            self.stdout.write(f"{table}: {count}")
        if reasons := erasure_refusals(person):
            raise CommandError("\n".join(reasons))
