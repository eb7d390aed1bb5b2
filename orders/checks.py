"""System checks that warn while the shop takes no orders, none for some products or places, or no commission."""

from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004  # the framework's name
from django.db import DatabaseError

from orders.quoting import untaxed_classes
from orders.selectors import currencies_without_commission, store_rules


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


@register(Tags.database)
def check_taxed(app_configs: Any, databases: Iterable[str] | None, **kwargs: Any) -> list[CheckMessage]:
    try:
        missing = untaxed_classes() if databases else {}
    except DatabaseError:  # not migrated yet
        return []
    return [
        Warning(
            f"The shop ships to {country or 'everywhere else'}, but has no tax rate there for: {', '.join(classes)}. "
            "These are not sold there.",
            hint="Add a tax rate in the admin, or end the shipping there.",
            id="alley.W022",
        )
        for country, classes in missing.items()
    ]


@register(Tags.database)
def check_commission(app_configs: Any, databases: Iterable[str] | None, **kwargs: Any) -> list[CheckMessage]:
    try:
        missing = currencies_without_commission() if databases else []
    except DatabaseError:  # not migrated yet
        return []
    return [
        Warning(
            f"The shop takes commission, but none of sales in {currency}.",
            hint="Add a commission rate of the store in this currency in the admin; its rate may be 0.",
            id="alley.W023",
        )
        for currency in missing
    ]
