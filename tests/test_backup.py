"""Backup and restore: a drill in which an hour of sales is lost, and what is refused on the way."""

import json
import os
import shutil
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from artisans.catalog.models import Product, StockMove
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.backups import archive, databases
from artisans.core.backups.archive import backups_in
from artisans.core.doctor.backups import check_backups
from artisans.core.doctor.registry import State
from artisans.core.heartbeats import BACKUP, restored
from artisans.core.management.commands import restore
from artisans.core.models import Heartbeat
from orders.models import Order
from payments.doctor import check_restored
from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.methods import PaymentMethod
from payments.models import Payment, ReconciliationRun
from payments.reconciliation.runs import Kind
from payments.tests.factories import start
from scripts.services import postgres_programs
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(settings, tmp_path, monkeypatch) -> Path:
    settings.BACKUP_DIR = str(tmp_path / "backups")
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.MEDIA_ROOT.mkdir()
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    }
    if connection.vendor == "postgresql":
        monkeypatch.setenv("PATH", f"{postgres_programs()}:{os.environ['PATH']}")
        with connection.cursor() as cursor:  # of threads of earlier tests
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
    return Path(settings.BACKUP_DIR)


def make(folder: Path) -> Path:
    call_command("backup")
    return backups_in(folder)[-1]


def start_at_stripe(shopper) -> Payment:
    with transaction.atomic():
        payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    return payment


def session_make() -> None:
    Session.objects.create(session_key="s", session_data="", expire_date=timezone.now() + timedelta(days=1))


def paid(stripe, shopper) -> Payment:
    payment = start_at_stripe(shopper)
    stripe.pay(payment, "visa")
    return payment_sync(payment.pk, cause="test").payment


def record_opening_stock() -> None:
    """The stock that tests write without counting it."""
    for product in Product.objects.all():
        counted = product.stock - sum(product.stock_moves.values_list("quantity", flat=True))
        StockMove.objects.create(product=product, kind="adjust", quantity=counted, reason="opening stock")


def test_hour_of_sales_is_lost_restored_and_reconciled(folder, settings, shopper, stripe, capsys):
    settings.MAX_OPEN_ORDERS = 10
    earlier, open_then = paid(stripe, shopper), start_at_stripe(shopper)
    picture = settings.MEDIA_ROOT / "bowl.webp"
    picture.write_bytes(b"a picture")
    session_make()
    record_opening_stock()
    backup = make(folder)
    stripe.pay(open_then, "visa")
    lost = paid(stripe, shopper)
    picture.unlink()

    call_command("restore", str(backup), "--replace")

    assert not Order.objects.filter(pk=lost.order_id).exists()
    assert (picture.read_bytes(), Session.objects.count()) == (b"a picture", 0)
    check_invariants()
    [line] = check_restored()
    assert (line.state, "stripe" in line.value) == (State.PROBLEM, True)
    assert "reconcile --since" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        call_command("reconcile", "--provider", "stripe", until=timezone.now() + timedelta(minutes=1))
    run = ReconciliationRun.objects.get(provider="stripe")
    [missing] = run.differences
    assert missing["kind"] == Kind.MISSING_HERE
    assert str(lost.pk) in missing["detail"]
    assert run.synced_count == 1
    for payment in (earlier, open_then):
        payment.refresh_from_db()
        assert payment.received_minor == payment.amount_minor
    check_invariants()
    [line] = check_restored()
    assert line.state == State.OK


def test_restored_rows_that_contradict_each_other_are_named(folder, store, shopper, capsys):
    with transaction.atomic():
        start(PaymentMethod.BANK_TRANSFER, user=shopper)
    sold = Product.objects.get(stock=9)  # of ten that nobody counted
    backup = make(folder)

    with pytest.raises(CommandError, match=f"The stock of {sold} is 9, but its moves are -1") as ended:
        call_command("restore", str(backup), "--replace")
    call_command("restore", str(backup), "--replace", "--no-check")

    assert "1 violation of what is always true was found" in str(ended.value)
    assert capsys.readouterr().out.count("Restored as of") == 2


