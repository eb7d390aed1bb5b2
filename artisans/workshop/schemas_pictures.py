"""Bodies and response schemas of the pictures of an artisan's product."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from artisans.catalog.models import PictureRefusal, PictureState
from artisans.catalog.models.picture import MOST
from artisans.catalog.pictures import MAX_MB, MILLION_PIXELS
from artisans.core.api.fields import StrictIntegerField, StrictLineField, StrictSerializer, UploadField
from artisans.core.api.openapi import example, form_example

ALT = "What the picture shows, for people who do not see it."
PICTURE = {
    "id": "5b1f9f0e-3a60-4f0e-9f37-0c6f4d2b7c11",
    "position": 1,
    "state": "ready",
    "refusal": "",
    "detail": "",
    "alt": "A green bowl from above",
    "name": "bowl.jpg",
    "url": "https://your.shop/media/products/6f1d2c3b4a5968778695a4b3c2d1e0ff-1280.jpg",
    "width": 1280,
    "height": 960,
}


def alt_line(**options: Any) -> StrictLineField:
    return StrictLineField(max_length=200, required=False, allow_blank=True, **options)


@form_example({"file": "@bowl.jpg", "alt": "A green bowl from above"})
class PictureIn(StrictSerializer):
    file = UploadField(
        help_text=f"JPEG, PNG, WebP, AVIF or HEIC, of at most {MAX_MB} MiB and {MILLION_PIXELS} million pixels."
    )
    alt = alt_line(default="", help_text=ALT)


@example({"alt": "A green bowl from above", "position": 1})
class PictureChangeIn(StrictSerializer):
    alt = alt_line(help_text=ALT)
    seen_alt = alt_line(
        help_text="The `alt` that was shown: if someone changed it since, nothing is changed. Needs `alt`."
    )
    position = StrictIntegerField(
        min_value=1, max_value=MOST, required=False, help_text="From 1; beyond the last one is the last one."
    )


@example(PICTURE)
class PictureShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    position = serializers.IntegerField(help_text="The first picture that is ready is shown in lists.")
    state = serializers.ChoiceField(
        choices=PictureState.choices, help_text="`uploaded` until it was prepared."
    )
    refusal = serializers.ChoiceField(
        choices=PictureRefusal.choices, allow_blank=True, help_text="Why it was refused."
    )
    detail = serializers.CharField(allow_blank=True, help_text="The refusal as a sentence.")
    alt = serializers.CharField(allow_blank=True)
    name = serializers.CharField(allow_blank=True, help_text="The name of the uploaded file.")
    url = serializers.URLField(allow_null=True, help_text="The largest JPEG, once it is ready.")
    width = serializers.IntegerField(allow_null=True)
    height = serializers.IntegerField(allow_null=True)


@example({"results": [PICTURE]})
@extend_schema_serializer(many=False)
class PicturesShape(serializers.Serializer[Any]):
    results = PictureShape(many=True)
