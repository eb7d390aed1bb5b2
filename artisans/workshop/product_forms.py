"""Forms of an artisan's products and their variants."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.catalog.categories import CategoryField
from artisans.catalog.models import Category, Product
from artisans.catalog.models.product import MAX_LEAD_DAYS
from artisans.catalog.product_rows import MAX_OPTIONS
from artisans.catalog.product_versions import conflicts_of, entered_fields, version_of
from artisans.catalog.services import StockSnapshot
from artisans.catalog.variants import MAX_OPTION, MAX_VARIANTS, VariantInput
from artisans.core.api.fields import CONTROL
from artisans.core.forms import LineField
from artisans.core.money import Money
from artisans.core.texts import readable
from artisans.regions.models import STANDARD, TaxClass

MOST_UNITS = 1_000_000
MOST_GRAMS = 1_000_000
BLANK_ROWS = 3
OPTION_FIELDS = tuple(f"option_{number}" for number in range(1, MAX_OPTIONS + 1))
# What services call the value of a form's field, if not the same.
STORED = {"price": "price_minor"} | dict.fromkeys(OPTION_FIELDS, "options")


class PriceField(LineField):
    """A price in the form's currency as plain digits; its value is in minor units."""

    currency = ""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            price = Money.parse(text, self.currency).minor
        except ValueError:
            price = 0
        if not price:
            raise ValidationError(_("Enter a price above zero in plain digits, such as 85.45."))
        return price


class StoryField(forms.CharField):
    """Text of several lines."""

    widget = forms.Textarea(attrs={"rows": 6})

    def clean(self, value: Any) -> Any:
        text = readable(super().clean(value)).replace("\r\n", "\n")
        if CONTROL.search(text):
            raise ValidationError(_("Remove control characters."))
        return text


def units(**options: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=gettext_lazy("In stock"), min_value=0, max_value=MOST_UNITS, required=False, **options
    )


def price_field(**options: Any) -> PriceField:
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return PriceField(label=gettext_lazy("Price"), max_length=20, widget=widget, **options)


class VersionedForm(forms.Form):
    """What a person changes of the `version` of a product, or a variant, that the page shows."""

    version = forms.CharField(widget=forms.HiddenInput, required=False)

    def values(self) -> dict[str, Any]:
        """What services take, by the fields of the version."""
        raise NotImplementedError

    def show_again(self, product: Product, present: Mapping[str, Any], *, keep: Collection[str] = ()) -> None:
        """Keep what the person changed, or `keep`. The rest shows what others changed, or saving would undo it."""
        values, version = self.values(), self.cleaned_data["version"]
        kept = {*entered_fields(values, version), *keep}
        shown = {name: value for name, value in present.items() if STORED.get(name, name) not in kept}
        self.data = self.data.dict() | {self.add_prefix(name): value for name, value in shown.items()}  # type: ignore[attr-defined]  # a QueryDict
        for field, now in conflicts_of(product, values, version).items():
            name = next((name for name, stored in STORED.items() if stored == field), field)
            self.add_error(name, _("Someone else changed this to “%(value)s”.") % {"value": now})


class ProductForm(VersionedForm):
    """The fields of a product."""

    name = LineField(label=gettext_lazy("Name"), max_length=120)
    category = CategoryField(Category.objects.all(), label=gettext_lazy("Category"))
    price = price_field(help_text=gettext_lazy("Before tax, such as 85.45."))
    description = StoryField(label=gettext_lazy("Story"), max_length=5000, required=False)
    materials = LineField(label=gettext_lazy("Materials"), max_length=160, required=False)
    dimensions = LineField(label=gettext_lazy("Size"), max_length=80, required=False)
    care = LineField(label=gettext_lazy("Care"), max_length=300, required=False)
    lead_days = forms.IntegerField(
        label=gettext_lazy("Made to order: ships in how many days?"),
        min_value=1,
        max_value=MAX_LEAD_DAYS,
        required=False,
        help_text=gettext_lazy(
            "Leave this empty if it is ready to ship. Stock is then how many more you can make."
        ),
    )
    weight_g = forms.IntegerField(
        label=gettext_lazy("Weight in grams"),
        min_value=0,
        max_value=MOST_GRAMS,
        required=False,
        help_text=gettext_lazy("With its packaging. Delivery can cost more from a weight on."),
    )
    tax_class = forms.ModelChoiceField(
        TaxClass.objects.exclude(code=STANDARD),
        label=gettext_lazy("Tax class"),
        required=False,
        empty_label=gettext_lazy("Standard"),
        help_text=gettext_lazy("Goods such as books or food can be taxed at another rate."),
    )
    sku = LineField(label=gettext_lazy("SKU"), max_length=60, required=False)

    def clean_weight_g(self) -> int:
        return self.cleaned_data["weight_g"] or 0

    def __init__(self, data: Any = None, *, currency: str, product: Product | None = None) -> None:
        super().__init__(data, initial=shown_values(product) if product else None)
        if product and product.needs_choice and "price" not in (data or {}):
            del self.fields["price"]
        else:
            self.fields["price"].currency = currency  # type: ignore[attr-defined]

    def values(self) -> dict[str, Any]:
        """What the services take."""
        return {
            STORED.get(name, name): value
            for name, value in self.cleaned_data.items()
            if name in PRODUCT_FIELDS
        }

    def show_present(self, product: Product) -> None:
        self.show_again(product, shown_values(product))
        if product.needs_choice:
            self.fields.pop("price", None)


