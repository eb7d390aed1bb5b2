"""Re-encrypt everything with the first key of ENCRYPTION_KEYS, so that the other keys can be removed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from artisans.core.security.reencryption import reencrypt


class Command(BaseCommand):
    help = (
        "Re-encrypt all encrypted columns with the first key of ENCRYPTION_KEYS. Safe to run and repeat while the "
        "shop is running. Exits with 1 if some rows could not be converted."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        is_clean = True
        for tally in reencrypt():
            self.stdout.write(f"{tally.column}: {tally.seen} values, {tally.changed} re-encrypted")
            for pk in tally.unopened:
                self.stderr.write(f"{tally.column}: no key of ENCRYPTION_KEYS decrypts row {pk}")
            for pk in tally.duplicates:
                self.stderr.write(
                    f"{tally.column}: another row has the same value as row {pk}; remove one of them"
                )
            is_clean &= tally.is_clean
        if not is_clean:
            raise CommandError("Some rows were not converted; keep the old keys until this is resolved.")
