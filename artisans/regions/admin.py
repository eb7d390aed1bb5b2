"""The staff pages of the package."""

from artisans.regions.currency_admin import RateSheetAdmin, ShopCurrencyAdmin  # registers itself

__all__ = ["RateSheetAdmin", "ShopCurrencyAdmin"]
