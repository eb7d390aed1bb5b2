"""Pictures of products: uploads of all kinds, the copies that pages offer, and what happens when a process dies."""

import re
import struct
import sys
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone
from PIL import Image, ImageCms

from artisans.audit.models import AuditEntry
from artisans.catalog import picture_encoder, pictures
from artisans.catalog.models import PictureRefusal, PictureState, Product, ProductPicture
from artisans.catalog.picture_headers import read_header
from artisans.catalog.pictures import (
    EncoderStopped,
    PictureRefused,
    TooManyPictures,
    files_delete_orphaned,
    picture_add,
    picture_describe,
    picture_move,
    picture_prepare,
    picture_remove,
    pictures_due,
    products_left_behind,
    upload_check,
)
from artisans.catalog.tasks import follow_products, prepare_due_pictures
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.catalog.tests.pictures import HEIC, encoded, png, ready_picture
from artisans.core.errors import Conflict, NotFound, ServiceUnavailable
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "media")]

GPS, ORIENTATION = 0x8825, 0x0112
DARK, BRIGHT = 60, 200


@pytest.fixture
def add(staff, django_capture_on_commit_callbacks):
    """`add(product, content)`; with `prepare=True` as the worker leaves it."""

    def make(product: Product, content: bytes, *, prepare: bool = False) -> ProductPicture:
        picture = picture_add(
            product_id=product.pk, content=content, name="bowl.jpg", actor=staff, alt="A bowl"
        )
        if prepare:
            with django_capture_on_commit_callbacks(execute=True):
                picture_prepare(picture.pk)
            picture.refresh_from_db()
        return picture

    return make


def files(media: Path) -> list[str]:
    return sorted(str(path.relative_to(media)) for path in media.rglob("*") if path.is_file())


def in_own_process(content: bytes, folder: Path) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    (folder / "original").write_bytes(content)
    return pictures.run_encoder(folder)


# ---- what is accepted ------------------------------------------------------------------------------------------


def png_header(width: int, height: int) -> bytes:
    """A file of 10 KB that claims this size."""
    return (
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
        + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        + b"\0" * 10_000
    )


