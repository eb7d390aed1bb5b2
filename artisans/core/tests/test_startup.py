"""The shop refuses to start with one sentence, instead of failing at every page; its error page needs nothing."""

import os
import subprocess
import sys

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.template.loader import render_to_string
from django.utils.module_loading import import_string

from artisans import settings as configured
from artisans.core import startup


@pytest.fixture
def with_manifest(settings, tmp_path, monkeypatch):
    """`with_manifest(names)`: a shop whose manifest of collected static files has these."""

    def make(names: dict[str, str]) -> None:
        storage = import_string(configured.STORAGES["staticfiles"]["BACKEND"])(location=str(tmp_path))
        storage.hashed_files = names
        monkeypatch.setattr(staticfiles_storage, "_wrapped", storage)

    return make


def test_pages_without_collected_files_or_with_those_of_another_version_do_not_start(with_manifest, settings):
    folder = settings.BASE_DIR / "static"
    names = {str(path.relative_to(folder)): "" for path in folder.rglob("*") if path.is_file()}
    assert not startup.lacks_static_files(), "the tests use a storage without a manifest"

    for collected, is_refused in (({}, True), (dict(list(names.items())[1:]), True), (names, False)):
        with_manifest(collected)
        assert startup.lacks_static_files() == is_refused


@pytest.mark.django_db
def test_database_of_another_version_stops_web_server_and_worker(monkeypatch):
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's transaction
    startup.exit_unless_usable(has_pages=False)
    MigrationRecorder.Migration.objects.filter(app="carts").delete()

    with pytest.raises(SystemExit, match="not up to date.*manage.py migrate"):
        startup.exit_unless_worker_is_usable()


@pytest.mark.django_db
def test_unavailable_database_does_not_stop_the_start(monkeypatch):
    monkeypatch.setattr(connection, "close", lambda: None)

    def fail(connection):
        raise OperationalError("nobody answers")

    monkeypatch.setattr(startup, "unapplied_migrations", fail)
    assert not startup.lacks_migrations()


def test_error_page_needs_no_collected_files(with_manifest):
    with_manifest({})

    assert "/static/css/site.css" in render_to_string("500.html")


def test_entry_points_import_it_before_django_is_set_up():
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "artisans.settings_test"}
    program = [sys.executable, "-c", "import artisans.core.startup"]

    subprocess.run(program, env=environment, cwd=configured.BASE_DIR, check=True)
