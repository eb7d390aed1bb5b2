"""Routes of the API."""

import logging

from rest_framework import routers

logger = logging.getLogger(__name__)


class Router(routers.SimpleRouter):
    """Routes with and without a trailing slash, since a redirect would lose the body."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"
