"""Regions store nothing about persons except who of the staff entered a row (artisans/core/personal_data.py)."""

from artisans.core.personal_data import register

IMPERSONAL = {
    "regions.ShopCurrency": {"code", "rounding"},
    "regions.RateSheet": {"source", "base", "sha256"},
    "regions.ExchangeRate": {"currency"},
    "regions.TaxClass": {"code", "name"},
    "regions.TaxZone": {"name", "rounding"},
    "regions.TaxZoneArea": {"country", "region", "postal_prefix"},
    "regions.TaxRate": {"name"},
}

register(impersonal=IMPERSONAL)
