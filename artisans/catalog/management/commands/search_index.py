"""Bring the search documents of all products up to date."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from artisans.catalog.models import Product
from artisans.catalog.search_index import documents_lagging, search_index_refresh


class Command(BaseCommand):
    help = (
        "Bring the search documents of all products up to date. Safe to run and repeat while the shop is running; "
        "needed after bulk changes that bypass the application, such as an SQL import."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="Change nothing; exit with 1 if documents are outdated."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            if lagging := documents_lagging():
                raise CommandError(f"{lagging} products have an outdated search document; run search_index.")
            self.stdout.write("All search documents are up to date.")
            return
        count = Product.objects.count()
        written = search_index_refresh(lambda done: self.stdout.write(f"{done} of {count} products"))
        self.stdout.write(f"Search documents are up to date ({written} written).")