def test_backups_are_counted_dated_and_readable_by_their_owner_only(folder, settings, time_machine):
    [line] = check_backups()
    assert (line.state, line.value) == (State.WARNING, "never made")
    settings.BACKUP_KEEP = 2
    begin = timezone.now()
    for hours in (0, 1, 2, 2):  # the last two within one second
        time_machine.move_to(begin + timedelta(hours=hours), tick=False)
        last = make(folder)
    [line] = check_backups()
    assert line.state == State.OK

    assert [json.loads((made / "manifest.json").read_text())["at"] for made in backups_in(folder)] == [
        (begin + timedelta(hours=2)).isoformat()
    ] * 2
    assert last == backups_in(folder)[-1]
    assert {oct(path.stat().st_mode & 0o777) for path in last.iterdir()} == {"0o600"}
    assert not [path for path in folder.iterdir() if path.name.endswith(".partial")]
    text = "".join(path.read_text() for path in last.glob("*.json"))
    assert settings.SECRET_KEY not in text
    time_machine.move_to(begin + timedelta(hours=30), tick=False)
    [line] = check_backups()
    assert line.state == State.WARNING
    call_command("backup", "--record-only")
    assert Heartbeat.objects.get(pk=BACKUP).runs == 5


def test_backup_that_fails_deletes_no_earlier_one_and_leaves_nothing(folder, settings, monkeypatch):
    settings.BACKUP_KEEP = 1
    earlier = make(folder)

    def fail(target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "media_pack", fail)
    with pytest.raises(CommandError, match="No space left"):
        call_command("backup")

    assert [path for path in folder.iterdir() if path.is_dir()] == [earlier]
    with archive.only_one(folder), pytest.raises(CommandError, match="in progress"):
        call_command("backup")
    settings.BACKUP_DIR = ""
    with pytest.raises(CommandError, match="BACKUP_DIR"):
        call_command("backup")


def test_unfit_backups_are_refused_and_change_nothing(folder, settings, shopper, monkeypatch, capsys):
    backup = make(folder)
    with pytest.raises(CommandError, match="not empty"):
        call_command("restore", str(backup))
    call_command("restore", str(backup), "--verify")
    assert "is complete" in capsys.readouterr().out
    manifest = json.loads((backup / "manifest.json").read_text())
    wrong = {
        "newer": {"migrations": [*manifest["migrations"], "orders.0999_next"]},
        "newer version": {"format": 2},
        "leads to": {"database": "oracle 19"},
        "lacks a key": {"proofs": [*manifest["proofs"], "gAAAAA"]},
        "damaged": {"files": {"media.tar": [1, "0"], "database.dump": [1, "0"]}},
        "names no database": {"files": {}},
        "manifest.json is damaged": {"files": {"database.dump": "0"}},
        r"manifest\.json is damaged": {"at": "yesterday"},
    }
    for text, change in wrong.items():
        (backup / "manifest.json").write_text(json.dumps(manifest | change))
        with pytest.raises(CommandError, match=text):
            call_command("restore", str(backup), "--replace")
    for text in ("{", "[1]", '{"format": 1}', "{}", "null", '{"format": 1, "more": 1}'):
        (backup / "manifest.json").write_text(text)
        with pytest.raises(CommandError, match=r"manifest\.json is damaged"):
            call_command("restore", str(backup), "--verify")
    (backup / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CommandError, match="--jobs works only"):
        call_command("restore", str(backup), "--replace", "--jobs=2")
    (backup / "manifest.json").unlink()
    with pytest.raises(CommandError, match="not a backup"):
        call_command("restore", str(backup), "--replace")
    for arguments in ([], [str(backup), "--record", "2026-11-29T13:59+00:00"]):
        with pytest.raises(CommandError, match="Name the folder"):
            call_command("restore", *arguments)
    shopper.refresh_from_db()
    session_make()

    call_command("restore", "--record", "2026-11-29T13:59+00:00")

    assert not Session.objects.exists()
    assert "Restored as of 2026-11-29 13:59 UTC" in capsys.readouterr().out