@pytest.mark.once
def test_size_is_read_from_the_header_of_each_format(subtests):
    image = Image.new("RGBA", (60, 40), "green")
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x14ispe\0\0\0\0" + struct.pack(">II", 60, 40)
    for name, content in {
        "PNG": encoded(image),
        "JPEG": encoded(image.convert("RGB"), "JPEG", progressive=True, exif=image.getexif()),
        "WebP": encoded(image.convert("RGB"), "WEBP"),
        "WebP lossless": encoded(image, "WEBP", lossless=True),
        "WebP with alpha": encoded(image, "WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
        "AVIF": encoded(image, "AVIF"),
        "HEIC": heic,
    }.items():
        with subtests.test(name):
            assert read_header(content) == (name.split()[0], 60, 40)


@pytest.mark.once
def test_upload_that_is_no_picture_is_refused_before_it_is_stored(add, media, subtests):
    product = ProductFactory.create()
    whole = encoded(Image.new("RGB", (60, 40)), "JPEG")
    for words, content in {
        "empty": b"",
        "larger than 15 MB": b"\xff\xd8\xff" + bytes(15 * 1024 * 1024),
        "30000 × 30000 pixels": png_header(30_000, 30_000),
        "whatever its name says": b"<html><script>alert(1)</script></html>",
        "whatever its name": b"GIF89a" + bytes(100),
        "damaged or incomplete": whole[:100],
        "or incomplete.": png_header(0, 5),
        "incomplete. Export": b"\xff\xd8\xff" + b"\xff" * 100_000,
        "Export the picture": b"RIFF\0\0\0\0WEBPVP8?" + bytes(30),
        "incomplete": b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
    }.items():
        with subtests.test(words), pytest.raises(PictureRefused, match=re.escape(words)):
            add(product, content)
    assert files(media) == []
    assert not ProductPicture.objects.exists()


@pytest.mark.once
def test_upload_that_cannot_be_decoded_is_refused_with_its_reason(add, media, monkeypatch, subtests):
    """None of them stops the worker."""
    product = ProductFactory.create()
    noise = Image.effect_noise((400, 300), 90).convert("RGB")
    hang = Path(media.parent, "hang.py")
    hang.write_text("while True: pass")
    kill = Path(media.parent, "kill.py")
    kill.write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    for name, content, program, refusal in (
        ("truncated", encoded(noise, "JPEG")[:5000], None, PictureRefusal.DAMAGED),
        ("claims 49 million pixels", png_header(7000, 7000), None, PictureRefusal.DAMAGED),
        ("hangs", png(3, 3), hang, PictureRefusal.COMPLEX),
        ("crashes the decoder", png(4, 4), kill, PictureRefusal.DAMAGED),
    ):
        with subtests.test(name), monkeypatch.context() as patch:
            if program:
                patch.setattr(picture_encoder, "__file__", str(program))
                patch.setattr(pictures, "SECONDS", 0.5)
            picture = add(product, content, prepare=True)
            assert (picture.state, picture.refusal) == (PictureState.REFUSED, refusal)
    assert files(media) == [], "neither originals nor copies are kept"
    product.refresh_from_db()
    assert not product.picture


@pytest.mark.once
def test_decoder_has_limits_of_pixels_and_memory(tmp_path, monkeypatch):
    (tmp_path / "original").write_bytes(png(100, 100))
    monkeypatch.setattr(picture_encoder, "MAX_PIXELS", 9_999)
    with pytest.raises(picture_encoder.TooComplex):
        picture_encoder.load(tmp_path / "original")
    source = Path(picture_encoder.__file__).read_text()
    small = tmp_path / "small.py"
    small.write_text(re.sub(r"SECONDS, MEMORY = .*", "SECONDS, MEMORY = 30, 250_000_000", source))
    monkeypatch.setattr(picture_encoder, "__file__", str(small))
    content = png(7000, 7000)
    assert len(content) < 200_000
    if sys.platform == "linux":
        assert in_own_process(content, tmp_path / "folder") == {"refusal": "complex"}


@pytest.mark.once
def test_decoder_that_computes_for_ever_is_refused_and_not_tried_again(tmp_path, monkeypatch):
    source = Path(picture_encoder.__file__).read_text()
    source = source.replace("image = load(original)", "while True: pass")
    busy = tmp_path / "busy.py"
    busy.write_text(re.sub(r"SECONDS, MEMORY = 30", "SECONDS, MEMORY = 1", source))
    monkeypatch.setattr(picture_encoder, "__file__", str(busy))
    assert in_own_process(png(), tmp_path / "folder") == {"refusal": PictureRefusal.COMPLEX}


# ---- copies ----------------------------------------------------------------------------------------------------


@pytest.mark.once
def test_copies_are_upright_in_srgb_and_without_metadata(tmp_path):
    image = Image.new("RGB", (900, 600), "blue")
    image.paste("red", (0, 0, 900, 300))
    exif = image.getexif()
    exif[ORIENTATION] = 6  # to be turned right by a quarter
    exif.get_ifd(GPS)[2] = (48.0, 12.0, 30.0)
    content = encoded(image, "JPEG", exif=exif, comment=b"at home", quality=95)
    sizes = in_own_process(content, tmp_path)
    assert sizes == {
        f"{width}.{ending}": [width, width * 3 // 2] for width in (320, 600) for ending in ("webp", "jpg")
    }
    for name in sizes:
        with Image.open(tmp_path / name) as copy:
            assert not copy.getexif()
            assert not {"exif", "comment", "icc_profile", "xmp"} & copy.info.keys()
            pixels: Any = copy.convert("RGB").load()
            left, right = pixels[20, 200], pixels[copy.width - 20, 200]
        assert min(left[2], right[0]) > BRIGHT, "the red half is on the right now"
        assert max(left[0], right[2]) < DARK


@pytest.mark.once
def test_unusual_pictures_become_ordinary_ones(tmp_path, subtests):
    animation = {"save_all": True, "lossless": True}
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("lime", "red")]
    cyan = Image.new("CMYK", (40, 40), (255, 0, 0, 0))
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for number, (name, content, expected) in enumerate(
        (
            ("CMYK", encoded(cyan, "JPEG"), (0, 255, 255)),
            ("animated", encoded(frames[0], "WEBP", append_images=frames[1:], **animation), (0, 255, 0)),
            ("16 bits", encoded(Image.new("I;16", (40, 40), 65_535)), (255, 255, 255)),
            ("one bit", encoded(Image.new("1", (40, 40), 1)), (255, 255, 255)),
            ("transparent: on white", encoded(Image.new("RGBA", (40, 40), (9, 9, 9, 0))), (255, 255, 255)),
            ("palette", encoded(Image.new("RGB", (40, 40), "lime").convert("P")), (0, 255, 0)),
            ("with a profile", encoded(Image.new("RGB", (40, 40), "lime"), icc_profile=lab), (0, 255, 0)),
            ("with a broken profile", encoded(Image.new("RGB", (40, 40), "lime"), icc_profile=b"x" * 200), (0, 255, 0)),
            ("AVIF", encoded(frames[0], "AVIF", quality=95), (0, 255, 0)),
            ("HEIC", HEIC, (0, 255, 0)),
            ("thin", encoded(Image.new("RGB", (1, 5000), "lime")), (0, 255, 0)),
        )
    ):  # fmt: skip
        with subtests.test(name):
            upload_check(content)
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "original").write_bytes(content)
            widest = max(picture_encoder.make_copies(folder / "original", folder).values())
            with Image.open(folder / f"{widest[0]}.jpg") as copy:
                found = copy.getpixel((0, 0))
            assert all(abs(a - b) < 12 for a, b in zip(found, expected, strict=True)), found


