"""Import exchange rates of the European Central Bank from a file."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from artisans.core.errors import DomainError
from artisans.regions.models import RateSource
from artisans.regions.rate_files import read_rates
from artisans.regions.services import digest_of_file, rates_import


class Command(BaseCommand):
    help = (
        "Import the latest day of a file of the European Central Bank: eurofxref-daily.xml, eurofxref-hist-90d.xml, "
        "eurofxref.zip or eurofxref-hist.zip."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="XML file, or zip with a CSV file.")
        parser.add_argument(
            "--confirm",
            action="store_true",
            help="Import rates that are more than 20%% off the last ones, too.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            raw = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error}") from error
        try:
            day = read_rates(raw)
            sheet = rates_import(
                day=day,
                source=RateSource.ECB,
                sha256=digest_of_file(raw),
                actor=None,
                is_confirmed=options["confirm"],
            )
        except DomainError as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(f"Imported {len(day.rates)} rates: {sheet}.")
        if day.unknown:
            self.stdout.write(
                f"Skipped, because the shop does not use these currencies: {', '.join(day.unknown)}."
            )
