"""Portraits of artisans: what is shown of an upload, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from artisans.audit.models import AuditEntry
from artisans.catalog import picture_encoder, portraits
from artisans.catalog.models import Artisan
from artisans.catalog.pictures import PictureRefused
from artisans.catalog.portraits import portrait_remove, portrait_set
from artisans.catalog.tests.factories import ArtisanFactory
from artisans.catalog.tests.pictures import encoded, png
from artisans.catalog.tests.test_pictures import GPS, ORIENTATION, files, png_header
from artisans.core.admin.pages import admin_page_url
from artisans.core.errors import ServiceUnavailable
from tests.html import page

pytestmark = pytest.mark.django_db


@pytest.fixture
def artisan() -> Artisan:
    return ArtisanFactory.create()


@pytest.fixture
def change(artisan, staff, django_capture_on_commit_callbacks):
    """`change(content)`; without content the portrait is removed."""

    def make(content: bytes | None = None) -> Artisan:
        with django_capture_on_commit_callbacks(execute=True):
            if content is None:
                return portrait_remove(artisan=artisan, actor=staff)
            return portrait_set(artisan=artisan, file=ContentFile(content), actor=staff)

    return make


def test_portrait_is_a_small_upright_copy_without_metadata_and_replaces_the_former(artisan, change, media):
    artisan.portrait.save("uploaded-by-0.1.0.jpg", ContentFile(b"with GPS"))
    image = Image.new("RGB", (1500, 900), "blue")
    exif = image.getexif()
    exif[ORIENTATION] = 6
    exif.get_ifd(GPS)[2] = (48.0, 12.0, 30.0)
    changed = change(encoded(image, "JPEG", exif=exif, comment=b"at home"))
    assert files(media) == [changed.portrait.name]
    with Image.open(default_storage.open(changed.portrait.name)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (640, 1066))
        assert not shown.getexif()
        assert not {"exif", "comment", "icc_profile", "xmp"} & shown.info.keys()
    small = change(png(8, 8))
    assert files(media) == [small.portrait.name]
    for _twice in range(2):
        assert not change().portrait
    assert files(media) == []
    actions = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["portrait.change", "portrait.change", "portrait.remove"]


def test_hostile_portraits_are_refused_with_a_sentence_and_change_nothing(
    artisan, change, media, monkeypatch, subtests
):
    before = change(png(9, 9)).portrait.name
    hang = Path(media.parent, "hang.py")
    hang.write_text("while True: pass")
    kill = Path(media.parent, "kill.py")
    kill.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    cases: list[tuple[str, bytes, Path | None, type[Exception]]] = [
        ("empty", b"", None, PictureRefused),
        ("larger than 15 MB", b"\xff\xd8\xff" + bytes(15 * 1024 * 1024), None, PictureRefused),
        ("30000 × 30000 pixels", png_header(30_000, 30_000), None, PictureRefused),
        ("whatever its name says", b"<html><script>alert(1)</script></html>", None, PictureRefused),
        ("damaged or incomplete", png_header(7000, 7000), None, PictureRefused),
        ("takes too long", png(3, 3), hang, PictureRefused),
        ("try again in a moment", png(4, 4), kill, ServiceUnavailable),
    ]
    for words, content, program, error in cases:
        with subtests.test(words), monkeypatch.context() as patch:
            if program:
                patch.setattr(picture_encoder, "__file__", str(program))
                patch.setattr(portraits, "SECONDS", 0.5)
            with pytest.raises(error, match=words):
                change(content)
    with monkeypatch.context() as patch, portraits.encoding:
        patch.setattr(portraits, "BUSY_SECONDS", 0.01)
        with pytest.raises(ServiceUnavailable, match="Another portrait"):
            change(png(5, 5))
    artisan.refresh_from_db()
    assert artisan.portrait.name == before
    assert files(media) == [before]


def test_row_that_cannot_be_written_leaves_no_file(change, media, monkeypatch):
    def fail(*args: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(portraits, "portrait_write", fail)
    with pytest.raises(RuntimeError):
        change(png())
    assert files(media) == []


def test_staff_change_and_remove_a_portrait(artisan, catalog_client, media):
    address = admin_page_url(artisan, "portrait")

    def send(**fields: Any) -> str:
        return page(catalog_client.post(address, fields, follow=True)).text

    assert "Choose a file first." in send()
    assert "whatever its name says" in send(portrait=ContentFile(b"<html>", "me.jpg"))
    assert "The file is empty." in send(portrait=ContentFile(b"", "me.jpg"))
    assert "The portrait was changed." in send(portrait=ContentFile(png(40, 30), "me.png"))
    [shown] = files(media)
    for place in (address, admin_page_url(artisan)):
        assert f"/media/{shown}" in catalog_client.get(place).content.decode()
    assert "Choose a file first." in send()
    assert "The portrait was removed." in send(**{"portrait-clear": "on"})
    artisan.refresh_from_db()
    assert not artisan.portrait
