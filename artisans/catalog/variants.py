"""What an artisan does with the variants of a product: name the options, add, change, archive and count variants."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.db import transaction
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.models import Artisan, Product
from artisans.catalog.product_rows import (
    MAX_OPTIONS,
    check_skus,
    is_as_entered,
    new_product,
    padded,
    price_follow,
    prices_follow,
    product_change_lock,
    set_values,
    variant_name,
    variants_follow,
)
from artisans.catalog.product_versions import changed_values, plain_values
from artisans.catalog.services import (
    Count,
    StockChanged,
    StockSnapshot,
    stock_adjust,
    stock_count,
    stock_snapshot,
)
from artisans.core.errors import WHOLE_NUMBER, InvalidInput
from artisans.core.idempotency.keys import effect_record
from artisans.core.models import save_columns
from artisans.core.money import Money
from artisans.regions.currencies import check_steps

MAX_VARIANTS = 50
MAX_OPTION = 30  # characters: three values and the product's name make the variant's name


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


@transaction.atomic
def variants_change(
    *,
    artisan: Artisan,
    product_id: UUID,
    actor: User,
    option_names: Sequence[str],
    variants: Sequence[VariantInput],
    version: str | None = None,
) -> Product:
    """Add, change and archive variants, count their stock, and name the options. All or nothing.

    Repeating it changes nothing. Variants that are not in the list stay as they are, and so do the names of the options
    if they are those of the `version` of the product that the person saw; None: whatever they are. The stock of the
    product itself is counted down to zero when it gets options; what orders return to it later stays until someone
    counts it.
    Errors: NotFound, WorkshopClosed, InvalidVariant, ProductChanged, SkuTaken, StockChanged.
    Locks: artisan, product and variants.
    """
    product, stored = product_change_lock(artisan, product_id)
    names = present_names(product, clean_options(option_names), version)
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
    check_steps(
        Money(entry.values["price_minor"], product.currency)
        for entry in entries
        if "price_minor" in entry.values
    )
    check_skus(artisan, [variant.sku for variant in everything.values()], except_for=list(everything))
    had_options = product.needs_choice
    product.option_1, product.option_2, product.option_3 = padded(names)
    save_columns(product, ["option_1", "option_2", "option_3"])
    price_follow(product, everything.values())
    variants_save(product, [entry.variant for entry in entries if entry.values])
    variants_follow(product, everything.values())
    prices_follow(product, everything.values())
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


def same_options(one: Sequence[str], other: Sequence[str]) -> bool:
    return [text.casefold() for text in one] == [text.casefold() for text in other]


def clean_options(names: Sequence[str]) -> list[str]:
    if not 1 <= len(names) <= MAX_OPTIONS or len({name.casefold() for name in names}) < len(names):
        raise InvalidVariant(_("Name one to three different options, such as size and color."))
    return list(names)


def present_names(product: Product, names: list[str], version: str | None) -> list[str]:
    """What the options are to be called. Errors: ProductChanged if someone else renamed them too."""
    if version is None:
        return names
    changed = changed_values(product, {"options": tuple(names)}, version)
    return list(changed.get("options", product.options))


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
