"""Shipping charges store nothing about persons (artisans/core/personal_data.py)."""

from artisans.core.personal_data import register

IMPERSONAL = {
    "shipping.ShippingZone": {"name"},
    "shipping.ShippingZoneArea": {"country", "region", "postal_prefix"},
    "shipping.ShippingMethod": {"name", "kind", "charged_per"},
    "shipping.ShippingRate": {"currency"},
}

register(impersonal=IMPERSONAL)