def images_of(answer) -> list[dict[str, str]]:
    images = re.findall(r"<img ([^>]*/media/[^>]*)>", answer.content.decode())
    return [dict(re.findall(r'([\w-]+)="([^"]*)"', image)) for image in images]


def test_pages_offer_copies_as_webp_and_jpeg(client, add, subtests):
    product = ProductFactory.create()
    picture = add(product, png(960, 720), prepare=True)
    product = Product.objects.get()
    assert str(product.picture) == picture.file
    assert (product.picture_sizes, product.picture_alt) == (picture.sizes, "A bowl")
    for name, size in picture.sizes.items():
        with Image.open(default_storage.open(name)) as stored:
            assert list(stored.size) == size
    assert not picture.original
    stem = f"/media/{picture.file.removesuffix('-960.jpg')}"
    assert re.fullmatch(r"/media/products/[0-9a-f]{32}", stem), "nobody can guess it"
    client.post(reverse("carts:item_add"), {"product_id": product.pk, "quantity": 1})
    for address, widths in (
        (reverse("catalog:product_list"), (320, 640)),
        (reverse("catalog:product", args=[product.slug]), (320, 640, 960)),
        (reverse("carts:cart"), (320, 640)),
    ):
        with subtests.test(address):
            answer = client.get(address)
            webp, jpeg = (
                ", ".join(f"{stem}-{width}.{ending} {width}w" for width in widths)
                for ending in ("webp", "jpg")
            )
            [image] = images_of(answer)
            assert image["src"] == f"{stem}-{widths[-1]}.jpg"
            assert (image["srcset"], image["width"]) == (jpeg, str(widths[-1]))
            assert image["sizes"]
            assert f'<source type="image/webp" srcset="{webp}"' in answer.content.decode()


def test_gallery_shows_ready_pictures_in_their_order(client, add, staff):
    product = ProductFactory.create()
    first, second = add(product, png(40, 30), prepare=True), add(product, png(50, 30), prepare=True)
    add(product, png(60, 30))
    picture_describe(product_id=second.product_id, picture_id=second.pk, alt="", actor=staff)
    Product.objects.update(picture_alt="")
    answer = page(client.get(reverse("catalog:product", args=[product.slug])))
    shown = answer.one("main").all("img")
    assert [image.attrs["src"] for image in shown] == [f"/media/{first.file}", f"/media/{second.file}"]
    assert [image.attrs["alt"] for image in shown] == ["A bowl", "Picture 2"]


def test_sizes_of_a_replaced_picture_are_not_offered(client):
    product = ProductFactory.create()
    ready_picture(product)
    Product.objects.update(picture="products/other.webp")
    [image] = images_of(client.get(reverse("catalog:product_list")))
    assert image["src"] == "/media/products/other.webp"
    assert not image.keys() & {"srcset", "sizes", "width", "height"}


# ---- order, texts, removal -------------------------------------------------------------------------------------


def test_first_ready_picture_is_the_one_of_lists(add, staff):
    product = ProductFactory.create()
    one, two = add(product, png(10, 10), prepare=True), add(product, png(11, 10), prepare=True)
    refused, waiting = add(product, png_header(9, 9), prepare=True), add(product, png(12, 10))

    def listed() -> str:
        product.refresh_from_db()
        return str(product.picture)

    assert listed() == one.file
    picture_move(product_id=two.product_id, picture_id=two.pk, position=1, actor=staff)
    assert listed() == two.file
    picture_move(product_id=waiting.product_id, picture_id=waiting.pk, position=1, actor=staff)
    picture_move(product_id=refused.product_id, picture_id=refused.pk, position=1, actor=staff)
    assert listed() == two.file
    picture_describe(product_id=two.product_id, picture_id=two.pk, alt="A  jug ", actor=staff)
    assert (listed(), product.picture_alt) == (two.file, "A  jug")
    picture_remove(product_id=two.product_id, picture_id=two.pk, actor=staff)
    assert listed() == one.file
    picture_remove(product_id=one.product_id, picture_id=one.pk, actor=staff)
    assert (listed(), product.picture_sizes, product.picture_alt) == ("", {}, "")
    assert list(product.pictures.values_list("pk", "position")) == [(refused.pk, 1), (waiting.pk, 2)]


