"""What an artisan does with the own products: create, change, duplicate, publish and archive them and their variants.

Every service locks the artisan, so that two people of one workshop work one after the other, then the rows that it
changes. A `version` names the values that a person saw (`version_of`): others' changes of other fields are kept, and
one of the same field is refused with its present value (ProductChanged).
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Concat, StrIndex
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.artisan_states import artisan_lock, check_may_publish, check_not_closed
from artisans.catalog.models import Artisan, Product
from artisans.catalog.services import (
    Count,
    StockChanged,
    StockSnapshot,
    last_counts,
    products_lock,
    stock_adjust,
    stock_count,
    stock_snapshot,
)
from artisans.catalog.stock_history import stock_after
from artisans.core.errors import TEXT, WHOLE_NUMBER, Conflict, InvalidInput, NotFound
from artisans.core.idempotency.keys import effect_record
from artisans.core.models import save_columns
from artisans.core.templatetags.money import show
from artisans.core.texts import shortened

MAX_OPTIONS = 3
MAX_VARIANTS = 50
MAX_OPTION = 30  # characters: three values and the product's name make the variant's name
MAX_NAME = 120
FIELDS = {
    "name": gettext_lazy("name"),
    "category": gettext_lazy("category"),
    "price_minor": gettext_lazy("price"),
    "description": gettext_lazy("story"),
    "materials": gettext_lazy("materials"),
    "dimensions": gettext_lazy("size"),
    "care": gettext_lazy("care"),
    "lead_days": gettext_lazy("lead time"),
    "sku": gettext_lazy("SKU"),
}
LABELS = FIELDS | {"options": gettext_lazy("combination of options")}
TEXTS = ("description", "materials", "dimensions", "care")  # only named in the audit log
VARIANT_FIELDS = ("options", "price_minor", "sku", "is_archived")
COPIED = (
    "category_id",
    "currency",
    "lead_days",
    "picture",
    "picture_sizes",
    "picture_alt",
)  # to its variants
DUPLICATED = (
    "category_id",
    "currency",
    "price_minor",
    "description",
    "materials",
    "dimensions",
    "care",
    "lead_days",
)


class ProductChanged(Conflict):
    """Somebody else changed what you change; `changes` has the present values, and nothing was saved."""

    code = "product_changed"
    remedy = "Compare `changes` with yours, and send the request again with the present `version`."
    members: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "changes": {
            "type": "array",
            "items": {"type": "object", "properties": {"field": TEXT, "now": TEXT}},
        },
    }

    def __init__(self, name: str, changes: Mapping[str, str]) -> None:
        sentences = " ".join(
            _("The %(field)s of %(product)s is now “%(value)s”.")
            % {"field": LABELS.get(field, field), "product": name, "value": shortened(value, 80)}
            for field, value in changes.items()
        )
        super().__init__(
            _("Somebody else changed this after you opened it. %(changes)s Nothing was saved.")
            % {"changes": sentences},
            extra={
                "changes": [
                    {"field": field.removesuffix("_minor"), "now": value} for field, value in changes.items()
                ]
            },
        )


class SkuTaken(Conflict):
    """Another product of the workshop has this SKU."""

    code = "sku_taken"
    remedy = "Use another SKU, or change that of the other product."

    def __init__(self, sku: str, name: str) -> None:
        super().__init__(
            _("The SKU %(sku)s belongs to %(product)s. Use another one.") % {"sku": sku, "product": name}
        )


class NoVariants(Conflict):
    """A product with options has no variant that could be bought."""

    code = "no_variants"
    remedy = "Add a variant, then publish the product."

    def __init__(self) -> None:
        super().__init__(_("Add at least one variant before you publish this product."))


class InvalidVariant(InvalidInput):
    """A variant of the list cannot be saved; `row` is its place, from 0, and nothing was saved."""

    code = "invalid_variant"
    members: ClassVar[Mapping[str, Mapping[str, Any]]] = {"row": WHOLE_NUMBER}

    def __init__(self, detail: str, row: int | None = None) -> None:
        super().__init__(detail, extra={} if row is None else {"row": row})


@dataclass(frozen=True, slots=True)
class VariantInput:
    """What a person entered for a variant. `variant_id`: None adds one, or restores an archived one of these options.

    `version` and `seen` are what they were shown; `counted`: None leaves the stock as it is, and is none of a variant
    that is added or restored.
    """

    options: tuple[str, ...]
    price_minor: int
    sku: str = ""
    variant_id: UUID | None = None
    version: str = ""
    counted: int | None = None
    seen: StockSnapshot | None = None
    is_archived: bool = False


# ---- versions --------------------------------------------------------------------------------------------------


def version_of(product: Product) -> str:
    """The values of a product, or of a variant, as they are now. Opaque to clients."""
    fields = VARIANT_FIELDS if product.parent_id else FIELDS
    return ".".join(f"{field}:{digest(stored_value(product, field))}" for field in fields)


def stored_value(product: Product, field: str) -> Any:
    if field == "is_archived":
        return product.archived_at is not None
    return getattr(product, "category_id" if field == "category" else field)


def plain_value(field: str, value: Any) -> Any:
    return value.pk if field == "category" else value


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:8]


def digests_of(version: str) -> dict[str, str]:
    return dict(part.partition(":")[::2] for part in version.split("."))


def entered_fields(values: Mapping[str, Any], version: str) -> list[str]:
    """Those whose value is not the one that the person was shown."""
    seen = digests_of(version)
    return [field for field, value in values.items() if digest(plain_value(field, value)) != seen.get(field)]


def changed_values(product: Product, values: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Those of the values that the person changed. Errors: ProductChanged if somebody else changed one of them too."""
    if conflicts := conflicts_of(product, values, version):
        raise ProductChanged(product.name, conflicts)
    return {field: values[field] for field in new_fields(product, values, version)}


