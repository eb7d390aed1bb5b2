"""A database from before release 0.1.0 is refused with an explanation and is not changed."""

import sqlite3
import subprocess
import sys
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from artisans.audit.models import AuditEntry
from artisans.core import migration_history
from artisans.core.append_only import (
    check_triggers,
    create_triggers_after_migrate,
    drop_triggers_before_migrate,
    missing_triggers,
    needed_triggers,
    triggers_of,
)
from artisans.core.doctor import database
from artisans.core.doctor.registry import State

Row = MigrationRecorder.Migration


def migrate(**options: object) -> str:
    output = StringIO()
    call_command("migrate", verbosity=0, skip_checks=False, stdout=output, stderr=StringIO(), **options)
    return output.getvalue()


def test_known_migrations_are_those_that_django_reads():
    read = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    assert set(migration_history.known_migrations()) == set(read or ()) != set()


@pytest.mark.django_db
def test_migration_that_is_not_applied_is_named():
    assert migration_history.unapplied_migrations(connection) == []
    last = Row.objects.filter(app="orders").latest("pk")
    last.delete()
    assert migration_history.unapplied_migrations(connection) == [f"orders.{last.name}"]


@pytest.mark.django_db
def test_current_database_is_accepted():
    assert not migration_history.cannot_be_migrated(connection)


@pytest.mark.django_db
def test_database_with_replaced_migrations_is_refused_even_when_none_is_missing(settings):
    settings.REPLACED_MIGRATIONS = {("orders", "0999_second")}
    Row.objects.create(app="orders", name="0999_second")
    assert migration_history.cannot_be_migrated(connection)


@pytest.mark.django_db
def test_database_with_another_migration_history_is_refused_before_anything_changes():
    last = Row.objects.filter(app="orders").latest("pk")
    Row.objects.filter(pk=last.pk).update(name="0999_from_elsewhere")
    before = set(Row.objects.values_list("app", "name", "applied"))
    with pytest.raises(SystemCheckError, match="nothing was changed") as refused:
        migrate()
    assert "make clean" in str(refused.value)
    assert set(Row.objects.values_list("app", "name", "applied")) == before


@pytest.mark.django_db
def test_newer_database_is_accepted_as_after_a_rollback():
    assert migrate() == ""
    Row.objects.create(app="orders", name="0999_of_the_next_release")
    assert not migration_history.cannot_be_migrated(connection)
    assert migrate() == f"{migration_history.NEWER}\n"


@pytest.mark.django_db
def test_triggers_of_a_newer_database_are_left_as_they_are():
    table = AuditEntry._meta.db_table
    name = next(iter(triggers_of(table, connection.vendor)))
    Row.objects.create(app="orders", name="0999_of_the_next_release")
    with connection.cursor() as cursor:
        cursor.execute(
            f'DROP TRIGGER "{name}"' + (f' ON "{table}"' if connection.vendor == "postgresql" else "")
        )
    migrate()
    assert missing_triggers(connection) == {name: table}
    assert check_triggers(None, ["default"]) == []
    [result] = database.check_triggers()
    assert (result.state, "manage.py migrate" in result.remedy) == (State.WARNING, False)


@pytest.mark.django_db
def test_triggers_are_dropped_before_migrations_are_reversed_and_created_when_all_are_applied():
    core, last = apps.get_app_config("core"), Row.objects.filter(app="orders").latest("pk")
    drop_triggers_before_migrate(core, "default", plan=[(last, True)])
    assert missing_triggers(connection) == needed_triggers(connection) != {}

    Row.objects.filter(pk=last.pk).delete()
    create_triggers_after_migrate(core, "default")
    assert missing_triggers(connection) == needed_triggers(connection)

    Row.objects.create(app=last.app, name=last.name)
    create_triggers_after_migrate(core, "default")
    assert not missing_triggers(connection)


@pytest.mark.django_db
def test_unknown_migrations_of_third_party_packages_are_ignored():
    Row.objects.create(app="auth", name="0999_newer_django")
    Row.objects.filter(app="orders").latest("pk").delete()
    assert not migration_history.cannot_be_migrated(connection)


def test_make_run_exits_with_an_explanation(tmp_path, settings):
    file = tmp_path / "old.sqlite3"
    with sqlite3.connect(file) as old:
        old.execute(
            "CREATE TABLE django_migrations (id integer PRIMARY KEY, app text, name text, applied datetime)"
        )
        old.execute("INSERT INTO django_migrations VALUES (1, 'orders', '0001_old', '2026-11-01 00:00:00')")
    env = {"DATABASE_URL": f"sqlite:///{file}", "SECRET_KEY": "x" * 60, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.prepare"],
        cwd=settings.BASE_DIR,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"{migration_history.REFUSAL}\n{migration_history.REMEDY}\n"
    with sqlite3.connect(file) as old:
        assert [row[0] for row in old.execute("SELECT name FROM sqlite_master")] == ["django_migrations"]