def test_pictures_move_to_any_place(add, staff):
    product = ProductFactory.create()
    keys = [add(product, png(10 + number, 10)).pk for number in range(8)]
    for picture, position in ((0, 8), (7, 1), (3, 4), (5, 99), (2, 3), (6, 1)):
        moved = keys.pop(picture)
        keys.insert(position - 1, moved)
        for _twice in range(2):  # sent twice, it is moved once
            picture_move(product_id=product.pk, picture_id=moved, position=position, actor=staff)
        assert list(product.pictures.values_list("pk", flat=True)) == keys
        assert list(product.pictures.values_list("position", flat=True)) == [*range(1, 9)]
    with pytest.raises(TooManyPictures, match="at most 8"):
        add(product, png(99, 10))


def test_same_file_sent_twice_is_one_picture_unless_it_was_refused(add, media):
    product = ProductFactory.create()
    first = add(product, png())
    assert add(product, png()) == first
    assert len(files(media)) == 1
    assert add(ProductFactory.create(), png()) != first
    refused = add(product, png_header(9, 9), prepare=True)
    assert add(product, png_header(9, 9)) != refused


def test_two_people_change_a_text_and_the_second_is_told(add, staff):
    picture = add(ProductFactory.create(), png())
    same = {"product_id": picture.product_id, "picture_id": picture.pk, "actor": staff}
    picture_describe(**same, alt="A jug", seen="A bowl")
    with pytest.raises(Conflict, match="to “A jug”"):
        picture_describe(**same, alt="A vase", seen="A bowl")
    picture_describe(**same, alt="A jug", seen="A bowl")  # sent twice
    picture.refresh_from_db()
    assert picture.alt == "A jug"
    picture_remove(product_id=picture.product_id, picture_id=picture.pk, actor=staff)
    with pytest.raises(NotFound, match="removed in the meantime"):
        picture_remove(product_id=picture.product_id, picture_id=picture.pk, actor=staff)
    actions = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["picture.add", "picture.change", "picture.remove"]


def test_files_of_a_removed_picture_are_deleted_after_the_commit(
    add, media, staff, django_capture_on_commit_callbacks
):
    product = ProductFactory.create()
    picture = add(product, png(40, 30), prepare=True)
    with django_capture_on_commit_callbacks() as callbacks:
        picture_remove(product_id=picture.product_id, picture_id=picture.pk, actor=staff)
    assert len([name for name in files(media) if name.startswith("products/")]) == 2
    for callback in callbacks:
        callback()
    assert not [name for name in files(media) if name.startswith("products/")]


# ---- when a process dies -----------------------------------------------------------------------------------------


def test_upload_is_prepared_again_after_the_worker_died(add, media, monkeypatch):
    product = ProductFactory.create()
    picture = add(product, png())
    with monkeypatch.context() as patch, pytest.raises(EncoderStopped):
        killed = media.parent / "killed.py"
        killed.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
        patch.setattr(picture_encoder, "__file__", str(killed))
        picture_prepare(picture.pk)
    assert pictures_due() == [], "another worker may be at it"
    picture_prepare(picture.pk)
    picture.refresh_from_db()
    assert (picture.state, picture.attempts) == (PictureState.UPLOADED, 1)
    ProductPicture.objects.update(due_at=timezone.now())
    prepare_due_pictures()
    picture.refresh_from_db()
    assert (picture.state, picture.attempts) == (PictureState.READY, 2)


def test_upload_that_never_succeeds_is_refused_in_the_end(add, media):
    picture = add(ProductFactory.create(), png())
    lost = add(picture.product, png(9, 9))
    default_storage.delete(lost.original)
    ProductPicture.objects.filter(pk=picture.pk).update(attempts=pictures.ATTEMPTS)
    prepare_due_pictures()
    states = ProductPicture.objects.values_list("state", "refusal")
    assert list(states) == [(PictureState.REFUSED, PictureRefusal.FAILED)] * 2


def test_picture_removed_while_it_is_prepared_leaves_no_files(
    add, media, staff, monkeypatch, django_capture_on_commit_callbacks
):
    picture = add(ProductFactory.create(), png())
    run = pictures.run_encoder

    def remove_first(folder):
        with django_capture_on_commit_callbacks(execute=True):
            picture_remove(product_id=picture.product_id, picture_id=picture.pk, actor=staff)
        return run(folder)

    monkeypatch.setattr(pictures, "run_encoder", remove_first)
    picture_prepare(picture.pk)
    assert files(media) == []