def new_fields(product: Product, values: Mapping[str, Any], version: str) -> list[str]:
    """Those that the person changed to another value than the present one."""
    entered = entered_fields(values, version)
    return [field for field in entered if plain_value(field, values[field]) != stored_value(product, field)]


def conflicts_of(product: Product, values: Mapping[str, Any], version: str) -> dict[str, str]:
    """The present values of fields that the person changed, and somebody else too."""
    seen, changed = digests_of(version), new_fields(product, values, version)
    return {
        field: shown_value(product, field)
        for field in changed
        if digest(stored_value(product, field)) != seen.get(field)
    }


def shown_value(product: Product, field: str) -> str:
    if field == "price_minor":
        return show(product.price)
    value = getattr(product, field) if field != "is_archived" else stored_value(product, field)
    return ", ".join(value) if field == "options" else "" if value is None else str(value)


# ---- services --------------------------------------------------------------------------------------------------


@transaction.atomic
def product_create(
    *,
    artisan: Artisan,
    actor: User,
    currency: str,
    values: Mapping[str, Any],
    stock: int = 0,
    product_id: UUID | None = None,
) -> Product:
    """A draft with these `values` (FIELDS). With the `product_id` of a product made of the same before, that one.

    Errors: NotFound if that belongs to another workshop, Conflict if it was made of others, SkuTaken, WorkshopClosed.
    Locks: artisan.
    """
    check_not_closed(artisan_lock(artisan.pk))
    if product_id and (made := Product.objects.filter(pk=product_id).first()):
        if not is_as_entered(own(artisan, made), values, stock=stock):
            raise Conflict(
                _(
                    "This form was already saved as “%(name)s”. Save it again if what you entered is another product."
                )
                % {"name": made.name}
            )
        return made
    check_skus(artisan, [values.get("sku", "")], except_for=[])
    product = new_product(artisan, product_id or uuid4(), currency=currency, **values)
    product.save(force_insert=True)
    effect_record(f"product:{product.pk}")
    audit_record(actor=actor, action=Action.PRODUCT_CREATE, target=product, data={"name": product.name})
    if stock:
        product = stock_adjust(product_id=product.pk, counted=stock, reason="first stock", actor=actor)
    return product


