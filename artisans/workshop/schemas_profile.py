"""Body and response schema of an artisan's profile."""

from typing import Any

from rest_framework import serializers

from artisans.catalog.models.artisan import MAX_PROCESSING_DAYS
from artisans.catalog.pictures import MAX_MB, MILLION_PIXELS
from artisans.catalog.statuses import ArtisanState
from artisans.core.api.fields import (
    StrictCharField,
    StrictDateField,
    StrictIntegerField,
    StrictLineField,
    StrictSerializer,
    UploadField,
)
from artisans.core.api.openapi import example, form_example
from artisans.workshop.schemas_products import VERSION_HELP

PROFILE_VERSION = "story:5f2d1c9e.town:83b1fa07"
PROFILE = {
    "story": "Two wheels, one kiln, a view of the boats.",
    "town": "Port Ellery",
    "processing_days": 3,
    "contact_email": "hello@harbour.example",
    "holiday_from": None,
    "back_on": None,
    "converted_currencies": ["JPY"],
}
FROM_HELP = "First day of a holiday; null: at once."
CONVERTED_HELP = (
    "Currencies in which the shop may write prices converted from yours. Prices that you enter stay."
)
BACK_HELP = "The first day on which orders are accepted again, in the shop's time zone; null: no holiday."


@example({"version": PROFILE_VERSION, "town": "Port Ellery"})
class ProfileIn(StrictSerializer):
    version = StrictCharField(max_length=500, help_text=VERSION_HELP)
    story = StrictCharField(max_length=5000, required=False, allow_blank=True)
    town = StrictLineField(max_length=80, required=False)
    processing_days = StrictIntegerField(
        min_value=1, max_value=MAX_PROCESSING_DAYS, required=False, allow_null=True
    )
    contact_email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    holiday_from = StrictDateField(required=False, allow_null=True, help_text=FROM_HELP)
    back_on = StrictDateField(required=False, allow_null=True, help_text=BACK_HELP)
    converted_currencies = serializers.ListField(
        child=StrictCharField(max_length=3), required=False, max_length=50, help_text=CONVERTED_HELP
    )


@form_example({"file": "@portrait.jpg"})
class PortraitIn(StrictSerializer):
    file = UploadField(
        help_text=f"JPEG, PNG, WebP, AVIF or HEIC, of at most {MAX_MB} MiB and {MILLION_PIXELS} million pixels."
    )


@example(
    {
        "name": "Harbour Pottery",
        "slug": "harbour-pottery",
        "state": "active",
        "portrait": "https://your.shop/media/artisans/6f1d2c3b4a5968778695a4b3c2d1e0ff-640.jpg",
        "version": PROFILE_VERSION,
    }
    | PROFILE
)
class ProfileShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    slug = serializers.CharField()
    state = serializers.ChoiceField(
        choices=ArtisanState.choices,
        help_text="Only an active workshop publishes and sells. Parcels and earnings go on in every state.",
    )
    portrait = serializers.URLField(allow_null=True)
    version = serializers.CharField(help_text="Sent back with a change. Its form may change.")
    story = serializers.CharField(allow_blank=True)
    town = serializers.CharField()
    processing_days = serializers.IntegerField(
        allow_null=True, help_text="Usually ships within so many days."
    )
    contact_email = serializers.CharField(allow_blank=True, help_text="Shown to everyone.")
    holiday_from = serializers.DateField(allow_null=True, help_text=FROM_HELP)
    back_on = serializers.DateField(allow_null=True, help_text=BACK_HELP)
    converted_currencies = serializers.ListField(child=serializers.CharField(), help_text=CONVERTED_HELP)
