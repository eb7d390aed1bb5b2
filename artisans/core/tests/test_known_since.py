"""Since when facts are recorded."""

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from artisans.core.known_since import FACTS, known_since

pytestmark = pytest.mark.django_db


def test_each_fact_is_known_since_its_migration_was_applied():
    known = MigrationLoader(connection).disk_migrations
    assert {"order_paid_at", "payment_attempts", "provider_requests", "webhook_times"} <= set(FACTS)
    for fact, migration in FACTS.items():
        assert migration in known, fact
        assert known_since(fact) < timezone.now(), fact


def test_fact_of_a_newer_release_is_not_known(monkeypatch):
    monkeypatch.setitem(FACTS, "later", ("payments", "9999_later"))
    assert known_since("later") is None
    with pytest.raises(KeyError):
        known_since("never")
