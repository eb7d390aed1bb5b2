"""Forms of the checkout steps."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.validators import EmailValidator
from django.forms.renderers import BaseRenderer
from django.forms.utils import flatatt
from django.http import QueryDict
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.core.api.fields import CONTROL
from artisans.core.errors import InvalidInput
from artisans.core.security.card_data import REFUSAL, card_number_fields
from artisans.core.texts import readable
from artisans.tax_ids.numbers import vat_id_read
from carts.delivery import GroupChoice
from orders.address_rules import LENGTHS, address_errors, address_normalize
from orders.countries import COUNTRIES, KNOWN, CountryRules, rules_for

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise  # exported by the type stubs only

TEXT_AREA_ROWS = 3


class EmailText(forms.EmailField):
    default_validators = [
        EmailValidator(_("Enter an email address with a name, an @ and a domain, such as ada@example.com."))
    ]


def text(label: "_StrPromise", autocomplete: str, *, max_length: int = 150, **kwargs: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, max_length=max_length, widget=widget, **kwargs)


@cache
def country_options(codes: frozenset[str] | None) -> str:
    rows = [row for row in COUNTRIES if codes is None or row[0] in codes]
    return format_html_join("", '<option value="{}">{}</option>', rows)


class CountrySelect(forms.Select):
    """Renders the options once per process: Django would render 253 templates each time, 12 ms a field.

    `codes`: those to choose from, if not all.
    """

    codes: frozenset[str] | None = None

    def render(
        self,
        name: str,
        value: Any,
        attrs: dict[str, Any] | None = None,
        renderer: BaseRenderer | None = None,
    ) -> SafeString:
        options = country_options(self.codes)
        for code in self.format_value(value):
            if code in KNOWN:
                options = options.replace(f'value="{code}"', f'value="{code}" selected')
        named = flatatt(self.build_attrs(self.attrs, {"name": name} | (attrs or {})))
        return format_html("<select{}>{}</select>", named, mark_safe(options))  # noqa: S308  # escaped above


def country_field(autocomplete: str = "country", **kwargs: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        choices=COUNTRIES,
        widget=CountrySelect(attrs={"autocomplete": autocomplete}),
        error_messages={
            "required": _("Choose a country."),
            "invalid_choice": _("Choose a country from the list."),
        },
        **kwargs,
    )


def offer_countries(form: forms.Form, codes: Collection[str] | None) -> None:
    """Let the form choose between the countries that the shop sells to; None: all."""
    if codes is None:
        return
    field: Any = form.fields["country"]
    field.choices = [row for row in COUNTRIES if row[0] in codes]
    field.widget.codes = frozenset(codes)
    if name := KNOWN.get(form.data.get("country", "")):
        field.error_messages["invalid_choice"] = gettext(
            "The shop does not deliver to %(country)s. Choose a country from the list."
        ) % {"country": name}


class CountryForm(forms.Form):
    """Where a visitor wants deliveries, before there is an address."""

    country = country_field(label=_("Deliver to"))

    def __init__(self, *args: Any, served: Collection[str] | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_countries(self, served)


class NoCardNumbersForm(forms.Form):
    """Refuses card numbers next to their field, and does not show them again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.card_fields: list[str] = []
        if isinstance(self.data, QueryDict):
            self.card_fields = card_number_fields(self.data.lists())
            self.data = self.data.copy()
            for name in self.card_fields:
                self.data.pop(name)

    def full_clean(self) -> None:
        super().full_clean()
        for name in self.card_fields:
            field = name if name in self.fields else None
            self.errors.pop(name, None)
            self.add_error(field, REFUSAL)


