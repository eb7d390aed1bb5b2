"""Bodies and response schemas of an application to sell."""

from typing import Any

from rest_framework import serializers

from artisans.catalog.statuses import ApplicationStatus
from artisans.core.api.fields import StrictCharField, StrictIntegerField, StrictLineField, StrictSerializer
from artisans.core.api.openapi import example

START = {"name": "Fern & Ash", "craft": "Basket maker", "town": "Astoria"}
TERMS = {
    "number": 1,
    "text": "You ship within the time that your page names.",
    "changes": "",
    "published_at": "2026-11-02T09:00:00Z",
    "accepted_at": None,
}


@example(START)
class ApplicationIn(StrictSerializer):
    name = StrictLineField(max_length=100, help_text="Of the workshop.")
    craft = StrictLineField(max_length=60, help_text="Your craft, such as potter or weaver.")
    town = StrictLineField(max_length=80)


@example({"message": "I weave willow that I grow myself."})
class SubmitIn(StrictSerializer):
    message = StrictCharField(
        max_length=2000,
        required=False,
        allow_blank=True,
        default="",
        help_text="To the shop. Required as the answer to a question.",
    )


class ChecklistShape(serializers.Serializer[Any]):
    profile = serializers.BooleanField(help_text="Name, craft, place, story and contact address are entered.")
    products = serializers.BooleanField(help_text="There is a draft of a product.")
    terms = serializers.BooleanField(help_text="The newest terms are accepted.")


class MessageShape(serializers.Serializer[Any]):
    by = serializers.ChoiceField(choices=["applicant", "shop"])
    status = serializers.ChoiceField(
        choices=ApplicationStatus.choices, help_text="The status that the application took with it."
    )
    text = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


@example(
    {
        "status": "asked",
        "submitted_at": "2026-11-26T09:00:00Z",
        "checklist": {"profile": True, "products": True, "terms": True},
        "messages": [
            {
                "by": "applicant",
                "status": "submitted",
                "text": "I weave willow that I grow myself.",
                "created_at": "2026-11-26T09:00:00Z",
            },
            {
                "by": "shop",
                "status": "asked",
                "text": "Where is your workshop?",
                "created_at": "2026-11-27T09:00:00Z",
            },
        ],
    }
)
class ApplicationShape(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=ApplicationStatus.choices)
    submitted_at = serializers.DateTimeField(allow_null=True, help_text="When it was last sent to the shop.")
    checklist = ChecklistShape(help_text="What is done of what an application needs.")
    messages = MessageShape(many=True, help_text="What was said and decided, oldest first.")


@example({"number": 1})
class TermsIn(StrictSerializer):
    number = StrictIntegerField(min_value=1, max_value=999_999, help_text="Of the version that was read.")


@example(TERMS)
class TermsShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    text = serializers.CharField()
    changes = serializers.CharField(allow_blank=True, help_text="What is new in this version.")
    published_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField(
        allow_null=True, help_text="When the own workshop accepted this version."
    )
