"""What an artisan does with the own products: create, change, duplicate, publish and archive them.

Every service locks the artisan, so that two people of one workshop work one after the other, then the rows that it
changes. `version`: product_versions.py.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.artisan_states import artisan_lock, check_may_publish, check_not_closed
from artisans.catalog.mails import product_taken_off_mail
from artisans.catalog.models import Artisan, Product
from artisans.catalog.product_rows import (
    MAX_NAME,
    check_home_price,
    check_skus,
    copy_prices,
    is_as_entered,
    new_product,
    own,
    product_change_lock,
    product_lock,
    set_values,
    variants_follow,
)
from artisans.catalog.product_versions import TEXTS, changed_values, plain_values, stored_value
from artisans.catalog.services import stock_adjust
from artisans.core.errors import Conflict, InvalidInput
from artisans.core.idempotency.keys import effect_record
from artisans.core.models import save_columns
from artisans.core.texts import shortened
from artisans.notifications.services import notifications_enqueue

MAX_REASON = 300
DUPLICATED = (
    "category_id",
    "currency",
    "price_minor",
    "description",
    "materials",
    "dimensions",
    "care",
    "lead_days",
    "weight_g",
    "tax_class_id",
)


class TakenOffSale(Conflict):
    """Staff took the product off sale, and only they end that; the message has their reason."""

    code = "taken_off_sale"
    remedy = "Do what the reason asks for, then ask the shop to allow the sale again."

    def __init__(self, reason: str) -> None:
        super().__init__(
            _(
                "The shop took this product off sale: “%(reason)s” You can publish or duplicate it once the shop "
                "allows it again."
            )
            % {"reason": reason}
        )


class NoVariants(Conflict):
    """A product with options has no variant that could be bought."""

    code = "no_variants"
    remedy = "Add a variant, then publish the product."

    def __init__(self) -> None:
        super().__init__(_("Add at least one variant before you publish this product."))


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
    check_home_price(product, values)
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
    check_home_price(product, changed)
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

    Errors: NotFound, WorkshopNotActive, TakenOffSale, NoVariants. Locks: artisan, product and variants.
    """
    product, variants = product_lock(artisan, product_id)
    check_may_publish(product.artisan)
    if product.off_sale_reason:
        raise TakenOffSale(product.off_sale_reason)
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
def product_take_off_sale(*, artisan: Artisan, product_id: UUID, reason: str, actor: User) -> Product:
    """By staff, with a `reason` that the artisan is emailed, who cannot publish it until staff allow it.

    Another reason is another email; repeating it changes nothing. Errors: NotFound, InvalidInput without a reason.
    Locks: artisan, product and variants, as placing an order does.
    """
    product, variants = product_lock(artisan, product_id)
    reason = reason.strip()[:MAX_REASON]
    if not reason:
        raise InvalidInput(_("Enter a reason, which the artisan reads."))
    if reason != product.off_sale_reason:
        product.is_active, product.off_sale_reason = False, reason
        save_columns(product, ["is_active", "off_sale_reason"])
        data = {"reason": reason}
        entry = audit_record(actor=actor, action=Action.PRODUCT_TAKE_OFF_SALE, target=product, data=data)
        notifications_enqueue(product_taken_off_mail(product, key=str(entry.pk)))
    variants_follow(product, variants)
    return product


@transaction.atomic
def product_allow_sale(*, artisan: Artisan, product_id: UUID, actor: User) -> Product:
    """End that. The product is a draft, or stays archived; its artisan publishes it. Repeating it changes nothing.

    Errors: NotFound. Locks: artisan, product and variants.
    """
    product, _variants = product_lock(artisan, product_id)
    if product.off_sale_reason:
        product.off_sale_reason = ""
        save_columns(product, ["off_sale_reason"])
        audit_record(actor=actor, action=Action.PRODUCT_ALLOW_SALE, target=product)
    return product


@transaction.atomic
def product_duplicate(
    *, artisan: Artisan, product_id: UUID, actor: User, copy_id: UUID | None = None
) -> Product:
    """A draft with the same texts, options and prices; without SKUs, pictures and stock.

    If there is a product with the `copy_id`, that one. Errors: NotFound, WorkshopClosed, TakenOffSale: the copy could
    be published.
    Locks: artisan, product and variants.
    """
    product, variants = product_change_lock(artisan, product_id)
    if copy_id and (made := Product.objects.filter(pk=copy_id).first()):
        return own(artisan, made)
    if product.off_sale_reason:
        raise TakenOffSale(product.off_sale_reason)
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
    originals = [product, *(variant for variant in variants if not variant.archived_at)]
    copy_prices({one.pk: other for one, other in zip(originals, [copy, *copies], strict=True)})
    effect_record(f"product:{copy.pk}")
    audit_record(
        actor=actor,
        action=Action.PRODUCT_CREATE,
        target=copy,
        data={"copy_of": str(product.pk), "name": copy.name},
    )
    return copy


def record_change(product: Product, changed: Mapping[str, Any], actor: User) -> None:
    """Old and new values; of texts, only their names. The caller has not set them yet."""
    if not changed:
        return
    old = {f"old_{field}": stored_value(product, field) for field in changed if field not in TEXTS}
    data = plain_values(changed) | {field: str(value) for field, value in old.items()}
    audit_record(actor=actor, action=Action.PRODUCT_CHANGE, target=product, data=data)


def copy_of(product: Product, pk: UUID, *, name: str, parent: Product | None = None) -> Product:
    values = {field: getattr(product, field) for field in DUPLICATED}
    copy = new_product(product.artisan, pk, name=name, parent=parent, **values)
    set_values(copy, {"options": product.options})
    return copy
