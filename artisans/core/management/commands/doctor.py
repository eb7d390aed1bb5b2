"""Check everything that the running shop needs, and say what to do about what is wrong."""

import json
import logging
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from artisans.core.doctor.registry import CHECKS, Result, State, worst
from artisans.core.doctor.run import SECONDS, Found, run_checks

EXIT_CODES = {State.OK: 0, State.WARNING: 1, State.PROBLEM: 2}


class Command(BaseCommand):
    help = (
        "Check the database, settings, processes, queues, email server and payment providers of the running shop. "
        "Changes nothing. Exits with 0 if all is well, 1 for warnings, 2 for problems."
    )
    requires_system_checks = []  # they are part of the report

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print the report as a JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stderr.write(f"Running {len(CHECKS)} checks, for at most {SECONDS} seconds …", str)
        found = self.found(is_verbose=options["verbosity"] > 1)
        results = [result for group in found.values() for result in group]
        state = worst(results)
        self.stdout.write(as_json(found, state) if options["json"] else as_text(results))
        if state != State.OK:
            counts = [sum(result.state == level for result in results) for level in State]
            summary = "{} in order, {} warnings, {} problems"
            raise CommandError(summary.format(*counts), returncode=EXIT_CODES[state])

    def found(self, *, is_verbose: bool) -> Found:
        """Without the log, which would interrupt the report, unless `is_verbose`."""
        if is_verbose:
            return run_checks(CHECKS)
        before = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            return run_checks(CHECKS)
        finally:
            logging.disable(before)


def as_json(found: Found, state: State) -> str:
    lines = [{"check": name, **result.as_json()} for name, group in found.items() for result in group]
    version = settings.SPECTACULAR_SETTINGS["VERSION"]
    report = {"state": state, "at": timezone.now().isoformat(), "version": version, "results": lines}
    return json.dumps(report, indent=2)


def as_text(results: list[Result]) -> str:
    return "\n".join(line for result in results for line in lines_of(result))


def lines_of(result: Result) -> list[str]:
    limit = f" (expected: {result.limit})" if result.limit else ""
    line = f"{result.state.upper():<8} {result.name}: {result.value}{limit}"
    is_wrong = result.state != State.OK and result.remedy
    return [line, f"{'':<8} → {result.remedy}"] if is_wrong else [line]