@transaction.atomic
def product_change(
    *, artisan: Artisan, product_id: UUID, actor: User, values: Mapping[str, Any], version: str
) -> Product:
    """Change the fields whose `values` (FIELDS) differ from those of the `version` that the person saw.

    Errors: NotFound, WorkshopClosed, ProductChanged, SkuTaken; InvalidInput for the price of a product with options.
    Locks: artisan, product and variants.
    """
    product, variants = product_change_lock(artisan, product_id)
    changed = changed_values(product, values, version)
    if product.needs_choice and "price_minor" in changed:
        raise InvalidInput(_("This product has options: change the prices of its variants."))
    if "sku" in changed:
        check_skus(artisan, [changed["sku"]], except_for=[product.pk])
    record_change(product, changed, actor)
    for field, value in changed.items():
        setattr(product, field, value)
    save_columns(product, changed)
    variants_follow(product, variants)
    return product


@transaction.atomic
def product_publish(*, artisan: Artisan, product_id: UUID, actor: User) -> Product:
    """Put a draft or an archived product on sale, with its variants. Repeating it changes nothing.

    Errors: NotFound, WorkshopNotActive, NoVariants. Locks: artisan, product and variants.
    """
    product, variants = product_lock(artisan, product_id)
    check_may_publish(product.artisan)
    if product.needs_choice and all(variant.archived_at for variant in variants):
        raise NoVariants
    if not product.is_active:
        product.is_active, product.archived_at = True, None
        save_columns(product, ["is_active", "archived_at"])
        audit_record(actor=actor, action=Action.PRODUCT_PUBLISH, target=product)
    variants_follow(product, variants)
    return product


@transaction.atomic
def product_archive(*, artisan: Artisan, product_id: UUID, actor: User) -> Product:
    """Take a product with its variants off sale for good. In carts it then cannot be ordered; orders stay.

    Repeating it changes nothing. Errors: NotFound. Locks: artisan, product and variants, as placing an order does.
    """
    product, variants = product_lock(artisan, product_id)
    if not product.archived_at:
        product.is_active, product.archived_at = False, timezone.now()
        save_columns(product, ["is_active", "archived_at"])
        audit_record(actor=actor, action=Action.PRODUCT_ARCHIVE, target=product)
    variants_follow(product, variants)
    return product


@transaction.atomic
def product_duplicate(
    *, artisan: Artisan, product_id: UUID, actor: User, copy_id: UUID | None = None
) -> Product:
    """A draft with the same texts, options and prices; without SKUs, pictures and stock.

    If there is a product with the `copy_id`, that one. Errors: NotFound, WorkshopClosed.
    Locks: artisan, product and variants.
    """
    product, variants = product_change_lock(artisan, product_id)
    if copy_id and (made := Product.objects.filter(pk=copy_id).first()):
        return own(artisan, made)
    start = shortened(product.name, MAX_NAME - len(_("%(name)s (copy)")))
    copy = copy_of(product, copy_id or uuid4(), name=_("%(name)s (copy)") % {"name": start})
    copy.save(force_insert=True)
    copies = [
        copy_of(variant, uuid4(), parent=copy, name=variant.name)
        for variant in variants
        if not variant.archived_at
    ]
    for variant in copies:
        variant.save(force_insert=True)
    variants_follow(copy, copies)
    effect_record(f"product:{copy.pk}")
    audit_record(
        actor=actor,
        action=Action.PRODUCT_CREATE,
        target=copy,
        data={"copy_of": str(product.pk), "name": copy.name},
    )
    return copy


