"""Tables, demo data and static files for `make run`; existing data is not changed."""

import os
import sys
from pathlib import Path

import django
from django.core.management import CommandError, call_command
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "var/static/staticfiles.json"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings")
    django.setup()
    from artisans.core import migration_history  # noqa: PLC0415  # needs the settings

    if migration_history.cannot_be_migrated(connection):
        sys.exit(f"{migration_history.REFUSAL}\n{migration_history.REMEDY}")
    print("Preparing the database …", flush=True)
    call_command("migrate", verbosity=0)
    print("Loading demo data …", flush=True)
    call_command("demo_data", verbosity=0)
    call_command("demo_earnings", verbosity=0)
    if os.environ.get("YEAR"):
        print("Making a year of orders …", flush=True)
        try:
            call_command("demo_data", year=True)
        except CommandError as refusal:  # it was made before
            print(refusal, flush=True)
    if not static_files_are_fresh():
        print("Collecting static files …", flush=True)
        call_command("collectstatic", interactive=False, verbosity=0)


def static_files_are_fresh() -> bool:
    sources = [ROOT / "constraints.txt", *ROOT.glob("static/**/*")]
    return MANIFEST.exists() and MANIFEST.stat().st_mtime > max(path.stat().st_mtime for path in sources)


if __name__ == "__main__":
    main()
