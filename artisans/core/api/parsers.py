"""Strict parsing: ambiguous or oversized bodies and card numbers are rejected before any view sees them."""

from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers
from rest_framework.parsers import DataAndFiles, JSONParser, MultiPartParser

from artisans.core.security.card_data import refuse_card_numbers
from artisans.core.strict_json import strict_json

MAX_BODY = 64 * 1024


class TooLarge(exceptions.APIException):
    status_code = 413
    default_code = "body_too_large"
    default_detail = f"The body is larger than {MAX_BODY} bytes."


class StrictJSONParser(JSONParser):
    """JSON with exact numbers, no duplicate keys, no NaN, bounded size and depth, and without card numbers.

    Views that check for card data themselves set `reads_card_fields`.
    """

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        raw = stream.read(MAX_BODY + 1)
        if len(raw) > MAX_BODY:
            raise TooLarge
        try:
            body = strict_json(raw)
        except (ValueError, RecursionError) as error:
            raise exceptions.ParseError(
                _("The body is not valid JSON: %(error)s") % {"error": error}
            ) from error
        if not getattr((parser_context or {}).get("view"), "reads_card_fields", False):
            refuse_card_numbers(body)
        return body


class StrictMultiPartParser(MultiPartParser):
    """A form with files: no field twice, and no card numbers in its texts. BodySizeMiddleware limits its size."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> "DataAndFiles[Any, Any]":
        form: DataAndFiles[Any, Any] = super().parse(stream, media_type, parser_context)
        names = [name for part in (form.data, form.files) for name, sent in part.lists() for _each in sent]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise serializers.ValidationError(
                {name: [_("Duplicate field.")] for name in repeated}, "repeated"
            )
        refuse_card_numbers(form.data.dict())
        return form
