from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import models

from artisans.core.security.card_data import holds_card_number
from artisans.core.security.encryption import EncryptedTextField

TEXTS = (models.CharField, models.TextField, models.JSONField)


class Command(BaseCommand):
    help = "List stored texts that hold a card number, by table, row and column, without encrypted columns."

    def handle(self, *args: Any, **options: Any) -> None:
        """Changes nothing and prints no texts."""
        counts: Counter[str] = Counter()
        for model in apps.get_models():
            for pk, column in rows_with_card_numbers(model):
                counts[f"{model._meta.label} {column}"] += 1
                self.stdout.write(f"{model._meta.label} {pk}: {column}")
        for place, count in sorted(counts.items()):
            self.stdout.write(f"{count} × {place}")
        self.stdout.write(f"{counts.total()} found." if counts else "No card numbers are stored.")


def rows_with_card_numbers(model: type[models.Model]) -> Iterator[tuple[Any, str]]:
    columns = [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, TEXTS) and not isinstance(field, EncryptedTextField) and not field.choices
    ]
    if model._meta.proxy or not columns:
        return
    for pk, *values in model._default_manager.values_list("pk", *columns).iterator():
        for column, value in zip(columns, values, strict=True):
            if holds_card_number(value, column):
                yield pk, column