@transaction.atomic
def variants_change(
    *,
    artisan: Artisan,
    product_id: UUID,
    actor: User,
    option_names: Sequence[str],
    variants: Sequence[VariantInput],
    seen_names: Sequence[str] | None = None,
) -> Product:
    """Add, change and archive variants, count their stock, and name the options. All or nothing.

    Repeating it changes nothing. Variants that are not in the list stay as they are, and so do the names of the options
    if they are the `seen_names` that the person was shown. The product's own stock is counted down to zero when it
    gets options; what orders return to it later stays until somebody counts it.
    Errors: NotFound, WorkshopClosed, InvalidVariant, ProductChanged, SkuTaken, StockChanged.
    Locks: artisan, product and variants.
    """
    product, stored = product_change_lock(artisan, product_id)
    names = present_names(product, clean_options(option_names), seen_names)
    known = {variant.pk: variant for variant in stored}
    listed = {entered.variant_id for entered in variants}
    others = [variant for variant in stored if variant.pk not in listed]
    entries = [
        entry_for(product, known, entered, row) if entered.variant_id else new_entry(product, others, entered)
        for row, entered in enumerate(variants)
    ]
    everything = known | {entry.variant.pk: entry.variant for entry in entries}
    for entry in entries:
        set_values(entry.variant, entry.values)
    check_variants(names, entries, everything.values())
    check_skus(artisan, [variant.sku for variant in everything.values()], except_for=list(everything))
    had_options = product.needs_choice
    product.option_1, product.option_2, product.option_3 = padded(names)
    save_columns(product, ["option_1", "option_2", "option_3"])
    price_follow(product, everything.values())
    variants_save(product, [entry.variant for entry in entries if entry.values])
    variants_follow(product, everything.values())
    changes = [
        {"variant": str(entry.variant.pk)} | plain_values(entry.values) for entry in entries if entry.values
    ]
    data = {"options": names, "variants": changes}
    audit_record(actor=actor, action=Action.VARIANTS_CHANGE, target=product, data=data)
    effect_record(f"product:{product.pk}")
    if product.stock and not had_options:
        stock_adjust(product_id=product.pk, counted=0, reason="sold as variants", actor=actor)
    count_stock(entries, actor)
    return product


# ---- rows ------------------------------------------------------------------------------------------------------


def own(artisan: Artisan, product: Product) -> Product:
    if product.artisan_id != artisan.pk or product.parent_id:
        raise NotFound(_("Product not found."))
    return product


def product_lock(artisan: Artisan, product_id: UUID) -> tuple[Product, list[Product]]:
    """An artisan's product and its variants, archived ones too, oldest first. Errors: NotFound."""
    artisan_lock(artisan.pk)
    rows = Product.objects.filter(Q(pk=product_id) | Q(parent=product_id), artisan=artisan)
    locked = products_lock(rows.values_list("pk", flat=True))
    product = locked.pop(product_id, None)
    if product is None:
        raise NotFound(_("Product not found."))
    return own(artisan, product), sorted(
        locked.values(), key=lambda variant: (variant.created_at, variant.slug)
    )


def product_change_lock(artisan: Artisan, product_id: UUID) -> tuple[Product, list[Product]]:
    """As product_lock. Errors: NotFound, WorkshopClosed."""
    product, variants = product_lock(artisan, product_id)
    check_not_closed(product.artisan)
    return product, variants


def new_product(artisan: Artisan, pk: UUID, *, name: str, **values: Any) -> Product:
    slug = f"{slugify(name)[:40].strip('-') or 'item'}-{pk.hex[:8]}"
    return Product(id=pk, artisan=artisan, slug=slug, name=name, is_active=False, **values)


def copy_of(product: Product, pk: UUID, *, name: str, parent: Product | None = None) -> Product:
    values = {field: getattr(product, field) for field in DUPLICATED}
    copy = new_product(product.artisan, pk, name=name, parent=parent, **values)
    set_values(copy, {"options": product.options})
    return copy


def set_values(product: Product, values: Mapping[str, Any]) -> None:
    for field, value in values.items():
        if field == "options":
            product.option_1, product.option_2, product.option_3 = padded(value)
        elif field == "is_archived":
            product.archived_at = timezone.now() if value else None
            product.is_active = product.is_active and not value
        else:
            setattr(product, field, value)


