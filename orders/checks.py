"""A system check that warns while the shop cannot take orders."""

from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004  # the framework's name
from django.db import DatabaseError

from orders.selectors import store_rules


@register(Tags.database)
def check_open(app_configs: Any, databases: Iterable[str] | None, **kwargs: Any) -> list[CheckMessage]:
    try:
        missing = store_rules().missing_answers if databases else []
    except DatabaseError:  # not migrated yet
        return []
    if not missing:
        return []
    return [
        Warning(
            f"The shop does not take orders yet. Missing: {', '.join(missing)}.",
            hint="Run `manage.py setup_shop`.",
            id="alley.W021",
        )
    ]
