"""Encrypts everything with the first key of ENCRYPTION_KEYS; afterwards the other keys can be removed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from artisans.core.security.reencryption import reencrypt


class Command(BaseCommand):
    help = (
        "Encrypt every encrypted column again with the first key of ENCRYPTION_KEYS. Safe while the shop runs and to "
        "repeat. Ends with 1 when a row needs a person."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        is_clean = True
        for tally in reencrypt():
            self.stdout.write(f"{tally.column}: {tally.seen} values, {tally.changed} encrypted again")
            for pk in tally.unopened:
                self.stderr.write(f"{tally.column}: no key of ENCRYPTION_KEYS opens row {pk}")
            for pk in tally.duplicates:
                self.stderr.write(
                    f"{tally.column}: another row has the value of row {pk}; remove one of them"
                )
            is_clean &= tally.is_clean
        if not is_clean:
            raise CommandError("Some rows were left as they are; keep the old keys until they are settled.")
