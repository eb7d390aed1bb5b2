"""Versions of products and variants: what someone saw, so that two people do not undo each other's changes.

A `version` names the values that a person saw (`version_of`): others' changes of other fields are kept, and one of the
same field is refused with its present value (ProductChanged).
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.catalog.models import Product
from artisans.core.digests import short_digest
from artisans.core.errors import TEXT, Conflict
from artisans.core.templatetags.money import show
from artisans.core.texts import shortened

FIELDS = {
    "name": gettext_lazy("name"),
    "category": gettext_lazy("category"),
    "price_minor": gettext_lazy("price"),
    "description": gettext_lazy("story"),
    "materials": gettext_lazy("materials"),
    "dimensions": gettext_lazy("size"),
    "care": gettext_lazy("care"),
    "lead_days": gettext_lazy("lead time"),
    "weight_g": gettext_lazy("weight in grams"),
    "tax_class": gettext_lazy("tax class"),
    "sku": gettext_lazy("SKU"),
}
LABELS = FIELDS | {"options": gettext_lazy("options")}
REFERENCES = {"category", "tax_class"}
TEXTS = ("description", "materials", "dimensions", "care")  # only named in the audit log
VARIANT_FIELDS = ("options", "price_minor", "sku", "is_archived")


class ProductChanged(Conflict):
    """Someone else changed what you change; `changes` has the present values, and nothing was saved."""

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
            _("Someone else changed this after you opened it. %(changes)s Nothing was saved.")
            % {"changes": sentences},
            extra={
                "changes": [
                    {"field": field.removesuffix("_minor"), "now": value} for field, value in changes.items()
                ]
            },
        )


def version_of(product: Product) -> str:
    """The values of a product, or of a variant, as they are now. Opaque to clients."""
    fields = VARIANT_FIELDS if product.parent_id else (*FIELDS, "options")
    return ".".join(f"{field}:{digest(stored_value(product, field))}" for field in fields)


def stored_value(product: Product, field: str) -> Any:
    if field == "is_archived":
        return product.archived_at is not None
    return getattr(product, f"{field}_id" if field in REFERENCES else field)


def plain_value(field: str, value: Any) -> Any:
    return value.pk if field in REFERENCES and value is not None else value


def digest(value: Any) -> str:
    return short_digest(json.dumps(value), 8)


def digests_of(version: str) -> dict[str, str]:
    return dict(part.partition(":")[::2] for part in version.split("."))


def entered_fields(values: Mapping[str, Any], version: str) -> list[str]:
    """Those whose value is not the one that the person was shown."""
    seen = digests_of(version)
    return [field for field, value in values.items() if digest(plain_value(field, value)) != seen.get(field)]


def changed_values(product: Product, values: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Those of the values that the person changed. Errors: ProductChanged if someone else changed one of them too."""
    if conflicts := conflicts_of(product, values, version):
        raise ProductChanged(product.name, conflicts)
    return {field: values[field] for field in new_fields(product, values, version)}


def new_fields(product: Product, values: Mapping[str, Any], version: str) -> list[str]:
    """Those that the person changed to another value than the present one."""
    entered = entered_fields(values, version)
    return [field for field in entered if plain_value(field, values[field]) != stored_value(product, field)]


def conflicts_of(product: Product, values: Mapping[str, Any], version: str) -> dict[str, str]:
    """The present values of fields that the person changed, and someone else too."""
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


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        field: "changed" if field in TEXTS else ", ".join(value) if field == "options" else str(value)
        for field, value in values.items()
    }
