from typing import Any

from django.conf import settings
from rest_framework.metadata import BaseMetadata
from rest_framework.request import Request


class AllowedMethodsMetadata(BaseMetadata):
    """Empty response to OPTIONS; the methods are in `Allow`, everything else in the API description."""

    def determine_metadata(self, request: Request, view: Any) -> dict[str, str]:
        return {"docs": f"{settings.SITE_URL}/docs"}
