from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from artisans.privacy.exports import export_text
from artisans.privacy.selectors import person_find
from artisans.privacy.services import person_export_audited


class Command(BaseCommand):
    help = (
        "Write everything that the shop stores about a person as JSON to standard output: of the account with this "
        "address, or else of a guest. Check first that the request comes from the person."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="Any confirmed address of the account, or a guest’s address.")
        parser.add_argument(
            "--guest", action="store_true", help="Only the guest orders of the address, without any account."
        )

    def handle(self, *, email: str, guest: bool, **options: Any) -> None:
        person = person_find(email, is_guest=guest)
        if not person:
            raise CommandError("The shop stores nothing under this email address.")
        self.stdout.write(export_text(person_export_audited(person, actor=None)), ending="")
