"""Check what is always true of orders, stock, payments and the ledger."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from artisans.core.invariants import INVARIANTS, Violation, check_and_store


class Command(BaseCommand):
    help = (
        "Check what is always true of orders, stock, payments and the ledger (docs/invariants.md), with a sentence for "
        "each violation. Changes nothing, and the shop may run. Exits with 1 if something is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print the violations as a JSON array.")
        parser.add_argument(
            "--only",
            nargs="+",
            default=[],
            metavar="NAME",
            help="Check only these invariants, such as order_total; --list names all of them.",
        )
        parser.add_argument("--list", action="store_true", help="List the invariants, and check nothing.")

    def handle(self, *args: Any, only: list[str], **options: Any) -> None:
        if unknown := sorted(set(only) - INVARIANTS.keys()):
            raise CommandError(f"There is no invariant {', '.join(unknown)}. Name them with --list.")
        if options["list"]:
            self.stdout.write(
                "\n".join(f"{row.promise:4} {row.name}: {row.rule}" for row in INVARIANTS.values())
            )
            return
        chosen = [INVARIANTS[name] for name in only or INVARIANTS]
        found = check_and_store(chosen, report=self.progress)
        count = self.print_array(found) if options["json"] else self.print_lines(found)
        if count:
            raise CommandError(f"{count} violations were found.")
        if not options["json"]:
            self.stdout.write(f"{len(chosen)} invariants hold.")

    def print_lines(self, violations: Iterator[Violation]) -> int:
        count = 0
        for violation in violations:
            self.stdout.write(f"{violation}\n     → {violation.remedy}")
            count += 1
        return count

    def print_array(self, violations: Iterator[Violation]) -> int:
        """As they are found."""
        count = 0
        self.stdout.write("[", ending="")
        for count, violation in enumerate(violations, start=1):
            self.stdout.write(f"{',' if count > 1 else ''}\n  {json.dumps(violation.as_json())}", ending="")
        self.stdout.write("\n]")
        return count

    def progress(self, name: str, done: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"{done} {name} read")
