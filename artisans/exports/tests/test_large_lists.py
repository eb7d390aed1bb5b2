"""Files that the worker makes: whole or not at all, for their owner, and what they have while rows are added."""

import zlib
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from zipfile import ZipFile

import pytest
from django.http import QueryDict
from django.utils import timezone

from artisans.accounts.models import User
from artisans.audit.models import AuditEntry
from artisans.core import xlsx_files
from artisans.core.admin.pages import admin_page_url
from artisans.core.retention import RULES, purge
from artisans.exports import lists, services
from artisans.exports.admin_lists import admin_list
from artisans.exports.files import file_write
from artisans.exports.lists import find_list
from artisans.exports.models import Export, ExportChunk
from artisans.exports.services import export_make, exports_due, stored_file
from artisans.notifications.models import Notification
from artisans.privacy.erasing import erase
from artisans.privacy.models import Erasure
from artisans.privacy.selectors import person_of_user
from tests.html import page

pytestmark = pytest.mark.django_db
ADDRESS = "/admin/accounts/user/export/"
FORM = {"file_format": "csv", "columns": ["id", "email"]}


@pytest.fixture
def people(db):
    User.objects.bulk_create(User(email=f"p{number}@example.test") for number in range(7))
    return User.objects.order_by("pk")


@pytest.fixture
def asked(people, browser, admin_user, monkeypatch):
    """An export that waits for the worker, with the client of its owner."""
    monkeypatch.setattr("artisans.exports.pages.AT_ONCE", 3)
    monkeypatch.setattr(lists, "BATCH", 2)
    client = browser(admin_user)
    form = page(client.get(ADDRESS))
    assert "prepared in the background" in form.text
    answer = client.post(ADDRESS, FORM)
    export = Export.objects.get()
    assert answer["Location"] == admin_page_url(export)
    return client, export


def content(export: Export) -> bytes:
    return b"".join(stored_file(export))


def test_a_large_list_is_made_by_the_worker_and_fetched(asked, admin_user, monkeypatch):
    client, export = asked
    assert "being prepared" in page(client.get(admin_page_url(export))).text
    assert client.get(admin_page_url(export, "file")).status_code == 404
    assert client.post(ADDRESS, FORM)["Location"] == admin_page_url(export), "made once"
    monkeypatch.setattr(services, "CHUNK", 50)

    assert exports_due() == [export.pk]
    export_make(export.pk)

    export.refresh_from_db()
    assert exports_due() == []
    assert export.rows == User.objects.count()
    assert ExportChunk.objects.count() > 2
    assert sha256(content(export)).hexdigest() == export.sha256
    answer = client.get(admin_page_url(export, "file"))
    sent = b"".join(answer.streaming_content)
    assert sent == content(export)
    assert int(answer["Content-Length"]) == len(sent)
    assert AuditEntry.objects.get(action="list.export").data["rows"] == export.rows
    mail = Notification.objects.get(kind="export_ready")
    assert mail.recipient == admin_user.email
    export_make(export.pk)
    assert Notification.objects.count() == 1


def test_an_interrupted_file_is_never_offered_and_made_anew(asked, monkeypatch):
    client, export = asked
    good, parts = services.file_write, []

    def die(file, **arguments):
        file.write(b"half")
        raise SystemExit

    monkeypatch.setattr(services, "file_write", die)
    with pytest.raises(SystemExit):
        export_make(export.pk)
    assert not ExportChunk.objects.exists()
    assert client.get(admin_page_url(export, "file")).status_code == 404
    assert exports_due() == [], "its worker may still be at work"
    Export.objects.update(alive_at=timezone.now() - services.LEASE - timedelta(seconds=1))
    assert exports_due() == [export.pk]

    def overtaken(file, **arguments):
        """While this worker slept, another made the file."""
        monkeypatch.setattr(services, "file_write", good)
        Export.objects.update(alive_at=timezone.now() - services.LEASE - timedelta(seconds=1))
        export_make(export.pk)
        parts.extend(ExportChunk.objects.values_list("pk", flat=True))
        return good(file, **arguments)

    monkeypatch.setattr(services, "file_write", overtaken)
    export_make(export.pk)
    assert parts
    assert list(ExportChunk.objects.values_list("pk", flat=True)) == parts
    assert AuditEntry.objects.filter(action="list.export").count() == 1


def test_a_file_that_cannot_be_made_fails_after_three_tries(asked, monkeypatch):
    client, export = asked
    monkeypatch.setattr(services, "file_write", lambda file, **arguments: 1 / 0)
    for _try in range(services.MAX_TRIES):
        with pytest.raises(ZeroDivisionError):
            export_make(export.pk)
    export_make(export.pk)
    assert exports_due() == []
    assert "could not be prepared" in page(client.get(admin_page_url(export))).text


