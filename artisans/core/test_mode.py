"""Whether all money of this shop is test money. Rows that are written meanwhile say so in their column `is_test`, and
figures leave them out once the shop is live."""

from collections.abc import Callable

from django.db import models
from django.utils.translation import gettext_lazy as _

# `payments` adds what it knows of the keys of providers, and of the demo.
SOURCES: list[Callable[[], bool]] = []


def is_test_mode() -> bool:
    return any(source() for source in SOURCES)


def test_mode_field() -> "models.BooleanField[bool, bool]":
    """Rows of earlier releases are of live mode unless a migration knows better."""
    return models.BooleanField(_("test money"), default=is_test_mode, db_default=False, editable=False)
