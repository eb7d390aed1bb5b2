"""Pictures of products: from an upload, which nobody else sees, to the copies that pages show.

An upload is checked by what its first bytes say, stored under `private/`, and named by a row, which a worker finds. The
worker starts a program for it (picture_encoder.py) and stores the copies under names that cannot be guessed. Files
are stored before the row that names them, and deleted after the one that named them: a process that dies in
between leaves a file that no row names, which `files_delete_orphaned` deletes.
"""

import hashlib
import json
import logging
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog import picture_encoder
from artisans.catalog.models import Artisan, PictureRefusal, PictureState, Product, ProductPicture
from artisans.catalog.models.picture import MOST
from artisans.catalog.picture_headers import Damaged, UnknownFormat, read_header
from artisans.catalog.product_rows import product_lock, variants_follow, variants_stray
from artisans.core.errors import Conflict, DomainError, InvalidInput, NotFound, ServiceUnavailable
from artisans.core.idempotency.keys import effect_record
from artisans.core.models import get_or_none, save_columns
from artisans.core.queue import enqueue_after_commit

logger = logging.getLogger(__name__)

MAX_MB = 15
MAX_BYTES = MAX_MB * 1024 * 1024
MILLION_PIXELS = picture_encoder.MAX_PIXELS // 1_000_000
HINT = format_lazy(
    gettext_lazy("JPEG, PNG, WebP, AVIF or HEIC, at most {size} MB and {pixels} million pixels."),
    size=MAX_MB,
    pixels=MILLION_PIXELS,
)
SECONDS = 45  # for the copies of one picture
ATTEMPTS, AGAIN_AFTER = (
    8,
    timedelta(minutes=2),
)  # doubled each time; an attempt ends unless worker or storage fail
PRIVATE, PUBLIC, PORTRAITS = "private", "products", "artisans"  # folders of the storage
OURS = re.compile(r"[0-9a-f]{32}(-[0-9]+\.(webp|jpg))?")  # names of files in them that this module chose
UNNAMED_FOR = timedelta(days=1)  # after which a file without a row is left over
STOPPED = {-signal.SIGTERM, -signal.SIGINT, -signal.SIGKILL}  # from outside: no fault of the picture

Sizes = dict[str, list[int]]


class PictureRefused(InvalidInput):
    """The file is not a picture of a kind and size that can be shown."""

    code = "picture_refused"
    remedy = f"Upload a JPEG, PNG, WebP, AVIF or HEIC file of at most {MAX_MB} MiB and {MILLION_PIXELS} million pixels."


class TooManyPictures(Conflict):
    """The product has as many pictures as it may have."""

    code = "too_many_pictures"
    remedy = "Remove a picture first; `GET /artisan/products/{id}/pictures/` lists them."


class EncoderStopped(Exception):
    """Someone ended the program while it worked; the next attempt may succeed."""


# ---- uploads -----------------------------------------------------------------------------------------------


def upload_check(content: bytes) -> None:
    """By the content alone, whatever the file's name. Errors: PictureRefused."""
    check_size(len(content))
    try:
        header = read_header(content)
    except UnknownFormat:
        raise PictureRefused(
            _("The file is not a JPEG, PNG, WebP, AVIF or HEIC picture, whatever its name says.")
        ) from None
    except Damaged:
        raise PictureRefused(str(PictureRefusal.DAMAGED.label)) from None
    if header.width * header.height > picture_encoder.MAX_PIXELS:
        raise PictureRefused(
            _(
                "The picture has %(width)d × %(height)d pixels; %(most)d million at most can be prepared. "
                "Save a smaller copy of it."
            )
            % {"width": header.width, "height": header.height, "most": MILLION_PIXELS}
        )


def check_size(size: int) -> None:
    """In bytes, before a file is read. Errors: PictureRefused."""
    if not size:
        raise PictureRefused(_("The file is empty."))
    if size > MAX_BYTES:
        text = _("The file is larger than %(size)d MB. Save the picture as a smaller JPEG.")
        raise PictureRefused(text % {"size": MAX_MB})