def test_upload_fails_with_its_reason_and_leaves_nothing(add, media, monkeypatch):
    product = ProductFactory.create()

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(ServiceUnavailable, match="Nothing was saved"):
        patch.setattr(default_storage, "save", full)
        add(product, png())
    monkeypatch.setattr(pictures, "picture_append", full)
    with pytest.raises(OSError, match="space"):
        add(product, png())
    assert files(media) == []


def test_files_that_no_row_names_are_deleted_after_a_day(add, media, monkeypatch):
    product = ProductFactory.create()
    add(product, png(40, 30), prepare=True)
    waiting = add(product, png())
    orphans = [f"products/{'0' * 32}-320.webp", f"private/{'0' * 32}", f"artisans/{'0' * 32}-640.jpg"]
    shown = ArtisanFactory.create(portrait=f"artisans/{'1' * 32}-640.jpg").portrait.name
    others = ["products/by-hand.webp", "artisans/portrait.webp", shown]
    for name in (*orphans, *others):
        default_storage.save(name, ContentFile(b"x"))
    before = set(files(media))
    assert files_delete_orphaned() == 0, "their rows may follow"
    monkeypatch.setattr(pictures, "UNNAMED_FOR", timedelta(0))
    assert files_delete_orphaned() == len(orphans)
    assert before - set(files(media)) == set(orphans)
    assert waiting.original in files(media)


def test_picture_of_release_0_1_0_becomes_the_first(add, staff):
    product = ProductFactory.create(picture="products/old.webp", picture_alt="An old bowl")
    new = add(product, png(), prepare=True)
    assert [(row.position, row.file, row.alt) for row in product.pictures.all()] == [
        (1, "products/old.webp", "An old bowl"),
        (2, new.file, "A bowl"),
    ]
    product.refresh_from_db()
    assert product.picture == "products/old.webp"


def test_picture_that_release_0_1_0_replaced_is_the_first(add, staff):
    product = ProductFactory.create()
    one, two = ready_picture(product), add(product, png(), prepare=True)
    waiting = ProductFactory.create()
    add(waiting, png())

    def shown(product: Product) -> list[tuple[int, str, str]]:
        return list(product.pictures.values_list("position", "file", "alt"))

    def change(product: Product, file: str, alt: str) -> None:
        """As its admin does."""
        Product.objects.filter(pk=product.pk).update(picture=file, picture_alt=alt)

    change(product, "products/new.webp", "New")
    change(waiting, "products/old.webp", "Old")
    follow_products()
    assert shown(product) == [(1, "products/new.webp", "New"), (2, two.file, "A bowl")]
    assert product.pictures.get(pk=one.pk).sizes == {}
    change(product, "products/new.webp", "Newer")
    picture_move(product_id=product.pk, picture_id=two.pk, position=1, actor=staff)
    moved = [(1, two.file, "A bowl"), (2, "products/new.webp", "Newer")]
    assert shown(product) == moved
    product.refresh_from_db()
    assert product.picture == two.file
    change(product, "products/new.webp", "Newer")  # a form from before the move
    follow_products()
    assert shown(product) == moved
    picture_prepare(waiting.pictures.get().pk)
    assert [(position, alt) for position, _file, alt in shown(waiting)] == [(1, "Old"), (2, "A bowl")]
    assert not products_left_behind()


def test_unchecked_uploads_are_served_to_nobody(client, add, media, settings):
    picture = add(ProductFactory.create(), png())
    assert (media / picture.original).exists()
    for address in (picture.original, f"products/../{picture.original}", f"./{picture.original}"):
        assert client.get(f"/media/{address}").status_code == 404


# ---- staff -------------------------------------------------------------------------------------------------------


def test_staff_add_pictures(catalog_client, media):
    product = ProductFactory.create()
    address = reverse("admin:catalog_product_pictures", args=[product.pk])
    answer = catalog_client.post(address, {"picture": BytesIO(b"<html>"), "alt": ""})
    assert "whatever its name says" in answer.content.decode()
    file = BytesIO(png(40, 30))
    file.name = "jug.png"
    answer = catalog_client.post(address, {"picture": file, "alt": "A jug"}, follow=True)
    assert "once it has been prepared" in answer.content.decode()
    picture_prepare(product.pictures.get().pk)
    picture = product.pictures.get()
    assert (picture.alt, picture.original_name) == ("A jug", "jug.png")
    for shown in (address, reverse("admin:catalog_product_change", args=[product.pk])):
        assert f"/media/{picture.file}" in catalog_client.get(shown).content.decode()
