"""The questions of `setup_shop` and how their answers are parsed and saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone

from artisans.accounts.setting_changes import SettingChange, get_value, setting_change, setting_created
from artisans.core.errors import InvalidInput
from artisans.core.money import Money, exponent_of, percent_read
from artisans.regions.models import STANDARD, ShopCurrency, TaxClass, TaxRate, TaxZone, TaxZoneArea
from artisans.shipping.models import ShippingMethod, ShippingZone, ShippingZoneArea
from orders.models import NO_CONTACT, StoreRules, validate_country

AUTHOR = "setup_shop"  # the actor's name in the audit log
ZONE, METHOD, ALL = "Countries served", "Standard", "all"


class Kind(Enum):
    TEXT = auto()
    AMOUNT = auto()
    PERCENT = auto()
    COUNTRIES = auto()


@dataclass(frozen=True, slots=True)
class Question:
    """`name` is the option of `setup_shop`. `is_set` is the column that distinguishes an answer of 0 from none.

    Without a `column`, the answer is in other tables only.
    """

    name: str
    column: str
    text: str
    kind: Kind = Kind.TEXT
    is_set: str = ""

    def is_missing(self, rules: StoreRules) -> bool:
        """Whether the shop takes no orders without this answer."""
        return bool(self.is_set and not getattr(rules, self.is_set)) or (
            self.column == "support_email" and rules.support_email in {"", NO_CONTACT}
        )

    def read(self, text: str, rules: StoreRules) -> str | int:
        """Parse an answer. Errors: ValueError with a message for the user."""
        text = text.strip()
        if self.kind is Kind.AMOUNT:
            return Money.parse(text, rules.currency).minor
        if self.kind is Kind.PERCENT:
            return percent_read(text.removesuffix("%").strip())
        return text.upper() if self.column in {"currency", "country"} else text

    def shown(self, rules: StoreRules) -> str:
        if self.kind is Kind.COUNTRIES:
            return " ".join(code or ALL for code in served()) or rules.country
        value = getattr(rules, self.column)
        if self.is_missing(rules):
            return "not set"
        if self.kind is Kind.AMOUNT:
            return str(Money(value, rules.currency))
        return f"{value / 10_000:g} %" if self.kind is Kind.PERCENT else value


# The currency comes first because amounts are parsed in it.
QUESTIONS = (
    Question("name", "name", "Name of the shop"),
    Question("currency", "currency", "Currency (ISO 4217, such as USD)"),
    Question("country", "country", "Country (ISO 3166-1, such as US)"),
    Question("support-email", "support_email", "Support email address"),
    Question("tax-rate", "tax_rate_ppm", "Tax rate in percent (0 if none)", Kind.PERCENT, "tax_is_set"),
    Question("shipping", "shipping_minor", "Shipping per order (0 if free)", Kind.AMOUNT, "shipping_is_set"),
    Question("countries", "", "Countries served (ISO 3166-1, such as US CA; or all)", Kind.COUNTRIES),
    Question("cash-limit", "cash_limit_minor", "Cash on delivery limit", Kind.AMOUNT),
    Question("account-holder", "account_holder", "Bank transfers: account holder"),
    Question("iban", "account_iban", "Bank transfers: account number or IBAN"),
    Question("bic", "account_bic", "Bank transfers: BIC or routing number"),
    Question("bank", "account_bank", "Bank transfers: name of the bank"),
    Question("check-payee", "check_payee", "Checks payable to"),
    Question("check-address", "check_address", "Checks sent to"),
)


@transaction.atomic
def store_setup(*, answers: Mapping[str, str]) -> StoreRules:
    """Create the store's settings if there are none, and change only those in `answers`, keyed by question name.

    Errors: InvalidInput naming the option; then nothing is written.
    """
    rules, is_new = StoreRules.objects.select_for_update().get_or_create(pk=1)
    currency, had_shipping = rules.currency, rules.shipping_is_set
    columns: set[str] = set()
    for question in QUESTIONS:
        if question.column and question.name in answers:
            columns |= answer(question, answers[question.name], rules)
    if rules.currency != currency:
        is_other_scale = not is_new and exponent_of(rules.currency) != exponent_of(currency)
        needed = {"shipping": had_shipping, "cash-limit": is_other_scale}
        if forgotten := [f"--{name}" for name in needed if needed[name] and name not in answers]:
            raise InvalidInput(f"--currency: give {' and '.join(forgotten)} in the new currency too.")
    if is_new:
        rules.save(update_fields=columns)
        setting_created(rules, actor=None, actor_name=AUTHOR)
    elif columns:
        change = SettingChange.of(rules, new={name: get_value(rules, name) for name in columns})
        setting_change(change, actor=None, actor_name=AUTHOR)
    places_save(rules, answers)
    return rules


def answer(question: Question, text: str, rules: StoreRules) -> set[str]:
    """Set one answer on `rules` and return the changed columns. Errors: InvalidInput."""
    try:
        setattr(rules, question.column, question.read(text, rules))
        rules.clean_fields(exclude={field.name for field in rules._meta.fields} - {question.column})
    except ValidationError as error:
        raise InvalidInput(f"--{question.name}: {' '.join(error.messages)}") from None
    except ValueError as error:
        raise InvalidInput(f"--{question.name}: {error}") from None
    if not question.is_set:
        return {question.column}
    setattr(rules, question.is_set, True)
    return {question.column, question.is_set}


def places_save(rules: StoreRules, answers: Mapping[str, str]) -> None:
    """Write what orders read: the currency, and one zone of taxes and one of shipping with the countries served.

    Errors: InvalidInput for what is not a country, and if staff have made other zones, which they change in the admin.
    """
    ShopCurrency.objects.get_or_create(code=rules.currency)
    countries = (
        read_countries(answers["countries"]) if "countries" in answers else served() or [rules.country]
    )
    if "countries" in answers or "tax-rate" in answers:
        tax = only_one(TaxZone, "--tax-rate") or TaxZone.objects.create(name=ZONE)
        cover(TaxZoneArea, tax, countries)
    if "tax-rate" in answers:
        standard, _is_new = TaxClass.objects.get_or_create(code=STANDARD, defaults={"name": "Standard"})
        TaxRate.objects.create(
            zone=tax, tax_class=standard, rate_ppm=rules.tax_rate_ppm, valid_from=timezone.now()
        )
    if "countries" in answers or "shipping" in answers:
        zone = only_one(ShippingZone, "--shipping") or ShippingZone.objects.create(name=ZONE)
        cover(ShippingZoneArea, zone, countries)
    if "shipping" in answers:
        method = only_one(ShippingMethod, "--shipping", artisan=None) or zone.methods.create(name=METHOD)
        method.rates.filter(currency=rules.currency, min_weight_g=0, min_goods_minor=0).delete()
        method.rates.create(currency=rules.currency, price_minor=rules.shipping_minor)


M = TypeVar("M", bound=models.Model)


def only_one(model: type[M], option: str, **fields: Any) -> M | None:
    """The only row, None if there is none. Errors: InvalidInput if there are several."""
    found = model._default_manager.filter(**fields)[:2]
    if len(found) > 1:
        raise InvalidInput(f"{option}: there are several {model._meta.verbose_name_plural}: use the admin.")
    return found[0] if found else None


def served() -> list[str]:
    """The countries of the zones that `setup_shop` writes; "" for all."""
    return sorted(ShippingZoneArea.objects.values_list("country", flat=True).distinct()) or sorted(
        TaxZoneArea.objects.values_list("country", flat=True).distinct()
    )


def cover(model: type[TaxZoneArea] | type[ShippingZoneArea], zone: Any, countries: list[str]) -> None:
    """Make these the countries of the zone; parts of countries that staff have entered stay."""
    whole = model._default_manager.filter(region="", postal_prefix="")
    whole.filter(zone=zone).exclude(country__in=countries).delete()
    for country in countries:
        whole.get_or_create(country=country, region="", postal_prefix="", defaults={"zone": zone})


def read_countries(text: str) -> list[str]:
    """Errors: InvalidInput."""
    codes = text.replace(",", " ").upper().split()
    if codes == [ALL.upper()]:
        return [""]
    try:
        for code in codes:
            validate_country(code)
    except ValidationError as error:
        raise InvalidInput(f"--countries: {' '.join(error.messages)}") from None
    if not codes:
        raise InvalidInput(f"--countries: enter codes such as US CA, or {ALL}.")
    return codes