PRODUCT_FIELDS = frozenset(ProductForm.base_fields) - {"version"}


class NewProductForm(ProductForm):
    stock = units(initial=0)
    product_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def renew(self) -> None:
        """Keep what was typed, for another product than the one that may have been saved."""
        self.data = {**self.data.dict(), "product_id": uuid4()}  # type: ignore[attr-defined]  # a QueryDict


def shown_values(product: Product) -> dict[str, Any]:
    values = {name: getattr(product, name) for name in PRODUCT_FIELDS}
    return values | {"price": product.price.amount, "version": version_of(product)}


class OptionsForm(VersionedForm):
    """The names of the options, up to `count`."""

    def __init__(self, data: Any = None, *, product: Product, count: int) -> None:
        super().__init__(data, initial=shown_options(product))
        for number, name in enumerate(OPTION_FIELDS[:count], start=1):
            self.fields[name] = LineField(
                label=_("Option %(number)d") % {"number": number},
                max_length=MAX_OPTION,
                required=number == 1,
                help_text=_("Such as size or color.") if number == 1 else "",
            )

    def labels(self) -> list[str]:
        return [str(field.value() or field.label) for field in self.visible_fields()]

    def values(self) -> dict[str, Any]:
        return {"options": tuple(name for field in OPTION_FIELDS if (name := self.cleaned_data.get(field)))}


def shown_options(product: Product) -> dict[str, str]:
    names = (product.option_1, product.option_2, product.option_3)
    return {**dict(zip(OPTION_FIELDS, names, strict=True)), "version": version_of(product)}


class VariantForm(VersionedForm):
    """A variant, or a blank row for another one."""

    price = price_field()
    sku = LineField(label=gettext_lazy("SKU"), max_length=60, required=False)
    stock = units()
    is_archived = forms.BooleanField(label=gettext_lazy("Archive this variant"), required=False)
    variant_id = forms.UUIDField(widget=forms.HiddenInput, required=False)
    seen_stock = forms.IntegerField(min_value=0, widget=forms.HiddenInput, required=False)
    last_count = forms.IntegerField(min_value=0, widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, currency: str, options: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["price"].currency = currency  # type: ignore[attr-defined]
        values = {
            name: LineField(label=label, max_length=MAX_OPTION, required=number == 0)
            for number, (name, label) in enumerate(zip(OPTION_FIELDS, options, strict=False))
        }
        self.fields = values | self.fields
        if self.empty_permitted:
            del self.fields["is_archived"]

    @property
    def title(self) -> str:
        return ", ".join(filter(None, (self[name].value() for name in OPTION_FIELDS if name in self.fields)))

    def values(self) -> dict[str, Any]:
        """What the services compare with a variant."""
        data = self.cleaned_data
        return {
            "options": tuple(value for name in OPTION_FIELDS if (value := data.get(name))),
            "price_minor": data["price"],
            "sku": data["sku"],
            "is_archived": data.get("is_archived", False),
        }

    def entered(self) -> VariantInput | None:
        """None for a row that was left blank."""
        data = self.cleaned_data
        if not data.get("price"):
            return None
        counted, seen = data["stock"], None
        if data["variant_id"]:
            seen = StockSnapshot(data["seen_stock"] or 0, data["last_count"] or 0)
            counted = None if counted == seen.stock else counted
        return VariantInput(
            **self.values(),
            variant_id=data["variant_id"],
            version=data["version"],
            counted=counted,
            seen=seen,
        )

    def show_present(self, variants: Mapping[UUID, Product], now: Mapping[UUID, StockSnapshot]) -> None:
        entered = self.entered()
        variant = variants.get(entered.variant_id) if entered and entered.variant_id else None
        if entered is None or variant is None:
            return
        stock, keep = now[variant.pk], list[str]()
        if entered.counted is not None and entered.seen:
            keep = ["stock", "seen_stock", "last_count"]  # what was sold since the page showed it stays sold
            left = stock.stock + entered.counted - entered.seen.stock
            if stock.last_count != entered.seen.last_count or left < 0:
                keep = ["stock"]
                self.add_error("stock", _("The stock is now %(count)d.") % {"count": stock.stock})
        self.show_again(variant, shown_variant(variant, stock), keep=keep)


VariantFormSet = forms.formset_factory(
    VariantForm, extra=BLANK_ROWS, max_num=MAX_VARIANTS + BLANK_ROWS, absolute_max=MAX_VARIANTS + BLANK_ROWS
)


def shown_variant(variant: Product, seen: StockSnapshot) -> dict[str, Any]:
    return {
        **dict(zip(OPTION_FIELDS, variant.options, strict=False)),
        "is_archived": variant.archived_at is not None,
        "price": variant.price.amount,
        "sku": variant.sku,
        "stock": seen.stock,
        "variant_id": variant.pk,
        "version": version_of(variant),
        "seen_stock": seen.stock,
        "last_count": seen.last_count,
    }
