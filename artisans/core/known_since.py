"""Since when facts are recorded: figures of earlier days lack them."""

from datetime import datetime

from django.db.migrations.recorder import MigrationRecorder

# By name: app and migration that began to record the fact. Each app registers its own from its apps.py.
FACTS: dict[str, tuple[str, str]] = {}


def known_since(fact: str) -> datetime | None:
    """None if its migration was not applied. Errors: KeyError for a fact that is not registered."""
    app, name = FACTS[fact]
    applied = MigrationRecorder.Migration.objects.filter(app=app, name=name)
    return applied.values_list("applied", flat=True).first()