def padded(options: Sequence[str]) -> list[str]:
    return [*options, *[""] * (MAX_OPTIONS - len(options))]


def variants_stray() -> QuerySet[Product]:
    """Variants that do not follow their product, because release 0.1.0 changed it alone."""
    of_product = Concat("parent__name", Value(" ("))
    variants = Product.objects.filter(parent__isnull=False).alias(place=StrIndex("name", of_product))
    same = {field: F(f"parent__{field}") for field in ("category_id", "currency", "picture", "picture_alt")}
    return variants.exclude(
        Q(is_active=F("parent__is_active")) | Q(is_active=False, archived_at__isnull=False), place=1, **same
    )


def variants_follow(product: Product, variants: Iterable[Product]) -> None:
    """Copy to the variants what they have from their product."""
    for variant in variants:
        values = {field: getattr(product, field) for field in COPIED} | {
            "picture": product.picture.name or "",
            "name": variant_name(product.name, variant.options),
            "is_active": product.is_active and variant.archived_at is None,
        }
        changed = [field for field, value in values.items() if getattr(variant, field) != value]
        set_values(variant, {field: values[field] for field in changed})
        save_columns(variant, changed)


def price_follow(product: Product, variants: Iterable[Product]) -> None:
    """The price of a product with options, for lists, is the lowest of its current variants."""
    lowest = min((variant.price_minor for variant in variants if not variant.archived_at), default=0)
    if lowest and lowest != product.price_minor:
        product.price_minor = lowest
        save_columns(product, ["price_minor"])


def variant_name(name: str, options: Sequence[str]) -> str:
    """The name in carts and orders, such as "Moss bowl (Large, Green)"."""
    values = f" ({', '.join(options)})"
    return shortened(name, MAX_NAME - len(values)) + values


def variants_save(product: Product, variants: Iterable[Product]) -> None:
    """New and changed variants. Stored ones first give up options and SKU, which two of them may have exchanged."""
    variants = list(variants)
    for variant in variants:
        if not variant._state.adding:
            freed = {"option_1": variant.pk.hex, "option_2": "", "option_3": "", "sku": ""}
            Product.objects.filter(pk=variant.pk).update(**freed)
    for variant in variants:
        if variant._state.adding:
            variant.name = variant_name(product.name, variant.options)
            variant.save(force_insert=True)
        else:
            options = ["option_1", "option_2", "option_3"]
            save_columns(variant, [*options, "price_minor", "sku", "archived_at", "is_active"])


# ---- checks ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a person's list with its variant; `values`: what changes."""

    entered: VariantInput
    variant: Product
    values: dict[str, Any]


def entry_for(product: Product, known: Mapping[UUID, Product], entered: VariantInput, row: int) -> Entry:
    variant = known.get(entered.variant_id) if entered.variant_id else None
    if variant is None:
        raise InvalidVariant(_("This variant is not one of this product."), row)
    return Entry(entered, variant, changed_values(variant, entered_values(entered), entered.version))


def new_entry(product: Product, others: list[Product], entered: VariantInput) -> Entry:
    """A new variant, or an archived one of these options. One that is there as entered is left as it is.

    `others`: those that no entry is about yet.
    """
    values = entered_values(entered)
    same = next((variant for variant in others if same_options(variant.options, entered.options)), None)
    if same and (same.archived_at or is_as_entered(same, values, stock=entered.counted or 0)):
        others.remove(same)
        return Entry(entered, same, values if same.archived_at else {})
    currency, category = product.currency, product.category_id
    variant = new_product(
        product.artisan, uuid4(), name=product.name, parent=product, currency=currency, category_id=category
    )
    return Entry(entered, variant, values)


def entered_values(entered: VariantInput) -> dict[str, Any]:
    return {
        "options": tuple(entered.options),
        "price_minor": entered.price_minor,
        "sku": entered.sku,
        "is_archived": entered.is_archived,
    }


