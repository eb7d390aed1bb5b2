"""All fields that affect money, rights or prices: how each is audited and who may change it.

A test fails for a field of these models that is not listed here.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from django.utils.translation import gettext_noop as _  # the labels are kept with each change

SUPERUSER = "superuser"  # not a permission that a group can have


class DisplayFormat(StrEnum):
    """How a value is written into the audit log and emails. Masked values include a keyed hash."""

    TEXT = "text"
    RATE = "rate"
    AMOUNT = "amount"
    MASKED = "masked"
    MASKED_EMAIL = "masked_email"


@dataclass(frozen=True, slots=True)
class Setting:
    """An audited field.

    `affects_money`: administrators get an email. `permission`: required in addition to changing the row.
    `grants_access`: its value lets a user act for an artisan, so users cannot set it to themselves.
    """

    label: str
    shown: DisplayFormat = DisplayFormat.TEXT
    affects_money: bool = False
    permission: str = ""
    grants_access: bool = False


bank = partial(
    Setting, shown=DisplayFormat.MASKED, affects_money=True, permission="orders.change_bank_account"
)
rule = partial(Setting, permission="orders.change_storerules")
price = partial(Setting, permission="regions.change_shopcurrency")
access = partial(Setting, affects_money=True, permission="catalog.change_artisan_access", grants_access=True)
role = partial(Setting, affects_money=True, permission=SUPERUSER)

SETTINGS: dict[str, dict[str, Setting]] = {
    "orders.StoreRules": {
        "name": rule("Store name"),
        "support_email": rule("Support address"),
        "currency": rule("Currency", affects_money=True),
        "country": rule("Country"),
        "tax_rate_ppm": rule("Tax rate", DisplayFormat.RATE, affects_money=True),
        "prices_include_tax": rule(_("Prices include tax"), affects_money=True),
        "gross_fixed": rule(_("Prices with tax are the same everywhere"), affects_money=True),
        "shipping_tax": rule(_("Tax on shipping"), affects_money=True),
        "shipping_tax_class": rule(_("Tax class of shipping"), affects_money=True),
        "tax_by": rule(_("Place that decides the tax rate"), affects_money=True),
        "subsidy_is_taxed": rule(_("Tax on discounts that the shop pays for"), affects_money=True),
        "tax_is_set": rule(_("Tax rate set"), affects_money=True),
        "shipping_is_set": rule("Shipping set"),
        "shipping_minor": rule(_("Shipping per order"), DisplayFormat.AMOUNT),
        "cash_limit_minor": rule(_("Cash on delivery up to"), DisplayFormat.AMOUNT),
        "second_person_above_minor": rule(
            _("Approval required above"), DisplayFormat.AMOUNT, affects_money=True
        ),
        "second_person_for_settings": rule(_("Approval required for settings"), affects_money=True),
        "hold_days": rule(_("Days until earnings are released"), affects_money=True),
        "longest_hold_days": rule(
            _("Days until earnings are released without a report of delivery"), affects_money=True
        ),
        "return_days": rule(_("Days for returns"), affects_money=True),
        "debt_days": rule(_("Days until artisans are asked to pay what they owe")),
        "reserve_ppm": rule("Reserve", DisplayFormat.RATE, affects_money=True),
        "reserve_days": rule(_("Days of the reserve"), affects_money=True),
        "commission_on_refund": rule(_("Commission on refunded goods"), affects_money=True),
        "tax_remitter": rule(_("Who pays the tax on goods"), affects_money=True),
        "payment_fee_bearer": rule(_("Who bears the fees of payment providers"), affects_money=True),
        "commission_tax_ppm": rule(_("Tax rate on commission"), DisplayFormat.RATE, affects_money=True),
        "cash_holder": rule(_("Who holds cash on delivery"), affects_money=True),
        "account_holder": bank("Account holder"),
        "account_iban": bank(_("Account number or IBAN")),
        "account_bic": bank("BIC or routing number"),
        "account_bank": bank("Bank"),
        "check_payee": bank(_("Checks payable to")),
        "check_address": bank(_("Checks sent to")),
    },
    "regions.ShopCurrency": {
        "code": price("Currency"),
        "is_active": price(_("Offered to shoppers")),
        "position": price(_("Position")),
        "step_minor": price(_("Smallest step of amounts"), DisplayFormat.AMOUNT, affects_money=True),
        "price_step_minor": price(_("Step of converted prices"), DisplayFormat.AMOUNT),
        "price_charm_minor": price(_("Taken off converted prices"), DisplayFormat.AMOUNT),
        "rounding": price(_("Rounding of converted prices")),
        "cash_limit_minor": price(_("Cash on delivery up to"), DisplayFormat.AMOUNT),
    },
    "catalog.Artisan": {
        "user": access(_("Who acts for the artisan"), DisplayFormat.MASKED_EMAIL),
        "email": access(_("Email address for new orders"), DisplayFormat.MASKED_EMAIL),
        "commission_ppm": Setting(
            "Commission", DisplayFormat.RATE, affects_money=True, permission="catalog.change_commission"
        ),
        "fee_tax_treatment": Setting(
            _("Tax on commission"), affects_money=True, permission="catalog.change_commission"
        ),
    },
    "catalog.Product": {
        "artisan": access("Sold by"),
        "price_minor": Setting("Price", DisplayFormat.AMOUNT),
        "currency": Setting("Currency"),
        "lead_days": Setting(_("Made to order in (days)")),
        "tax_class": Setting(_("Tax class")),
        "weight_g": Setting(_("Weight in grams")),
        "is_active": Setting("On sale"),
    },
    "accounts.User": {
        "email": Setting("Email address", DisplayFormat.MASKED_EMAIL, permission=SUPERUSER),
        "role": role("Role"),
        "groups": role("Groups"),
        "user_permissions": role("Permissions"),
        "is_superuser": role("Superuser"),
        "is_active": Setting(_("Can sign in"), affects_money=True),
    },
    "auth.Group": {
        "name": Setting("Name", permission=SUPERUSER),
        "permissions": role("Permissions"),
    },
}
UNAUDITED: dict[str, set[str]] = {
    "orders.StoreRules": {"id"},
    "regions.ShopCurrency": set(),
    "catalog.Artisan": {
        "id", "created_at", "updated_at", "slug", "name", "craft", "town", "story", "portrait",
        "processing_days", "contact_email", "holiday_from", "back_on",  # profile.py audits them
        "is_active", "stored_state",  # artisan_states.py audits them
        "converted_currencies",  # price_lists.py audits it
        "low_stock",  # when the artisan is told, and nothing else
    },
    "catalog.Product": {
        "id", "created_at", "updated_at", "category", "slug", "name", "description", "materials", "dimensions",
        "picture", "picture_alt", "picture_sizes", "sku", "care",
        "parent", "option_1", "option_2", "option_3", "archived_at", "off_sale_reason",  # products.py audits them
        "stock",  # every change of stock has a StockMove
    },
    "accounts.User": {
        "id", "created_at", "updated_at", "password", "last_login", "name", "session_epoch", "addresses_forgotten_at",
        "currency", "country", "sign_in_networks", "sign_in_window", "sign_in_count",
    },
    "auth.Group": {"id"},
}  # fmt: skip


def audited_settings(label: str) -> dict[str, Setting]:
    """The audited fields of a model, by name; `label` is its "app.Model"."""
    return SETTINGS.get(label, {})
