from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from artisans.privacy.exports import export_text
from artisans.privacy.selectors import Whose, person_find
from artisans.privacy.services import person_export_audited


class Command(BaseCommand):
    help = (
        "Write everything that the shop stores about a person as JSON to standard output: of the account that "
        "confirmed this address, or else of a guest. Check first that the request comes from the person."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="Any confirmed address of the account, or a guest’s address.")
        whose = parser.add_mutually_exclusive_group()
        whose.add_argument(
            "--guest",
            action="store_const",
            const=Whose.GUEST,
            dest="whose",
            help="Only the guest orders of the address, without any account.",
        )
        whose.add_argument(
            "--unconfirmed",
            action="store_const",
            const=Whose.UNCONFIRMED,
            dest="whose",
            help="The account that has the address without having confirmed it, and only its own orders.",
        )
        parser.set_defaults(whose=Whose.CONFIRMED)

    def handle(self, *, email: str, whose: Whose, **options: Any) -> None:
        person = person_find(email, whose)
        if not person:
            raise CommandError("The shop stores nothing under this email address.")
        self.stdout.write(export_text(person_export_audited(person, actor=None)), ending="")