def is_as_entered(product: Product, values: Mapping[str, Any], *, stock: int) -> bool:
    """Whether it was made of the same form before, whatever was sold since."""
    counted = stock_after(product, last_counts([product.pk])[product.pk])
    return counted == stock and all(
        stored_value(product, field) == plain_value(field, value) for field, value in values.items()
    )


def same_options(one: Sequence[str], other: Sequence[str]) -> bool:
    return [text.casefold() for text in one] == [text.casefold() for text in other]


def clean_options(names: Sequence[str]) -> list[str]:
    if not 1 <= len(names) <= MAX_OPTIONS or len({name.casefold() for name in names}) < len(names):
        raise InvalidVariant(_("Name one to three different options, such as size and color."))
    return list(names)


def present_names(product: Product, names: list[str], seen: Sequence[str] | None) -> list[str]:
    """What the options are to be called. Errors: ProductChanged if somebody else renamed them too."""
    present = list(product.options)
    if seen is None or list(seen) == present or names == present:
        return names
    if names != list(seen):
        raise ProductChanged(product.name, {"options": ", ".join(present)})
    return present


def check_variants(names: Sequence[str], entries: Sequence[Entry], variants: Collection[Product]) -> None:
    """Errors: InvalidVariant."""
    rows = {entry.variant.pk: row for row, entry in enumerate(entries)}
    current = [variant for variant in variants if not variant.archived_at]
    if len(current) > MAX_VARIANTS:
        raise InvalidVariant(_("A product can have at most %(count)d variants.") % {"count": MAX_VARIANTS})
    for place, variant in enumerate(variants):
        text, row = ", ".join(variant.options), rows.get(variant.pk)
        if not variant.archived_at and len(variant.options) != len(names):
            raise InvalidVariant(
                _("Each variant needs a value for each option: %(options)s.") % {"options": ", ".join(names)},
                row,
            )
        if any(same_options(variant.options, other.options) for other in list(variants)[:place]):
            raise InvalidVariant(_("There is already a variant “%(options)s”.") % {"options": text}, row)


def check_skus(artisan: Artisan, skus: Iterable[str], *, except_for: Collection[UUID]) -> None:
    """Errors: SkuTaken by another product of the artisan, or if one is there twice."""
    wanted = [sku for sku in skus if sku]
    others = Product.objects.filter(artisan=artisan, sku__in=wanted).exclude(pk__in=except_for)
    if other := others.first():
        raise SkuTaken(other.sku, other.name)
    if twice := next((sku for sku in wanted if wanted.count(sku) > 1), ""):
        raise SkuTaken(twice, _("another variant"))


# ---- audit and stock -------------------------------------------------------------------------------------------


def record_change(product: Product, changed: Mapping[str, Any], actor: User) -> None:
    """Old and new values; of texts, only their names. The caller has not set them yet."""
    if not changed:
        return
    old = {f"old_{field}": stored_value(product, field) for field in changed if field not in TEXTS}
    data = plain_values(changed) | {field: str(value) for field, value in old.items()}
    audit_record(actor=actor, action=Action.PRODUCT_CHANGE, target=product, data=data)


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        field: "changed" if field in TEXTS else ", ".join(value) if field == "options" else str(value)
        for field, value in values.items()
    }


def count_stock(entries: Iterable[Entry], actor: User) -> None:
    """Errors: StockChanged."""
    for entry in entries:
        variant, counted = entry.variant, entry.entered.counted
        if entry.entered.variant_id is None:
            counted = counted or 0  # an archived one may still have stock from before
            if counted == variant.stock or not entry.values:
                continue
        if counted is None:
            continue
        count = Count(variant.pk, counted, entry.entered.seen or stock_snapshot(variant.pk))
        [done] = stock_count(counts=[count], reason="stock of variants", actor=actor)
        if done.problem:
            raise StockChanged(done.problem.text)