def test_data_whose_pictures_or_migrations_fail_is_recorded_as_restored(
    folder, settings, monkeypatch, capsys
):
    settings.ENCRYPTION_KEYS = ["new", "old"]
    backup = make(folder)
    settings.ENCRYPTION_KEYS = ["new"]
    session_make()
    monkeypatch.setattr(archive.tarfile, "open", fail_with(tarfile.ReadError("unexpected end of data")))
    with pytest.raises(CommandError, match="lacks a key"):
        call_command("restore", str(backup), "--replace")

    with pytest.raises(CommandError, match=r"unexpected end of data\. Once that is solved: tar --extract"):
        call_command("restore", str(backup), "--replace", "--without-keys")

    assert (restored() is not None, Session.objects.count()) == (True, 0)
    assert "Restored as of" in capsys.readouterr().out
    monkeypatch.setattr(restore, "call_command", fail_with(CommandError("in use")))
    with pytest.raises(CommandError, match=r"in use\. Once that is solved: manage.py restore --record 20"):
        call_command("restore", str(backup), "--replace", "--without-keys", "--no-media")


def fail_with(error):
    def fail(*args, **options):
        raise error

    return fail


def test_pictures_on_another_disk_are_in_the_backup(folder, settings, tmp_path):
    """Behind links, as operators make them; restored into plain folders."""
    disk, products = tmp_path / "disk", tmp_path / "products"
    for made in (disk, products):
        made.mkdir()
    (disk / "a").write_text("a")
    (disk / "products").symlink_to(products)
    (products / "b").write_text("b")
    settings.MEDIA_ROOT = tmp_path / "link"
    settings.MEDIA_ROOT.symlink_to(disk)

    backup = make(folder)
    settings.MEDIA_ROOT = tmp_path / "new/media"
    archive.media_restore(backup)

    restored_texts = {path.name: path.read_text() for path in settings.MEDIA_ROOT.rglob("?")}
    assert restored_texts == {"a": "a", "b": "b"}


def test_archive_of_pictures_cannot_write_outside_their_folder(folder, tmp_path):
    for name in ("../b", str(tmp_path / "b")):
        with tarfile.open(tmp_path / "media.tar", "w") as media:
            media.addfile(tarfile.TarInfo(name))
        with pytest.raises(tarfile.ExtractError, match="leads out"):
            archive.media_restore(tmp_path)

    assert not (tmp_path / "b").exists()


def test_pictures_deleted_meanwhile_are_left_out_and_a_missing_folder_is_an_error(
    folder, settings, monkeypatch
):
    for name in ("a", "b"):
        (settings.MEDIA_ROOT / name).write_text(name)
    stat = os.stat

    def delete_a(path, *args, **options):
        if str(path).endswith("/a"):
            Path(path).unlink()
        return stat(path, *args, **options)

    monkeypatch.setattr(tarfile.os, "stat", delete_a)
    with tarfile.open(make(folder) / "media.tar") as media:
        assert media.getnames() == [".", "./b"]
    shutil.rmtree(settings.MEDIA_ROOT)
    call_command("backup", f"--to={folder}/without-pictures")
    Product.objects.filter(pk=ProductFactory().pk).update(picture="products/bowl.webp")
    with pytest.raises(CommandError, match="does not exist"):
        call_command("backup")


@pytest.mark.postgresql
def test_shop_has_to_be_stopped_and_a_restore_that_fails_changes_nothing(
    folder, settings, shopper, monkeypatch
):
    backup = make(folder)
    settings.BACKUP_DATABASE = connection.settings_dict | {"NAME": "postgres"}
    with pytest.raises(CommandError, match="another database"):
        call_command("restore", str(backup), "--replace")
    settings.BACKUP_DATABASE = connection.settings_dict
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT 1")
        with pytest.raises(CommandError, match=r"other connections \(1\)"):
            call_command("restore", str(backup), "--replace")
    other.close()
    dump = (backup / "database.dump").read_bytes()
    (backup / "database.dump").write_bytes(dump[:-200])
    with pytest.raises(databases.BackupError, match="Nothing was changed"):
        databases.database_restore(backup / "database.dump")
    shopper.refresh_from_db()
    databases.check_same_database()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("artisans.core.backups.databases.INSTALLED", Path("/nowhere"))
    with pytest.raises(CommandError, match="pg_dump is missing"):
        call_command("backup")


def test_steps_are_reported(folder, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(databases, "PROGRESS_SECONDS", 0.001)
    call_command("backup")
    steps = capsys.readouterr().err
    assert "Dumping the database …" in steps
    assert "Packing the uploaded files …" in steps
    assert ("bytes" in steps) is (connection.vendor == "postgresql")
    call_command("restore", str(backups_in(folder)[-1]), replace=True, no_check=True)
    assert "Restoring the database …" in capsys.readouterr().err