def picture_add(*, product_id: UUID, content: bytes, name: str, actor: User, alt: str = "") -> ProductPicture:
    """Store an upload as the product's last picture, which a worker prepares. A file that the product has already is
    that picture. Errors: PictureRefused, TooManyPictures, ServiceUnavailable. Locks: product.
    """
    upload_check(content)
    digest = hashlib.sha256(content).hexdigest()
    same = ProductPicture.objects.filter(product=product_id, digest=digest)
    if (earlier := get_or_none(same)) is not None:
        return earlier
    original = original_store(content)
    try:
        new = ProductPicture(
            original=original, original_name=PurePath(name).name[:100], digest=digest, alt=alt.strip()
        )
        picture = picture_append(product_id, new, actor)
    except Exception:
        files_delete([original])
        raise
    if picture.pk != new.pk:
        files_delete([original])
    return picture


@transaction.atomic
def picture_append(product_id: UUID, new: ProductPicture, actor: User) -> ProductPicture:
    """The picture itself, or the same one if someone was faster. Errors: TooManyPictures. Locks: product."""
    product, _variants = product_locked(product_id)
    pictures = pictures_of(product)
    for picture in pictures:
        if picture.digest == new.digest:
            return picture
    if len(pictures) >= MOST:
        raise TooManyPictures(
            _("A product has at most %(count)d pictures. Remove one first.") % {"count": MOST}
        )
    new.product, new.position = product, len(pictures) + 1
    new.save(force_insert=True)
    effect_record(f"picture:{new.pk}")
    record(Action.PICTURE_ADD, new, actor)
    enqueue_after_commit("catalog.prepare_picture", new.pk)
    return new


def product_locked(product_id: UUID) -> tuple[Product, list[Product]]:
    """With its variants, as product_lock, and with what release 0.1.0 changed of its picture (picture_adopt).

    Errors: NotFound, also for a variant: it shows its product's pictures.
    """
    artisan = get_or_none(Artisan.objects.filter(products=product_id))
    if artisan is None:
        raise NotFound(_("Product not found."))
    product, variants = product_lock(artisan, product_id)
    picture_adopt(product)
    return product, variants


def original_store(content: bytes) -> str:
    """Its name. Errors: MediaUnavailable; ServiceUnavailable if the disk is full or gone."""
    try:
        return default_storage.save(f"{PRIVATE}/{secrets.token_hex(16)}", ContentFile(content))
    except OSError as error:
        raise ServiceUnavailable(
            _("The picture cannot be stored at the moment. Nothing was saved; try again later.")
        ) from error


def picture_adopt(product: Product) -> None:
    """Release 0.1.0 knows one picture: what it stored replaces the first one, or becomes it, with its text.

    The caller holds the product's lock.
    """
    name, pictures = str(product.picture), pictures_of(product)
    shown = {picture.file: picture for picture in pictures if picture.state == PictureState.READY}
    if not name or (not shown and len(pictures) == MOST):
        return
    new = ProductPicture(product=product, position=0, state=PictureState.READY)
    picture = shown.get(name) or next(iter(shown.values()), new)
    if (picture.file, picture.alt) == (name, product.picture_alt):
        return
    if picture.file != name:
        picture.file, picture.digest, picture.original_name = name, "", ""
        picture.sizes = product.picture_sizes if name in product.picture_sizes else {}
    picture.alt = product.picture_alt
    if picture is not new:
        save_columns(picture, ["file", "digest", "original_name", "sizes", "alt"])
        return
    new.save(force_insert=True)
    positions_write([new, *pictures])


def products_left_behind() -> set[UUID]:
    """Products whose variants or first picture are not as release 0.1.0 left the product itself."""
    rows = ProductPicture.objects.filter(product=OuterRef("pk"), state=PictureState.READY)
    replaced = Product.objects.exclude(picture="").filter(
        Exists(rows), ~Exists(rows.filter(file=OuterRef("picture"), alt=OuterRef("picture_alt"))), parent=None
    )
    followed = Product.objects.filter(variants__in=variants_stray())
    return {*replaced.values_list("pk", flat=True), *followed.values_list("pk", flat=True)}


@transaction.atomic
def product_catch_up(product_id: UUID) -> None:
    """Let its first picture and its variants follow what release 0.1.0 changed. May be repeated. Locks: product."""
    product, variants = product_locked(product_id)
    variants_follow(product, variants)


