from artisans.regions.models.areas import LONGEST_PREFIX, Area, Place, most_exact_area, normalize_postal_code
from artisans.regions.models.currencies import ExchangeRate, RateSheet, RateSource, Rounding, ShopCurrency
from artisans.regions.models.taxes import STANDARD, TaxClass, TaxRate, TaxRounding, TaxZone, TaxZoneArea

__all__ = [
    "LONGEST_PREFIX",
    "STANDARD",
    "Area",
    "ExchangeRate",
    "Place",
    "RateSheet",
    "RateSource",
    "Rounding",
    "ShopCurrency",
    "TaxClass",
    "TaxRate",
    "TaxRounding",
    "TaxZone",
    "TaxZoneArea",
    "most_exact_area",
    "normalize_postal_code",
]
