"""A product's search document follows its texts and its variants' options, in the transaction that changes them."""

from collections.abc import Collection
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Model, Q
from django.db.models.signals import post_save
from django.dispatch import receiver

from artisans.catalog.models import Artisan, Category, Product
from artisans.catalog.search_index import SOURCES, documents_write


def changes_texts(model: type[Model], update_fields: Collection[str] | None, *, raw: bool) -> bool:
    """Fixtures (`raw`) may come before the rows that they refer to; `manage.py search_index` follows them."""
    names = SOURCES[str(model._meta.model_name)]
    return not raw and (update_fields is None or not names.isdisjoint(update_fields))


@receiver(post_save, sender=Product)
@receiver(post_save, sender=Artisan)
@receiver(post_save, sender=Category)
def write_search_documents(sender: type[Model], instance: Any, raw: bool, **kwargs: Any) -> None:  # noqa: FBT001  # Django's signature
    if not changes_texts(sender, kwargs["update_fields"], raw=raw):
        return
    if isinstance(instance, Product):
        documents_write(Product.objects.filter(pk__in=filter(None, [instance.pk, instance.parent_id])))
    elif isinstance(instance, Artisan) and not kwargs["created"]:
        documents_write(instance.products.all())
    elif not kwargs["created"]:
        inside = (
            Q(**{name: instance}) for name in ("category", "category__parent", "category__parent__parent")
        )
        documents_write(Product.objects.filter(reduce(or_, inside)))