def picture_show(*, product: Product, sizes: Sizes, alt: str = "") -> ProductPicture:
    """A stored picture (`folder_store`) of a product without any, such as the demo's. The caller holds the lock, or has
    just created the product."""
    picture = ProductPicture.objects.create(
        product=product,
        position=1,
        state=PictureState.READY,
        file=main_file(sizes),
        sizes=sizes,
        alt=alt,
    )
    first_picture_copy(product, [])
    return picture


def main_file(sizes: Sizes) -> str:
    """The largest that every browser shows."""
    return max((name for name in sizes if name.endswith(".jpg")), key=lambda name: sizes[name])


# ---- copies ------------------------------------------------------------------------------------------------


def pictures_due() -> list[UUID]:
    """Uploads that no worker has prepared, oldest first."""
    due = ProductPicture.objects.filter(state=PictureState.UPLOADED, due_at__lte=timezone.now())
    return list(due.order_by("due_at").values_list("pk", flat=True)[:100])


def picture_prepare(picture_id: UUID) -> None:
    """Make the copies of an upload, and show them; does nothing if someone else did, or does. May be repeated.

    Errors: MediaUnavailable, EncoderStopped; a later attempt follows.
    """
    picture = picture_claim(picture_id)
    if picture is None:
        return
    sizes: Sizes = {}
    refusal = PictureRefusal.FAILED if picture.attempts > ATTEMPTS else None
    if refusal is None:
        try:
            with default_storage.open(picture.original) as file:
                sizes, refusal = copies_store(file.read())
        except FileNotFoundError:
            refusal = PictureRefusal.FAILED
    if not picture_finish(picture, sizes, refusal):
        files_delete(sizes)


def picture_claim(picture_id: UUID) -> ProductPicture | None:
    """Count an attempt, so that a file that stops each worker is refused in the end. Workers that come meanwhile get
    None."""
    now = timezone.now()
    due = ProductPicture.objects.filter(pk=picture_id, state=PictureState.UPLOADED, due_at__lte=now)
    picture = get_or_none(due)
    if picture is None:
        return None
    again = {"attempts": picture.attempts + 1, "due_at": now + AGAIN_AFTER * 2**picture.attempts}
    is_mine = due.filter(attempts=picture.attempts).update(**again)
    return get_or_none(ProductPicture.objects.filter(pk=picture_id)) if is_mine else None


def copies_store(content: bytes) -> tuple[Sizes, PictureRefusal | None]:
    """The names of the stored copies with their sizes, or why there are none."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "original").write_bytes(content)
        answer = run_encoder(folder)
        if "refusal" in answer:
            return {}, PictureRefusal(answer["refusal"])
        return folder_store(folder, answer), None


def copy_made(content: bytes, *, widest: int, seconds: int) -> tuple[bytes, PictureRefusal | None]:
    """The JPEG that is not wider, or why there is none. Errors: EncoderStopped."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "original").write_bytes(content)
        answer = run_encoder(folder, seconds=seconds)
        if "refusal" in answer:
            return b"", PictureRefusal(answer["refusal"])
        fitting = {file: size for file, size in answer.items() if size[0] <= widest}
        return (folder / main_file(fitting)).read_bytes(), None


