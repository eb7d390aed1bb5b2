from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from artisans.privacy.models import ErasureSource
from artisans.privacy.selectors import erasure_refusals, person_find, row_counts
from artisans.privacy.services import CannotErase, erasure_continue, erasure_start


class Command(BaseCommand):
    help = (
        "Erase a person's data: of the account with this address, or else of a guest. Orders, payments and their "
        "numbers stay. Can be interrupted and repeated. Exits with 1 and the reasons while something is open."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="Any confirmed address of the account, or a guest’s address.")
        parser.add_argument(
            "--guest", action="store_true", help="Only the guest orders of the address, without any account."
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Only show what would be erased, or why not."
        )

    def handle(self, *, email: str, guest: bool, dry_run: bool, **options: Any) -> None:
        if dry_run:
            self.show(email, is_guest=guest)
            return
        try:
            erasure = erasure_start(email=email, source=ErasureSource.COMMAND, actor=None, is_guest=guest)
        except CannotErase as refusal:
            raise CommandError("\n".join(refusal.reasons)) from refusal
        if erasure_continue(erasure.pk):
            self.stdout.write("Erased.")
        else:
            self.stdout.write(
                "Erased in the database. The confirmation email or a payment provider is still pending; "
                "the worker finishes the erasure."
            )

    def show(self, email: str, *, is_guest: bool) -> None:
        person = person_find(email, is_guest=is_guest)
        for table, count in row_counts(person).items():
            self.stdout.write(f"{table}: {count}")
        if reasons := erasure_refusals(person):
            raise CommandError("\n".join(reasons))
