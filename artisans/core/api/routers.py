"""Routes of the API."""

import logging

from rest_framework import routers

logger = logging.getLogger(__name__)


class Router(routers.SimpleRouter):
    """Every route with and without trailing slash, both real: a redirect would lose the body."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"