def run_encoder(folder: Path, *, seconds: float | None = None) -> dict[str, Any]:
    """What the program printed; within SECONDS by default. Errors: EncoderStopped."""
    program = [sys.executable, "-I", picture_encoder.__file__, str(folder)]
    try:
        done = subprocess.run(  # noqa: S603  # our own program
            program,
            capture_output=True,
            timeout=seconds or SECONDS,
            check=False,
            env={},
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return {"refusal": PictureRefusal.COMPLEX}
    if done.returncode in STOPPED:
        raise EncoderStopped(done.returncode)
    if done.returncode == -signal.SIGXCPU:
        return {"refusal": PictureRefusal.COMPLEX}
    if done.returncode:  # the file crashed it
        logger.warning("picture_encoder_failed", extra={"exit_status": done.returncode})
        return {"refusal": PictureRefusal.DAMAGED}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def folder_store(folder: Path, sizes: Mapping[str, Sequence[int]]) -> Sizes:
    """Store copies under names that cannot be guessed: those of drafts are known to nobody."""
    token = secrets.token_hex(16)
    stored: Sizes = {}
    try:
        for name, size in sizes.items():
            content = ContentFile((folder / name).read_bytes())
            stored[default_storage.save(f"{PUBLIC}/{token}-{name}", content)] = list(size)
    except Exception:
        files_delete(stored)
        raise
    return stored


@transaction.atomic
def picture_finish(claimed: ProductPicture, sizes: Sizes, refusal: PictureRefusal | None) -> bool:
    """Whether the row now names these copies, or the refusal. Locks: product."""
    try:
        picture, _all, variants = picture_locked(claimed.product_id, claimed.pk)
    except NotFound:
        return False
    if picture.state != PictureState.UPLOADED:
        return False
    original, picture.original = picture.original, ""
    if refusal:
        picture.state, picture.refusal, picture.digest = PictureState.REFUSED, refusal, ""
    else:
        picture.state, picture.sizes = PictureState.READY, sizes
        picture.file = main_file(sizes)
    save_columns(picture, ["state", "refusal", "digest", "original", "sizes", "file"])
    first_picture_copy(picture.product, variants)
    transaction.on_commit(partial(files_delete, [original]))
    return True


def first_picture_copy(product: Product, variants: Iterable[Product]) -> None:
    """What lists and release 0.1.0 read. The caller holds the product's lock."""
    first = product.pictures.filter(state=PictureState.READY).order_by("position").first()
    product.picture = first.file if first else ""
    product.picture_sizes = first.sizes if first else {}
    product.picture_alt = first.alt if first else ""
    save_columns(product, ["picture", "picture_sizes", "picture_alt"])
    variants_follow(product, variants)


# ---- order, texts and removal ------------------------------------------------------------------------------


def pictures_of(product: Product) -> list[ProductPicture]:
    """All of them in their order."""
    return list(product.pictures.order_by("position"))


def picture_locked(
    product_id: UUID, picture_id: UUID
) -> tuple[ProductPicture, list[ProductPicture], list[Product]]:
    """The picture, all of its product in their order, and the variants; with the product locked. Errors: NotFound."""
    product, variants = product_locked(product_id)
    pictures = pictures_of(product)
    for picture in pictures:
        if picture.pk == picture_id:
            return picture, pictures, variants
    raise NotFound(_("This picture was removed in the meantime."))


@transaction.atomic
def picture_change(
    *,
    product_id: UUID,
    picture_id: UUID,
    actor: User,
    alt: str | None = None,
    seen_alt: str | None = None,
    position: int | None = None,
) -> ProductPicture:
    """Describe it, move it, or both, where None is as it is. Errors: NotFound, Conflict. Locks: product."""
    picture, _all, _variants = picture_locked(product_id, picture_id)
    which: dict[str, Any] = {"product_id": product_id, "picture_id": picture_id, "actor": actor}
    if alt is not None:
        picture = picture_describe(**which, alt=alt, seen=seen_alt)
    if position is not None:
        picture = picture_move(**which, position=position)
    return picture


@transaction.atomic
def picture_move(*, product_id: UUID, picture_id: UUID, position: int, actor: User) -> ProductPicture:
    """Put it in this place, from 1; the last one if there are fewer. Errors: NotFound, InvalidInput. Locks: product."""
    if position < 1:
        raise InvalidInput(_("Positions begin with 1."))
    picture, pictures, variants = picture_locked(product_id, picture_id)
    before = picture.position
    pictures.remove(picture)
    pictures.insert(position - 1, picture)
    if pictures[before - 1] is picture:
        return picture
    place(picture, 0)
    positions_write(pictures)
    first_picture_copy(picture.product, variants)
    record(Action.PICTURE_CHANGE, picture, actor, position=picture.position)
    return picture


def positions_write(pictures: Sequence[ProductPicture]) -> None:
    """At no time two in one place: those that move towards the start go first, the others from the end on."""
    numbered = list(enumerate(pictures, 1))
    towards_start = [(number, picture) for number, picture in numbered if picture.position > number]
    towards_end = [(number, picture) for number, picture in numbered if picture.position < number]
    for number, picture in [*towards_start, *reversed(towards_end)]:
        place(picture, number)


def place(picture: ProductPicture, position: int) -> None:
    picture.position = position
    save_columns(picture, ["position"])


@transaction.atomic
def picture_describe(
    *, product_id: UUID, picture_id: UUID, alt: str, actor: User, seen: str | None = None
) -> ProductPicture:
    """Say what it shows. `seen`: the text that the person changed. Errors: NotFound, Conflict. Locks: product."""
    picture, _all, variants = picture_locked(product_id, picture_id)
    alt = alt.strip()
    if alt == picture.alt:
        return picture
    if seen is not None and seen.strip() != picture.alt:
        raise Conflict(
            _("Someone else changed this text to “%(text)s” in the meantime. Nothing was changed.")
            % {"text": picture.alt}
        )
    picture.alt = alt
    save_columns(picture, ["alt"])
    first_picture_copy(picture.product, variants)
    record(Action.PICTURE_CHANGE, picture, actor, alt=alt)
    return picture


@transaction.atomic
def picture_remove(*, product_id: UUID, picture_id: UUID, actor: User) -> None:
    """With its files, after the commit. Errors: NotFound. Locks: product."""
    picture, pictures, variants = picture_locked(product_id, picture_id)
    record(Action.PICTURE_REMOVE, picture, actor)
    files = picture.files
    pictures.remove(picture)
    picture.delete()
    positions_write(pictures)
    first_picture_copy(picture.product, variants)
    transaction.on_commit(partial(files_delete, files))


def record(action: Action, picture: ProductPicture, actor: User, **data: Any) -> None:
    audit_record(
        actor=actor,
        action=action,
        target=picture.product,
        data={"picture": str(picture.pk), "name": picture.original_name} | data,
    )


# ---- files -------------------------------------------------------------------------------------------------


@transaction.atomic
def pictures_forget(products: QuerySet[Product]) -> None:
    """All pictures of these products, with their files."""
    shown = products.order_by().exclude(picture="")
    pictures = ProductPicture.objects.filter(product__in=products.order_by()).order_by()
    files = {name for picture in pictures for name in picture.files}
    files |= {
        name for file, sizes in shown.values_list("picture", "picture_sizes") for name in (file, *sizes)
    }
    shown.update(picture="", picture_sizes={}, picture_alt="")
    pictures.delete()
    transaction.on_commit(partial(files_delete, files))


def files_delete(names: Iterable[str]) -> None:
    """Those that no product and no artisan shows. Failures are logged only: `files_delete_orphaned` tries again."""
    for name in names:
        try:
            if not is_shown(name):
                default_storage.delete(name)
        except (DomainError, OSError):
            logger.warning("picture_file_left", extra={"file": name}, exc_info=True)


def is_shown(name: str) -> bool:
    shown = Product.objects.filter(picture=name).exists()
    return shown or Artisan.objects.filter(portrait=name).exists()


def files_delete_orphaned() -> int:
    """Delete files of ours that no row names. Returns how many.

    The folders are listed before the rows are read: a row that is written meanwhile has a younger file.
    """
    found = list(files_stored())
    named = files_named()
    before = timezone.now() - UNNAMED_FOR
    left = [name for name in found if name not in named and default_storage.get_modified_time(name) < before]
    files_delete(left)
    return len(left)


def files_stored() -> Iterator[str]:
    for folder in (PRIVATE, PUBLIC, PORTRAITS):
        try:
            _folders, names = default_storage.listdir(folder)
        except FileNotFoundError:  # nothing was uploaded yet
            continue
        yield from (f"{folder}/{name}" for name in names if OURS.fullmatch(name))


def files_named() -> set[str]:
    rows = ProductPicture.objects.values_list("original", "file", "sizes")
    named = {name for original, file, sizes in rows.iterator() for name in (original, file, *sizes)}
    products = Product.objects.exclude(picture="").values_list("picture", "picture_sizes")
    named |= {name for file, sizes in products.iterator() for name in (file, *sizes)}
    return named | set(Artisan.objects.exclude(portrait="").values_list("portrait", flat=True))