def test_only_the_owner_fetches_a_file_and_only_with_permission(asked, browser, staff, admin_user):
    client, export = asked
    export_make(export.pk)
    other = User.objects.create_superuser("other@shop.test", "correct-horse-1")
    assert browser(other).get(admin_page_url(export, "file")).status_code == 404
    assert client.get(f"/shop/exports/{export.pk}/file/").status_code == 404, "staff fetch it in the admin"
    User.objects.filter(pk=admin_user.pk).update(is_superuser=False)
    assert client.get(admin_page_url(export, "file")).status_code == 403


def test_a_file_made_after_the_permission_ended_fails(asked, admin_user):
    _client, export = asked
    User.objects.filter(pk=admin_user.pk).update(is_superuser=False)
    export_make(export.pk)
    export.refresh_from_db()
    assert export.failed_at
    assert not ExportChunk.objects.exists()


def test_files_are_purged_after_their_days(asked):
    client, export = asked
    export_make(export.pk)
    Export.objects.update(created_at=timezone.now() - timedelta(days=31))
    assert client.get(admin_page_url(export, "file")).status_code == 404
    purge(RULES["exports"])
    assert not Export.objects.exists()
    assert not ExportChunk.objects.exists()


def test_one_person_waits_for_three_files_at_most(asked):
    client, _export = asked
    for columns in (["id"], ["email"]):
        client.post(ADDRESS, FORM | {"columns": columns})
    refused = client.post(ADDRESS, FORM | {"columns": ["name"]})
    assert "still in progress" in refused.content.decode()
    assert page(refused).one("input", name="columns", value="name").attrs.get("checked") is not None
    assert Export.objects.count() == 3


def test_rows_added_changed_and_deleted_meanwhile_neither_double_nor_displace(
    people, admin_user, monkeypatch
):
    monkeypatch.setattr(lists, "BATCH", 2)
    found = admin_list(admin_user, "accounts.user", QueryDict("o=1"))
    keys = list(User.objects.order_by("email").values_list("pk", flat=True))
    seen: list[object] = []
    for number, batch in enumerate(found.batches()):
        seen += [row.pk for row in batch]
        User.objects.create(email=f"a{number}@example.test")  # sorts before all
        User.objects.filter(email="p6@example.test").update(email="0@example.test")
        if number == 0:
            User.objects.filter(email="p5@example.test").delete()
    gone = set(keys) - set(User.objects.values_list("pk", flat=True))
    assert len(gone) == 1
    assert seen == [key for key in keys if key not in gone]


def test_more_rows_than_a_sheet_has_go_on_in_the_next(people, admin_user, monkeypatch):
    monkeypatch.setattr(xlsx_files, "SHEET_ROWS", 4)  # three rows and the heading
    found = find_list("admin:accounts.user", admin_user, QueryDict(""))
    file = BytesIO()
    made = file_write(file, found=found, columns=found.chosen(["email"]), file_format="xlsx")
    with ZipFile(file) as book:
        sheets = [book.read(name).decode() for name in book.namelist() if "worksheets/sheet" in name]
    assert made.rows == User.objects.count() == 8
    assert [sheet.count("@") for sheet in sheets] == [3, 3, 2, 0]


def test_chunks_are_compressed(asked):
    _client, export = asked
    export_make(export.pk)
    chunk = ExportChunk.objects.get()
    assert zlib.decompress(chunk.content) == content(export)


def test_an_erasure_deletes_all_files_because_nobody_knows_whose_names_they_have(asked, shopper, admin_user):
    client, export = asked
    export_make(export.pk)
    facts = {"list_name": "x", "chosen": [], "file_format": "csv", "is_stored": True}
    own = Export.objects.create(
        owner=shopper, finished_at=timezone.now(), as_of=timezone.now(), sha256="0", **facts
    )
    ExportChunk.objects.create(export=own, position=0, content=b"")
    running = Export.objects.create(owner=admin_user, alive_at=timezone.now(), **facts)
    person = person_of_user(shopper)

    erase(person, Erasure.objects.create(source="page").pk, kept_years=10)

    assert not ExportChunk.objects.exists()
    assert client.get(admin_page_url(export, "file")).status_code == 404
    assert Export.objects.get() == running
    assert Export.objects.get().failed_at
    with pytest.raises(services.ClaimLost):
        services.KeepAlive(running)(1)
