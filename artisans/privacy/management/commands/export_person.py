from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from artisans.privacy.exports import export_text
from artisans.privacy.management.arguments import add_person_arguments
from artisans.privacy.selectors import Whose, person_find
from artisans.privacy.services import person_export_audited


class Command(BaseCommand):
    help = (
        "Write everything that the shop stores about a person as JSON to standard output: of the account that "
        "confirmed this address, or else of a guest. Check first that the request comes from the person."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_person_arguments(parser)

    def handle(self, *, email: str, whose: Whose, **options: Any) -> None:
        person = person_find(email, whose)
        if not person:
            raise CommandError("The shop stores nothing under this email address.")
        self.stdout.write(export_text(person_export_audited(person, actor=None)), ending="")