class DetailsForm(NoCardNumbersForm):
    email = EmailText(
        label=_("Email address"),
        max_length=254,
        help_text=_("We send your order confirmation here."),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
        error_messages={"required": _("Enter your email address, so that we can send you your order.")},
    )
    name = text(_("Full name"), "name")
    country = country_field(label=_("Country"))
    line1 = text(_("Street and number"), "address-line1")
    line2 = text(_("Apartment, floor, company"), "address-line2", required=False)
    city = text(_("Town or city"), "address-level2", max_length=LENGTHS["city"])
    region = text(_("State or region"), "address-level1", max_length=LENGTHS["region"], required=False)
    postal_code = text(_("Postal code"), "postal-code", max_length=LENGTHS["postal_code"], required=False)
    phone = forms.CharField(
        label=_("Phone"),
        required=False,
        max_length=LENGTHS["phone"],
        help_text=_("Used only by the carrier if there is a problem with delivery."),
        widget=forms.TextInput(attrs={"autocomplete": "tel", "type": "tel", "inputmode": "tel"}),
    )
    note = forms.CharField(
        label=_("Note to the artisans"),
        required=False,
        max_length=300,
        help_text=_("For example, how to wrap a gift, or where to leave the parcel."),
        widget=forms.Textarea(attrs={"rows": TEXT_AREA_ROWS}),
    )
    company = text(_("Company"), "organization", required=False)
    vat_id = text(
        _("VAT ID"),
        "off",
        max_length=40,
        required=False,
        help_text=_("With the letters of the country, such as DE136695976."),
    )
    billing_same = forms.BooleanField(label=_("Same as delivery address"), required=False, initial=True)
    billing_name = text(_("Full name"), "billing name", required=False)
    billing_country = country_field("billing country", label=_("Country"), required=False)
    billing_line1 = text(_("Street and number"), "billing address-line1", required=False)
    billing_line2 = text(_("Apartment, floor, company"), "billing address-line2", required=False)
    billing_city = text(
        _("Town or city"), "billing address-level2", max_length=LENGTHS["city"], required=False
    )
    billing_region = text(
        _("State or region"), "billing address-level1", max_length=LENGTHS["region"], required=False
    )
    billing_postal_code = text(
        _("Postal code"), "billing postal-code", max_length=LENGTHS["postal_code"], required=False
    )

    def __init__(self, *args: Any, served: Collection[str] | None = None, **kwargs: Any) -> None:
        """`served`: the countries that the shop sells to, if not all."""
        super().__init__(*args, **kwargs)
        offer_countries(self, served)
        for prefix in ("", "billing_"):
            rules = self.rules(prefix)
            for name in ("region", "postal_code", "city"):
                if not getattr(rules, f"has_{name}"):
                    del self.fields[prefix + name]
                    continue
                field = self.fields[prefix + name]
                field.label = _(getattr(rules, f"{name}_label"))
                required = getattr(rules, f"{name}_required") and not prefix
                field.required = field.widget.is_required = required
        for field in self.fields.values():
            if isinstance(field, forms.CharField) and not isinstance(field, EmailText):
                label = {"label": field.label, "limit": field.max_length}
                field.error_messages["required"] = gettext("%(label)s is required.") % label
                field.error_messages["max_length"] = (
                    gettext("%(label)s: use at most %(limit)s characters.") % label
                )

    @property
    def shown_country(self) -> str:
        return self.rules("").country

    @property
    def billing_shown_country(self) -> str:
        return self.rules("billing_").country

    def for_new_countries(self, served: Collection[str] | None) -> "DetailsForm | None":
        """The form for the countries that were chosen since it was shown, without the old regions; None if none was."""
        sides = [""] if self.data.get("billing_same") else ["", "billing_"]
        shown = {side: self.data.get(f"{side}shown_country") for side in sides}
        moved = [side for side in sides if shown[side] and self.data.get(f"{side}country") != shown[side]]
        values = {name: self.data.get(name, "") for name in self.fields}
        if not moved:
            return None
        return DetailsForm(initial=values | {f"{side}region": "" for side in moved}, served=served)

    def clean_note(self) -> str:
        note = readable(self.cleaned_data["note"])
        if CONTROL.search(note):
            raise forms.ValidationError(gettext("Remove control characters; they cannot be printed."))
        return note

    def clean_vat_id(self) -> str:
        typed = self.cleaned_data["vat_id"]
        try:
            return vat_id_read(typed) if typed else ""
        except InvalidInput as error:
            raise forms.ValidationError(error.detail) from None

    def rules(self, prefix: str) -> CountryRules:
        name = f"{prefix}country"
        return rules_for(self.data.get(name) or self.initial.get(name) or "")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("vat_id") and not data.get("company") and "company" not in self.errors:
            self.add_error("company", gettext("Enter the name of the company that has this VAT ID."))
        self.check_address("")
        if not data.get("billing_same"):
            self.check_address("billing_")
        return data

    def check_address(self, prefix: str) -> None:
        """Apply the address rules of the API (orders.address_rules) to fields that have no error yet."""
        names = [name for name in LENGTHS if prefix + name in self.fields]
        address = {name: self.cleaned_data.get(prefix + name, "") for name in names}
        self.cleaned_data |= {prefix + name: value for name, value in address_normalize(address).items()}
        for name, message in address_errors(address).items():
            if prefix + name not in self.errors:
                self.add_error(prefix + name, message)


class DeliveryForm(forms.Form):
    """A shipping method for each group of parcels that has a choice."""

    def __init__(self, *args: Any, groups: Sequence[GroupChoice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.groups = groups
        for group in groups:
            self.fields[group.name] = forms.TypedChoiceField(
                label=_("Delivery methods"),
                choices=[(choice.method.id, choice.method.name) for choice in group.choices],
                coerce=int,
                widget=forms.RadioSelect,
                error_messages={
                    "required": _("Choose a delivery method."),
                    "invalid_choice": _("This delivery method is no longer offered. Choose another one."),
                },
            )

    def shown(self) -> list[dict[str, Any]]:
        return [{"field": self[group.name], "choice": group} for group in self.groups]

    def chosen(self) -> dict[str, int]:
        """The keys of methods by those of artisans, for the draft."""
        return {
            str(artisan_id): self.cleaned_data[group.name]
            for group in self.groups
            for artisan_id in group.artisans
        }


class PlaceForm(forms.Form):
    """What the buyer saw when placing the order: the cart, the total, and a fingerprint of the whole page."""

    cart = forms.UUIDField(widget=forms.HiddenInput)
    quote = forms.DecimalField(widget=forms.HiddenInput, max_digits=18, decimal_places=4)
    fingerprint = forms.CharField(widget=forms.HiddenInput, required=False, max_length=400)
